# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sources use only what Qt 6 has: read with ``ast`` and looked up in PyQt6, without a QGIS on Qt 6."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

pytest.importorskip("PyQt6", reason="PyQt6 is not installed: its names cannot be looked up")

SOURCES = sorted(
    path
    for pattern in ("*.py", "algorithms/**/*.py", "processing_provider/**/*.py", "ui/**/*.py", "core/**/*.py")
    for path in ROOT.glob(pattern)
)
MOVED_TO_GUI = {"QAction", "QActionGroup", "QShortcut"}  # qgis.PyQt offers them in their old place
OWN_TO_QGIS = {"pyqtSignal", "pyqtSlot", "pyqtProperty"}
GONE_CALLS = {"exec_", "print_", "toTime_t", "fromTime_t", "setMargin", "globalPos"}
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6"}


def findings(source: str) -> list[str]:
    """Say what would break under Qt 6."""
    tree = ast.parse(source)
    return [f"line {node.lineno}: {text}" for node, text in (*imported(tree), *used(tree))]


def imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] in BINDINGS:
                    yield node, f"import {name.name}: import from qgis.PyQt"
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.split(".")[0] in BINDINGS:
                yield node, f"import from {node.module}: import from qgis.PyQt"
            if node.module.startswith("qgis.PyQt."):
                for name in node.names:
                    if name.name not in OWN_TO_QGIS and look_up(node.module, name.name) is None:
                        yield node, f"{node.module} has no {name.name} in Qt 6"


def used(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    qt, qgis = names_of(tree)
    inner = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node in inner:
            continue
        root, chain = unravel(node)
        if node in called and node.attr in GONE_CALLS:
            yield node, f"{node.attr}() is gone in Qt 6"
        if root in qt:
            thing = qt[root]
            for step in chain:
                if not hasattr(thing, step):
                    yield node, f"{root}.{'.'.join(chain)} does not exist in Qt 6: give the enum's full name"
                    break
                thing = getattr(thing, step)
        elif root in qgis and len(chain) == 1 and chain[0][0].isupper() and node not in called:
            if not chain[0].isupper():  # QGIS_VERSION and the like are constants
                yield node, f"{root}.{chain[0]} is an enum without its full name"


def names_of(tree: ast.AST) -> tuple[dict[str, object], set[str]]:
    """Names imported from Qt, with what they mean in PyQt6, and from QGIS."""
    qt, qgis = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                if node.module.startswith("qgis.PyQt."):
                    qt[name.asname or name.name] = look_up(node.module, name.name)
                elif node.module in ("qgis.core", "qgis.gui"):
                    qgis.add(name.asname or name.name)
    return {name: thing for name, thing in qt.items() if thing is not None}, qgis


def look_up(module: str, name: str) -> object:
    part = module.split(".")[2]
    if part == "QtWidgets" and name in MOVED_TO_GUI:
        part = "QtGui"
    return getattr(importlib.import_module(f"PyQt6.{part}"), name, None)


def unravel(node: ast.expr) -> tuple[str, list[str]]:
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else "", chain)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(Path(path).relative_to(ROOT)))
def test_source_is_ready_for_qt6(path):
    assert findings(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "from PyQt5.QtCore import Qt",
        "import PyQt6",
        "from qgis.PyQt.QtCore import QRegExp",
        "from qgis.PyQt.QtWidgets import QDesktopWidget",
        "from qgis.PyQt.QtCore import Qt\nx = Qt.AlignLeft",
        "from qgis.PyQt.QtWidgets import QDialogButtonBox\nx = QDialogButtonBox.Ok",
        "from qgis.PyQt.QtCore import QVariant\nx = QVariant.Int",
        "from qgis.core import QgsTask\nx = QgsTask.CanCancel",
        "from qgis.core import Qgis\nx = Qgis.Warning",
        "dialog.exec_()",
    ],
)
def test_the_check_itself_finds_what_breaks(line):
    assert findings(line)


@pytest.mark.parametrize(
    "line",
    [
        "from qgis.PyQt.QtWidgets import QAction",
        "from qgis.PyQt.QtCore import Qt\nx = Qt.AlignmentFlag.AlignLeft",
        "from qgis.core import QgsTask\nx = QgsTask.Flag.CanCancel",
        "from qgis.core import Qgis\nx = Qgis.QGIS_VERSION",
        "from qgis.core import QgsProject\nx = QgsProject.instance()",
    ],
)
def test_the_check_itself_is_not_too_strict(line):
    assert findings(line) == []
