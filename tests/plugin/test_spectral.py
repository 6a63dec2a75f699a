# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral super-resolution through QGIS's own roads: processing.run, dialog, model, batch, shell words, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import processing
import pytest
from helpers import read_raster, refusal, run_batch, wait_for, write_raster
from modelling import From, draw, run_saved
from osgeo import gdal
from pairs import CENTRES_NM, NM, make_pair
from qgis.core import (
    QgsMultiBandColorRenderer,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
)

OUTPUTS = {
    "OUTPUT": "spectra.tif",
    "OUTPUT_UNCERTAINTY": "uncertainty.tif",
    "OUTPUT_STF": "stf.csv",
    "OUTPUT_MODEL": "model.safetensors",
    "REPORT": "report.html",
    "RESULT": "result.json",
}
BANDS_TEXT = "name;centre_nm;width_nm\nblue;492;66\ngreen;560;36\nred;665;31\nnir;833;106\n"


@pytest.fixture(scope="module")
def made(provider, pair, tmp_path_factory):
    """One run with every output."""
    folder = tmp_path_factory.mktemp("spectra")
    out = {name: str(folder / file) for name, file in OUTPUTS.items()}
    values = {"INPUT": pair.msi, "HSI": pair.hsi, "PRESET": "ridge"}
    return processing.run("hyperres:spectralsuperresolve", {**values, **out}), out


@pytest.fixture(scope="module")
def bare(pair, tmp_path_factory) -> str:
    """The multispectral image without wavelengths, as a drone mosaic."""
    return write_raster(tmp_path_factory.mktemp("bare") / "mosaic.tif", read_raster(pair.msi), -9999, pixel_m=5)


@pytest.mark.engine
def test_every_output_is_made(made, pair):
    results, out = made
    assert {name: results[name] for name in OUTPUTS} == out
    before, after = gdal.Open(pair.msi), gdal.Open(out["OUTPUT"])
    assert (after.RasterXSize, after.RasterYSize) == (before.RasterXSize, before.RasterYSize)
    assert after.GetGeoTransform() == before.GetGeoTransform()
    assert after.RasterCount == len(NM)
    assert float(after.GetRasterBand(2).GetMetadataItem("wavelength")) == pytest.approx(NM[1])
    truth = read_raster(pair.truth) / 10000
    assert np.sqrt(np.square(read_raster(out["OUTPUT"]) - truth).mean()) < 0.01
    assert read_raster(out["OUTPUT_UNCERTAINTY"]).shape == truth.shape
    assert results["PSNR"] > 35 and results["PSNR_RIDGE"] == results["PSNR"]
    assert results["VALID_SHARE"] == 1 and results["SAM"] < 3 and results["RMSE"] < 0.01
    assert json.loads(Path(out["RESULT"]).read_text(encoding="utf-8"))["settings"]["preset"] == "ridge"
    assert len(Path(out["OUTPUT_STF"]).read_text(encoding="utf-8").splitlines()) == len(NM) + 1


@pytest.mark.engine
def test_a_model_and_a_mosaic_without_wavelengths(made, bare, pair, tmp_path):
    table = tmp_path / "bands.csv"
    table.write_text(BANDS_TEXT, encoding="utf-8")
    values = {"INPUT": bare, "MODEL": made[1]["OUTPUT_MODEL"], "BANDS": str(table), "OUTPUT_BANDS": "1-2, 5"}
    again = processing.run("hyperres:spectralsuperresolve", {**values, "OUTPUT": str(tmp_path / "some.tif")})
    expected = read_raster(made[1]["OUTPUT"])[[0, 1, 4]]
    np.testing.assert_allclose(read_raster(again["OUTPUT"]), expected, atol=1e-5)


@pytest.mark.engine
def test_a_training_from_a_library_of_spectra(provider, pair, tmp_path):
    """No image at all is given: the camera is named, the spectra come from a table."""
    truth = read_raster(pair.truth).reshape(len(NM), -1)[:, ::731] / 10000
    names = [f"s{i}" for i in range(truth.shape[1])]
    rows = [f"{nm:g}," + ",".join(f"{v:.5f}" for v in row) for nm, row in zip(NM, truth)]
    library = tmp_path / "library.csv"
    library.write_text("\n".join(["wavelength_nm," + ",".join(names), *rows]) + "\n", encoding="utf-8")
    out = {"OUTPUT_MODEL": str(tmp_path / "m.safetensors"), "REPORT": str(tmp_path / "r.html")}
    values = {"MODE": "library", "LIBRARY": str(library), "SENSOR": "p4-multispectral", "PRESET": "ridge"}
    results = processing.run("hyperres:trainssr", {**values, **out})
    assert Path(results["OUTPUT_MODEL"]).is_file() and results["SAM"] < 15
    assert "No image of any ground was seen" in Path(out["REPORT"]).read_text(encoding="utf-8")


