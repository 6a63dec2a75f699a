# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import what: the rules that keep QGIS and PyTorch apart, and a planted offence against each of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "hyperres"
ENGINE_ONLY = {"torch", "scipy", "rasterio", "safetensors"}
HEAVY = ENGINE_ONLY | {"numpy"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
QGIS = {"qgis", "osgeo", "processing", "PyQt5", "PyQt6"}
INPUT_OUTPUT = {"rasterio", "os", "io", "shutil", "tempfile", "subprocess", "socket", "urllib", "csv", "safetensors"}
FILE_CALLS = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "tofile", "fromfile"}
METHODS = tuple(f"core/{folder}/" for folder in ("physics", "unmixing", "sisr", "fusion", "ssr"))
# the contract and the records, as opposed to the machinery
OPEN_TO_METHODS = {"method", "record", "job"}
PLUGIN_SIDE = ("__init__.py", "plugin.py", "algorithms/", "ui/", "processing_provider/")
SKIPPED = {".venv", ".venv-qgis", "demo-output", "dist"}


@dataclass(frozen=True)
class Import:
    """One imported name, made absolute; ``eager`` when it happens as the module is loaded."""

    name: str
    line: int
    eager: bool

    @property
    def top(self) -> str:
        return self.name.split(".")[0]


def module_name(path: str) -> str:
    """``core/engine/job.py`` is ``hyperres.core.engine.job``."""
    parts = path[: -len(".py")].split("/")
    return ".".join([PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)])


