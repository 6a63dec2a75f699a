# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides before the first pixel how a raster is divided and what that costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import MemoryBudgetError
from ..grid import Grid, Tile, plan_tiles
from ..raster.header import RasterHeader
from ..raster.target import free_disk_bytes
from .method import OutputSpec

DEFAULT_BUDGET_MB = 768
TILE_PIXELS = 256 * 256
OUTPUT_BLOCK = 256
"""Tiles are cut along multiples of the output's blocks, so that each block is written once and whole."""
MIN_TILE_ROWS = 16
NARROW_PX = 16
"""Margins up to this width cost little even around thin strips."""
LEAST_TILES = 8
"""Tiles that a raster keeps, so that several threads have work and a cancelled run ends soon."""


@dataclass(frozen=True)
class Plan:
    """How a run goes through a raster.

    Attributes:
        tiles: in the order of writing.
        tile_height, tile_width: size of a whole tile in pixels.
        output_block: rows and columns of a block of the outputs.
        workers: tiles in work at the same time.
        tile_bytes: memory of one tile in work.
    """

    tiles: list[Tile]
    tile_height: int
    tile_width: int
    output_block: tuple[int, int]
    workers: int
    tile_bytes: int


def make_plan(
    header: RasterHeader, bands: int, halo_px: int = 0, memory_mb: int | None = None, workers: int | None = None
) -> Plan:
    """Plan the tiles.

    The division depends on the raster and on the budget alone, not on the machine's state: the same job makes the
    same tiles and so the same bytes.

    Args:
        header: the raster to go through.
        bands: bands that are read.
        halo_px: margin around each tile.
        memory_mb: budget for tiles.
        workers: tiles in work at the same time; as many as processor cores and budget allow when None.

    Raises:
        MemoryBudgetError: not even one smallest tile fits.
    """
    budget = (memory_mb or DEFAULT_BUDGET_MB) * 2**20
    pixel_bytes = bands * (np.dtype(header.dtypes[0]).itemsize + 8) + 128
    height, width = _tile_shape(header, min(TILE_PIXELS, budget // (2 * pixel_bytes)), halo_px)
    tile_bytes = _with_halo(header, height, width, halo_px) * pixel_bytes
    while tile_bytes > budget and height > MIN_TILE_ROWS:
        height //= 2
        tile_bytes = _with_halo(header, height, width, halo_px) * pixel_bytes
    if tile_bytes > budget:
        raise MemoryBudgetError(
            f"One tile of {height} x {width} pixels with {bands} bands needs {tile_bytes / 2**20:.0f} MB but the "
            f"memory limit is {budget / 2**20:.0f} MB: raise the limit or use fewer bands."
        )
    fitting = max(1, budget // (2 * tile_bytes))
    return Plan(
        tiles=plan_tiles(header.grid, height, width, halo_px),
        tile_height=height,
        tile_width=width,
        output_block=(min(height, OUTPUT_BLOCK), OUTPUT_BLOCK),
        workers=int(min(workers or available_cores(), fitting)),
        tile_bytes=tile_bytes,
    )


def with_larger_tiles(plan: Plan, grid: Grid, cost: Callable[[int, int], int], memory_mb: int | None = None) -> Plan:
    """Make tiles larger as long as two fit the budget: wide margins then cost less.

    Args:
        plan: of the smallest memory.
        grid: of the raster.
        cost: memory in bytes of a tile of so many rows and columns, in work and waiting to be written.
        memory_mb: budget for tiles.
    """
    budget = (memory_mb or DEFAULT_BUDGET_MB) * 2**20
    height, width = plan.tile_height, plan.tile_width
    while height >= OUTPUT_BLOCK:  # lower ones show that memory is short
        larger = (height, 2 * width) if width <= height else (2 * height, width)
        if 2 * cost(*larger) > budget or len(plan_tiles(grid, *larger)) < LEAST_TILES:
            break
        height, width = larger
    if (height, width) == (plan.tile_height, plan.tile_width):
        return plan
    return replace(
        plan,
        tiles=plan_tiles(grid, height, width),
        tile_height=height,
        tile_width=width,
        workers=min(plan.workers, budget // cost(height, width)),
        tile_bytes=cost(height, width) // 2,
    )


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_disk_space(outputs: Mapping[str, str], specs: Mapping[str, OutputSpec], pixels: int) -> None:
    """Refuse a run whose outputs cannot fit on their disks, uncompressed and with the journal beside them.

    Raises:
        MemoryBudgetError: a disk is too small.
    """
    needed: dict[Path, int] = {}
    for role, path in outputs.items():
        if role in specs:
            spec = specs[role]
            folder = Path(path).resolve().parent
            size = pixels * len(spec.band_names) * np.dtype(spec.dtype).itemsize
            needed[folder] = needed.get(folder, 0) + 2 * size
    for folder, size in needed.items():
        free = free_disk_bytes(str(folder))
        if size > free:
            raise MemoryBudgetError(
                f"The outputs need up to {size / 2**30:.2f} GB in {folder} while they are made, but only "
                f"{free / 2**30:.2f} GB are free: free some space or choose another folder."
            )


def _with_halo(header: RasterHeader, height: int, width: int, halo_px: int) -> int:
    """Pixels of a tile and its margin."""
    return min(height + 2 * halo_px, header.grid.height) * min(width + 2 * halo_px, header.grid.width)


def _tile_shape(header: RasterHeader, pixels: int, halo_px: int) -> tuple[int, int]:
    """Rows and columns of a tile: whole strips of striped files, squares of blocks of tiled ones.

    Wide margins would make thin strips several times as large, so then striped files are cut into squares as well.
    """
    grid = header.grid
    block_rows, block_cols = header.block
    striped = block_cols >= grid.width
    if striped and grid.width * MIN_TILE_ROWS <= pixels and block_rows <= OUTPUT_BLOCK and halo_px <= NARROW_PX:
        return _rows(pixels // grid.width), grid.width
    return _rows(pixels // OUTPUT_BLOCK), OUTPUT_BLOCK


def _rows(fitting: int) -> int:
    """The largest number of rows that fits, halving from a block's."""
    rows = OUTPUT_BLOCK
    while rows > MIN_TILE_ROWS and rows > fitting:
        rows //= 2
    return rows
