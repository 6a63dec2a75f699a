# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers what HyperRes adds to QGIS, and removes it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgis.core import QgsApplication
from qgis.gui import QgisInterface
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .algorithms.translation import tr
from .processing_provider.provider import HyperResProvider
from .ui.options import PAGE_KEY, OptionsFactory

ICON = Path(__file__).parent / "ui" / "icons" / "hyperres.svg"
MENU = "HyperRes"


class HyperResPlugin:
    """The plugin; QGIS calls its methods."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: HyperResProvider | None = None
        self._options: OptionsFactory | None = None
        self._actions: list[QAction] = []

    def initProcessing(self) -> None:
        """Add the toolbox provider; all that ``qgis_process`` needs."""
        self._provider = HyperResProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Add everything that a window shows."""
        self.initProcessing()
        self._options = OptionsFactory()
        self._iface.registerOptionsWidgetFactory(self._options)
        self._add_action(tr("Unmix hyperspectral image..."), lambda: self._open_algorithm("unmix"))
        self._add_action(tr("Fuse hyperspectral and multispectral images..."), lambda: self._open_algorithm("fuse"))
        self._add_action(tr("Check the engine..."), lambda: self._open_algorithm("status"))
        self._add_action(tr("Settings..."), self._open_settings)

    def unload(self) -> None:
        """Remove everything that was added."""
        for action in self._actions:
            self._iface.removePluginRasterMenu(MENU, action)
            action.deleteLater()
        self._actions = []
        if self._options is not None:
            self._iface.unregisterOptionsWidgetFactory(self._options)
            self._options = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def _add_action(self, text: str, slot: Callable[[], None]) -> None:
        action = QAction(QIcon(str(ICON)), text, self._iface.mainWindow())
        action.triggered.connect(lambda checked=False: slot())
        self._iface.addPluginToRasterMenu(MENU, action)
        self._actions.append(action)

    def _open_algorithm(self, name: str) -> None:
        import processing  # a plugin itself, loaded after this one perhaps

        dialog = processing.createAlgorithmDialog(f"hyperres:{name}", {})
        if dialog is not None:
            dialog.show()

    def _open_settings(self) -> None:
        self._iface.showOptionsDialog(self._iface.mainWindow(), currentPage=PAGE_KEY)
