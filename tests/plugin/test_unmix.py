# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix through QGIS's own roads: processing.run, a background task, a model, samples, cancel."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import processing
import pytest
from helpers import NAMES, NODATA, make_scene, read_raster, wait_for
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsVectorLayer,
)

pytestmark = pytest.mark.engine


def band_names(path):
    dataset = gdal.Open(str(path))
    return [dataset.GetRasterBand(i + 1).GetDescription() for i in range(dataset.RasterCount)]


def share_error(path, scene, order=(0, 1, 2)):
    """Root mean square error of the abundances where the scene is valid."""
    found = read_raster(path)[list(order)][:, 1:]
    return float(np.sqrt(np.mean((found - scene.shares[:, 1:]) ** 2)))


def test_known_spectra_give_the_known_shares(provider, scene, library, tmp_path):
    out = {name: str(tmp_path / file) for name, file in OUTPUTS.items()}
    made = processing.run("hyperres:unmix", {"INPUT": scene.path, "ENDMEMBERS": library, **out})
    assert {name: made[name] for name in OUTPUTS} == out
    shares = read_raster(out["OUTPUT"])
    valid = shares[:, 1:]
    assert band_names(out["OUTPUT"]) == list(NAMES)
    assert share_error(out["OUTPUT"], scene) < 0.01
    np.testing.assert_allclose(valid.sum(axis=0), 1.0, atol=1e-4)
    assert valid.min() > -1e-5
    dataset = gdal.Open(out["OUTPUT"])
    assert np.all(shares[:, 0] == dataset.GetRasterBand(1).GetNoDataValue()), "the nodata row stays nodata"
    assert made["COUNT_FOUND"] == 3
    assert 0 < made["MEAN_RMSE"] < 2e-3
    assert made["VALID_SHARE"] == pytest.approx(47 / 48)


OUTPUTS = {
    "OUTPUT": "abundances.tif",
    "OUTPUT_RMSE": "rmse.tif",
    "OUTPUT_CLASS": "class.tif",
    "OUTPUT_ENDMEMBERS": "endmembers.csv",
    "OUTPUT_SLI": "endmembers.sli",
    "REPORT": "report.html",
    "RESULT": "result.json",
}


@pytest.fixture(scope="module")
def blind(provider, scene, tmp_path_factory):
    """One run without any knowledge but the number of endmembers, with every output."""
    folder = tmp_path_factory.mktemp("blind")
    out = {name: str(folder / file) for name, file in OUTPUTS.items()}
    import os

    from helpers import ENGINE

    os.environ["HYPERRES_PYTHON"] = str(ENGINE)
    return processing.run("hyperres:unmix", {"INPUT": scene.path, "COUNT": 3, **out})


def test_blind_unmixing_finds_the_pure_pixels(blind, scene):
    found = read_raster(blind["OUTPUT"])[:, 1:].reshape(3, -1)
    truth = scene.shares[:, 1:].reshape(3, -1)
    agreement = np.corrcoef(np.vstack([found, truth]))[:3, 3:]
    order = agreement.argmax(axis=0)
    assert sorted(order) == [0, 1, 2], "each true material is found once"
    assert share_error(blind["OUTPUT"], scene, order) < 0.05


def test_georeference_is_kept(blind, scene):
    before, after = gdal.Open(scene.path), gdal.Open(blind["OUTPUT"])
    assert after.GetGeoTransform() == before.GetGeoTransform()
    crs = QgsCoordinateReferenceSystem.fromWkt(after.GetProjection())
    assert crs.authid() == "EPSG:32633"


def test_the_class_is_the_largest_share(blind):
    shares, classes = read_raster(blind["OUTPUT"])[:, 1:], read_raster(blind["OUTPUT_CLASS"]).squeeze()[1:]
    assert np.mean(shares.argmax(axis=0) + 1 == classes) > 0.999


def test_report_and_record_are_written(blind):
    page = open(blind["REPORT"], encoding="utf-8").read()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "<script" not in page.lower()
    record = json.load(open(blind["RESULT"], encoding="utf-8"))
    assert record["settings"]["count"] == 3


