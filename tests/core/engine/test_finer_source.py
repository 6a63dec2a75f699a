# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of an image with their surroundings: mirrored at its edges, from where there are data."""

import numpy as np
import pytest
import rasterio

from hyperres.core.engine.finer_source import read_block, read_blocks
from hyperres.core.engine.source import Source
from hyperres.core.grid import Window
from hyperres.core.raster.open_raster import read_header


@pytest.fixture
def source(tmp_path):
    opened = []

    def of(cube):
        path = tmp_path / f"image{len(opened)}.tif"
        profile = {"driver": "GTiff", "count": len(cube), "dtype": "float32", "nodata": -1.0}
        with rasterio.open(path, "w", height=cube.shape[1], width=cube.shape[2], **profile) as file:
            file.write(cube.astype("float32"))
        opened.append(Source(read_header(str(path)), range(len(cube)), 1.0))
        return opened[-1]

    yield of
    for one in opened:
        one.__exit__(None, None, None)


def test_beyond_its_edges_an_image_goes_on_as_its_mirror_image(source):
    cube = np.random.default_rng(0).random((3, 30, 40))
    block = read_block(source(cube), Window(0, 25, 12, 15), 9)
    padded = np.pad(cube, ((0, 0), (9, 9), (9, 9)), mode="symmetric")
    np.testing.assert_allclose(block.cube, padded[:, :30, 25:58], rtol=1e-6)
    rows, cols = block.core
    np.testing.assert_allclose(block.cube[:, rows, cols], cube[:, :12, 25:], rtol=1e-6)


def test_a_small_image_is_one_block_and_a_large_one_four(source):
    assert len(read_blocks(source(np.ones((3, 40, 150))), 4)) == 1
    cube = np.broadcast_to(np.arange(300.0), (3, 400, 300))  # a value tells its column
    blocks = read_blocks(source(cube), 4)
    assert len(blocks) == 4
    assert {float(block.cube[0, 4, 4]) < 150 for block in blocks} == {True, False}


@pytest.mark.parametrize(("rows", "cols"), [(slice(0, 80), slice(0, 90)), (slice(330, 345), slice(200, 215))])
def test_blocks_come_from_where_there_are_data(source, rows, cols):
    cube = np.full((3, 400, 400), -1.0)
    cube[:, rows, cols] = 0.5
    blocks = read_blocks(source(cube), 4)
    assert blocks and all(bool(block.valid.any()) for block in blocks)


def test_there_are_none_where_nothing_is_valid(source):
    assert read_blocks(source(np.full((3, 400, 400), -1.0)), 4) == []
