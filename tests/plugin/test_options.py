# SPDX-License-Identifier: GPL-3.0-or-later
"""The options page: open, change, save, reopen, find and test the engine."""

from __future__ import annotations

import threading

import pytest
from helpers import ENGINE, wait_for
from qgis.core import QgsApplication


@pytest.fixture
def page(qgis_app):
    from hyperres.ui.options import OptionsPage

    made = []

    def make():
        widget = OptionsPage()
        widget.resize(720, 640)
        widget.show()
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.close()


def test_changes_are_kept(page):
    from hyperres.algorithms.preferences import Preferences

    first = page()
    first.interpreter.setFilePath(" /opt/engine/bin/python ")
    first.device.setCurrentText("cpu")
    first.memory.setValue(2048)
    assert Preferences.load() == Preferences(), "nothing is saved before the dialog is accepted"
    first.apply()
    assert Preferences.load() == Preferences("/opt/engine/bin/python", "cpu", 2048)
    second = page()
    assert second.interpreter.filePath() == "/opt/engine/bin/python"
    assert second.device.currentText() == "cpu"
    assert second.memory.value() == 2048


def test_the_chosen_device_is_the_default_of_algorithms(page, provider):
    changed = page()
    changed.device.setCurrentText("cpu")
    changed.apply()
    assert provider.algorithm("unmix").create().parameterDefinition("DEVICE").defaultValue() == "cpu"


@pytest.mark.engine
def test_test_names_versions_and_devices_without_blocking(page, qgis_app, shots):
    widget = page()
    widget.interpreter.setFilePath(str(ENGINE))
    widget.test.click()
    assert not widget.test.isEnabled(), "the answer comes later"
    assert wait_for(qgis_app, widget.test.isEnabled)
    text = widget.state.text()
    assert text.startswith("Ready")
    assert "torch" in text
    assert "cpu: " in text
    wait_for(qgis_app, lambda: False, 0.3)
    widget.grab().save(str(shots / "options.png"))


@pytest.mark.engine
def test_find_fills_in_what_works(page, qgis_app):
    widget = page()
    widget.interpreter.setFilePath("/absent/python")
    widget.find.click()
    assert wait_for(qgis_app, widget.find.isEnabled)
    assert widget.interpreter.filePath() == str(ENGINE)


def test_a_bad_choice_is_explained(page, qgis_app, shots):
    widget = page()
    widget.interpreter.setFilePath("/absent/python")
    widget.test.click()
    assert wait_for(qgis_app, widget.test.isEnabled)
    assert "does not exist" in widget.state.text()
    wait_for(qgis_app, lambda: False, 0.3)
    widget.grab().save(str(shots / "options_bad.png"))


def test_closing_the_page_during_a_test_is_harmless(page, qgis_app, monkeypatch):
    from hyperres.core.engine.interpreter import Probe
    from hyperres.ui import options

    release = threading.Event()

    def slow(setting):
        release.wait(10)
        return Probe(None, False, "late")

    monkeypatch.setattr(options, "examine", slow)
    widget = options.OptionsPage()
    widget.test.click()
    widget.deleteLater()
    del widget
    qgis_app.processEvents()
    release.set()
    assert wait_for(qgis_app, lambda: QgsApplication.taskManager().count() == 0, 10)


def test_the_commands_can_be_copied(page):
    widget = page()
    widget.copy.click()
    assert "pip install torch" in QgsApplication.clipboard().text()
    assert QgsApplication.clipboard().text() == widget.commands.toPlainText()
