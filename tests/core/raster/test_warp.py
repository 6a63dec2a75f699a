# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading along another raster's rows: the numbers are a known function of the place on the ground."""

import math

import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.crs import CRS
from rasterio.enums import WktVersion
from scipy.ndimage import binary_erosion

from hyperres.core.errors import InputError
from hyperres.core.grid import Grid, Window
from hyperres.core.raster.open_raster import read_header
from hyperres.core.raster.warp import WarpedReader, parallel_grid, pixel_metres, same_crs

UTM32, UTM33, DEGREES = (CRS.from_epsg(code) for code in (32632, 32633, 4326))
X, Y = 290_000.0, 5_820_000.0
"""Upper left corner in zone 33, near the border to zone 32."""
FINE = Grid(400, 360, (10.0, 0.0, X, 0.0, -10.0, Y), UTM33.to_wkt())


def field(x, y):
    """Two bands that change smoothly over half a kilometre, as functions of zone 33's coordinates."""
    u, v = (np.asarray(x) - X) / 500, (np.asarray(y) - Y) / 500
    return np.stack([0.3 + 0.1 * np.sin(u + 0.5 * v), 0.2 + 0.1 * np.cos(0.7 * v - 0.3 * u)])


def centres(grid):
    rows, cols = np.meshgrid(np.arange(grid.height) + 0.5, np.arange(grid.width) + 0.5, indexing="ij")
    return grid.xy(rows, cols)


def coarse_grid(kind):
    """A raster of 30 m pixels over most of FINE."""
    turn = math.radians(20)
    if kind == "zone 32":
        (x,), (y,) = rasterio.warp.transform(UTM33, UTM32, [X + 300], [Y - 300])
        return Grid(100, 95, (30.0, 0.0, x, 0.0, -30.0, y), UTM32.to_wkt())
    if kind == "degrees":
        (x,), (y,) = rasterio.warp.transform(UTM33, DEGREES, [X + 300], [Y - 300])
        return Grid(100, 95, (30 / 67_000, 0.0, x, 0.0, -30 / 111_300, y), DEGREES.to_wkt())
    if kind == "turned":
        c, s = 30 * math.cos(turn), 30 * math.sin(turn)
        return Grid(80, 75, (c, s, X + 500, s, -c, Y - 1200), UTM33.to_wkt())
    return Grid(100, 95, (30.0, 0.0, X + 300, 0.0, 30.0, Y - 3000), UTM33.to_wkt())


def check_against_field(cube, valid, grid):
    """To a rounded digit inside; at the rim, where half a pixel may be missing, to what the field changes in it."""
    error = np.abs(cube - field(*centres(grid)))
    assert error[:, binary_erosion(valid, iterations=2)].max() < 1.5e-4
    assert error[:, valid].max() < 15 * 1.2 * 0.1 / 500 * 1.2


KINDS = ("zone 32", "degrees", "turned", "south up")


