# SPDX-License-Identifier: GPL-3.0-or-later
"""Coarse pixels of both images, made alike in sharpness, so that contrasts can be compared.

The HSI is blurred by its optics, the averaged MSI is not: a line fitted between them would take the missing contrast
for a gain of 10 to 25 %. So the averages are blurred by the Gaussian that makes them follow the HSI best, and then
both are smoothed, which also dampens noise and what is left of a displacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ..pair import PairBlock
from .averaging import area_average, smooth

SIGMAS = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.4)
"""Blurs that are tried, in coarse pixels."""
SMOOTHED = 1.0
COVERED = 0.99
RIM = 2
"""Pixels beside the end of either image, which saw ground that is not known."""
ENOUGH = 100


class Alike(NamedTuple):
    """Pixels to compare.

    Attributes:
        averaged: the MSI over coarse pixels, [pixels, msi_bands].
        predicted: the same bands as the HSI predicts them, [pixels, msi_bands].
    """

    averaged: torch.Tensor
    predicted: torch.Tensor


def alike_pixels(blocks: Sequence[PairBlock], response: torch.Tensor) -> Alike:
    """Take the pixels that are valid in both images, without the rim where there are enough others.

    Args:
        blocks: parts of the pair, in their right place.
        response: S, [msi_bands, hsi_bands].
    """
    parts = []
    for block in blocks:
        shape = block.hsi.shape[1], block.hsi.shape[2]
        averages, coverage = area_average(block.msi, block.msi_valid, block.placement, shape)
        predicted = torch.einsum("cb,bhw->chw", response.to(block.hsi), block.hsi)
        parts.append((averages, predicted, block.hsi_valid & (coverage > COVERED)))
    inner = [_inner(usable) for _, _, usable in parts]
    if sum(int(kept.sum()) for kept in inner) < ENOUGH:
        inner = [usable for _, _, usable in parts]
    tried = [_pixels(parts, inner, sigma) for sigma in SIGMAS]
    return max(tried, key=_agreement)


def _pixels(
    parts: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]], inner: Sequence[torch.Tensor], sigma: float
) -> Alike:
    averaged, predicted = [], []
    for (averages, bands, usable), kept in zip(parts, inner):
        blurred = smooth(averages, usable, sigma) if sigma > 0 else averages
        averaged.append(smooth(blurred, usable, SMOOTHED)[:, kept])
        predicted.append(smooth(bands, usable, SMOOTHED)[:, kept])
    return Alike(torch.cat(averaged, dim=1).T, torch.cat(predicted, dim=1).T)


def _inner(usable: torch.Tensor) -> torch.Tensor:
    """Usable pixels whose neighbours within the rim's width are all usable."""
    side = 2 * RIM + 1
    lost = torch.nn.functional.pad((~usable).float()[None, None], (RIM,) * 4, value=1.0)
    return torch.nn.functional.max_pool2d(lost, side, stride=1)[0, 0] == 0


def _agreement(pixels: Alike) -> float:
    """Mean correlation over bands."""
    a, b = (side - side.mean(0) for side in pixels)
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt().clamp_min(1e-30)
    return float(((a * b).sum(0) / scale).mean())
