# SPDX-License-Identifier: GPL-3.0-or-later
"""Fusion, simulation and assessment through QGIS's own roads: processing.run, models, qgis_process, cancel."""

from __future__ import annotations

import json
import os

import numpy as np
import processing
import pytest
from helpers import ENGINE, files_in, read_raster, write_raster
from osgeo import gdal
from pairs import CENTRES_NM, NM, RATIO, make_pair, response, response_text
from qgis.core import QgsProcessingException, QgsProcessingFeedback

pytestmark = pytest.mark.engine

SCALE = 10000.0


def error_of(path, pair) -> float:
    """Root mean square error of a fused image, reflectance."""
    return float(np.sqrt(np.mean((read_raster(path) - read_raster(pair.truth) / SCALE) ** 2)))


def error_of_coarse(pair) -> float:
    """The same for the coarse image with its pixels cut into fine ones."""
    coarse = (read_raster(pair.hsi) / SCALE).repeat(RATIO, axis=1).repeat(RATIO, axis=2)
    return float(np.sqrt(np.mean((coarse - read_raster(pair.truth) / SCALE) ** 2)))


OUTPUTS = {
    "OUTPUT": "fused.tif",
    "OUTPUT_UNCERTAINTY": "uncertainty.tif",
    "OUTPUT_SRF": "srf.csv",
    "OUTPUT_MODEL": "model.safetensors",
    "REPORT": "report.html",
    "RESULT": "result.json",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    """The true response as a file."""
    path = tmp_path_factory.mktemp("response") / "response.csv"
    path.write_text(response_text(), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def fused(provider, pair, table, tmp_path_factory):
    """One fusion with every output."""
    folder = tmp_path_factory.mktemp("fused")
    os.environ["HYPERRES_PYTHON"] = str(ENGINE)
    out = {name: str(folder / file) for name, file in OUTPUTS.items()}
    return processing.run("hyperres:fuse", {"HSI": pair.hsi, "MSI": pair.msi, "SRF": table, **out})


def test_the_fused_image_is_much_nearer_to_the_truth_than_the_coarse_one(fused, pair):
    assert error_of(fused["OUTPUT"], pair) < 0.1 * error_of_coarse(pair)


def test_the_fused_image_has_the_fine_grid_and_the_spectral_bands(fused, pair):
    made, fine = gdal.Open(fused["OUTPUT"]), gdal.Open(pair.msi)
    assert (made.RasterXSize, made.RasterYSize) == (fine.RasterXSize, fine.RasterYSize)
    assert made.GetGeoTransform() == fine.GetGeoTransform()
    assert made.GetProjection() == fine.GetProjection()
    nm = [float(made.GetRasterBand(i + 1).GetMetadataItem("wavelength")) for i in range(made.RasterCount)]
    np.testing.assert_allclose(nm, NM)


def test_the_fused_image_explains_both_inputs(fused, pair):
    made = read_raster(fused["OUTPUT"])
    rows, cols = (size // RATIO for size in made.shape[1:])
    coarse = made.reshape(len(NM), rows, RATIO, cols, RATIO).mean(axis=(2, 4))
    seen = np.einsum("mb,brc->mrc", response(), made)
    assert np.sqrt(np.mean((coarse - read_raster(pair.hsi) / SCALE) ** 2)) < 3e-3
    assert np.sqrt(np.mean((seen - read_raster(pair.msi) / SCALE) ** 2)) < 3e-3
    assert fused["PSNR_HSI"] > 40
    assert fused["PSNR_MSI"] > 40


def test_figures_tables_and_report(fused):
    assert fused["RATIO"] == pytest.approx(RATIO)
    assert fused["VALID_SHARE"] == 1.0
    record = json.loads(open(fused["RESULT"], encoding="utf-8").read())
    assert record["numbers"]["ratio"] == pytest.approx(RATIO)
    page = open(fused["REPORT"], encoding="utf-8").read()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "<script" not in page.lower()
    lines = open(fused["OUTPUT_SRF"], encoding="utf-8").read().splitlines()
    assert len(lines) == 1 + len(NM)
    assert np.all(read_raster(fused["OUTPUT_UNCERTAINTY"]) >= 0)


def test_the_response_that_was_written_can_be_given_back(fused, pair, tmp_path):
    out = str(tmp_path / "again.tif")
    processing.run("hyperres:fuse", {"HSI": pair.hsi, "MSI": pair.msi, "SRF": fused["OUTPUT_SRF"], "OUTPUT": out})
    np.testing.assert_allclose(read_raster(out), read_raster(fused["OUTPUT"]), atol=2e-3)


def test_the_response_is_found_out(provider, pair, tmp_path):
    """A first-time user gives two images and nothing else."""
    made = processing.run("hyperres:fuse", {"HSI": pair.hsi, "MSI": pair.msi, "OUTPUT": str(tmp_path / "out.tif")})
    assert error_of(made["OUTPUT"], pair) < 0.2 * error_of_coarse(pair)


def test_a_part_of_the_bands(fused, pair, table, tmp_path):
    out = str(tmp_path / "part.tif")
    values = {"HSI": pair.hsi, "MSI": pair.msi, "SRF": table, "OUTPUT_BANDS": [1, 10, 30], "OUTPUT": out}
    processing.run("hyperres:fuse", values)
    np.testing.assert_allclose(read_raster(out), read_raster(fused["OUTPUT"])[[0, 9, 29]], atol=1e-3)


@pytest.mark.parametrize("name", ["spectralift", "spectramorph"])
def test_the_networks_run_and_are_near_the_truth_too(provider, table, tmp_path, name):
    pair = make_pair(tmp_path / "small", fine_side=48)
    extra = {"OUTPUT_LATENT": str(tmp_path / "latent.tif"), "OUTPUT_ENDMEMBERS": str(tmp_path / "spectra.csv")}
    values = {"HSI": pair.hsi, "MSI": pair.msi, "SRF": table, "OUTPUT": str(tmp_path / "out.tif")}
    made = processing.run(f"hyperres:{name}", {**values, **(extra if name == "spectramorph" else {})})
    assert error_of(made["OUTPUT"], pair) < 0.1 * error_of_coarse(pair)
    if name == "spectramorph":
        lines = open(made["OUTPUT_ENDMEMBERS"], encoding="utf-8").read().splitlines()
        assert len(lines) == 1 + len(NM)
        assert gdal.Open(made["OUTPUT_LATENT"]).RasterCount == len(lines[0].split(",")) - 1


def test_a_shift_of_eight_metres_is_measured_and_corrected(provider, pair, table, tmp_path):
    aside = write_raster(
        tmp_path / "aside.tif", read_raster(pair.msi), -9999, CENTRES_NM, pixel_m=5, corner=(500008, 5000000)
    )
    values = {"HSI": pair.hsi, "MSI": aside, "SRF": table}
    feedback = QgsProcessingFeedback()
    made = {
        word: processing.run(
            "hyperres:fuse",
            {**values, "REGISTRATION": word, "OUTPUT": str(tmp_path / f"{word}.tif")},
            feedback=feedback,
        )
        for word in ("warn", "correct")
    }
    assert made["warn"]["SHIFT"] == pytest.approx(8, abs=0.3)
    assert "displaced" in feedback.textLog()
    assert error_of(made["correct"]["OUTPUT"], pair) < 0.5 * error_of(made["warn"]["OUTPUT"], pair)


def test_a_panchromatic_fine_image(provider, pair, tmp_path):
    """The help says to take SpectraMorph for these."""
    pan = write_raster(tmp_path / "pan.tif", read_raster(pair.msi)[:3].mean(axis=0, keepdims=True), -9999, pixel_m=5)
    made = processing.run("hyperres:spectramorph", {"HSI": pair.hsi, "MSI": pan, "OUTPUT": str(tmp_path / "out.tif")})
    assert error_of(made["OUTPUT"], pair) < 0.8 * error_of_coarse(pair)


def test_a_drone_picture_with_transparency(provider, pair, tmp_path):
    """Red, green, blue and alpha in bytes: another scale than reflectance, and a rim that is not seen."""
    msi = read_raster(pair.msi)
    stored = np.clip(np.stack([msi[2], msi[1], msi[0]]) / SCALE * 400 + 10, 1, 255)
    alpha = np.full((1, 96, 96), 255)
    alpha[:, :, :8] = 0
    path = str(tmp_path / "drone.tif")
    options = ["PHOTOMETRIC=RGB", "ALPHA=YES"]
    dataset = gdal.GetDriverByName("GTiff").Create(path, 96, 96, 4, gdal.GDT_Byte, options)
    dataset.SetGeoTransform(gdal.Open(pair.msi).GetGeoTransform())
    dataset.SetProjection(gdal.Open(pair.msi).GetProjection())
    dataset.WriteArray(np.concatenate([stored, alpha]).astype("uint8"))
    dataset = None
    out = str(tmp_path / "out.tif")
    processing.run("hyperres:fuse", {"HSI": pair.hsi, "MSI": path, "OUTPUT": out})
    written = gdal.Open(out)
    made, nodata = read_raster(out), written.GetRasterBand(1).GetNoDataValue()
    assert np.all(made[:, :, :8] == nodata)
    truth = read_raster(pair.truth)[:, :, 8:] / SCALE
    assert np.sqrt(np.mean((made[:, :, 8:] - truth) ** 2)) < 0.5 * error_of_coarse(pair)


def test_nodata_of_the_fine_image_stays_nodata(provider, pair, table, tmp_path):
    holed = str(tmp_path / "holed.tif")
    gdal.Translate(holed, pair.msi)
    dataset = gdal.Open(holed, gdal.GA_Update)
    dataset.GetRasterBand(2).WriteArray(np.full((10, 20), -9999), 5, 7)
    dataset = None
    out = str(tmp_path / "out.tif")
    processing.run("hyperres:fuse", {"HSI": pair.hsi, "MSI": holed, "SRF": table, "OUTPUT": out})
    written = gdal.Open(out)
    made, nodata = read_raster(out), written.GetRasterBand(1).GetNoDataValue()
    empty = np.zeros(made.shape[1:], dtype=bool)
    empty[7:17, 5:25] = True
    assert np.all((made == nodata) == empty)


def test_one_model_for_several_tiles(fused, pair, table, tmp_path):
    """A tile fused with the whole scene's model is that part of the whole scene."""
    tile = str(tmp_path / "tile.tif")
    gdal.Translate(tile, pair.msi, srcWin=[40, 40, 40, 40])
    out = str(tmp_path / "out.tif")
    values = {"HSI": pair.hsi, "MSI": tile, "MODEL": fused["OUTPUT_MODEL"], "OUTPUT": out}
    processing.run("hyperres:fuse", values)
    inside = slice(8, -8)  # the tile's rim lacks its neighbours
    np.testing.assert_allclose(
        read_raster(out)[:, inside, inside], read_raster(fused["OUTPUT"])[:, 40:80, 40:80][:, inside, inside], atol=3e-3
    )


def test_a_damaged_model_is_one_sentence(provider, pair, fused, tmp_path):
    whole = open(fused["OUTPUT_MODEL"], "rb").read()
    model = tmp_path / "half.safetensors"
    model.write_bytes(whole[: len(whole) // 2])
    values = {"HSI": pair.hsi, "MSI": pair.msi, "MODEL": str(model), "OUTPUT": str(tmp_path / "out.tif")}
    with pytest.raises(QgsProcessingException, match=r"half\.safetensors") as caught:
        processing.run("hyperres:fuse", values)
    assert "Traceback" not in str(caught.value)
    assert files_in(tmp_path) == ["half.safetensors"]


def test_two_images_of_different_places_are_refused_unless_forced(provider, pair, table, tmp_path):
    other = make_pair(tmp_path / "other", seed=7)
    values = {"HSI": pair.hsi, "MSI": other.msi, "SRF": table, "OUTPUT": str(tmp_path / "out.tif")}
    with pytest.raises(QgsProcessingException, match=r"\.$") as caught:
        processing.run("hyperres:fuse", values)
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "out.tif").exists()
    processing.run("hyperres:fuse", {**values, "FORCE": True})
    assert (tmp_path / "out.tif").exists()
