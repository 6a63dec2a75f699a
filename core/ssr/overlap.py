# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data from an HSI and an MSI of the same ground, on whatever grids they lie.

Where they lie on each other and how their scales differ is settled as for fusion (:mod:`core.fusion.relation`). The MSI
is then blurred as the HSI is and brought to its grid, where both show the same pixels. The last part of the overlap is
held out, with a gap: nothing is learnt from it, not even scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from ..bands import BandTable
from ..engine.method import Context
from ..errors import BandsError
from ..fusion.correction import LEAST_COVERAGE
from ..fusion.fill import fill_invalid
from ..fusion.fitting import LEAST_COVERAGE_ZEROS, Optics, find_optics
from ..fusion.noise import noise_variance
from ..fusion.pair import PairBlock, PairSample
from ..fusion.relation import Relation, relate
from ..fusion.settings import ESTIMATE, FusionSettings
from ..grid import Window
from ..physics.blur import Blur
from ..sensors.srf import Srf
from .pairs import TrainingData, TrainingPart, gather
from .randomise import random_responses
from .saturation import find_ceiling
from .settings import BANDS, SsrSettings
from .stf import StfEstimate, estimate_stf

HELD_SHARE = 0.3
GAP = 2
"""HSI pixels between what is learnt from and what judges: neighbours share their light."""
STF_PIXELS = 20_000
NOTEWORTHY_SHIFT = 0.05
_LEAST_SIDE = 3


@dataclass(frozen=True)
class Split:
    """An overlap in two parts that do not touch.

    Attributes:
        train: to learn from.
        held: to judge by.
    """

    train: PairSample
    held: tuple[PairBlock, ...]


def from_pair(sample: PairSample, settings: SsrSettings, context: Context, srf: Srf | None = None) -> TrainingData:
    """Make training data.

    Args:
        sample: of the overlap; best all of it in one block.
        settings: the settings.
        context: seed, messages, warnings and the wish to stop.
        srf: responses given by the user, or None.

    Raises:
        InputError: the images do not show the same ground, or too little of it.
    """
    ceiling = find_ceiling(torch.cat([block.msi[:, block.msi_valid] for block in sample.blocks], dim=1))
    split = split_sample(replace(sample, blocks=tuple(_unsaturated(block, ceiling) for block in sample.blocks)))
    sensor = ESTIMATE if settings.sensor == BANDS or srf is not None else settings.sensor
    chosen = FusionSettings(sensor=sensor, registration="correct", force=settings.force)
    relation = relate(split.train, chosen, srf, context)
    optics = find_optics(relation, chosen)
    harmony, matrix = relation.harmony, relation.response
    train = tuple(_part(block, optics) for block in relation.blocks)
    held = tuple(_part(fill_invalid(harmony.apply(block), matrix, harmony.grey), optics) for block in split.held)
    found = _transformation(train, relation, split.train, settings, context)
    # what both sensors see differently by a constant is taken off the MSI, so that Y = R X
    shift = torch.from_numpy(found.offset)
    kept = list(harmony.kept)
    return TrainingData(
        _lowered(train, shift),
        _lowered(held, shift),
        sample.hsi_table,
        sample.msi_table.subset(kept),
        torch.from_numpy(found.matrix),
        torch.from_numpy(found.low),
        torch.from_numpy(found.high),
        torch.stack([noise_variance(block.msi, block.msi_valid) for block in relation.blocks]).median(dim=0).values,
        kept=harmony.kept,
        gain=harmony.gain,
        offset=harmony.offset + harmony.gain * shift,
        ceiling=ceiling[kept],
        notes=_notes(relation, optics, found, ceiling[kept]),
        nominal=_nominal(sample.hsi_table, sample.msi_table.subset(kept), relation, sensor),
    )


def split_sample(sample: PairSample) -> Split:
    """Hold the last part of the overlap out.

    A complete overlap is cut across its longer side where 70 % of its valid pixels lie before. Of blocks drawn from a
    large one the last are held out, without their rims.
    """
    if len(sample.blocks) > 1:
        count = max(1, round(HELD_SHARE * len(sample.blocks)))
        held = tuple(_inner(block) for block in sample.blocks[-count:])
        return Split(replace(sample, blocks=sample.blocks[:-count]), held)
    block = sample.blocks[0]
    rows, cols = block.coarse_shape
    across = cols >= rows
    valid = block.hsi_valid.sum(dim=0 if across else 1).cumsum(0)
    end = int((valid < (1.0 - HELD_SHARE) * valid[-1]).sum()) + 1
    first, last = (0, end), (min(end + GAP, max(rows, cols) - 1), max(rows, cols))
    parts = [crop(block, *((0, rows), span) if across else (span, (0, cols))) for span in (first, last)]
    return Split(replace(sample, blocks=(parts[0],), complete=False), (parts[1],))