def test_the_table_can_be_given_to_the_next_run(blind, scene, tmp_path):
    again = processing.run(
        "hyperres:unmix",
        {"INPUT": scene.path, "ENDMEMBERS": blind["OUTPUT_ENDMEMBERS"], "OUTPUT": str(tmp_path / "again.tif")},
    )
    np.testing.assert_allclose(read_raster(again["OUTPUT"]), read_raster(blind["OUTPUT"]), atol=2e-3)


def test_endmembers_alone(provider, scene, tmp_path):
    table = tmp_path / "endmembers.csv"
    made = processing.run("hyperres:endmembers", {"INPUT": scene.path, "COUNT": 3, "OUTPUT_ENDMEMBERS": str(table)})
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("wavelength_nm,")
    assert len(lines[0].split(",")) == 4
    assert made["COUNT_FOUND"] == 3
    assert list(tmp_path.iterdir()) == [table]


def pure_pixels(crs="EPSG:4326"):
    """One polygon on each pure patch of the scene, in another coordinate system."""
    layer = QgsVectorLayer("Polygon?field=material:string", "pure", "memory")
    layer.setCrs(QgsCoordinateReferenceSystem(crs))
    from qgis.core import QgsCoordinateTransform

    transform = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32633"), layer.crs(), QgsProcessingContext().transformContext()
    )
    for k, name in enumerate(NAMES):
        top, left = 5000000 - 10 * (4 + 8 * k), 500000 + 40
        box = f"{left + 2} {top - 38}, {left + 38} {top - 38}, {left + 38} {top - 2}, {left + 2} {top - 2}"
        feature = QgsFeature(layer.fields())
        feature.setAttributes([name])
        geometry = QgsGeometry.fromWkt(f"Polygon (({box}, {left + 2} {top - 38}))")
        geometry.transform(transform)
        feature.setGeometry(geometry)
        layer.dataProvider().addFeatures([feature])
    return layer


def test_samples_in_another_coordinate_system(provider, scene, tmp_path):
    out = str(tmp_path / "shares.tif")
    processing.run(
        "hyperres:unmix", {"INPUT": scene.path, "SAMPLES": pure_pixels(), "SAMPLES_FIELD": "material", "OUTPUT": out}
    )
    assert sorted(band_names(out)) == sorted(NAMES)
    order = [band_names(out).index(name) for name in NAMES]
    assert share_error(out, scene, order) < 0.02


def test_a_background_task(provider, scene, library, tmp_path, qgis_app):
    """The dialogs' way: the work happens in another thread."""
    context, feedback, done = QgsProcessingContext(), QgsProcessingFeedback(), []
    seen = []
    feedback.progressChanged.connect(seen.append)
    values = {"INPUT": scene.path, "ENDMEMBERS": library, "OUTPUT": str(tmp_path / "out.tif")}
    algorithm = provider.algorithm("unmix").create()
    task = QgsProcessingAlgRunnerTask(algorithm, values, context, feedback)
    task.executed.connect(lambda fine, made: done.append((fine, made)))
    QgsApplication.taskManager().addTask(task)
    assert wait_for(qgis_app, lambda: bool(done))
    assert done[0][0]
    assert share_error(done[0][1]["OUTPUT"], scene) < 0.01
    assert seen == sorted(seen), "progress never goes backwards"
    assert seen[-1] == 100


def model_of_two_steps():
    """Cube to abundances to percent, as someone would draw it."""
    model = QgsProcessingModelAlgorithm("Cover in percent", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("cube", "Cube"), QgsProcessingModelParameter("cube"))
    source = QgsProcessingModelChildParameterSource
    unmix = QgsProcessingModelChildAlgorithm("hyperres:unmix")
    unmix.setChildId("unmix")
    unmix.addParameterSources("INPUT", [source.fromModelParameter("cube")])
    for name, value in {"COUNT": 3, "MODEL": "fcls", "EXTRACTION": "snpa", "DEVICE": "cpu", "SEED": 0}.items():
        unmix.addParameterSources(name, [source.fromStaticValue(value)])
    model.addChildAlgorithm(unmix)
    percent = QgsProcessingModelChildAlgorithm("native:rescaleraster")
    percent.setChildId("percent")
    percent.addParameterSources("INPUT", [source.fromChildOutput("unmix", "OUTPUT")])
    for name, value in {"BAND": 1, "MINIMUM": 0, "MAXIMUM": 100, "NODATA": NODATA}.items():
        percent.addParameterSources(name, [source.fromStaticValue(value)])
    final = QgsProcessingModelOutput("percent", "percent")
    final.setChildId("percent")
    final.setChildOutputName("OUTPUT")
    percent.setModelOutputs({"percent": final})
    model.addChildAlgorithm(percent)
    return model


