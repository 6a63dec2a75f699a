# SPDX-License-Identifier: GPL-3.0-or-later
"""QGIS's GDAL and the engine's rasterio see the same raster."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import asdict

import pytest
from helpers import ENGINE, ROOT

DATA = ROOT.parent / "shared" / "data" / "georeferenced"
REAL = (
    "enmap_berlin_2017/EnMAP_BerlinUrbanGradient.bsq",
    "enmap_berlin_2017/HighResolution_BerlinUrbanGradient.bsq",
    "enmap_potsdam_tiles/enmap_potsdam_tile_128_96.tif",
)
ENGINE_READS = """
import json, runpy, sys
from dataclasses import asdict
runpy.run_path(sys.argv[1])["load_package"]()
from hyperres.core.raster.open_raster import read_header
print(json.dumps(asdict(read_header(sys.argv[2]))))
"""


def as_the_engine_sees(path):
    bootstrap = str(ROOT / "core" / "engine" / "bootstrap.py")
    answer = subprocess.run(
        [str(ENGINE), "-I", "-c", ENGINE_READS, bootstrap, path], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(answer.stdout)


def as_qgis_sees(path):
    from hyperres.algorithms.raster_header import read_header

    return json.loads(json.dumps(asdict(read_header(path))))


def assert_same(path):
    ours, theirs = as_qgis_sees(path), as_the_engine_sees(path)
    for header in (ours, theirs):
        header["grid"].pop("crs_wkt")  # GDAL's spelling of the same system depends on its version
        header["nodata"] = ["nan" if v is not None and math.isnan(v) else v for v in header["nodata"]]
    assert ours == theirs


@pytest.mark.engine
def test_a_scene_of_our_own(qgis_app, scene):
    assert_same(scene.path)


@pytest.mark.engine
@pytest.mark.parametrize("name", REAL)
def test_real_rasters(qgis_app, tmp_path, name):
    if not (DATA / name).is_file():
        pytest.skip(f"the shared data are not here: {name}")
    # on a copy: GDAL writes a file beside compressed ENVI rasters
    for file in (DATA / name).parent.glob(f"{(DATA / name).stem}.*"):
        shutil.copyfile(file, tmp_path / file.name)
    assert_same(str(tmp_path / (DATA / name).name))
