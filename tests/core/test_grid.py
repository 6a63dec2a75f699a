"""Geometry of rasters and tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperres.core.errors import InputError
from hyperres.core.grid import Grid, Window, plan_tiles

sizes = st.integers(1, 60)


@given(sizes, sizes, st.integers(1, 25), st.integers(1, 25), st.integers(0, 9))
def test_every_pixel_is_in_exactly_one_core_and_each_halo_holds_its_core(height, width, rows, cols, halo_px):
    seen = np.zeros((height, width), dtype=int)
    for index, tile in enumerate(plan_tiles(Grid(width, height), rows, cols, halo_px)):
        assert tile.index == index
        seen[tile.core.rows, tile.core.cols] += 1
        inside = np.zeros_like(seen)
        inside[tile.halo.rows, tile.halo.cols] = 1
        assert inside[tile.core.rows, tile.core.cols].all()
    assert (seen == 1).all()


@given(sizes, sizes, st.integers(1, 25), st.integers(0, 9))
def test_halo_reaches_as_far_as_asked_or_to_the_edge(height, width, side, halo_px):
    for tile in plan_tiles(Grid(width, height), side, side, halo_px):
        core, halo = tile.core, tile.halo
        assert halo.row == max(0, core.row - halo_px)
        assert halo.col == max(0, core.col - halo_px)
        assert halo.row + halo.height == min(height, core.row + core.height + halo_px)
        assert halo.col + halo.width == min(width, core.col + core.width + halo_px)


@given(sizes, sizes, st.integers(1, 25), st.integers(0, 9))
def test_core_is_found_again_inside_its_halo(height, width, side, halo_px):
    image = np.arange(height * width).reshape(height, width)
    for tile in plan_tiles(Grid(width, height), side, side, halo_px):
        seen = image[tile.halo.rows, tile.halo.cols]
        rows, cols = tile.core.within(tile.halo)
        np.testing.assert_array_equal(seen[rows, cols], image[tile.core.rows, tile.core.cols])


@given(
    st.floats(0.1, 1000),
    st.floats(0.1, 1000),
    st.floats(0, 2 * np.pi),
    st.floats(-0.8, 0.8),
    st.floats(-100, 1e4),
    st.floats(-100, 1e4),
)
def test_rowcol_undoes_xy_also_on_rotated_and_sheared_grids(size_x, size_y, angle, shear, row, col):
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]]) @ np.diag([size_x, -size_y])
    grid = Grid(10, 10, (matrix[0, 0], matrix[0, 1], 4e5, matrix[1, 0], matrix[1, 1], 5e6))
    assert grid.rowcol(*grid.xy(row, col)) == pytest.approx((row, col), abs=1e-3)


def test_xy_of_a_north_up_grid_is_counted_from_the_top_left_corner():
    grid = Grid(100, 50, (30.0, 0.0, 383472.37, 0.0, -30.0, 5818302.35))
    assert grid.xy(0, 0) == (383472.37, 5818302.35)
    assert grid.xy(50, 100) == (383472.37 + 3000, 5818302.35 - 1500)
    assert grid.whole == Window(0, 0, 50, 100)


def test_a_georeference_without_area_is_refused():
    with pytest.raises(InputError, match="on one line"):
        Grid(3, 3, (1.0, 1.0, 0.0, 1.0, 1.0, 0.0)).rowcol(1.0, 1.0)
