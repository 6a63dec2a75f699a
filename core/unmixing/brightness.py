# SPDX-License-Identifier: GPL-3.0-or-later
"""How much pixels differ in brightness beyond what their mixture explains: shade, slopes, illumination.

With a >= 0 but no sum constraint, the sum of a pixel's abundances is the brightness that the mixture model has to give
it. Where the linear model holds it is 1 everywhere, whatever the materials; where the sun falls differently it is not,
and abundances that must sum to one would name bright and dark materials in its stead.
"""

from __future__ import annotations

import torch

from .extraction import cone_shares

JUDGED_PIXELS = 4000
STRONG = 0.08
"""Relative spread from which on brightness disturbs fully constrained abundances more than scaling spectra does."""


def brightness_spread(endmembers: torch.Tensor, pixels: torch.Tensor) -> float:
    """Half the range that holds the middle two thirds of the pixels' brightness, relative to its median.

    Args:
        endmembers: float32 [endmembers, bands].
        pixels: float32 [pixels, bands], drawn evenly; every n-th is looked at.
    """
    seen = pixels[:: -(-len(pixels) // JUDGED_PIXELS)].to(endmembers.device)
    brightness = cone_shares(endmembers, seen).sum(dim=1)
    low, middle, high = brightness.quantile(torch.tensor([1 / 6, 1 / 2, 5 / 6], device=brightness.device)).tolist()
    return (high - low) / (2 * middle) if middle > 0 else 0.0
