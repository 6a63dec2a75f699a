# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a tile when the device runs out of memory."""

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine import stream
from hyperres.core.engine.method import Context, OutputSpec
from hyperres.core.errors import MemoryBudgetError
from hyperres.core.grid import Tile, Window


class BlurWithLittleMemory:
    """Means over 3 x 3 pixels, on a device that holds no more than some rows."""

    method = "blur"
    halo_px = 1
    table = BandTable(("1",), (True,))

    def __init__(self, rows):
        self.rows = rows
        self.outputs = {"mean": OutputSpec("Mean", ("mean",))}

    def apply(self, cube, valid):
        if cube.shape[1] > self.rows:
            raise torch.OutOfMemoryError("no memory left")
        return {"mean": torch.nn.functional.avg_pool2d(cube[None], 3, 1, 1, count_include_pad=False)[0]}


def _run(rows, warnings):
    cube = torch.from_numpy(np.random.default_rng(0).random((1, 70, 20), dtype=np.float32))
    tile = Tile(0, Window(3, 0, 64, 20), Window(0, 0, 70, 20))
    context = Context(torch.device("cpu"), on_warning=warnings.append)
    return stream._apply(BlurWithLittleMemory(rows), cube, torch.ones(70, 20, dtype=bool), tile, context)["mean"]


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
