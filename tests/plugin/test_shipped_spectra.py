# SPDX-License-Identifier: GPL-3.0-or-later
"""A first answer for drone cameras through QGIS: no model, no training, only the camera's name."""

from __future__ import annotations

import numpy as np
import processing
import pytest
from helpers import ROOT, read_raster, write_raster
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProcessingFeedback

LEVELS = {
    "p4-multispectral": {"Blue": 450, "Green": 560, "Red": 650, "Red edge": 730, "NIR": 840},
    "rededge-mx": {"Blue": 475, "Green": 560, "Red": 668, "NIR": 842, "Red edge": 717},
}


def meadow(nm):
    """Reflectance of grass, roughly."""
    return 0.04 + 0.05 * np.exp(-(((nm - 552) / 32) ** 2)) + 0.40 / (1 + np.exp(-(nm - 715) / 13))


@pytest.mark.engine
@pytest.mark.parametrize("sensor", LEVELS)
def test_the_name_of_a_camera_is_enough(sensor, provider, tmp_path):
    assert (ROOT / "core" / "weights" / f"ssr_{sensor}.safetensors").stat().st_size < 3_000_000
    light = np.random.default_rng(1).uniform(0.6, 1.1, (24, 24))
    levels = np.stack([meadow(float(nm)) * light for nm in LEVELS[sensor].values()])
    mosaic = write_raster(tmp_path / "mosaic.tif", np.round(levels * 10000).astype("int16"), -9999, pixel_m=0.05)
    file = gdal.Open(mosaic, gdal.GA_Update)
    for band, name in enumerate(LEVELS[sensor], 1):
        file.GetRasterBand(band).SetDescription(name)
    file = None
    log, out = QgsProcessingFeedback(False), str(tmp_path / "spectra.tif")
    values = {"INPUT": mosaic, "SENSOR": sensor, "OUTPUT": out}
    processing.run("hyperres:spectralsuperresolve", values, context=QgsProcessingContext(), feedback=log)
    assert "comes with HyperRes is used" in log.textLog()
    written = gdal.Open(out)
    bands = [written.GetRasterBand(i + 1).GetMetadataItem("wavelength") for i in range(written.RasterCount)]
    nm = np.array(bands, dtype=float)
    assert len(nm) > 40
    truth = meadow(nm)[:, None, None] * light
    wrong = np.sqrt(np.square(read_raster(out) - truth).mean())
    assert wrong < 0.03 < np.sqrt(np.square(levels.mean() - truth).mean())
