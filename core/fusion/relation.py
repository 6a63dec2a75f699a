# SPDX-License-Identifier: GPL-3.0-or-later
"""How the two images of a pair relate: displacement, spectral response and radiometric scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from ..bands import BandTable
from ..engine.method import Context
from ..sensors.srf import Srf
from .fill import fill_invalid
from .model import Harmony
from .pair import PairBlock, PairSample
from .pairing.alike import alike_pixels
from .pairing.averaging import area_average, smooth
from .pairing.gate import check_same_scene, check_usable
from .pairing.radiometry import fit_radiometry
from .pairing.registration import find_shift
from .response import Response, settle_response
from .settings import FusionSettings

MOST_PIXELS = 20_000
MOST_SMOOTHED = 2.5
"""Largest sigma, in coarse pixels, of the smoothing that makes averaged MSI and HSI alike in sharpness."""
SMOOTHED_SHARE = 0.1
"""The same relative to the square root of the number of coarse pixels, so that small images keep some contrast."""
LEAST_COVERAGE = 0.99


@dataclass(frozen=True)
class Relation:
    """What was settled.

    Attributes:
        blocks: the sample with the MSI on the HSI's scale, its kept bands only, and the HSI in its place.
        hsi_table: the HSI's used bands.
        srf: response of the kept MSI bands.
        response: the same as float32 tensor [msi_bands, hsi_bands].
        response_source: where it comes from, in words.
        harmony: what was done to the blocks.
        gain, offset, correlation: per kept MSI band, as found.
        rescaled: True when gain and offset were applied.
        shift: displacement found, in fine rows and columns.
        shift_corrected: True when it was applied.
        complete: True when the blocks are the whole overlap.
    """

    blocks: tuple[PairBlock, ...]
    hsi_table: BandTable
    srf: Srf
    response: torch.Tensor
    response_source: str
    harmony: Harmony
    gain: torch.Tensor
    offset: torch.Tensor
    correlation: torch.Tensor
    rescaled: bool
    shift: tuple[float, float]
    shift_corrected: bool
    complete: bool


def relate(sample: PairSample, settings: FusionSettings, srf: Srf | None, context: Context) -> Relation:
    """Settle everything that both images must agree on before they are fused.

    Raises:
        InputError: they do not show the same ground, or too little of it.
    """
    for sentence in check_usable(sample):
        context.on_warning(sentence)
    found = find_shift(sample.blocks)
    shift = found.pixels if found.confident and settings.registration != "ignore" else (0.0, 0.0)
    moved = settings.registration == "correct" and shift != (0.0, 0.0)
    # response and scale are settled where the images lie right, whether or not the result is to be moved
    blocks = _moved(sample.blocks, shift)
    hsi_pixels, msi_pixels = _averages(blocks)
    response = _response(sample, settings, srf, hsi_pixels, msi_pixels, context.seed)
    for sentence in response.warnings:
        context.on_warning(sentence)
    context.on_message(f"Spectral response: {response.source}")
    matrix = torch.from_numpy(response.srf.matrix)
    kept = list(response.kept)
    blocks = tuple(replace(block, msi=block.msi[kept]) for block in blocks)
    radiometry = fit_radiometry(*alike_pixels(blocks, matrix))
    if not settings.force:
        check_same_scene(radiometry.correlation, found.confident)
    rescaled = settings.radiometry == "auto" and radiometry.needed
    if rescaled:
        gain, offset = radiometry.gain, radiometry.offset
        for sentence in radiometry.sentences(response.srf.names):
            context.on_message(sentence)
    else:
        gain, offset = torch.ones(len(kept)), torch.zeros(len(kept))
    grey = matrix @ hsi_pixels.mean(dim=0)
    harmony = Harmony(response.kept, gain, offset, grey, shift if moved else (0.0, 0.0))
    blocks = tuple(replace(b, msi=(b.msi - offset[:, None, None]) / gain[:, None, None]) for b in blocks)
    if not moved:
        blocks = _moved(blocks, (-shift[0], -shift[1]))
    blocks = tuple(fill_invalid(block, matrix, grey) for block in blocks)
    return Relation(
        blocks,
        sample.hsi_table,
        response.srf,
        matrix,
        response.source,
        harmony,
        radiometry.gain,
        radiometry.offset,
        radiometry.correlation,
        rescaled,
        shift,
        moved,
        sample.complete,
    )


def _moved(blocks: tuple[PairBlock, ...], shift: tuple[float, float]) -> tuple[PairBlock, ...]:
    """The blocks with the HSI moved by some fine rows and columns."""
    return tuple(replace(block, placement=block.placement.shifted(*shift)) for block in blocks)


def _response(
    sample: PairSample,
    settings: FusionSettings,
    srf: Srf | None,
    hsi_pixels: torch.Tensor,
    msi_pixels: torch.Tensor,
    seed: int,
) -> Response:
    step = max(1, len(hsi_pixels) // MOST_PIXELS)
    return settle_response(
        srf,
        settings.sensor,
        sample.hsi_table,
        sample.msi_table,
        hsi_pixels[::step].numpy(),
        msi_pixels[::step].numpy(),
        seed,
        settings.force,
    )


def _averages(blocks: tuple[PairBlock, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Coarse pixels and the MSI averaged over them, [pixels, bands] each, both smoothed alike."""
    hsi, msi = [], []
    count = sum(int(block.hsi_valid.sum()) for block in blocks)
    sigma = min(MOST_SMOOTHED, SMOOTHED_SHARE * math.sqrt(count))
    for block in blocks:
        averages, coverage = area_average(block.msi, block.msi_valid, block.placement, block.coarse_shape)
        usable = block.hsi_valid & (coverage > LEAST_COVERAGE)
        hsi.append(smooth(block.hsi, usable, sigma)[:, usable].T)
        msi.append(smooth(averages, usable, sigma)[:, usable].T)
    return torch.cat(hsi), torch.cat(msi)
