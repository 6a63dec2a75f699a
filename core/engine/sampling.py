# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws from a raster of any size what ``fit`` is to see: a bounded sample, the rim of the data cloud, moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import rasterio.features
import torch
from affine import Affine

from ..bands import BandTable, rgb_bands
from ..errors import InputError
from ..grid import Grid, Tile, Window
from ..raster.header import RasterHeader
from ..spectra import Spectra
from ..unmixing.pool import ExtremePool
from .method import Context, Moments, Sample
from .moments import StreamingMoments
from .plan import Plan
from .source import Source, in_order
from .summary import QuickLook

SAMPLE_PIXELS = 200_000
LABELLED_PIXELS = 20_000
"""Most pixels kept per labelled class."""
FARTHEST = 1e6
"""By how many times a pixel's largest number may exceed the usual one; no light varies that much."""


def draw_sample(
    source: Source,
    plan: Plan,
    table: BandTable,
    tables: Mapping[str, Spectra],
    preview: QuickLook,
    context: Context,
    with_rim: bool = True,
) -> Sample:
    """Go once over the raster.

    Up to ``SAMPLE_PIXELS`` valid pixels are kept as they are; of larger rasters every tile gives evenly spaced pixels
    in proportion to its size, and the pixels at the rim of its data cloud.

    Raises:
        InputError: no pixel is valid in all used bands, or some are far beyond the others.
    """
    total = source.header.grid.width * source.header.grid.height
    complete = total <= SAMPLE_PIXELS
    pool = ExtremePool(len(table), context.seed)
    nothing = torch.empty(0, len(table))
    rgb = rgb_bands(table)

    def look(tile: Tile) -> tuple[torch.Tensor, torch.Tensor, int, np.ndarray]:
        cube, valid = source.read(tile.core)
        part = preview.part(tile, cube[rgb], valid)
        where = np.flatnonzero(valid)
        if complete:
            return _drawn(cube, where), nothing, len(where), part
        quota = min(-(-SAMPLE_PIXELS * valid.size // total), len(where))
        chosen = where[np.linspace(0, max(len(where) - 1, 0), quota).astype(np.int64)]
        rim = pool.candidates(_valid_pixels(cube, valid)) if with_rim else nothing
        return _drawn(cube, chosen), rim, len(where), part

    pixels, valid_pixels = [], 0
    for tile, (drawn, candidates, count, part) in in_order(look, plan.tiles, plan.workers):
        context.check_cancelled()
        pixels.append(drawn)
        pool.add(candidates)
        valid_pixels += count
        preview.put(tile, part)
        context.on_progress((tile.index + 1) / len(plan.tiles))
    if valid_pixels == 0:
        raise no_valid_pixel(source.header)
    drawn = torch.cat(pixels)
    extremes = pool.pixels() if with_rim and not complete else drawn
    _check_numbers(drawn, extremes, source.header)
    return Sample(
        pixels=drawn,
        extremes=extremes,
        moments=_moments(drawn),
        table=table,
        valid_pixels=valid_pixels,
        total_pixels=total,
        complete=complete,
        tables=tables,
    )


def no_valid_pixel(header: RasterHeader) -> InputError:
    """The error for a raster whose pixels all lack one used band or another."""
    return InputError(
        f"No pixel of {header.path} is valid in all used bands: choose other bands under 'Bands', or check the file's "
        "nodata value."
    )


def _check_numbers(drawn: torch.Tensor, extremes: torch.Tensor, header: RasterHeader) -> None:
    """Refuse numbers that are no measurements: one such pixel would outweigh all others."""
    usual = float(drawn.abs().amax(dim=1).median())
    worst = extremes.abs().max()
    if usual > 0.0 and float(worst) > FARTHEST * usual:
        raise InputError(
            f"Pixels of {header.path} reach {float(worst):.3g} where {usual:.3g} is usual, so they cannot be "
            "measurements: declare that value as the file's nodata value, or set those pixels to it."
        )


def sample_of_tables(
    table: BandTable,
    tables: Mapping[str, Spectra],
    labelled: Mapping[str, torch.Tensor],
    grid: Grid,
    is_reflectance: bool,
) -> Sample:
    """The sample of a run whose spectra are given, so that the raster need not be read beforehand."""
    empty = torch.empty(0, len(table))
    nothing = Moments(0, torch.zeros(len(table)).double(), torch.zeros(len(table), len(table)).double())
    return Sample(empty, empty, nothing, table, 0, grid.width * grid.height, False, is_reflectance, labelled, tables)


def draw_labelled(
    source: Source, samples: Sequence[Mapping[str, Any]], plan: Plan, context: Context
) -> dict[str, torch.Tensor]:
    """Read the valid pixels under labelled geometries, by class in the order of first mention.

    Raises:
        InputError: a class has no valid pixel.
    """
    found: dict[str, list[torch.Tensor]] = {str(sample["name"]): [] for sample in samples}
    for sample in samples:
        context.check_cancelled()
        for window in _windows_of(sample["geometry"], source.header.grid, plan):
            cube, valid = source.read(window)
            inside = valid & _mask(sample["geometry"], source.header.grid, window)
            pixels = _valid_pixels(cube, inside)[:, :LABELLED_PIXELS]
            found[str(sample["name"])].append(pixels.T.contiguous())
    labelled = {}
    for name, parts in found.items():
        pixels = torch.cat(parts) if parts else torch.empty(0)
        if len(pixels) == 0:
            raise InputError(f"The sample class {name!r} covers no valid pixel of the raster: move or remove it.")
        labelled[name] = pixels[:LABELLED_PIXELS]
    return labelled


def _drawn(cube: np.ndarray, where: np.ndarray) -> torch.Tensor:
    """Pixels at flat positions as [pixels, bands]."""
    return torch.from_numpy(np.ascontiguousarray(cube.reshape(len(cube), -1)[:, where].T))


def _valid_pixels(cube: np.ndarray, valid: np.ndarray) -> torch.Tensor:
    """Valid pixels as [bands, pixels]; a view where everything is valid."""
    flat = torch.from_numpy(cube).reshape(len(cube), -1)
    return flat if valid.all() else flat[:, torch.from_numpy(valid.reshape(-1))]


def _moments(pixels: torch.Tensor) -> Moments:
    moments = StreamingMoments(pixels.shape[1])
    moments.add(pixels)
    return moments.result()


def _windows_of(geometry: Mapping[str, Any], grid: Grid, plan: Plan) -> Iterator[Window]:
    """The parts of tiles that a geometry's bounding box touches."""
    left, bottom, right, top = rasterio.features.bounds(geometry)
    corners = [grid.rowcol(x, y) for x in (left, right) for y in (bottom, top)]
    rows, cols = [row for row, _ in corners], [col for _, col in corners]
    first_row, last_row = max(0, int(min(rows)) - 1), min(grid.height, int(max(rows)) + 2)
    first_col, last_col = max(0, int(min(cols)) - 1), min(grid.width, int(max(cols)) + 2)
    for tile in plan.tiles:
        core = tile.core
        row, col = max(core.row, first_row), max(core.col, first_col)
        height = min(core.row + core.height, last_row) - row
        width = min(core.col + core.width, last_col) - col
        if height > 0 and width > 0:
            yield Window(row, col, height, width)


def _mask(geometry: Mapping[str, Any], grid: Grid, window: Window) -> np.ndarray:
    """Pixels whose centres lie in the geometry; those it touches when it is smaller than a pixel."""
    transform = Affine(*grid.transform) * Affine.translation(window.col, window.row)
    shape = (window.height, window.width)
    inside = rasterio.features.rasterize([geometry], shape, transform=transform, dtype="uint8")
    if not inside.any():
        inside = rasterio.features.rasterize([geometry], shape, transform=transform, dtype="uint8", all_touched=True)
    return np.asarray(inside, dtype=bool)