def write(path, grid, nodata_at=None):
    crs = CRS.from_wkt(grid.crs_wkt)
    x, y = (values.ravel().tolist() for values in centres(grid))
    x, y = rasterio.warp.transform(crs, UTM33, x, y)
    values = field(x, y).reshape(2, grid.height, grid.width)
    stored = np.round(values * 10_000).astype(np.int16)
    if nodata_at:
        stored[(0, *nodata_at)] = -99  # in one band only
    profile = {"driver": "GTiff", "width": grid.width, "height": grid.height, "count": 2, "dtype": "int16"}
    with rasterio.open(
        path, "w", **profile, nodata=-99, crs=crs, transform=rasterio.Affine(*grid.transform)
    ) as dataset:
        dataset.write(stored)
    return read_header(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_shows_the_ground_that_it_lies_on(tmp_path, kind):
    header = write(tmp_path / "coarse.tif", coarse_grid(kind))
    grid = parallel_grid(header.grid, FINE)
    with WarpedReader(header, (0, 1), 1e-4, grid) as reader:
        cube, valid = reader.read(grid.whole)
    assert cube.shape == (2, grid.height, grid.width)
    assert valid.mean() > (0.5 if kind == "turned" else 0.85)  # corners stay empty
    check_against_field(cube, valid, grid)
    assert (cube[:, ~valid] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_grid_is_parallel_to_the_fine_one_and_keeps_the_pixel_size(kind):
    coarse = coarse_grid(kind)
    grid = parallel_grid(coarse, FINE)
    a, b, _, d, e, _ = grid.transform
    assert (b, d) == (0.0, 0.0)
    assert (a, e) == (pytest.approx(30, rel=0.02), pytest.approx(-30, rel=0.02))
    assert grid.crs_wkt == FINE.crs_wkt
    area = coarse.width * coarse.height
    assert area < 1.2 * grid.width * grid.height < 3 * area


def test_parts_are_the_same_as_the_whole(tmp_path):
    header = write(tmp_path / "coarse.tif", coarse_grid("zone 32"))
    grid = parallel_grid(header.grid, FINE)
    with WarpedReader(header, (1,), 1e-4, grid) as reader:
        cube, valid = (array.copy() for array in reader.read(grid.whole))
        for window in (Window(0, 0, 40, 40), Window(33, 41, 17, 23), Window(grid.height - 20, grid.width - 9, 20, 9)):
            part, part_valid = reader.read(window)
            assert part == pytest.approx(cube[:, window.rows, window.cols], abs=1e-6)
            assert np.array_equal(part_valid, valid[window.rows, window.cols])


def test_nodata_spoils_only_what_lies_on_it(tmp_path):
    hole = np.s_[40:50, 20:35]
    header = write(tmp_path / "coarse.tif", coarse_grid("zone 32"), hole)
    whole = write(tmp_path / "whole.tif", coarse_grid("zone 32"))
    grid = parallel_grid(header.grid, FINE)
    with WarpedReader(header, (0, 1), 1e-4, grid) as reader, WarpedReader(whole, (0, 1), 1e-4, grid) as other:
        cube, valid = reader.read(grid.whole)
        _, without = other.read(grid.whole)
    assert 130 <= (without & ~valid).sum() <= 170
    check_against_field(cube, valid, grid)


def test_a_window_beside_the_image_is_invalid(tmp_path):
    header = write(tmp_path / "coarse.tif", coarse_grid("zone 32"))
    grid = parallel_grid(header.grid, FINE)
    with WarpedReader(header, (0, 1), 1e-4, grid) as reader:
        cube, valid = reader.read(Window(grid.height + 50, 0, 10, 10))
    assert not valid.any()
    assert (cube == 0).all()


def test_one_crs_in_two_flavours_is_recognised_and_two_zones_are_not():
    esri = UTM33.to_wkt(version=WktVersion.WKT1_ESRI)
    assert esri != UTM33.to_wkt()
    coarse = coarse_grid("south up")
    assert same_crs(Grid(coarse.width, coarse.height, coarse.transform, esri), FINE)
    assert not same_crs(coarse_grid("zone 32"), FINE)
    assert not same_crs(coarse_grid("degrees"), FINE)


def test_a_raster_on_the_other_side_of_the_earth_is_refused_or_far_away():
    coarse = Grid(50, 50, (3000.0, 0.0, 1e9, 0.0, -3000.0, 1e9), UTM32.to_wkt())
    with pytest.raises(InputError, match=r"outside the area|cannot be converted"):
        parallel_grid(coarse, FINE)


def test_pixels_are_measured_in_metres():
    assert pixel_metres(FINE) == (10.0, 10.0)
    degrees = Grid(10, 10, (1e-3, 0.0, 13.0, 0.0, -1e-3, 60.005), DEGREES.to_wkt())
    assert pixel_metres(degrees) == (pytest.approx(111.4, rel=0.01), pytest.approx(55.8, rel=0.01))
    feet = Grid(10, 10, (3.0, 0.0, 0.0, 0.0, -3.0, 0.0), CRS.from_epsg(2263).to_wkt())
    assert pixel_metres(feet)[0] == pytest.approx(3 * 0.3048, rel=1e-4)
