# SPDX-License-Identifier: GPL-3.0-or-later
"""Assessment from QGIS: figures as computed by hand, maps, and a judgement without a reference."""

from __future__ import annotations

import numpy as np
import processing
import pytest
from helpers import read_raster, write_raster
from osgeo import gdal
from pairs import NM, RATIO, response_text

pytestmark = pytest.mark.engine


@pytest.fixture
def worse(pair, tmp_path):
    """The truth with an error of known size, as reflectance."""
    truth = read_raster(pair.truth) / 1e4
    image = truth + np.random.default_rng(3).normal(0, 0.02, truth.shape)
    return write_raster(tmp_path / "worse.tif", image, None, NM, kind=gdal.GDT_Float32, pixel_m=5)


def test_errors_of_known_size(provider, pair, worse, tmp_path):
    maps = str(tmp_path / "errors.tif")
    values = {"INPUT": worse, "REFERENCE": pair.truth, "RATIO": RATIO, "OUTPUT_ERRORS": maps}
    made = processing.run("hyperres:assess", {**values, "REPORT": str(tmp_path / "report.html")})
    image, truth = read_raster(worse).astype(float), read_raster(pair.truth) / 1e4
    rmse = np.sqrt(np.mean((image - truth) ** 2))
    assert made["RMSE"] == pytest.approx(rmse, rel=1e-3)
    cosine = (image * truth).sum(axis=0) / np.linalg.norm(image, axis=0) / np.linalg.norm(truth, axis=0)
    angles = np.degrees(np.arccos(cosine))
    assert made["SAM"] == pytest.approx(angles.mean(), rel=1e-3)
    by_band = np.sqrt(np.mean((image - truth) ** 2, axis=(1, 2))) / truth.mean(axis=(1, 2))
    assert made["ERGAS"] == pytest.approx(100 / RATIO * np.sqrt(np.mean(by_band**2)), rel=1e-3)
    found = read_raster(maps)
    np.testing.assert_allclose(found[0], np.sqrt(np.mean((image - truth) ** 2, axis=0)), rtol=1e-3)
    np.testing.assert_allclose(found[1], angles, rtol=1e-2)
    page = open(made["REPORT"], encoding="utf-8").read()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "<script" not in page.lower()


def test_without_a_reference_the_better_image_is_told_from_the_worse(provider, pair, worse, tmp_path):
    table = tmp_path / "response.csv"
    table.write_text(response_text(), encoding="utf-8")
    judged = {
        path: processing.run("hyperres:assess", {"INPUT": path, "HSI": pair.hsi, "MSI": pair.msi, "SRF": str(table)})
        for path in (pair.truth, worse)
    }
    good, bad = judged[pair.truth], judged[worse]
    assert good["PSNR_HSI"] > bad["PSNR_HSI"] + 3
    assert good["PSNR_MSI"] > bad["PSNR_MSI"] + 3
    assert good["QNR"] > bad["QNR"]
    assert "RMSE" not in good, "no error is known without the truth"
