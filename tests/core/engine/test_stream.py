# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a tile when the device runs out of memory."""

import numpy as np
import pytest
import torch

from hyperres.core.engine.method import Context, OutputSpec
from hyperres.core.engine.stream import Computed, compute_or_halve
from hyperres.core.errors import MemoryBudgetError
from hyperres.core.grid import Grid, Tile, Window

IMAGE = np.random.default_rng(0).random((1, 70, 20), dtype=np.float32)


class BlurWithLittleMemory:
    """Means over 3 x 3 pixels, on a device that holds no more than some rows."""

    grid = Grid(20, 70)
    halo_px = 1
    device = torch.device("cpu")

    def __init__(self, rows):
        self.rows = rows
        self.outputs = {"mean": OutputSpec("Mean", ("mean",))}

    def compute(self, tile):
        cube = torch.from_numpy(IMAGE[:, tile.halo.rows, tile.halo.cols])
        if cube.shape[1] > self.rows:
            raise torch.OutOfMemoryError("no memory left")
        mean = torch.nn.functional.avg_pool2d(cube[None], 3, 1, 1, count_include_pad=False)[0]
        rows, cols = tile.core.within(tile.halo)
        return Computed({"mean": mean[:, rows, cols].numpy()}, np.ones((tile.core.height, 20), bool), IMAGE[:, rows])


def _run(rows, warnings):
    tile = Tile(0, Window(3, 0, 64, 20), Window(0, 0, 70, 20))
    context = Context(torch.device("cpu"), on_warning=warnings.append)
    return compute_or_halve(BlurWithLittleMemory(rows), tile, context).outputs["mean"]


def test_halved_tiles_give_the_result_of_the_whole_one_and_say_so():
    warnings = []
    whole = _run(1000, warnings)
    assert warnings == []
    np.testing.assert_allclose(_run(25, warnings), whole, atol=1e-6)
    assert whole.shape == (1, 64, 20)
    assert "ran out of memory" in warnings[0]


def test_a_device_without_any_memory_is_not_tried_for_ever():
    with pytest.raises(MemoryBudgetError, match="choose the device cpu"):
        _run(2, [])
