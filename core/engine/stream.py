# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes rasters of any size tile by tile: reading, computing and writing overlap, memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from ..bands import rgb_bands
from ..errors import MemoryBudgetError
from ..grid import Grid, Tile, Window
from ..raster.write import RasterWriter
from .journal import Journal
from .method import Context, Model, OutputSpec
from .plan import Plan
from .record import OutputSummary
from .source import Source, in_order
from .summary import QuickLook, Summary

MIN_SPLIT_ROWS = 8
NO_PACKINGS: Mapping[str, Packing] = {}


@dataclass(frozen=True)
class Computed:
    """What one tile gave.

    Attributes:
        outputs: by role, [bands, rows, columns] of the tile's core, or the planes of its :class:`Packing`; values at
            invalid pixels do not matter.
        valid: bool [rows, columns] of the core.
        rgb: red, green and blue of the input for the quick-look, [3, rows, columns] of the core.
    """

    outputs: dict[str, np.ndarray]
    valid: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True)
class Packing:
    """An output whose bands follow from a few planes: only these are computed by threads and kept in the journal.

    Attributes:
        planes: how many, float32.
        expand: the bands [bands, rows, columns] of planes [planes, rows, columns].
    """

    planes: int
    expand: Callable[[np.ndarray], np.ndarray]


class Work(Protocol):
    """How a tile comes about; called by several threads at once, the same tile gives the same result.

    Attributes:
        grid: of the outputs.
        outputs: the rasters that are made, by role.
        halo_px: margin of the tiles around their cores.
        device: what computes, for sentences.
    """

    grid: Grid
    outputs: Mapping[str, OutputSpec]
    halo_px: int
    device: torch.device

    def compute(self, tile: Tile) -> Computed:
        """Read what a tile needs and compute its core."""
        ...


@dataclass(frozen=True)
class Streamed:
    """What the pass over the raster gave besides the outputs.

    Attributes:
        valid_pixels: pixels of the outputs that are not nodata.
        summaries: by output role, also of outputs that were not written.
    """

    valid_pixels: int
    summaries: Mapping[str, OutputSummary]


class ImageWork:
    """A model applied to one image."""

    def __init__(self, source: Source, model: Model, device: torch.device) -> None:
        self.grid = source.header.grid
        self.outputs = model.outputs
        self.halo_px = model.halo_px
        self.device = device
        self._source = source
        self._model = model
        self._rgb = rgb_bands(model.table)

    def compute(self, tile: Tile) -> Computed:
        """See :class:`Work`."""
        cube, valid = self._source.read(tile.halo)
        planes = self._model.apply(
            torch.from_numpy(cube).to(self.device, non_blocking=True),
            torch.from_numpy(valid).to(self.device, non_blocking=True),
        )
        rows, cols = tile.core.within(tile.halo)
        outputs = {role: values[:, rows, cols].to("cpu").numpy() for role, values in planes.items()}
        return Computed(outputs, np.ascontiguousarray(valid[rows, cols]), cube[self._rgb][:, rows, cols])


@dataclass(frozen=True)
class _Finished:
    """One tile's core as it is kept: output planes by role, validity, and its part of the quick-look."""

    outputs: dict[str, np.ndarray]
    valid: np.ndarray
    preview: np.ndarray

    def arrays(self) -> list[np.ndarray]:
        return [*self.outputs.values(), self.valid, self.preview]


def stream(
    work: Work,
    plan: Plan,
    writers: Mapping[str, RasterWriter],
    journal: Journal,
    preview: QuickLook,
    context: Context,
    packings: Mapping[str, Packing] = NO_PACKINGS,
) -> Streamed:
    """Compute all tiles, write the outputs that have a writer, and summarise all of them.

    Tiles that the journal holds are taken from it instead of being computed again.

    Args:
        work: what to compute.
        plan: the tiles.
        writers: by role.
        journal: of the run.
        preview: is filled with the input's quick-look.
        context: is told the progress and asked whether to stop.
        packings: of outputs that ``work`` computes as fewer planes.
    """
    summaries = {role: Summary(spec, work.grid) for role, spec in work.outputs.items()}
    valid_pixels = 0
    for tile, result in _results(work, plan, journal, preview, context, packings):
        context.check_cancelled()
        for role, kept in result.outputs.items():
            values = kept
            if role in packings:
                values = _stored(packings[role].expand(kept), result.valid, work.outputs[role])
            summaries[role].add(tile, values, result.valid)
            if role in writers:
                writers[role].write(tile.core, values)
        preview.put(tile, result.preview)
        valid_pixels += int(result.valid.sum())
        context.on_progress((tile.index + 1) / len(plan.tiles))
    return Streamed(valid_pixels, {role: summary.result() for role, summary in summaries.items()})