def crop(block: PairBlock, rows: tuple[int, int], cols: tuple[int, int]) -> PairBlock:
    """Some coarse rows and columns of a block, with the fine pixels under them and one coarse pixel around."""
    place, (height, width) = block.placement, block.fine_shape
    coarse = Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
    fine = place.fine_window(coarse, height, width, math.ceil(max(place.ratio_y, place.ratio_x)))
    inside = slice(fine.row, fine.row + fine.height), slice(fine.col, fine.col + fine.width)
    ends = fine.row == 0, inside[0].stop == height, fine.col == 0, inside[1].stop == width
    top, bottom, left, right = (mine and ours for mine, ours in zip(block.edges, ends))
    return PairBlock(
        block.hsi[:, slice(*rows), slice(*cols)],
        block.hsi_valid[slice(*rows), slice(*cols)],
        block.msi[:, inside[0], inside[1]],
        block.msi_valid[inside],
        place.within(fine, coarse),
        (top, bottom, left, right),
    )


def _inner(block: PairBlock) -> PairBlock:
    """A block without its rim."""
    rows, cols = block.coarse_shape
    if min(rows, cols) < 2 * GAP + _LEAST_SIDE:
        return block
    return crop(block, (GAP, rows - GAP), (GAP, cols - GAP))


def _unsaturated(block: PairBlock, ceiling: torch.Tensor) -> PairBlock:
    return replace(block, msi_valid=block.msi_valid & (block.msi < ceiling[:, None, None]).all(dim=0))


def _part(block: PairBlock, optics: Optics) -> TrainingPart:
    """A block on the HSI's grid."""
    blur = Blur(optics.footprint, block.placement, block.fine_shape, block.coarse_shape)
    least = LEAST_COVERAGE_ZEROS if optics.zeros_outside else LEAST_COVERAGE
    whole = blur(block.msi_valid[None].float())[0] > LEAST_COVERAGE * blur.coverage
    msi = blur(block.msi) / blur.coverage.clamp_min(1e-6)
    return TrainingPart(block.hsi, msi, block.hsi_valid & whole & (blur.coverage > least))


def _transformation(
    parts: tuple[TrainingPart, ...], relation: Relation, sample: PairSample, settings: SsrSettings, context: Context
) -> StfEstimate:
    pixels = gather(parts, STF_PIXELS)
    tables = sample.hsi_table, sample.msi_table.subset(relation.harmony.kept)
    quiet = replace(context, on_progress=lambda share: None)
    return estimate_stf(pixels.hsi.T.numpy(), pixels.msi.T.numpy(), tables, quiet, context.seed, settings.force)


def _nominal(hsi: BandTable, msi: BandTable, relation: Relation, sensor: str) -> torch.Tensor | None:
    """The response of the data sheet: of the sensor if one was named, else by centres and widths if they are known."""
    if sensor != ESTIMATE:
        return relation.response
    if hsi.wavelength_nm is None or msi.wavelength_nm is None or msi.fwhm_nm is None:
        return None
    try:
        return random_responses(hsi, msi.wavelength_nm, msi.fwhm_nm).nominal
    except BandsError:  # not all of a band is covered, which the estimate says
        return None


def _lowered(parts: tuple[TrainingPart, ...], shift: torch.Tensor) -> tuple[TrainingPart, ...]:
    return tuple(replace(part, msi=part.msi - shift[:, None, None]) for part in parts)


def _notes(relation: Relation, optics: Optics, found: StfEstimate, ceiling: torch.Tensor) -> tuple[str, ...]:
    notes = [
        optics.note,
        f"The spectra of the overlap have an effective rank of {found.effective_rank:.1f}; the response cannot be told "
        "in more dimensions than that, and is smooth by assumption in the others.",
        *found.estimate.sentences,
    ]
    if relation.rescaled:
        notes.append("The multispectral image was brought onto the spectra's scale by a gain and an offset per band.")
    if relation.shift_corrected and math.hypot(*relation.shift) >= NOTEWORTHY_SHIFT:
        notes.append(
            f"The images are displaced by {relation.shift[0]:.2f} rows and {relation.shift[1]:.2f} columns of the "
            "multispectral image, which was taken into account."
        )
    cut = [name for name, level in zip(relation.srf.names, ceiling) if bool(level.isfinite())]
    if cut:
        notes.append(f"Band {', '.join(cut)} is saturated in places, which are left out.")
    return tuple(notes)
