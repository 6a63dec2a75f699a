# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up scenes of other kinds than the leaves that networks learn from: cells, smooth fields, lines.

They judge a network on what it was not taught, and never serve to teach it. Everything is drawn at twice the fine
resolution and averaged, as a sensor's pixel averages its ground.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d

from ..fusion.pair import Placement
from ..physics.blur import Blur
from ..physics.footprint import point_gaussian_footprint
from .pairs import PairBatch

KINDS: tuple[str, ...] = ("cells", "fields", "lines")
MARGIN = 6
"""Input pixels around a scene, so that the blur at its edge sees what lies beyond."""
FINER = 2
CELL = 6.0
"""Mean diameter of a cell in input pixels."""


def other_pairs(
    kind: str, factor: int, sigma: float, noise: float, generator: torch.Generator, count: int = 4, size: int = 32
) -> PairBatch:
    """Draw standardised pairs of one kind, all with the same blur and noise.

    Args:
        kind: one of ``KINDS``.
        factor: fine pixels per input pixel.
        sigma: standard deviation of the blur in fine pixels.
        noise: standard deviation of the noise over that of a plane.
        generator: draws.
        count: images.
        size: input pixels along a side.
    """
    whole = size + 2 * MARGIN
    blur = Blur(
        point_gaussian_footprint(sigma, sigma, factor),
        Placement(factor, factor),
        (whole * factor, whole * factor),
        (whole, whole),
    )
    lows, highs = [], []
    for _ in range(count):
        fine = _SCENES[kind](whole * factor, factor, generator)
        fine = (fine - fine.mean(dim=(1, 2), keepdim=True)) / fine.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)
        low = blur(fine) + noise * torch.randn(len(fine), whole, whole, generator=generator)
        lows.append(low[:, MARGIN:-MARGIN, MARGIN:-MARGIN])
        rim = MARGIN * factor
        highs.append(fine[:, rim:-rim, rim:-rim])
    planes = len(lows[0])
    return PairBatch(
        torch.stack(lows), torch.stack(highs), torch.full((count,), sigma), torch.full((count, planes), noise)
    )


def _cells(size: int, factor: int, generator: torch.Generator) -> torch.Tensor:
    """A Voronoi mosaic of mixtures of four materials, [4, size, size]."""
    side = size * FINER
    cells = max(4, round((size / (CELL * factor)) ** 2))
    seeds = torch.rand(cells, 2, generator=generator) * side
    row, col = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    nearest = torch.full((side, side), math.inf)
    owner = torch.zeros(side, side, dtype=torch.long)
    for index, (down, across) in enumerate(seeds.tolist()):
        distance = (row - down).square() + (col - across).square()
        closer = distance < nearest
        nearest = torch.where(closer, distance, nearest)
        owner[closer] = index
    return avg_pool2d(_mixtures(cells, generator)[:, owner], FINER)


def _fields(size: int, factor: int, generator: torch.Generator) -> torch.Tensor:
    """Four Gaussian random fields with power spectra from f^-2 to f^-4, [4, size, size]."""
    slopes = 1.0 + torch.rand(4, generator=generator)
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None])
    frequency[0, 0] = math.inf
    white = torch.fft.rfft2(torch.randn(4, size, size, generator=generator))
    return torch.fft.irfft2(white * frequency ** -slopes[:, None, None], s=(size, size))


def _lines(size: int, factor: int, generator: torch.Generator) -> torch.Tensor:
    """Smooth ground with straight roads of half to one and a half input pixels, [4, size, size]."""
    side = size * FINER
    row, col = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    ground = _fields(side, factor, generator)
    ground = 0.5 * ground / ground.std(dim=(1, 2), keepdim=True)
    roads = max(3, side // (FINER * factor * 6))
    for colour in 2.0 * _mixtures(roads, generator).T:
        draw = torch.rand(3, generator=generator)
        angle, width = math.pi * float(draw[0]), (0.5 + float(draw[2])) * factor * FINER
        offset = (float(draw[1]) - 0.5) * side
        across = (row - side / 2) * math.cos(angle) + (col - side / 2) * math.sin(angle) - offset
        ground = torch.where(across.abs() < width / 2, colour[:, None, None], ground)
    return avg_pool2d(ground, FINER)


def _mixtures(count: int, generator: torch.Generator) -> torch.Tensor:
    """Shares of four materials, few of them at once, [4, count]."""
    draws = torch.rand(4, count, generator=generator) ** 4
    return draws / draws.sum(dim=0)


_SCENES = {"cells": _cells, "fields": _fields, "lines": _lines}