def test_a_model_that_goes_on_with_the_abundances(provider, scene, tmp_path):
    path = str(tmp_path / "percent.model3")
    assert model_of_two_steps().toFile(path)
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(path)
    model.initAlgorithm()
    output = next(d.name() for d in model.destinationParameterDefinitions())
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    made, fine = model.run({"cube": scene.path, output: str(tmp_path / "percent.tif")}, context, feedback)
    assert fine, feedback.textLog()
    values = read_raster(made[output]).squeeze()[1:]
    assert values.min() == pytest.approx(0, abs=0.1)
    assert values.max() == pytest.approx(100, abs=0.1)


def test_a_model_with_a_wrong_word_is_refused(provider, scene, tmp_path):
    """QGIS does not check the values of a model's steps: we do."""
    model = model_of_two_steps()
    child = model.childAlgorithm("unmix")
    child.addParameterSources("MODEL", [QgsProcessingModelChildParameterSource.fromStaticValue("best")])
    model.setChildAlgorithm(child)
    output = next(d.name() for d in model.destinationParameterDefinitions())
    feedback = QgsProcessingFeedback()
    values = {"cube": scene.path, output: str(tmp_path / "percent.tif")}
    try:
        _, fine = model.run(values, QgsProcessingContext(), feedback)
    except QgsProcessingException:
        fine = False
    assert not fine
    assert "'best'" in feedback.textLog()
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("large") / "large.tif", side=1500).path


@pytest.mark.parametrize("percent", [1, 60])
def test_cancel_ends_soon_and_leaves_nothing(provider, large, tmp_path, percent):
    feedback, asked = QgsProcessingFeedback(), []

    def cancel(value):
        if value >= percent and not asked:
            asked.append(time.monotonic())
            feedback.cancel()

    feedback.progressChanged.connect(cancel)
    values = {"INPUT": large, "COUNT": 3, "OUTPUT": str(tmp_path / "out.tif"), "REPORT": str(tmp_path / "r.html")}
    made, fine = provider.algorithm("unmix").create().run(values, QgsProcessingContext(), feedback)
    ended = time.monotonic()
    assert asked, "the run was too quick to be cancelled"
    assert fine
    assert made == {}
    assert ended - asked[0] < 2.0
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_engine_is_one_sentence(provider, tmp_path):
    path = make_scene(tmp_path / "constant.tif", side=8).path
    dataset = gdal.Open(path, gdal.GA_Update)
    for i in range(dataset.RasterCount):
        dataset.GetRasterBand(i + 1).WriteArray(np.full((8, 8), NODATA, dtype="int16"))
    dataset.FlushCache()
    del dataset
    before = sorted(tmp_path.iterdir())
    with pytest.raises(QgsProcessingException, match="no valid pixel") as caught:
        processing.run("hyperres:unmix", {"INPUT": path, "OUTPUT": str(tmp_path / "out.tif")})
    assert "Traceback" not in str(caught.value)
    assert [p for p in sorted(tmp_path.iterdir()) if not p.name.endswith(".aux.xml")] == before


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that not even root can write to")
def test_an_unwritable_target_is_one_sentence(provider, scene, library):
    with pytest.raises(QgsProcessingException, match="/proc") as caught:
        processing.run("hyperres:unmix", {"INPUT": scene.path, "ENDMEMBERS": library, "OUTPUT": "/proc/out.tif"})
    assert "Traceback" not in str(caught.value)


def test_temporary_outputs_work_too(provider, scene, library):
    values = {"INPUT": scene.path, "ENDMEMBERS": library, "OUTPUT": "TEMPORARY_OUTPUT"}
    made = processing.run("hyperres:unmix", values)
    assert made["OUTPUT"].startswith(QgsProcessingUtils.tempFolder())
    assert made["OUTPUT"].endswith(".tif")
    assert read_raster(made["OUTPUT"]).shape[0] == 3
