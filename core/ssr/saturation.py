# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the number at which a camera's bands are cut off: bright pixels pile up on it."""

from __future__ import annotations

import torch

LEAST_PIXELS, LEAST_SHARE = 20, 5e-4
"""Pixels on the highest number, at least, and as a share of all."""
PILE = 5.0
"""How many times as many pixels lie on it as on each of the next lower ones, on average."""
_LOWER = 3


def find_ceiling(pixels: torch.Tensor) -> torch.Tensor:
    """Number from which each band is saturated, float32 [c]; infinite where it never is.

    Args:
        pixels: valid pixels as the image has them, [c, pixels].
    """
    return torch.stack([_of_band(band) for band in pixels])


def _of_band(values: torch.Tensor) -> torch.Tensor:
    never = values.new_tensor(torch.inf)
    if not len(values):
        return never
    highest = values.max()
    count = int((values == highest).sum())
    if count < max(LEAST_PIXELS, LEAST_SHARE * len(values)):
        return never
    lower = values.unique(return_counts=True)[1][:-1][-_LOWER:]
    if not len(lower):  # a constant band is another matter
        return never
    return highest if count >= PILE * float(lower.float().mean()) else never
