# SPDX-License-Identifier: GPL-3.0-or-later
"""The two passes of an assessment: over the pixels of a reference, and over those of the pair behind an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..bands import BandTable
from ..fusion.fitting import Optics, find_optics
from ..fusion.relation import Relation, relate
from ..fusion.settings import FusionSettings
from ..grid import Grid, Tile, Window, plan_tiles
from ..quality.examples import Examples, pick
from ..quality.no_reference import PairQuality, PairScores, PairTile, block_side, measure_pair
from ..quality.reference import ReferenceQuality, ReferenceScores, TileQuality, measure
from ..raster.write import RasterWriter
from ..sensors.srf import Srf
from .method import Context
from .pair_source import PairSource, draw_pair_sample
from .plan import DEFAULT_BUDGET_MB, Plan, available_cores
from .source import Source, in_order
from .summary import QuickLook

TILE_PX = 256
"""About how many fine pixels a tile of the pass over a pair has a side."""
LEAST_SHIFT_PX = 0.5
PEAK_QUANTILE, MOST_VALUES = 0.999, 1_000_000
COPIES = 6
"""Arrays as large as a tile of both images that are alive at once."""


@dataclass(frozen=True)
class AgainstReference:
    """What the first pass gave.

    Attributes:
        table: the bands compared.
        scores: see there.
        examples: spectra of the result and the reference.
        maps: quick-look of RMSE and spectral angle, [2, rows, columns].
    """

    table: BandTable
    scores: ReferenceScores
    examples: Examples
    maps: np.ndarray


@dataclass(frozen=True)
class AgainstPair:
    """What the second pass gave.

    Attributes:
        scores: see there.
        examples: spectra of the result as the coarse instrument would see it, and of the coarse image.
        relation: how the two images relate.
        optics: what the coarse instrument sees.
        ratio: coarse over fine pixel size.
        shift_m: displacement found between the two images, in metres.
    """

    scores: PairScores
    examples: Examples
    relation: Relation
    optics: Optics
    ratio: float
    shift_m: float


def go_over_reference(
    sources: tuple[Source, Source],
    plan: Plan,
    ratio: float | None,
    peak: float,
    preview: QuickLook,
    rgb: list[int],
    writer: RasterWriter | None,
    step: Context,
) -> AgainstReference | None:
    """Compare every pixel of two images on one grid.

    Args:
        sources: the result and the reference, with the same bands.
        plan: tiles with a margin of ``core.quality.reference.HALO_PX``.
        ratio: for ERGAS.
        peak: for PSNR and SSIM.
        preview: takes the result's true colours.
        rgb: its bands for that.
        writer: of the maps of errors, or None.
        step: for progress and cancelling.

    Returns:
        None where no pixel is valid in both.
    """
    grid = sources[0].header.grid
    quality, maps, examples = ReferenceQuality(len(sources[0].bands), ratio, peak), QuickLook(grid, 2), None

    def work(tile: Tile) -> tuple[TileQuality, np.ndarray, Examples, np.ndarray]:
        (x, x_valid), (r, r_valid) = (source.read(tile.halo) for source in sources)
        valid = x_valid & r_valid
        rows, cols = core = tile.core.within(tile.halo)
        result, reference = torch.from_numpy(x).to(step.device), torch.from_numpy(r).to(step.device)
        origin = tile.halo.row, tile.halo.col
        part, errors = measure(result, reference, torch.from_numpy(valid).to(step.device), origin, core, peak)
        place = tile.core.row, tile.core.col
        chosen = pick(errors[1], place, result[:, rows, cols], reference[:, rows, cols])
        colours = preview.part(tile, x[rgb][:, rows, cols], x_valid[rows, cols])
        return part, errors.cpu().numpy(), chosen, colours

    for tile, (part, errors, chosen, colours) in in_order(work, plan.tiles, plan.workers):
        step.check_cancelled()
        quality.add(part)
        preview.put(tile, colours)
        maps.put(tile, maps.part(tile, errors, np.isfinite(errors[0])))
        examples = chosen if examples is None else examples.joined(chosen)
        if writer is not None:
            writer.write(tile.core, np.nan_to_num(errors, nan=-9999.0))
        step.on_progress((tile.index + 1) / len(plan.tiles))
    scores = quality.result()
    if not scores.pixels or examples is None:
        return None
    table = sources[0].header.table.subset(sources[0].bands)
    return AgainstReference(table, scores, examples, maps.values)


def go_over_pair(
    result: Source,
    pair: PairSource,
    settings: FusionSettings,
    srf: Srf | None,
    workers: int | None,
    memory_mb: int | None,
    step: Context,
) -> AgainstPair | None:
    """Compare an image with the two that it was made of.

    Args:
        result: the image, on the grid of the pair's MSI and with the bands of its HSI.
        pair: both images.
        settings: how the pair is related.
        srf: response given by the user, or None.
        workers: tiles in work at the same time, None for as many as there are cores and memory.
        memory_mb: budget, None for the usual one.
        step: for progress and cancelling.

    Returns:
        None where nothing is valid in all three.
    """
    sample = draw_pair_sample(pair, step.seed, step)
    relation = relate(sample, settings, srf, step)
    optics = find_optics(relation, settings)
    step.on_message(optics.note)
    ratio = math.sqrt(pair.placement.ratio_y * pair.placement.ratio_x)
    margin = math.ceil(max(optics.footprint.reach)) + 1
    side = block_side(ratio) * max(1, round(TILE_PX / (block_side(ratio) * ratio)))
    window = pair.placed.hsi_window
    tiles = plan_tiles(Grid(window.width, window.height), side, side)
    bands = len(pair.hsi_table) + len(pair.msi_table)
    tile_bytes = 4 * COPIES * bands * (side * ratio + 2 * margin) ** 2
    fitting = max(1, int((memory_mb or DEFAULT_BUDGET_MB) * 2**20 / tile_bytes))
    quality, examples, seen = PairQuality(*_peaks(relation)), None, 0

    def work(tile: Tile) -> tuple[PairTile, Examples]:
        coarse = Window(window.row + tile.core.row, window.col + tile.core.col, tile.core.height, tile.core.width)
        fine = pair.placement.fine_window(coarse, pair.grid.height, pair.grid.width, margin)
        block = relation.harmony.apply(pair.windows(fine, coarse)).to(step.device)
        cube, valid = result.read(fine)
        image, known = torch.from_numpy(cube.copy()).to(step.device), torch.from_numpy(valid).to(step.device)
        response = relation.response.to(step.device)
        core = _own_pixels(pair, coarse, fine)
        return measure_pair(image, known, block, core, (coarse.row, coarse.col), optics.footprint, response)

    for tile, (part, chosen) in in_order(work, tiles, min(workers or available_cores(), fitting)):
        step.check_cancelled()
        quality.add(part)
        seen += int(part.angles)
        examples = chosen if examples is None else examples.joined(chosen)
        step.on_progress((tile.index + 1) / len(tiles))
    if not seen or examples is None:
        return None
    if max(map(abs, relation.shift)) > LEAST_SHIFT_PX:
        step.on_warning(
            f"The two inputs seem to be displaced by {math.hypot(*relation.shift):.2f} fine pixels: that counts "
            "against the result."
        )
    shift_m = math.hypot(*(pixels * metres for pixels, metres in zip(relation.shift, pair.pixel_m)))
    return AgainstPair(quality.result(), examples, relation, optics, ratio, shift_m)


def _peaks(relation: Relation) -> tuple[float, float]:
    """The 99.9th percentile of the sample's values in both images, as in the reports of fusions."""
    peaks = []
    for images in ([(b.hsi, b.hsi_valid) for b in relation.blocks], [(b.msi, b.msi_valid) for b in relation.blocks]):
        values = torch.cat([image[:, valid].flatten() for image, valid in images])
        peaks.append(float(torch.quantile(values[:: max(1, len(values) // MOST_VALUES)], PEAK_QUANTILE)))
    return peaks[0], peaks[1]


def _own_pixels(pair: PairSource, coarse: Window, fine: Window) -> tuple[slice, slice]:
    """Fine pixels of a window that belong to its coarse ones, so that tiles share none."""
    at = pair.placement
    rows = _between(at.row, at.ratio_y, coarse.row, coarse.height, fine.row, fine.height)
    return rows, _between(at.col, at.ratio_x, coarse.col, coarse.width, fine.col, fine.width)


def _between(start: float, ratio: float, first: int, count: int, fine_first: int, fine_count: int) -> slice:
    edges = (round(start + (first + offset) * ratio) - fine_first for offset in (0, count))
    return slice(*(min(max(edge, 0), fine_count) for edge in edges))
