# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of QGIS's options where the engine is chosen and tried out."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication, QgsTask
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QFontDatabase, QIcon
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..algorithms.parameters import DEVICES
from ..algorithms.preferences import Preferences
from ..algorithms.translation import tr
from ..core.engine.interpreter import Probe, create_commands, examine

PAGE_KEY = "hyperres_options"
ICON = Path(__file__).parent / "icons" / "hyperres.svg"
MAX_MEMORY_MB = 1_000_000


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page each time the options dialog opens."""

    def __init__(self) -> None:
        super().__init__("HyperRes", QIcon(str(ICON)))

    def createWidget(self, parent: QWidget | None) -> QgsOptionsPageWidget:
        return OptionsPage(parent)


class Trial(QgsTask):
    """Tries an interpreter out without blocking QGIS."""

    answered = pyqtSignal(object)

    def __init__(self, setting: str) -> None:
        super().__init__(tr("Testing the engine of HyperRes"), QgsTask.Flag.CanCancel)
        self._setting = setting
        self._found = Probe(None, False, tr("The test was cancelled."))

    def run(self) -> bool:
        self._found = examine(self._setting)
        return True

    def finished(self, succeeded: bool) -> None:
        self.answered.emit(self._found)


class OptionsPage(QgsOptionsPageWidget):
    """Interpreter, device and memory."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE_KEY)
        self._trial: Trial | None = None
        self._fill_in = False
        self.interpreter = QgsFileWidget()
        self.find = QPushButton(tr("Find"))
        self.test = QPushButton(tr("Test"))
        self.state = QLabel()
        self.device = QComboBox()
        self.memory = QSpinBox()
        self.commands = QPlainTextEdit(create_commands())
        self.copy = QPushButton(tr("Copy"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self._engine_box(), self._limits_box(), self._how_to_box()):
            layout.addWidget(box)
        layout.addStretch(1)
        self._show(Preferences.load())

    def apply(self) -> None:
        """Save (called by QGIS when the dialog is accepted)."""
        Preferences(
            interpreter=self.interpreter.filePath().strip(),
            device=self.device.currentText(),
            memory_mb=self.memory.value(),
        ).save()

    def helpKey(self) -> str:
        return ""

    def _engine_box(self) -> QGroupBox:
        box = QGroupBox(tr("Engine"))
        self.interpreter.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self.interpreter.setDialogTitle(tr("Python interpreter of the engine"))
        self.interpreter.lineEdit().setPlaceholderText(tr("Empty: find it"))
        self.find.setToolTip(tr("Look in the customary places and fill in the first Python that can compute."))
        self.test.setToolTip(tr("Start this Python, list its versions and time a small computation per device."))
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.find.clicked.connect(self._find)
        self.test.clicked.connect(self._test)
        row = QHBoxLayout()
        row.addWidget(self.interpreter, 1)
        row.addWidget(self.find)
        row.addWidget(self.test)
        layout = QVBoxLayout(box)
        layout.addWidget(_note(tr("HyperRes computes in this Python, in a process of its own, never inside QGIS.")))
        layout.addLayout(row)
        layout.addWidget(self.state)
        return box

    def _limits_box(self) -> QGroupBox:
        box = QGroupBox(tr("Runs"))
        self.device.addItems(DEVICES)
        self.memory.setRange(0, MAX_MEMORY_MB)
        self.memory.setSingleStep(256)
        self.memory.setSuffix(" MB")
        self.memory.setSpecialValueText(tr("Automatic"))
        self.memory.setToolTip(tr("Memory for the tiles of a run; a few hundred MB are enough for any raster."))
        layout = QFormLayout(box)
        layout.addRow(tr("Device unless chosen otherwise"), self.device)
        layout.addRow(tr("Memory limit"), self.memory)
        return box

    def _how_to_box(self) -> QGroupBox:
        box = QGroupBox(tr("No engine yet?"))
        self.commands.setReadOnly(True)
        self.commands.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.commands.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.commands.setFixedHeight(4 * self.commands.fontMetrics().lineSpacing())
        self.copy.clicked.connect(self._copy)
        text = tr(
            "Type these commands into a terminal, then press Find. They create a Python environment in your home "
            "folder, outside QGIS, and change nothing else. It takes about 1.2 GB on disk (250 MB to download); on "
            "Linux pip may choose the build of torch for NVIDIA cards, which takes several GB."
        )
        layout = QVBoxLayout(box)
        layout.addWidget(_note(text))
        layout.addWidget(self.commands)
        layout.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignLeft)
        return box

    def _show(self, preferences: Preferences) -> None:
        self.interpreter.setFilePath(preferences.interpreter)
        self.device.setCurrentText(preferences.device)
        self.memory.setValue(preferences.memory_mb)

    def _copy(self) -> None:
        QgsApplication.clipboard().setText(self.commands.toPlainText())

    def _find(self) -> None:
        self._start(Trial(""), fill_in=True)

    def _test(self) -> None:
        self._start(Trial(self.interpreter.filePath().strip()), fill_in=False)

    def _start(self, trial: Trial, fill_in: bool) -> None:
        self._trial, self._fill_in = trial, fill_in
        self._set_busy(True)
        self.state.setText(tr("Testing: this takes a few seconds..."))
        trial.answered.connect(self._on_answer)
        QgsApplication.taskManager().addTask(trial)

    def _on_answer(self, found: Probe) -> None:
        self._set_busy(False)
        self.state.setText("\n".join(found.lines()))
        if self._fill_in and found.ok:
            self.interpreter.setFilePath(str(found.path))

    def _set_busy(self, busy: bool) -> None:
        self.find.setEnabled(not busy)
        self.test.setEnabled(not busy)


def _note(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
