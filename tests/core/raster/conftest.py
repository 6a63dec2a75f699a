"""Real data, and GDAL's own tools as an independent judge."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
SYSTEM_PYTHON = "/usr/bin/python3"
ORACLE = """
import sys, numpy
from osgeo import gdal
gdal.UseExceptions()
numpy.save(sys.argv[2], gdal.Open(sys.argv[1]).ReadAsArray())
"""


@pytest.fixture
def data():
    """The folder of real rasters, absent on most machines."""
    if not DATA.is_dir():
        pytest.skip(f"the real rasters are not at {DATA}")
    return DATA


@pytest.fixture
def gdal_tool():
    """Run one of GDAL's programs."""

    def run(program, *arguments):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True)
        return done.stdout

    return run


@pytest.fixture
def stored_numbers(tmp_path):
    """Read all stored numbers with osgeo.gdal of the system's Python."""
    if subprocess.run([SYSTEM_PYTHON, "-c", "import osgeo.gdal_array"], capture_output=True).returncode:
        pytest.skip("osgeo.gdal is not installed for the system's Python")

    def read(path):
        target = tmp_path / "oracle.npy"
        subprocess.run([SYSTEM_PYTHON, "-c", ORACLE, str(path), str(target)], check=True, capture_output=True)
        return np.load(target)

    return read
