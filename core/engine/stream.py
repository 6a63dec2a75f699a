# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a fitted model to a raster of any size: reading, computing and writing overlap, memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import MemoryBudgetError
from ..grid import Tile, Window
from ..raster.write import RasterWriter
from .journal import Journal
from .method import Context, Model, OutputSpec
from .plan import Plan
from .record import OutputSummary
from .sampling import rgb_bands
from .source import Source, in_order
from .summary import QuickLook, Summary

MIN_SPLIT_ROWS = 8


@dataclass(frozen=True)
class Streamed:
    """What the pass over the raster gave besides the outputs.

    Attributes:
        valid_pixels: pixels with all used bands valid.
        summaries: by output role, also of outputs that were not written.
    """

    valid_pixels: int
    summaries: Mapping[str, OutputSummary]


@dataclass(frozen=True)
class _TileResult:
    """One tile's core: output planes by role, validity, and its part of the true-colour quick-look."""

    outputs: dict[str, np.ndarray]
    valid: np.ndarray
    preview: np.ndarray

    def arrays(self) -> list[np.ndarray]:
        return [*self.outputs.values(), self.valid, self.preview]


def apply_model(
    source: Source,
    plan: Plan,
    model: Model,
    writers: Mapping[str, RasterWriter],
    journal: Journal,
    preview: QuickLook,
    context: Context,
) -> Streamed:
    """Compute all tiles, write the outputs that have a writer, and summarise all of them.

    Tiles that the journal holds are taken from it instead of being computed again.
    """
    summaries = {role: Summary(spec, source.header.grid) for role, spec in model.outputs.items()}
    valid_pixels = 0
    for tile, result in _results(source, plan, model, journal, preview, context):
        context.check_cancelled()
        for role, values in result.outputs.items():
            summaries[role].add(tile, values, result.valid)
            if role in writers:
                writers[role].write(tile.core, values)
        preview.put(tile, result.preview)
        valid_pixels += int(result.valid.sum())
        context.on_progress((tile.index + 1) / len(plan.tiles))
    return Streamed(valid_pixels, {role: summary.result() for role, summary in summaries.items()})


def _results(
    source: Source, plan: Plan, model: Model, journal: Journal, preview: QuickLook, context: Context
) -> Iterator[tuple[Tile, _TileResult]]:
    finished = journal.finished
    if finished:
        context.on_message(f"{finished} of {len(plan.tiles)} tiles are taken from the interrupted run.")
    for tile, record in zip(plan.tiles, journal.replay()):
        yield tile, _unpack(record, tile, model.outputs, preview)
    rgb = rgb_bands(model.table)

    def compute(tile: Tile) -> _TileResult:
        cube, valid = source.read(tile.halo)
        outputs = _apply(model, torch.from_numpy(cube), torch.from_numpy(valid), tile, context)
        rows, cols = tile.core.within(tile.halo)
        core_valid = np.ascontiguousarray(valid[rows, cols])
        for role, values in outputs.items():
            values[:, ~core_valid] = model.outputs[role].nodata
        return _TileResult(outputs, core_valid, preview.part(tile, cube[rgb][:, rows, cols], core_valid))

    for tile, result in in_order(compute, plan.tiles[finished:], plan.workers):
        journal.append(result.arrays())
        yield tile, result


def _apply(
    model: Model, cube: torch.Tensor, valid: torch.Tensor, tile: Tile, context: Context
) -> dict[str, np.ndarray]:
    """Apply to one tile; when the device runs out of memory, to its two halves."""
    try:
        outputs = model.apply(cube.to(context.device, non_blocking=True), valid.to(context.device, non_blocking=True))
        rows, cols = tile.core.within(tile.halo)
        return {
            role: values[:, rows, cols].to("cpu").numpy().astype(model.outputs[role].dtype)
            for role, values in outputs.items()
        }
    except torch.OutOfMemoryError as error:
        if tile.core.height < 2 * MIN_SPLIT_ROWS:
            raise MemoryBudgetError(
                f"{context.device} has too little free memory for even {tile.halo.height} rows of the image: close "
                "what else uses it, or choose the device cpu."
            ) from error
    context.on_warning(f"The device ran out of memory on {tile.halo.height} rows: going on with half of them.")
    halves = [_apply(model, *_cut(cube, valid, tile, part), context) for part in _halves(tile, model.halo_px)]
    return {role: np.concatenate([half[role] for half in halves], axis=1) for role in halves[0]}


def _halves(tile: Tile, halo_px: int) -> list[Tile]:
    core = tile.core
    top = core.height // 2
    parts = [
        Window(core.row, core.col, top, core.width),
        Window(core.row + top, core.col, core.height - top, core.width),
    ]
    bottom = tile.halo.row + tile.halo.height
    halves = []
    for part in parts:
        first = max(tile.halo.row, part.row - halo_px)
        last = min(bottom, part.row + part.height + halo_px)
        halves.append(Tile(tile.index, part, Window(first, tile.halo.col, last - first, tile.halo.width)))
    return halves


def _cut(cube: torch.Tensor, valid: torch.Tensor, whole: Tile, part: Tile) -> tuple[torch.Tensor, torch.Tensor, Tile]:
    rows, cols = part.halo.within(whole.halo)
    return cube[:, rows, cols], valid[rows, cols], part


def _unpack(record: bytes, tile: Tile, specs: Mapping[str, OutputSpec], preview: QuickLook) -> _TileResult:
    """Turn a journal record back into a tile's arrays."""
    shape, offset = (tile.core.height, tile.core.width), 0
    outputs = {}
    for role, spec in specs.items():
        count = len(spec.band_names) * shape[0] * shape[1]
        values = np.frombuffer(record, dtype=spec.dtype, count=count, offset=offset)
        outputs[role] = values.reshape(len(spec.band_names), *shape)
        offset += values.nbytes
    valid = np.frombuffer(record, dtype=bool, count=shape[0] * shape[1], offset=offset).reshape(shape)
    rest = np.frombuffer(record, dtype=np.float32, offset=offset + valid.nbytes)
    return _TileResult(outputs, valid, rest.reshape(3, *preview.part_shape(tile)))
