# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads parts of an image with their surroundings, for results on a finer grid."""

from __future__ import annotations

import torch

from ..grid import Grid, Window, plan_tiles
from ..sisr.block import Block, surrounded
from .source import Source

WHOLE_PX = 160
"""Images of at most so many rows and columns are looked at as a whole."""
BLOCK_PX = 96


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
    """Read a few blocks with data from all over an image; one if it is small, none if nothing is valid."""
    grid = source.header.grid
    if max(grid.height, grid.width) <= WHOLE_PX:
        return [read_block(source, grid.whole, margin)]
    rows, cols = (_thirds(size) for size in (grid.height, grid.width))
    chosen = [
        _fullest(source, [_block(grid, row, col) for row in down for col in across]) for down in rows for across in cols
    ]
    windows = list(dict.fromkeys(window for window in chosen if window is not None))
    if not windows:  # data in some corner only
        tiles = plan_tiles(grid, BLOCK_PX, BLOCK_PX)
        windows = [tile.core for tile in tiles if _valid(source, tile.core)][:1]
    return [read_block(source, window, margin) for window in windows]


def _fullest(source: Source, windows: list[Window]) -> Window | None:
    """The first window with the most valid pixels; None where there is none."""
    counts = []
    for window in windows:
        counts.append(_valid(source, window))
        if counts[-1] == window.height * window.width:
            break
    best = max(range(len(counts)), key=counts.__getitem__)
    return windows[best] if counts[best] else None


def _valid(source: Source, window: Window) -> int:
    return int(source.read(window)[1].sum())


def _block(grid: Grid, row: float, col: float) -> Window:
    """The block around a place, within the image."""
    height, width = min(BLOCK_PX, grid.height), min(BLOCK_PX, grid.width)
    top = min(max(0, round(row - height / 2)), grid.height - height)
    left = min(max(0, round(col - width / 2)), grid.width - width)
    return Window(top, left, height, width)


def _thirds(size: int) -> list[list[float]]:
    """Three places in each half of an axis, its middle first."""
    return [[(half + part) / 2 * size for part in (1 / 2, 1 / 6, 5 / 6)] for half in (0, 1)]


def _missing(start: int, size: int, core_start: int, core_size: int, margin: int) -> tuple[int, int]:
    """Pixels that a clipped window lacks before and behind."""
    before = start - (core_start - margin)
    return before, core_size + 2 * margin - size - before
