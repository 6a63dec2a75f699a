"""What survives GDAL's own tools: wavelengths, widths and bad bands (the band items carry them)."""

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import OutputSpec
from hyperres.core.grid import Grid
from hyperres.core.raster.cube import read_header
from hyperres.core.raster.write import RasterWriter

TABLE = BandTable(
    ("a", "b", "c", "d"), (True, True, False, True), (418.24, 550.5, 1400.0, 2450.125), (6.99561, 7.5, 10.0, 12.25)
)
GRID = Grid(64, 48, (30.0, 0.0, 4e5, 0.0, -30.0, 5e6))


@pytest.fixture(params=["tif", "bsq"])
def source(request, tmp_path):
    grid = GRID
    if request.param == "tif":
        import rasterio

        grid = Grid(64, 48, GRID.transform, rasterio.CRS.from_epsg(32633).to_wkt())
    path = tmp_path / f"source.{request.param}"
    with RasterWriter(path, grid, OutputSpec("Cube", TABLE.names, table=TABLE)) as writer:
        writer.write(grid.whole, np.random.default_rng(0).random((4, 48, 64)).astype("float32"))
    return path


def assert_same_axis(path, table=TABLE):
    again = read_header(path)
    assert again.table.wavelength_nm == pytest.approx(table.wavelength_nm)
    assert again.table.fwhm_nm == pytest.approx(table.fwhm_nm)
    assert again.table.good == table.good
    assert again.warnings == ()


@pytest.mark.parametrize("form", ["VRT", "COG", "GTiff", "ENVI"])
def test_translate(source, tmp_path, gdal_tool, form):
    target = tmp_path / "target.any"
    gdal_tool("gdal_translate", "-q", "-of", form, source, target)
    assert_same_axis(target)


def test_band_subset_in_another_order(source, tmp_path, gdal_tool):
    target = tmp_path / "target.tif"
    gdal_tool("gdal_translate", "-q", "-b", 4, "-b", 2, source, target)
    assert_same_axis(target, TABLE.subset((3, 1)))


def test_warp(source, tmp_path, gdal_tool):
    target = tmp_path / "target.tif"
    gdal_tool("gdalwarp", "-q", "-ts", 30, 20, source, target)
    assert_same_axis(target)


def test_translate_to_envi_twice_and_back(source, tmp_path, gdal_tool):
    for number, form in enumerate(("ENVI", "GTiff", "ENVI", "VRT")):
        target = tmp_path / f"target{number}.any"
        gdal_tool("gdal_translate", "-q", "-of", form, source, target)
        source = target
    assert_same_axis(source)
