# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider in a running QGIS, a small scene with known shares, and dialogs that do not fail in silence."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsLayerTreeModel, QgsProject, QgsSettings
from qgis.gui import QgsBrowserGuiModel, QgsLayerTreeView
from qgis.PyQt.QtCore import QEvent

sys.path.insert(0, str(Path(__file__).parent))

from helpers import ENGINE, Scene, library_text, make_scene
from pairs import Pair, make_pair


def pytest_configure(config):
    config.addinivalue_line("markers", "engine: needs the engine's interpreter (HYPERRES_PYTHON)")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("engine") and not ENGINE.is_file():
            item.add_marker(pytest.mark.skip(reason=f"no engine: {ENGINE} does not exist (HYPERRES_PYTHON)"))


@pytest.fixture(autouse=True)
def no_layers_left(qgis_app):
    """A layer that outlives QGIS ends the process with a crash: let go of those caught in reference cycles."""
    yield
    gc.collect()
    qgis_app.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    """The engine's interpreter, named as on a server; tests that want none delete the variable."""
    monkeypatch.setenv("HYPERRES_PYTHON", str(ENGINE))


@pytest.fixture(autouse=True)
def clean_settings(qgis_app):
    yield
    QgsSettings().remove("hyperres")


@pytest.fixture(scope="session")
def provider(qgis_app, qgis_processing):
    from hyperres.processing_provider.provider import HyperResProvider

    made = HyperResProvider()
    assert QgsApplication.processingRegistry().addProvider(made)
    yield made
    QgsApplication.processingRegistry().removeProvider(made)


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene") / "scene.tif")


@pytest.fixture(scope="session")
def library(scene, tmp_path_factory) -> str:
    """The scene's true spectra as a CSV table."""
    path = tmp_path_factory.mktemp("library") / "library.csv"
    path.write_text(library_text(scene), encoding="utf-8")
    return str(path)


@pytest.fixture
def shots(tmp_path) -> Path:
    """Where screenshots go: HYPERRES_SHOTS to keep them."""
    folder = Path(os.environ.get("HYPERRES_SHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def real_iface(qgis_iface, monkeypatch):
    """An interface whose parts are real where QGIS's dialogs hand them to C++, which refuses stand-ins."""
    browser, view = QgsBrowserGuiModel(), QgsLayerTreeView()
    model = QgsLayerTreeModel(QgsProject.instance().layerTreeRoot())
    view.setModel(model)
    monkeypatch.setattr(qgis_iface, "browserModel", lambda: browser, raising=False)
    monkeypatch.setattr(qgis_iface, "layerTreeView", lambda: view, raising=False)
    monkeypatch.setattr(qgis_iface, "activeLayer", lambda: None, raising=False)
    yield qgis_iface
    view.setModel(None)
    QgsProject.instance().removeAllMapLayers()


@pytest.fixture(autouse=True)
def no_silent_errors(monkeypatch):
    """An exception in a Qt slot would end the process without a word: note it and fail the test."""
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: seen.append((kind, value, trace)))
    yield
    if seen:
        pytest.fail("An exception in a Qt slot:\n" + "".join(traceback.format_exception(*seen[0])))


@pytest.fixture(scope="session")
def pair(tmp_path_factory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"))
