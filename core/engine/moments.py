# SPDX-License-Identifier: GPL-3.0-or-later
"""First and second moments of pixels that arrive tile by tile."""

from __future__ import annotations

import torch

from ..errors import InputError
from .method import Moments

BLOCK_PIXELS = 4096
"""Pixels summed by one float32 product: few enough for rounding not to show and for scratch to stay in the cache."""


class StreamingMoments:
    """Sums the mean and the correlation E[y y^T] of all pixels added.

    Blocks are multiplied in float32 about their own mean and added up in float64, so that a small spread around a
    large mean keeps its digits, whatever came before.
    """

    def __init__(self, bands: int, device: torch.device | str = "cpu") -> None:
        self._count = 0
        self._sum = torch.zeros(bands, dtype=torch.float64, device=device)
        self._square = torch.zeros(bands, bands, dtype=torch.float64, device=device)
        self._scratch = torch.empty(BLOCK_PIXELS, bands, device=device)

    def add(self, pixels: torch.Tensor) -> None:
        """Add valid pixels, float32 [pixels, bands]."""
        if not len(pixels):
            return
        self._count += len(pixels)
        for block in pixels.split(BLOCK_PIXELS):
            origin = block.mean(dim=0)
            centred = torch.sub(block, origin, out=self._scratch[: len(block)])
            origin, left = origin.double(), centred.sum(dim=0).double()
            total = left + len(block) * origin
            self._sum += total
            self._square += (centred.T @ centred) + torch.outer(origin, total) + torch.outer(left, origin)

    def result(self) -> Moments:
        """The moments so far, float64.

        Raises:
            InputError: no pixel was added.
        """
        if not self._count:
            raise InputError("The raster has no valid pixel: every pixel is nodata in at least one of the used bands.")
        return Moments(self._count, self._sum / self._count, self._square / self._count)
