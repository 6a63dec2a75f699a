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

    Blocks are multiplied in float32 about a fixed origin and added up in float64, so that a small spread around a
    large mean keeps its digits.
    """

    def __init__(self, bands: int, device: torch.device | str = "cpu") -> None:
        self._count = 0
        self._origin: torch.Tensor | None = None
        self._sum = torch.zeros(bands, dtype=torch.float64, device=device)
        self._square = torch.zeros(bands, bands, dtype=torch.float64, device=device)
        self._scratch = torch.empty(BLOCK_PIXELS, bands, device=device)

    def add(self, pixels: torch.Tensor) -> None:
        """Add valid pixels, float32 [pixels, bands]."""
        if not len(pixels):
            return
        if self._origin is None:
            self._origin = pixels[:BLOCK_PIXELS].mean(dim=0)
        self._count += len(pixels)
        for block in pixels.split(BLOCK_PIXELS):
            centred = torch.sub(block, self._origin, out=self._scratch[: len(block)])
            self._sum += centred.sum(dim=0)
            self._square += centred.T @ centred

    def result(self) -> Moments:
        """The moments so far, float64.

        Raises:
            InputError: no pixel was added.
        """
        if self._origin is None:
            raise InputError("The raster has no valid pixel: every pixel is nodata in at least one of the used bands.")
        origin = self._origin.double()
        shift = self._sum / self._count
        cross = torch.outer(shift, origin)
        correlation = self._square / self._count + cross + cross.T + torch.outer(origin, origin)
        return Moments(self._count, origin + shift, correlation)
