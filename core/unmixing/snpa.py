# SPDX-License-Identifier: GPL-3.0-or-later
"""SNPA: the successive nonnegative projection algorithm.

Model: every pixel lies in the convex hull of the origin and the endmembers, and each endmember is a pixel. The pixel
farthest from the hull of what was picked so far is picked next.
Source: Gillis, SIAM J. Imaging Sciences 7(2), 2014, algorithm SNPA, doi:10.1137/130946782.
"""

from __future__ import annotations

import torch

from .extraction import Extraction, capped_shares, check_count, picked, too_few_distinct

TIE = 1e-6
"""Relative difference of residuals that does not decide: then the brighter pixel is picked, and for the first pick the
one farthest from the mean (pixels of unit length are all equally bright)."""
VANISHED = 1e-9
"""Largest residual, relative to the brightest pixel, that no longer counts as another endmember (norms, squared)."""


def snpa(pixels: torch.Tensor, count: int) -> Extraction:
    """Pick endmembers one after the other; a longer run repeats the picks of a shorter one.

    Args:
        pixels: float32 [pixels, bands].
        count: endmembers wanted.

    Raises:
        InputError: there are fewer different spectra than endmembers asked for.
    """
    check_count(pixels, count)
    indices = successive_picks(pixels, count)
    if len(indices) < count:
        raise too_few_distinct(len(indices), count)
    return picked(pixels, indices)


def successive_picks(pixels: torch.Tensor, most: int) -> torch.Tensor:
    """Indices of SNPA's picks, int64; fewer than ``most`` where the hull of the picks already holds every pixel."""
    brightness = pixels.square().sum(dim=1)
    preference = (pixels - pixels.mean(dim=0)).square().sum(dim=1)
    residual = brightness
    indices: list[int] = []
    while len(indices) < most:
        top = float(residual.max())
        if top <= VANISHED * float(brightness.max()):
            break
        tied = residual >= top * (1 - TIE)
        indices.append(int(torch.where(tied, preference, -1.0).argmax()))
        preference = brightness
        hull = pixels[indices]
        residual = (pixels - capped_shares(hull, pixels) @ hull).square().sum(dim=1)
    return torch.tensor(indices, dtype=torch.int64, device=pixels.device)
