# SPDX-License-Identifier: GPL-3.0-or-later
"""Superresolve through QGIS's own roads: processing.run, a model that unmixes the result, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import processing
import pytest
from helpers import NODATA, WAVELENGTH_NM, read_raster, refusal, run_batch, write_raster
from modelling import From, draw, run_saved
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsProcessingException

OUTPUTS = {
    "OUTPUT": "finer.tif",
    "OUTPUT_ABUNDANCES": "abundances.tif",
    "OUTPUT_UNCERTAINTY": "uncertainty.tif",
    "OUTPUT_MODEL": "model.safetensors",
    "REPORT": "report.html",
    "RESULT": "result.json",
}
SIDE = 40
USED = 16  # of the 20 bands, four lie in water vapour


@pytest.fixture(scope="module")
def fields(tmp_path_factory) -> str:
    """Rectangular fields of three materials, 40 x 40 pixels, with a nodata corner."""
    nm = WAVELENGTH_NM
    spectra = np.stack([0.1 + 0.3 * np.abs(np.sin(nm / 300 + k)) for k in range(3)])
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, (8, 8)).repeat(20, axis=0).repeat(20, axis=1)
    fine = spectra[kind] * (1 + 0.05 * random.standard_normal((8, 8)).repeat(20, 0).repeat(20, 1))[..., None]
    cube = fine.reshape(SIDE, 4, SIDE, 4, -1).mean(axis=(1, 3)).transpose(2, 0, 1)
    stored = np.round(10000 * cube + 3 * random.standard_normal(cube.shape)).astype("int16")
    stored[:, :6, :5] = NODATA
    return write_raster(tmp_path_factory.mktemp("fields") / "fields.tif", stored, NODATA, nm)


@pytest.fixture(scope="module")
def made(provider, fields, tmp_path_factory):
    """One run with every output."""
    folder = tmp_path_factory.mktemp("made")
    out = {name: str(folder / file) for name, file in OUTPUTS.items()}
    return processing.run("hyperres:superresolve", {"INPUT": fields, "SCALE_FACTOR": "2", "COUNT": 3, **out}), out


@pytest.mark.engine
def test_every_output_is_made_on_the_finer_grid(made, fields):
    results, out = made
    assert {name: results[name] for name in OUTPUTS} == out
    before, after = gdal.Open(fields), gdal.Open(out["OUTPUT"])
    assert (after.RasterXSize, after.RasterYSize, after.RasterCount) == (2 * SIDE, 2 * SIDE, USED)
    first, second = before.GetGeoTransform(), after.GetGeoTransform()
    assert second == (first[0], first[1] / 2, 0, first[3], 0, first[5] / 2)
    assert after.GetRasterBand(2).GetMetadataItem("wavelength") == "550"
    assert read_raster(out["OUTPUT_ABUNDANCES"]).shape == (3, 2 * SIDE, 2 * SIDE)
    assert read_raster(out["OUTPUT_UNCERTAINTY"])[..., 0].shape == (2 * SIDE, 2 * SIDE)
    assert results["COUNT_FOUND"] == 3 and results["PSNR_CONSISTENCY"] > 40
    assert results["VALID_SHARE"] == pytest.approx(1 - 30 / SIDE**2)
    assert json.loads(Path(out["RESULT"]).read_text(encoding="utf-8"))["settings"]["factor"] == 2


@pytest.mark.engine
def test_nodata_stay_nodata_to_the_pixel(made):
    found = gdal.Open(made[1]["OUTPUT"])
    nodata = found.GetRasterBand(1).GetNoDataValue()
    missing = found.GetRasterBand(1).ReadAsArray() == nodata
    expected = np.zeros((2 * SIDE, 2 * SIDE), dtype=bool)
    expected[:12, :10] = True
    assert np.array_equal(missing, expected)


@pytest.mark.engine
def test_a_fitted_model_and_some_bands(made, fields, provider, tmp_path):
    values = {"INPUT": fields, "SCALE_FACTOR": "2", "MODEL": made[1]["OUTPUT_MODEL"], "OUTPUT_BANDS": [3, 7]}
    again = processing.run("hyperres:superresolve", {**values, "OUTPUT": str(tmp_path / "some.tif")})
    np.testing.assert_allclose(read_raster(again["OUTPUT"]), read_raster(made[1]["OUTPUT"])[[2, 6]], atol=1e-5)


@pytest.mark.engine
def test_a_batch_of_three_images_with_one_model(made, fields, provider, real_iface, qgis_app, tmp_path, shots):
    """The image and two halves of it, from the batch dialog: what lies away from a cut is the same."""
    rows = {"whole": (0, SIDE), "top": (0, 24), "bottom": (16, SIDE)}
    images = {name: str(tmp_path / f"{name}.tif") for name in rows}
    for name, (first, last) in rows.items():
        gdal.Translate(images[name], fields, srcWin=[0, first, SIDE, last - first])
    values = {name: {"INPUT": path, "MODEL": made[1]["OUTPUT_MODEL"]} for name, path in images.items()}
    algorithm = provider.algorithm("superresolve")
    found = run_batch(algorithm, values, tmp_path, qgis_app, shots / "batch_superresolve.png")
    expected = read_raster(made[1]["OUTPUT"])
    np.testing.assert_allclose(found["whole"], expected, atol=1e-5)
    near = 24  # fine rows beside a cut, where a half lacks its neighbours
    np.testing.assert_allclose(found["top"][:, :-near], expected[:, : 48 - near], atol=5e-3)
    np.testing.assert_allclose(found["bottom"][:, near:], expected[:, 32 + near :], atol=5e-3)


@pytest.mark.engine
def test_the_report_counts_pixels_of_the_input_and_of_the_result(made):
    text = Path(made[1]["REPORT"]).read_text(encoding="utf-8")
    valid = SIDE**2 - 30
    assert f"{valid:,} (98.1 %)" in text
    assert f"{4 * valid:,} fine pixels" in text


@pytest.mark.engine
def test_a_model_that_unmixes_the_finer_image(provider, fields, tmp_path):
    steps = {
        "finer": ("hyperres:superresolve", {"INPUT": From("image"), "SCALE_FACTOR": "2", "COUNT": 3}),
        "unmix": ("hyperres:unmix", {"INPUT": ("finer", "OUTPUT"), "COUNT": 3}),
    }
    target = str(tmp_path / "shares.tif")
    made = run_saved(draw(["image"], steps, [("unmix", "OUTPUT")]), tmp_path, {"image": fields}, {"OUTPUT": target})
    shares = read_raster(made["OUTPUT"])
    assert shares.shape == (3, 2 * SIDE, 2 * SIDE)
    np.testing.assert_allclose(shares[:, 20:, 20:].sum(axis=0), 1.0, atol=1e-3)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        ((388000.0, 8.66, 5.0, 5812000.0, 5.0, -8.66), "EPSG:32633"),
        ((13.0, 2e-4, 0.0, 52.0, 0.0, -2e-4), None),
    ],
    ids=["rotated", "no CRS"],
)
def test_the_place_is_kept_on_any_grid(made, provider, fields, tmp_path, transform, crs):
    """Corners stay where they are, and an image of 37 x 21 pixels becomes one of 74 x 42."""
    image, out = str(tmp_path / "odd.tif"), str(tmp_path / "finer.tif")
    gdal.Translate(image, fields, srcWin=[0, 0, 37, 21])
    odd = gdal.Open(image, gdal.GA_Update)
    odd.SetGeoTransform(transform)
    odd.SetProjection(QgsCoordinateReferenceSystem(crs).toWkt() if crs else "")
    odd = None
    values = {"INPUT": image, "SCALE_FACTOR": "2", "MODEL": made[1]["OUTPUT_MODEL"], "OUTPUT": out}
    processing.run("hyperres:superresolve", values)
    finer = gdal.Open(out)
    assert (finer.RasterXSize, finer.RasterYSize) == (74, 42)
    for pixel in ((0, 0), (37, 0), (0, 21), (37, 21)):
        here = gdal.ApplyGeoTransform(transform, *map(float, pixel))
        there = gdal.ApplyGeoTransform(finer.GetGeoTransform(), *(2.0 * value for value in pixel))
        assert there == pytest.approx(here, rel=1e-12)
    assert QgsCoordinateReferenceSystem.fromWkt(finer.GetProjection()).authid() == (crs or "")


@pytest.fixture
def refuse(provider, fields, tmp_path):
    def run(**parameters):
        values = {"INPUT": fields, "SCALE_FACTOR": "2", "OUTPUT": str(tmp_path / "out.tif"), **parameters}
        return refusal(provider.algorithm("superresolve").create(), values, tmp_path)

    return run


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"SCALE_FACTOR": "3"}, "choose one of 2, 4, 8"),
        ({"PSF_SIGMA": 5.0}, "impossible at scale factor 2"),
        ({"SCALE_FACTOR": "8", "PSF_SIGMA": 1.0}, "impossible at scale factor 8"),
        ({"PSF_SIGMA": 1.0, "MTF": 0.3}, "not both"),
        ({"COUNT": 40}, "at most 16"),
        ({"MODEL": "absent.safetensors"}, "absent.safetensors"),
        ({"ENDMEMBERS": "absent.csv"}, "absent.csv"),
        ({"INPUT": "absent.tif"}, "absent.tif"),
        ({"BANDS": [1, 2, 3, 4], "OUTPUT_BANDS": [9]}, "Band 9 cannot be written"),
    ],
)
def test_what_cannot_be_is_refused(refuse, parameters, words):
    assert words in refuse(**parameters)


@pytest.mark.engine
def test_a_constant_image_is_refused_in_plain_words(provider, tmp_path):
    flat = write_raster(tmp_path / "flat.tif", np.full((20, 40, 40), 1234, "int16"), NODATA, WAVELENGTH_NM)
    out = tmp_path / "out.tif"
    with pytest.raises(QgsProcessingException, match="all valid pixels are equal") as caught:
        processing.run("hyperres:superresolve", {"INPUT": flat, "SCALE_FACTOR": "2", "OUTPUT": str(out)})
    assert "unmix" not in str(caught.value)
    assert not out.exists()


@pytest.mark.engine
def test_a_model_of_another_factor_is_refused(made, provider, fields, tmp_path):
    values = {"INPUT": fields, "SCALE_FACTOR": "4", "MODEL": made[1]["OUTPUT_MODEL"]}
    out = tmp_path / "out.tif"
    with pytest.raises(QgsProcessingException, match="fitted for scale factor 2 but 4 is asked for"):
        processing.run("hyperres:superresolve", {**values, "OUTPUT": str(out)})
    assert not out.exists()


def test_a_small_image_is_refused(refuse, tmp_path):
    small = write_raster(tmp_path / "small.tif", np.ones((20, 10, 40), "int16"), NODATA, WAVELENGTH_NM)
    assert "40 x 10 pixels" in refuse(INPUT=small)


def test_an_input_is_not_overwritten(refuse, fields):
    assert "fields.tif" in refuse(OUTPUT=fields)
