# SPDX-License-Identifier: GPL-3.0-or-later
"""The toolbox dialogs as a person meets them: opened, filled in, run, looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import ALGORITHMS, log_of, make_scene, run_batch, wait_for
from qgis.core import QgsProcessingOutputLayerDefinition, QgsProject, QgsRasterLayer, QgsSingleBandPseudoColorRenderer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QApplication


@pytest.fixture
def dialog(provider, real_iface, qgis_app):
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    opened = []

    def make(name, **values):
        made = AlgorithmDialog(provider.algorithm(name).create(), False, None)
        made.setParameters(values)
        made.resize(940, 720)
        made.show()
        wait_for(qgis_app, lambda: False, 0.3)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


def press_run(dialog, app):
    """Press Run and wait; QGIS announces no end of a run whose layers are missing, so the log is watched too."""
    finished = []
    dialog.algorithmFinished.connect(lambda *result: finished.append(result))
    dialog.runButton().click()
    assert wait_for(app, lambda: bool(finished) or "failed after" in log_of(dialog), 60), log_of(dialog)
    wait_for(app, lambda: False, 0.3)
    return log_of(dialog)


def loaded(path):
    """An output that QGIS opens when it is there."""
    return QgsProcessingOutputLayerDefinition(str(path), QgsProject.instance())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_dialog_opens(dialog, name, shots):
    opened = dialog(name)
    assert opened.grab().save(str(shots / f"dialog_{name}.png"))


@pytest.mark.engine
def test_a_run_ends_with_styled_layers(dialog, scene, tmp_path, qgis_app, shots):
    layer = QgsRasterLayer(scene.path, "scene")
    QgsProject.instance().addMapLayer(layer)
    out = tmp_path / "abundances.tif"
    opened = dialog("unmix", INPUT=layer.id(), COUNT=3, OUTPUT=loaded(out), OUTPUT_RMSE=loaded(tmp_path / "rmse.tif"))
    opened.grab().save(str(shots / "dialog_filled.png"))
    log = press_run(opened, qgis_app)
    opened.grab().save(str(shots / "dialog_done.png"))
    assert out.is_file(), log
    assert "torch" in log
    assert "Device" in log or "CPU" in log
    layers = {made.source(): made for made in QgsProject.instance().mapLayers().values()}
    abundances = layers[str(out)]
    assert isinstance(abundances.renderer(), QgsSingleBandPseudoColorRenderer)
    assert (abundances.renderer().classificationMin(), abundances.renderer().classificationMax()) == (0.0, 1.0)


@pytest.mark.engine
def test_a_fusion_of_two_layers_ends_with_true_colours(dialog, pair, tmp_path, qgis_app, shots):
    layers = {name: QgsRasterLayer(getattr(pair, name.lower()), name) for name in ("HSI", "MSI")}
    for layer in layers.values():
        QgsProject.instance().addMapLayer(layer)
    out, unsure = tmp_path / "fused.tif", tmp_path / "uncertainty.tif"
    chosen = {name: layer.id() for name, layer in layers.items()}
    opened = dialog("fuse", **chosen, OUTPUT=loaded(out), OUTPUT_UNCERTAINTY=loaded(unsure))
    opened.grab().save(str(shots / "dialog_fuse_filled.png"))
    log = press_run(opened, qgis_app)
    opened.grab().save(str(shots / "dialog_fuse_done.png"))
    made = {layer.source(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert str(out) in made, log
    assert made[str(out)].renderer().type() == "multibandcolor"
    assert made[str(out)].name() == "Fused image (ridge)"
    assert isinstance(made[str(unsure)].renderer(), QgsSingleBandPseudoColorRenderer)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["class.tif", "class.bsq"])
def test_class_layers_carry_names(dialog, scene, library, tmp_path, qgis_app, name):
    out = tmp_path / name
    values = {"INPUT": scene.path, "ENDMEMBERS": library, "OUTPUT_CLASS": loaded(out)}
    log = press_run(dialog("unmix", OUTPUT=str(tmp_path / "a.tif"), **values), qgis_app)
    layers = {made.source(): made for made in QgsProject.instance().mapLayers().values()}
    assert str(out) in layers, log
    labels = [entry.label for entry in layers[str(out)].renderer().classes()]
    assert labels == ["meadow", "soil", "water"]
    assert layers[str(out)].name() == "Dominant endmember (FCLS)"


@pytest.mark.engine
def test_a_failing_run_shows_the_sentence_and_no_traceback(dialog, scene, tmp_path, qgis_app, shots, monkeypatch):
    """The engine disappears between the check and the run."""
    from hyperres.algorithms import base
    from hyperres.core.errors import EnvironmentMissingError

    def vanish(*_):
        raise EnvironmentMissingError("The engine has gone: choose another one.")

    monkeypatch.setattr(base, "run_job", vanish)
    opened = dialog("unmix", INPUT=scene.path, COUNT=3, OUTPUT=str(tmp_path / "out.tif"))
    log = press_run(opened, qgis_app)
    opened.grab().save(str(shots / "dialog_failed.png"))
    assert "The engine has gone: choose another one." in log
    assert "Traceback" not in log
    assert list(tmp_path.glob("*.tif")) == []


def test_a_refused_run_says_why(dialog, scene, tmp_path, qgis_app, shots, monkeypatch):
    monkeypatch.setenv("HYPERRES_PYTHON", "/absent/python")
    opened = dialog("unmix", INPUT=scene.path, OUTPUT=str(tmp_path / "out.tif"))
    said = []

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:  # QGIS up to 3.22 asks for a click, later ones use the message bar
            said.append(box.text())
            box.grab().save(str(shots / "dialog_refused.png"))
            box.accept()

    QTimer.singleShot(1500, answer)
    opened.runButton().click()
    bar = opened.messageBar().currentItem()
    if bar is not None:
        said.append(bar.text())
    assert len(said) == 1
    assert "/absent/python" in said[0]


@pytest.mark.engine
def test_a_batch_of_three_rasters(provider, real_iface, tmp_path, qgis_app, shots):
    scenes = {f"scene{seed}": make_scene(tmp_path / f"scene{seed}.tif", side=40, seed=seed).path for seed in range(3)}
    rows = {name: {"INPUT": path, "COUNT": 3} for name, path in scenes.items()}
    found = run_batch(provider.algorithm("unmix"), rows, tmp_path, qgis_app, shots / "batch.png")
    for shares in found.values():
        np.testing.assert_allclose(shares[:, 1:].sum(axis=0), 1.0, atol=1e-4)
    assert sorted(Path(tmp_path).glob("*.part*")) == []
