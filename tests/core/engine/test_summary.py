import numpy as np
import pytest

from hyperres.core.engine.method import OutputSpec
from hyperres.core.engine.summary import QUICKLOOK_PX, QuickLook, Summary
from hyperres.core.grid import Grid, plan_tiles


@pytest.mark.parametrize("size", [(7, 5), (333, 701), (1000, 64)])
def test_a_quicklook_by_tiles_is_every_nth_pixel_of_the_whole(size):
    height, width = size
    image = np.random.default_rng(0).random((2, height, width)).astype(np.float32)
    valid = np.random.default_rng(1).random((height, width)) > 0.2
    quick = QuickLook(Grid(width, height), 2)
    for tile in plan_tiles(Grid(width, height), 16, 48):
        rows, cols = tile.core.rows, tile.core.cols
        part = quick.part(tile, image[:, rows, cols], valid[rows, cols])
        assert part.shape[1:] == quick.part_shape(tile)
        quick.put(tile, part)
    step = max(1, -(-max(size) // QUICKLOOK_PX))
    expected = np.where(valid, image, np.nan)[:, ::step, ::step]
    np.testing.assert_array_equal(quick.values, expected)


@pytest.mark.parametrize("limits", [None, (0.0, 4.0)])
def test_a_streamed_summary_equals_numpy_on_the_whole(limits):
    height, width = 90, 70
    image = (np.random.default_rng(0).random((2, height, width)) ** 3 * 3.9).astype(np.float32)
    valid = np.random.default_rng(1).random((height, width)) > 0.3
    grid = Grid(width, height)
    summary = Summary(OutputSpec("x", ("a", "b"), limits=limits), grid)
    for tile in plan_tiles(grid, 16, 16):
        summary.add(tile, image[:, tile.core.rows, tile.core.cols], valid[tile.core.rows, tile.core.cols])
    result = summary.result()
    pixels = image[:, valid]
    np.testing.assert_allclose(result.mean, pixels.mean(axis=1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(result.low, pixels.min(axis=1))
    np.testing.assert_array_equal(result.high, pixels.max(axis=1))
    assert result.histogram_edges[-1] == 4.0
    for band in range(2):
        counts, _ = np.histogram(pixels[band], bins=result.histogram_edges)
        assert np.abs(result.histogram[band] - counts).sum() <= 4  # values on an edge may fall to either side
