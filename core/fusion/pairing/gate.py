# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses pairs that cannot give a sensible result: spoilt values, too few common pixels, different scenes."""

from __future__ import annotations

import torch

from ...errors import InputError
from ...sensors.match import band_words
from ..pair import PairBlock, PairSample
from .averaging import area_average

LEAST_PIXELS = 30
"""Coarse pixels that are valid in both images."""
SPOILT, SUSPICIOUS = 0.5, 0.01
"""Share of pixels at zero, or piled up at the largest value, that is refused, and that is said."""
SAME_SCENE, SAME_SCENE_UNALIGNED = 0.6, 0.85
"""Least median correlation of averaged and predicted bands. Real and simulated pairs of one scene gave 0.96 to 1.00,
different, turned or mirrored scenes at most 0.5; but 0.81 for a mirrored panchromatic image, whose displacement, as
with all wrong pairs and no right one, could not be told."""


def check_usable(sample: PairSample) -> tuple[str, ...]:
    """Refuse a sample whose numbers carry no information.

    Returns:
        sentences about what looks wrong but may be right.

    Raises:
        InputError: the MSI is constant, zero or saturated over most of the image, or too few pixels are valid.
    """
    count = sum(map(_common_pixels, sample.blocks))
    if count < LEAST_PIXELS:
        raise InputError(
            f"Only {count} hyperspectral pixels are valid in both images and at least {LEAST_PIXELS} are needed: "
            "choose images that share more valid ground."
        )
    pixels = torch.cat([block.msi[:, block.msi_valid] for block in sample.blocks], dim=1)
    empty = _share((pixels == 0).all(0))
    if empty >= SPOILT:
        raise InputError(
            f"The multispectral image is zero in {empty:.0%} of its pixels: declare 0 as nodata if that is what it "
            "means, or choose another image."
        )
    sentences = []
    if empty >= SUSPICIOUS:
        sentences.append(
            f"The multispectral image is zero in {empty:.0%} of its pixels: if 0 means nodata there, declare it so."
        )
    for i, band in enumerate(pixels):
        sentences += _look_at_band(band_words(sample.msi_table, i), band)
    return tuple(sentences)


def check_same_scene(correlation: torch.Tensor, aligned: bool = True) -> None:
    """Refuse two images that do not show the same ground.

    Args:
        correlation: of averaged and predicted MSI bands, [bands].
        aligned: False when their displacement could not be told, which makes it less likely that they do.

    Raises:
        InputError: the median over bands is too low.
    """
    typical = float(correlation.double().quantile(0.5))
    if typical < (SAME_SCENE if aligned else SAME_SCENE_UNALIGNED):
        raise InputError(
            "The two images do not seem to show the same ground: the multispectral bands and those predicted from the "
            f"hyperspectral image have a correlation of only {typical:.2f}; check the files and their coordinate "
            "reference systems, or force the fusion."
        )


def _look_at_band(name: str, band: torch.Tensor) -> list[str]:
    """Check one MSI band's valid values; ``name`` is the band in words."""
    low, high = band.min(), band.max()
    if low == high:
        raise InputError(
            f"{name} of the multispectral image has the value {float(low):g} everywhere: leave the band out, or "
            "choose another image."
        )
    saturated = _share(band == high)
    if saturated >= SPOILT:
        raise InputError(
            f"{name} of the multispectral image is saturated: {saturated:.0%} of its pixels have the largest "
            f"value, {float(high):g}; choose an image that is not overexposed."
        )
    if saturated >= SUSPICIOUS:
        return [
            f"{name} of the multispectral image seems to be saturated: {saturated:.0%} of its pixels have the "
            f"largest value, {float(high):g}, and will come out too dark."
        ]
    return []


def _share(chosen: torch.Tensor) -> float:
    return float(chosen.double().mean())


def _common_pixels(block: PairBlock) -> int:
    """Valid coarse pixels that lie mostly on valid fine ones."""
    shape = block.hsi.shape[1], block.hsi.shape[2]
    coverage = area_average(block.msi[:1], block.msi_valid, block.placement, shape)[1]
    return int((block.hsi_valid & (coverage > 0.5)).sum())