@pytest.mark.engine
def test_the_dialog_ends_with_true_colours(provider, made, pair, real_iface, qgis_app, tmp_path, shots):
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    out = tmp_path / "spectra.tif"
    opened = AlgorithmDialog(provider.algorithm("spectralsuperresolve").create(), False, None)
    loaded = QgsProcessingOutputLayerDefinition(str(out), QgsProject.instance())
    opened.setParameters({"INPUT": pair.msi, "MODEL": made[1]["OUTPUT_MODEL"], "OUTPUT": loaded})
    opened.resize(940, 720)
    opened.show()
    finished = []
    opened.algorithmFinished.connect(lambda *result: finished.append(result))
    opened.grab().save(str(shots / "dialog_spectral_filled.png"))
    opened.runButton().click()
    assert wait_for(qgis_app, lambda: bool(finished), 60)
    wait_for(qgis_app, lambda: False, 0.3)
    opened.grab().save(str(shots / "dialog_spectral_done.png"))
    opened.close()
    layers = {layer.source(): layer for layer in QgsProject.instance().mapLayers().values()}
    renderer = layers[str(out)].renderer()
    assert isinstance(renderer, QgsMultiBandColorRenderer)
    shown = [NM[band - 1] for band in (renderer.redBand(), renderer.greenBand(), renderer.blueBand())]
    assert shown == pytest.approx([660, 560, 480], abs=10)


@pytest.mark.engine
def test_a_model_that_unmixes_the_spectra(provider, made, pair, tmp_path):
    steps = {
        "spectra": (
            "hyperres:spectralsuperresolve",
            {"INPUT": From("image"), "MODEL": made[1]["OUTPUT_MODEL"]},
        ),
        "unmix": ("hyperres:unmix", {"INPUT": ("spectra", "OUTPUT"), "COUNT": 3}),
    }
    target = str(tmp_path / "shares.tif")
    found = run_saved(draw(["image"], steps, [("unmix", "OUTPUT")]), tmp_path, {"image": pair.msi}, {"OUTPUT": target})
    shares = read_raster(found["OUTPUT"])
    assert shares.shape[0] == 3
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-3)


@pytest.mark.engine
def test_a_batch_of_three_mosaics_with_one_model(made, pair, provider, real_iface, qgis_app, tmp_path, shots):
    """The image and two halves of it, from the batch dialog: each pixel gets what it gets in the whole."""
    whole = read_raster(made[1]["OUTPUT"])
    height, width = whole.shape[1:]
    rows = {"whole": (0, height), "top": (0, 40), "bottom": (40, height)}
    images = {name: str(tmp_path / f"{name}.tif") for name in rows}
    for name, (first, last) in rows.items():
        gdal.Translate(images[name], pair.msi, srcWin=[0, first, width, last - first])
    values = {name: {"INPUT": path, "MODEL": made[1]["OUTPUT_MODEL"]} for name, path in images.items()}
    algorithm = provider.algorithm("spectralsuperresolve")
    found = run_batch(algorithm, values, tmp_path, qgis_app, shots / "batch_spectral.png")
    for name, (first, last) in rows.items():
        np.testing.assert_allclose(found[name], whole[:, first:last], atol=1e-5)


@pytest.fixture
def refuse(provider, pair, tmp_path):
    def run(name, **parameters):
        out = {"OUTPUT": "out.tif"} if name == "spectralsuperresolve" else {"OUTPUT_MODEL": "m.safetensors"}
        values = {key: str(tmp_path / file) for key, file in out.items()}
        return refusal(provider.algorithm(name).create(), {**values, **parameters}, tmp_path)

    return run


def test_an_image_alone_is_refused(refuse, pair):
    assert "alone does not tell spectra" in refuse("spectralsuperresolve", INPUT=pair.msi)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"MODEL": "absent.safetensors"}, "absent.safetensors"),
        ({"OUTPUT_BANDS": "1-x"}, "write numbers from 1"),
        ({"SENSOR": "mavic-3m", "MODE": "archive", "BANDS": ""}, None),
        ({"SENSOR": "ikonos-pan"}, "has only 1"),
        ({"INPUT": "absent.tif"}, "absent.tif"),
        ({"PRESET": "magic"}, "is no choice"),
    ],
)
def test_what_cannot_be_is_refused(refuse, pair, provider, parameters, words):
    values = {"INPUT": pair.msi, "HSI": pair.hsi, **parameters}
    if "MODEL" in parameters:
        values.pop("HSI")
    if words is None:  # four bands of a camera with four
        from qgis.core import QgsProcessingContext

        assert (
            not provider.algorithm("spectralsuperresolve")
            .create()
            .problems({**values, "OUTPUT": "/tmp/x.tif"}, QgsProcessingContext())
        )
    else:
        assert words in refuse("spectralsuperresolve", **values)