def _results(
    work: Work,
    plan: Plan,
    journal: Journal,
    preview: QuickLook,
    context: Context,
    packings: Mapping[str, Packing],
) -> Iterator[tuple[Tile, _Finished]]:
    finished = journal.finished
    if finished:
        context.on_message(f"{finished} of {len(plan.tiles)} tiles are taken from the interrupted run.")
    for tile, record in zip(plan.tiles, journal.replay()):
        yield tile, _unpack(record, tile, work.outputs, preview, packings)

    def compute(tile: Tile) -> _Finished:
        computed = compute_or_halve(work, tile, context)
        outputs = {}
        for role, spec in work.outputs.items():  # their order is that of the journal
            values = computed.outputs[role]
            outputs[role] = values if role in packings else _stored(values, computed.valid, spec)
        return _Finished(outputs, computed.valid, preview.part(tile, computed.rgb, computed.valid))

    for tile, result in in_order(compute, plan.tiles[finished:], plan.workers):
        journal.append(result.arrays())
        yield tile, result


def _stored(values: np.ndarray, valid: np.ndarray, spec: OutputSpec) -> np.ndarray:
    """Bands as they are written, nodata where invalid."""
    if not valid.all():
        values[:, ~valid] = spec.nodata
    return values.astype(spec.dtype, copy=False)


def compute_or_halve(work: Work, tile: Tile, context: Context) -> Computed:
    """Compute a tile; when the device runs out of memory, its two halves.

    Raises:
        MemoryBudgetError: even a few rows are too many.
    """
    try:
        return work.compute(tile)
    except torch.OutOfMemoryError as error:
        if tile.core.height < 2 * MIN_SPLIT_ROWS:
            raise MemoryBudgetError(
                f"{work.device} has too little free memory for even {tile.halo.height} rows of the image: close "
                "what else uses it, or choose the device cpu."
            ) from error
    context.on_warning(f"The device ran out of memory on {tile.halo.height} rows: going on with half of them.")
    halves = [compute_or_halve(work, part, context) for part in _halves(tile, work)]
    return Computed(
        {role: np.concatenate([half.outputs[role] for half in halves], axis=1) for role in halves[0].outputs},
        np.concatenate([half.valid for half in halves]),
        np.concatenate([half.rgb for half in halves], axis=1),
    )


def _halves(tile: Tile, work: Work) -> list[Tile]:
    core, top = tile.core, tile.core.height // 2
    cores = (
        Window(core.row, core.col, top, core.width),
        Window(core.row + top, core.col, core.height - top, core.width),
    )
    size = work.grid.height, work.grid.width
    return [Tile(tile.index, part, part.padded(work.halo_px, *size)) for part in cores]


def _unpack(
    record: bytes,
    tile: Tile,
    specs: Mapping[str, OutputSpec],
    preview: QuickLook,
    packings: Mapping[str, Packing],
) -> _Finished:
    """Turn a journal record back into a tile's arrays."""
    shape, offset = (tile.core.height, tile.core.width), 0
    outputs = {}
    for role, spec in specs.items():
        planes, dtype = len(spec.band_names), np.dtype(spec.dtype)
        if role in packings:
            planes, dtype = packings[role].planes, np.dtype(np.float32)
        values = np.frombuffer(record, dtype=dtype, count=planes * shape[0] * shape[1], offset=offset)
        outputs[role] = values.reshape(planes, *shape)
        offset += values.nbytes
    valid = np.frombuffer(record, dtype=bool, count=shape[0] * shape[1], offset=offset).reshape(shape)
    rest = np.frombuffer(record, dtype=np.float32, offset=offset + valid.nbytes)
    return _Finished(outputs, valid, rest.reshape(3, *preview.part_shape(tile)))