@cache
def find_imports(path: str, source: str) -> tuple[Import, ...]:
    """All imports of a file except those for type checkers only."""
    package = module_name(path).split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]

    def names(node: ast.stmt) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)

    def walk(node: ast.AST, eager: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from (found for part in child.orelse for found in walk(part, eager))
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                yield from (Import(name, child.lineno, eager) for name in names(child))
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from walk(child, eager and not is_function)

    return tuple(walk(ast.parse(source), True))


def read_tree() -> dict[str, str]:
    """All Python files of the working tree by path from the root."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return {
        path.as_posix(): (ROOT / path).read_text(encoding="utf-8") for path in paths if path.parts[0] not in SKIPPED
    }


def loaded_with(name: str, tree: dict[str, str]) -> Iterator[str]:
    """Paths of the modules of this package that ``import name`` loads, with all that they load in turn."""
    modules = {module_name(path): path for path in tree}
    waiting, seen = [name], set()
    while waiting:
        parts = waiting.pop().split(".")
        for end in range(1, len(parts) + 1):
            path = modules.get(".".join(parts[:end]))
            if path is not None and path not in seen:
                seen.add(path)
                yield path
                waiting += [found.name for found in find_imports(path, tree[path]) if found.eager]


def qgis_in_core(tree: dict[str, str]) -> Iterator[str]:
    for path, source in tree.items():
        if path.startswith("core/"):
            yield from (f"{path}:{i.line} {i.name}" for i in find_imports(path, source) if i.top in QGIS)


def rasterio_outside_its_homes(tree: dict[str, str]) -> Iterator[str]:
    for path, source in tree.items():
        if path.startswith("core/") and not path.startswith(("core/raster/", "core/engine/")):
            yield from (f"{path}:{i.line} {i.name}" for i in find_imports(path, source) if i.top == "rasterio")


def input_output_in_methods(tree: dict[str, str]) -> Iterator[str]:
    machinery = (f"{PACKAGE}.core.raster", f"{PACKAGE}.core.engine")
    for path, source in tree.items():
        if not path.startswith(METHODS):
            continue
        for found in find_imports(path, source):
            parts = found.name.split(".")
            of_engine = found.name.startswith(machinery) and len(parts) > 3 and parts[3] not in OPEN_TO_METHODS
            if found.top in INPUT_OUTPUT or of_engine:
                yield f"{path}:{found.line} {found.name}"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and called(node) in FILE_CALLS:
                yield f"{path}:{node.lineno} {called(node)}()"


def called(node: ast.Call) -> str:
    """Last part of the name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def heavy_in_plugin(tree: dict[str, str]) -> Iterator[str]:
    """The engine's packages anywhere on the plugin's side, or numpy as the plugin loads, directly or through core."""
    for path, source in tree.items():
        if not path.startswith(PLUGIN_SIDE):
            continue
        for found in find_imports(path, source):
            banned = HEAVY if found.eager else ENGINE_ONLY
            if found.top in banned:
                yield f"{path}:{found.line} {found.name}"
            for other in loaded_with(found.name, tree):
                yield from (
                    f"{path}:{found.line} {found.name} loads {other}, which needs {inner.top}"
                    for inner in find_imports(other, tree[other])
                    if inner.eager and inner.top in banned
                )


def pickles(tree: dict[str, str]) -> Iterator[str]:
    for path, source in tree.items():
        yield from (f"{path}:{i.line} {i.name}" for i in find_imports(path, source) if i.top in PICKLES)
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or called(node) != "load":
                continue
            options = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            if options.get("allow_pickle") or (
                ast.unparse(node.func) == "torch.load" and options.get("weights_only") is not True
            ):
                yield f"{path}:{node.lineno} {ast.unparse(node)}"


def filled_package_files(tree: dict[str, str]) -> Iterator[str]:
    """Importing one module of core must not load its neighbours."""
    for path, source in tree.items():
        if path.startswith("core/") and path.endswith("__init__.py") and ast.parse(source).body:
            yield path


RULES = (
    qgis_in_core,
    rasterio_outside_its_homes,
    input_output_in_methods,
    heavy_in_plugin,
    pickles,
    filled_package_files,
)
OFFENCES = [
    (qgis_in_core, "core/planted.py", "def f():\n    from qgis.core import Qgis"),
    (qgis_in_core, "core/raster/planted.py", "from osgeo import gdal"),
    (rasterio_outside_its_homes, "core/report/planted.py", "import rasterio.windows"),
    (input_output_in_methods, "core/unmixing/planted.py", "from ..raster import reader"),
    (input_output_in_methods, "core/unmixing/planted.py", "from ..engine.worker import main"),
    (input_output_in_methods, "core/fusion/planted.py", "import subprocess"),
    (input_output_in_methods, "core/physics/planted.py", "def f(path):\n    return path.read_text()"),
    (input_output_in_methods, "core/ssr/planted.py", "table = open('table.txt')"),
    (heavy_in_plugin, "algorithms/planted.py", "def f():\n    import torch"),
    (heavy_in_plugin, "ui/planted.py", "import numpy as np"),
    (heavy_in_plugin, "plugin.py", "class A:\n    import scipy.linalg"),
    (heavy_in_plugin, "processing_provider/planted.py", "try:\n    import rasterio\nexcept ImportError:\n    pass"),
    (heavy_in_plugin, "algorithms/planted.py", "from ..core.planted_first import something"),
    (heavy_in_plugin, "ui/planted.py", "def f():\n    from ..core import planted_second"),
    (heavy_in_plugin, "ui/planted.py", "from ..core.planted_third import small"),
    (pickles, "dev/planted.py", "def f():\n    import pickle"),
    (pickles, "core/engine/planted.py", "import torch\nmodel = torch.load(path)"),
    (pickles, "core/engine/planted.py", "import numpy\ntable = numpy.load(path, allow_pickle=True)"),
    (filled_package_files, "core/unmixing/__init__.py", "from .settings import UnmixSettings"),
]
SUPPORT = {
    "core/planted_first.py": "from .planted_second import something",
    "core/planted_second.py": "import torch",
    "core/planted_third.py": "import numpy\nsmall = 1",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_working_tree_keeps_the_rule(rule):
    assert list(rule(read_tree())) == []


@pytest.mark.parametrize(("rule", "path", "source"), OFFENCES)
def test_an_offence_is_found(rule, path, source):
    tree = {"__init__.py": "", "core/__init__.py": "", **SUPPORT}
    assert not list(rule(tree))
    assert any(line.startswith(path) for line in rule({**tree, path: source}))


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (heavy_in_plugin, "ui/planted.py", "def f():\n    import numpy"),
        (heavy_in_plugin, "ui/planted.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        (heavy_in_plugin, "algorithms/planted.py", "from ..core.errors import InputError"),
        (rasterio_outside_its_homes, "core/engine/planted.py", "import rasterio"),
        (input_output_in_methods, "core/unmixing/planted.py", "from ..engine.method import Sample\nimport torch"),
        (pickles, "core/engine/planted.py", "import torch\nmodel = torch.load(path, weights_only=True)"),
    ],
)
def test_what_is_allowed_is_not_reported(rule, path, source):
    assert not list(rule({"__init__.py": "", "core/__init__.py": "", "core/errors.py": "", path: source}))


def test_what_the_plugin_loads_of_core_needs_the_standard_library_only():
    tree = read_tree()
    modules = {module_name(path) for path in tree if path.startswith("core/")}
    wanted = {
        found.name
        for path, source in tree.items()
        if path.startswith(PLUGIN_SIDE)
        for found in find_imports(path, source)
        if found.eager and found.name in modules
    }
    code = (
        f"import sys; sys.path.insert(0, sys.argv[1]); import {', '.join(sorted(wanted | {f'{PACKAGE}.core.errors'}))}"
    )
    # -S leaves out every installed package
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, ROOT / ".venv" / "plugins"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
