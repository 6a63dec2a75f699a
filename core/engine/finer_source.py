# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads parts of an image with their surroundings, for results on a finer grid."""

from __future__ import annotations

import numpy as np
import torch

from ..grid import Window
from ..sisr.block import Block, surrounded
from .source import Source

WHOLE_PX = 160
"""Images of at most so many rows and columns are looked at as a whole."""
BLOCK_PX = 96
BLOCKS_A_SIDE = 2


def read_block(source: Source, core: Window, margin: int) -> Block:
    """Read a window and its surroundings; beyond the image's edges these are its mirror image.

    Args:
        source: the image.
        core: the window, within the image.
        margin: pixels around it.
    """
    grid = source.header.grid
    window = core.padded(margin, grid.height, grid.width)
    cube, valid = source.read(window)
    rows = _missing(window.row, window.height, core.row, core.height, margin)
    cols = _missing(window.col, window.width, core.col, core.width, margin)
    whole, mask = surrounded(cube, valid, (rows, cols))
    return Block(torch.from_numpy(whole), torch.from_numpy(mask), margin)


def read_blocks(source: Source, margin: int) -> list[Block]:
    """Read a few blocks spread evenly over an image; one if it is small."""
    grid = source.header.grid
    if max(grid.height, grid.width) <= WHOLE_PX:
        return [read_block(source, grid.whole, margin)]
    height, width = min(BLOCK_PX, grid.height), min(BLOCK_PX, grid.width)
    rows, cols = _places(grid.height, height), _places(grid.width, width)
    return [read_block(source, Window(row, col, height, width), margin) for row in rows for col in cols]


def _missing(start: int, size: int, core_start: int, core_size: int, margin: int) -> tuple[int, int]:
    """Pixels that a clipped window lacks before and behind."""
    before = start - (core_start - margin)
    return before, core_size + 2 * margin - size - before


def _places(size: int, block: int) -> list[int]:
    """Where blocks begin along an axis: the middles of its equal parts."""
    centres = (np.arange(BLOCKS_A_SIDE) + 0.5) / BLOCKS_A_SIDE * size
    return sorted({int(np.clip(centre - block / 2, 0, size - block)) for centre in centres})