def test_a_mosaic_of_unknown_bands_is_refused(refuse, bare, pair):
    sentence = refuse("spectralsuperresolve", INPUT=bare, HSI=pair.hsi, MODE="archive")
    assert "choose its sensor, or give a table" in sentence


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "nothing to learn spectra from"),
        ({"MODE": "library"}, "needs a spectral library"),
        ({"MODE": "library", "LIBRARY": "absent.csv", "SENSOR": "altum"}, "absent.csv"),
        ({"MODE": "overlap", "HSI": True}, "needs a multispectral image"),
        ({"MODE": "archive", "HSI": True}, "not known which bands"),
        ({"MODE": "overlap", "HSI": 2, "INPUT": True}, "takes one hyperspectral image"),
    ],
)
def test_a_training_that_lacks_something_is_refused(refuse, pair, parameters, words):
    values = dict(parameters)
    if "HSI" in values:
        values["HSI"] = [pair.hsi] if values["HSI"] is True else [pair.hsi, pair.truth]
    if "INPUT" in values:
        values["INPUT"] = pair.msi
    assert words in refuse("trainssr", **values)


@pytest.mark.engine
def test_a_model_serves_a_camera_that_lacks_a_band(made, pair, provider, tmp_path):
    """Without its infrared band the image is served where a table tells the widths of the others."""
    few = write_raster(tmp_path / "few.tif", read_raster(pair.msi)[:3], -9999, pixel_m=5)
    table = tmp_path / "bands.csv"
    table.write_text("".join(BANDS_TEXT.splitlines(True)[:4]), encoding="utf-8")
    out = {"OUTPUT": str(tmp_path / "out.tif"), "REPORT": str(tmp_path / "r.html"), "RESULT": str(tmp_path / "r.json")}
    values = {"INPUT": few, "MODEL": made[1]["OUTPUT_MODEL"], "BANDS": str(table)}
    processing.run("hyperres:spectralsuperresolve", {**values, **out})
    assert read_raster(out["OUTPUT"]).shape == read_raster(made[1]["OUTPUT"]).shape
    assert "trained for another camera" in Path(out["REPORT"]).read_text(encoding="utf-8")
    assert json.loads(Path(out["RESULT"]).read_text(encoding="utf-8"))["numbers"]["camera_change_db"] < 0


@pytest.mark.engine
def test_a_model_of_another_camera_is_refused(made, pair, provider, tmp_path):
    few = write_raster(tmp_path / "few.tif", read_raster(pair.msi)[:3], -9999, CENTRES_NM[:3], pixel_m=5)
    out = tmp_path / "out.tif"
    with pytest.raises(QgsProcessingException, match="needs 4 multispectral bands"):
        processing.run(
            "hyperres:spectralsuperresolve",
            {"INPUT": few, "MODEL": made[1]["OUTPUT_MODEL"], "OUTPUT": str(out)},
        )
    assert not out.exists()


@pytest.mark.engine
def test_two_places_are_refused(provider, pair, tmp_path):
    away = make_pair(tmp_path / "away", fine_side=48, corner=(700000, 5000000))
    values = {"INPUT": away.msi, "HSI": pair.hsi, "OUTPUT": str(tmp_path / "out.tif")}
    sentence = refusal(provider.algorithm("spectralsuperresolve").create(), values, tmp_path)
    assert "overlap" in sentence


@pytest.mark.engine
def test_a_model_that_comes_with_the_plugin_serves_its_camera(made, pair, provider, tmp_path, monkeypatch):
    from hyperres.core.ssr import shipped

    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "ssr_rapideye.safetensors").write_bytes(Path(made[1]["OUTPUT_MODEL"]).read_bytes())
    algorithm = provider.algorithm("spectralsuperresolve").create()
    values = {"INPUT": pair.msi, "OUTPUT": str(tmp_path / "out.tif")}
    assert "(rapideye)" in refusal(algorithm, values, tmp_path)
    processing.run("hyperres:spectralsuperresolve", {**values, "SENSOR": "rapideye"})
    np.testing.assert_allclose(read_raster(values["OUTPUT"]), read_raster(made[1]["OUTPUT"]), atol=1e-5)
