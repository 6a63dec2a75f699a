# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulation from QGIS: the images are what averaging and weighting by hand give."""

from __future__ import annotations

import numpy as np
import processing
import pytest
from helpers import read_raster
from osgeo import gdal
from pairs import CENTRES_NM, NM, RATIO, response, response_text

pytestmark = pytest.mark.engine


@pytest.fixture
def table(tmp_path) -> str:
    path = tmp_path / "response.csv"
    path.write_text(response_text(), encoding="utf-8")
    return str(path)


def test_averages_and_weighted_sums(provider, pair, table, tmp_path):
    coarse, msi = str(tmp_path / "coarse.tif"), str(tmp_path / "msi.tif")
    values = {"INPUT": pair.truth, "RATIO": RATIO, "SRF": table, "OUTPUT_COARSE": coarse, "OUTPUT_MSI": msi}
    processing.run("hyperres:simulate", values)
    truth = read_raster(pair.truth) / 1e4
    blocks = truth.reshape(len(NM), 24, RATIO, 24, RATIO).mean(axis=(2, 4))
    np.testing.assert_allclose(read_raster(coarse), blocks, atol=1e-4)
    np.testing.assert_allclose(read_raster(msi), np.einsum("mb,brc->mrc", response(), truth), atol=1e-4)
    fine, made, grown = (gdal.Open(path).GetGeoTransform() for path in (pair.truth, msi, coarse))
    assert made == fine
    assert grown == pytest.approx([fine[0], fine[1] * RATIO, 0, fine[3], 0, fine[5] * RATIO])


def test_noise_has_the_ratio_that_was_asked_for(provider, pair, tmp_path):
    quiet, noisy = str(tmp_path / "quiet.tif"), str(tmp_path / "noisy.tif")
    for path, extra in ((quiet, {}), (noisy, {"HSI_SNR": 30, "SEED": 5})):
        processing.run("hyperres:simulate", {"INPUT": pair.truth, "RATIO": 2, "OUTPUT_COARSE": path, **extra})
    signal = read_raster(quiet)
    noise = read_raster(noisy) - signal
    found = 10 * np.log10((signal**2).mean(axis=(1, 2)) / (noise**2).mean(axis=(1, 2)))
    np.testing.assert_allclose(found, 30, atol=0.5)


def test_a_known_sensor_gets_its_bands_at_their_wavelengths(provider, pair, tmp_path):
    out = str(tmp_path / "msi.tif")
    processing.run("hyperres:simulate", {"INPUT": pair.truth, "SENSOR": "sentinel-2a", "OUTPUT_MSI": out})
    made = gdal.Open(out)
    nm = [float(made.GetRasterBand(i + 1).GetMetadataItem("wavelength")) for i in range(made.RasterCount)]
    assert len(nm) >= 8
    for centre in CENTRES_NM:
        assert np.abs(np.subtract(nm, centre)).min() < 8
