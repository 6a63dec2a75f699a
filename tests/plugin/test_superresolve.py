# SPDX-License-Identifier: GPL-3.0-or-later
"""Superresolve through QGIS's own roads: processing.run, a model that unmixes the result, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import processing
import pytest
from helpers import NODATA, WAVELENGTH_NM, read_raster, refusal, write_raster
from modelling import From, draw, run_saved
from osgeo import gdal

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


def test_a_small_image_is_refused(refuse, tmp_path):
    small = write_raster(tmp_path / "small.tif", np.ones((20, 10, 40), "int16"), NODATA, WAVELENGTH_NM)
    assert "40 x 10 pixels" in refuse(INPUT=small)


def test_an_input_is_not_overwritten(refuse, fields):
    assert "fields.tif" in refuse(OUTPUT=fields)
