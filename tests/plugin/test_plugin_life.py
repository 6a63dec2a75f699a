# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin loads light, adds what it should, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "numpy", "scipy", "rasterio", "matplotlib", "pandas", "plotly", "safetensors")

LOAD = """
import json, sys, time
from osgeo import gdal
from qgis.core import QgsApplication
from qgis import gui  # QGIS has loaded its own parts before any plugin
application = QgsApplication([], True)
application.initQgis()
before = set(sys.modules)
started = time.perf_counter()
from hyperres import classFactory
plugin = classFactory(None)
plugin.initProcessing()
seconds = time.perf_counter() - started
count = len(QgsApplication.processingRegistry().providerById("hyperres").algorithms())
plugin.unload()
print(json.dumps({"new": sorted(set(sys.modules) - before), "seconds": seconds, "count": count}))
sys.stdout.flush()
import os
os._exit(0)
"""


def test_loading_imports_nothing_heavy(record_property):
    """In a fresh process, as at the start of QGIS."""
    answer = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True, timeout=60)
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert loaded["count"] >= 8
    assert not {name.split(".")[0] for name in loaded["new"]} & set(HEAVY)
    record_property("load_seconds", loaded["seconds"])
    print(f"Loading the plugin took {loaded['seconds']:.3f} s and imported {len(loaded['new'])} modules.")


class Window:
    """Notes what a plugin adds to QGIS's window and removes from it."""

    def __init__(self):
        self.actions, self.factories = [], []

    def mainWindow(self):  # noqa: N802
        return None

    def addPluginToRasterMenu(self, menu, action):  # noqa: N802
        self.actions.append((menu, action.text()))

    def removePluginRasterMenu(self, menu, action):  # noqa: N802
        self.actions.remove((menu, action.text()))

    def registerOptionsWidgetFactory(self, factory):  # noqa: N802
        self.factories.append(factory)

    def unregisterOptionsWidgetFactory(self, factory):  # noqa: N802
        self.factories.remove(factory)


def test_unloading_leaves_nothing():
    """In a process of its own, because the other tests keep a provider."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from qgis.core import QgsApplication
application = QgsApplication([], True)
application.initQgis()
from test_plugin_life import Window
from hyperres import classFactory
registry = QgsApplication.processingRegistry()
window = Window()
for _ in range(2):  # twice: as the plugin reloader does
    plugin = classFactory(window)
    plugin.initGui()
    assert registry.providerById("hyperres") is not None
    assert len(window.actions) == 4 and len(window.factories) == 1, window.actions
    assert {{menu for menu, _ in window.actions}} == {{"HyperRes"}}
    plugin.unload()
    assert registry.providerById("hyperres") is None
    assert not window.actions and not window.factories
    plugin.unload()  # QGIS may ask twice
print("clean")
sys.stdout.flush()
import os
os._exit(0)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout.strip().endswith("clean"), answer.stderr
