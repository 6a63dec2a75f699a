# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the sizes of dead leaves to an image: leaves that are seen by the sensor shall vary as the image does.

    gamma(d) = mean |z(p + d) - z(p)|^2 / 2 - n^2,    d along rows and columns, over the variance of z

is the variogram of planes z without the variance n^2 of their noise (Matheron 1963). How it rises with the distance d
tells large fields from small ones, whatever the planes' contrast. Laws of a small grid are drawn, degraded and measured
in the same way; the one whose curve is nearest in logarithm is taken. Only the image is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .evidence import Sizes
from .leaves import LeafLaw, general_law
from .pairs import scene_source

LAGS = (1, 2, 3, 4, 6, 8, 12)
"""Distances in input pixels."""
SMALLEST = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Smallest leaves that are tried, in input pixels."""
EXPONENTS = (2.5, 3.0, 3.5)
PAIRS, SIZE = 6, 32
LEAST = 1e-3
"""Least value of a curve: below it, what is left of the noise decides."""


def fit_law(
    parts: Sequence[torch.Tensor],
    masks: Sequence[torch.Tensor],
    factor: int,
    sigma: float,
    noise: torch.Tensor,
    generator: torch.Generator,
) -> tuple[LeafLaw, Sizes]:
    """Choose the sizes of leaves.

    Args:
        parts: standardised planes of parts of the image, equally high, each [planes, rows, columns].
        masks: which pixels count, each bool [rows, columns].
        factor: how many times finer the leaves' grid is.
        sigma: standard deviation of the blur in fine pixels.
        noise: standard deviation of each plane's noise, [planes].
        generator: draws leaves.

    Returns:
        the law, and what it was chosen by.
    """
    side = min(min(part.shape[1:]) for part in parts)
    lags = tuple(lag for lag in LAGS if lag == 1 or 3 * lag <= side)
    wanted = variogram(parts, masks, noise, lags)
    planes, valid = torch.cat(list(parts), dim=2), torch.cat(list(masks), dim=1)
    trials: list[tuple[float, LeafLaw, torch.Tensor]] = []
    everywhere = torch.ones(SIZE, SIZE, dtype=torch.bool)
    for smallest in SMALLEST:
        for exponent in EXPONENTS:
            law = general_law(factor, max(1.0, smallest * factor), exponent)
            source = scene_source(factor, planes, valid, law, sigma, noise, SIZE)
            batch = source.draw(PAIRS, generator)
            found = variogram(list(batch.low), [everywhere] * PAIRS, batch.noise.square().mean(dim=0).sqrt(), lags)
            trials.append((float((found.log() - wanted.log()).square().mean()), law, found))
    _, law, found = min(trials, key=lambda trial: trial[0])
    sizes = Sizes(law.smallest / factor, law.exponent, lags, tuple(wanted.tolist()), tuple(found.tolist()))
    return law, sizes


def variogram(
    parts: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], noise: torch.Tensor, lags: Sequence[int]
) -> torch.Tensor:
    """Variogram over variance, mean over planes, both without noise, [lags].

    Args:
        parts: planes, each [planes, rows, columns].
        masks: which pixels count, each bool [rows, columns].
        noise: standard deviation of each plane's noise, [planes].
        lags: distances in pixels, smaller than the parts.
    """
    values = torch.cat([part[:, mask] for part, mask in zip(parts, masks)], dim=1)
    power = (values.var(dim=1) - noise.square()).clamp_min(LEAST)
    curve = []
    for lag in lags:
        sums, count = torch.zeros(len(values)), 0
        for part, mask in zip(parts, masks):
            for plane, known in ((part, mask), (part.mT, mask.mT)):
                both = known[lag:] & known[:-lag]
                sums = sums + (plane[:, lag:] - plane[:, :-lag])[:, both].square().sum(dim=1)
                count += int(both.sum())
        gamma = sums / (2 * max(count, 1)) - noise.square()
        # planes count by their contrast: those that are mostly noise say nothing of sizes
        curve.append((gamma.clamp_min(0.0).sum() / power.sum()).clamp_min(LEAST))
    return torch.stack(curve)
