# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files hold exactly the pixels that went in, as another decoder (GDAL's) reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperres.core.report import png, ramps


def decode(data):
    """RGBA [rows, columns, 4] by GDAL, with palettes resolved."""
    rasterio = pytest.importorskip("rasterio")
    with rasterio.MemoryFile(data, ext=".png") as memory, memory.open() as image:
        bands = image.read()
        if image.count == 1:
            palette = image.colormap(1)
            return np.array([[palette[int(v)] for v in row] for row in bands[0]], dtype=np.uint8)
    if len(bands) == 3:
        bands = np.concatenate([bands, np.full_like(bands[:1], 255)])
    return bands.transpose(1, 2, 0)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4]), st.sampled_from([3, 256]), st.integers(0, 99))
def test_what_goes_in_comes_out(rows, columns, channels, colours, seed):
    pixels = np.random.default_rng(seed).integers(0, colours, (rows, columns, channels), dtype=np.uint8)
    seen = decode(png.encode(pixels))
    np.testing.assert_array_equal(seen[..., :channels], pixels)


def test_maps_with_few_colours_are_small():
    values = np.random.default_rng(0).random((320, 320))
    painted = png.colourise(values, 0, 1, ramps.ABUNDANCE)
    assert len(png.encode(painted)) < 1.05 * values.size


def test_nodata_is_transparent_and_ends_take_the_ramps_ends():
    painted = png.colourise(np.array([[np.nan, -5.0, 0.0, 1.0, 9.0, np.inf]]), 0.0, 1.0, ramps.ABUNDANCE)[0]
    assert painted[0, 3] == 0 and painted[5, 3] == 0
    assert [tuple(p) for p in painted[[1, 2, 3, 4], :3]] == [ramps.ABUNDANCE[0]] * 2 + [ramps.ABUNDANCE[-1]] * 2


def test_a_constant_map_is_painted():
    assert png.colourise(np.full((2, 2), 0.3), 0.3, 0.3, ramps.ERROR)[..., 3].min() == 255


def test_classes_take_their_colours_and_strays_none():
    painted = png.paint_classes(np.array([[0.0, 1.0, 2.0, 7.0, np.nan, -1.0]]), [(1, 2, 3), (4, 5, 6)])[0]
    assert painted.tolist() == [[0, 0, 0, 0], [1, 2, 3, 255], [4, 5, 6, 255]] + [[0, 0, 0, 0]] * 3


@pytest.mark.parametrize("shape, dtype", [((4, 4), "u1"), ((4, 4, 2), "u1"), ((4, 4, 3), "f4"), ((0, 4, 3), "u1")])
def test_what_is_no_picture_is_refused(shape, dtype):
    with pytest.raises(ValueError, match="picture"):
        png.encode(np.zeros(shape, dtype=dtype))
