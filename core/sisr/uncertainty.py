# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the result may be off, pixel by pixel.

The posterior gives the mean variance of the error. Where it lies follows from the input: detail is missing where
neighbouring pixels differ, and hardly where they do not.
"""

from __future__ import annotations

import torch

from .upscaler import interpolated

EVEN = 0.1
"""Least of the mean variance that is assumed anywhere."""
MOST = 30.0
WINDOW = 3


def contrast(coarse: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Variance of each input pixel's surroundings, summed over planes, [h, w].

    Args:
        coarse: coefficients of the input, [dimensions, h, w].
        valid: bool [h, w].
    """
    box = torch.ones(1, 1, WINDOW, WINDOW, device=coarse.device)

    def sums(planes: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(planes[:, None], box, padding=WINDOW // 2)[:, 0]

    known = valid.to(coarse)
    count = sums(known[None])[0].clamp_min(1.0)
    mean = sums(coarse * known) / count
    return (sums(coarse.square() * known) / count - mean.square()).clamp_min(0.0).sum(dim=0)


def spread_out(variance: float, local: torch.Tensor, usual: float, valid: torch.Tensor, factor: int) -> torch.Tensor:
    """Lay the mean variance out over a block in proportion to the local contrast, [s h, s w].

    Args:
        variance: mean over the scene.
        local: of :func:`contrast`, [h, w].
        usual: its mean over the scene.
        valid: bool [h, w].
        factor: s.
    """
    share = EVEN + (1.0 - EVEN) * (local / max(usual, 1e-30)).clamp_max(MOST)
    finer = interpolated(share[None], factor, valid.to(local))[0]
    return variance * finer.clamp_min(EVEN)


def disagreement(predictions: torch.Tensor) -> torch.Tensor:
    """Variance among several guesses of the same coefficients, [variants, dimensions, H, W], summed, [H, W]."""
    return predictions.var(dim=0).sum(dim=0)
