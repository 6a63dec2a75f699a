# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of an image's data cloud, collected tile by tile: where pure pixels must be.

A linear function is largest at a vertex of the convex hull. Each tile hands in the extreme pixels along fixed random
directions, of the spectra themselves and of the spectra divided by their mean (which takes away brightness), and the
picks of successive projections (Araujo et al., Chemometr. Intell. Lab. Syst. 57(2), 2001), which reach vertices that
random directions miss. Directions are smooth over the bands, as differences between materials are and noise is not; so
every few bands suffice to look along them.
"""

from __future__ import annotations

import math

import torch

DIRECTIONS = 16
WAVES = 10
"""Cosine waves over the bands that directions are made of."""
PROJECTION_PICKS = 8
CAPACITY = 40_000
"""Pixels kept at most."""
CHUNK_PIXELS = 16384
"""Pixels whose rim is taken at once: few enough for scratch to stay in the cache."""
BANDS_LOOKED_AT = 48
DARK = 0.05
"""Share of a tile's mean brightness below which a spectrum's shape is noise."""


class ExtremePool:
    """Pixels at the rim, from all tiles added.

    Args:
        bands: number of bands.
        seed: of the directions, which are the same for all tiles.
        capacity: most pixels to keep; when more come in, only the outermost of all stay.
    """

    def __init__(self, bands: int, seed: int = 0, capacity: int = CAPACITY) -> None:
        self._step = -(-bands // BANDS_LOOKED_AT)
        self._directions = self._thinned(smooth_directions(bands, DIRECTIONS, seed))
        self._capacity = capacity
        self._parts: list[torch.Tensor] = []
        self._empty = torch.empty(0, bands)

    def candidates(self, pixels: torch.Tensor) -> torch.Tensor:
        """The rim of a tile, float32 [bands, pixels] in, [candidates, bands] out; safe to call from several threads."""
        parts = [self._empty]
        for part in pixels.split(CHUNK_PIXELS, dim=1):
            if part.shape[1]:
                parts.append(part[:, rim(self._directions @ part[:: self._step])].T)
        return torch.cat(parts)

    def add(self, candidates: torch.Tensor) -> None:
        """Keep a tile's candidates."""
        if len(candidates):
            self._parts.append(candidates)
        if sum(map(len, self._parts)) > self._capacity:
            self._parts = [self._reduced(torch.cat(self._parts))]

    def pixels(self) -> torch.Tensor:
        """What was kept, float32 [pixels, bands]."""
        return torch.cat([self._empty, *self._parts])

    def _reduced(self, pixels: torch.Tensor) -> torch.Tensor:
        """The rim of many candidates, along finer directions until half the capacity is filled."""
        kept = torch.zeros(len(pixels), dtype=torch.bool)
        for seed in range(1, 1000):
            directions = self._thinned(smooth_directions(pixels.shape[1], 8 * DIRECTIONS, seed))
            kept[rim(directions @ pixels.T[:: self._step])] = True
            if int(kept.sum()) >= self._capacity // 2:
                break
        return pixels[kept]

    def _thinned(self, directions: torch.Tensor) -> torch.Tensor:
        """Directions over every few bands only, the mean still one."""
        thinned = directions[:, :: self._step]
        return thinned * (directions.shape[1] / thinned.shape[1])


def smooth_directions(bands: int, count: int, seed: int) -> torch.Tensor:
    """The mean over bands, then random mixtures of cosine waves of zero mean; float32 [count, bands]."""
    generator = torch.Generator().manual_seed(seed)
    waves = min(WAVES, bands - 1)
    position = (torch.arange(bands) + 0.5) * math.pi / bands
    cosines = torch.cos(position[None, :] * torch.arange(1, waves + 1)[:, None])
    mixtures = torch.randn(count - 1, waves, generator=generator) @ cosines / bands
    return torch.cat([torch.full((1, bands), 1.0 / bands), mixtures])


def rim(scores: torch.Tensor) -> torch.Tensor:
    """Sorted indices of the outermost pixels, from scores [directions, pixels] whose first row is the mean."""
    mean = scores[0]
    bright = mean.clamp_min(DARK * float(mean.mean().abs()) + torch.finfo(scores.dtype).tiny)
    shapes = scores[1:] / bright
    picks = [s.argmax(dim=1) for s in (scores, -scores, shapes, -shapes)]
    picks.append(successive_projections(scores, PROJECTION_PICKS))
    picks.append(successive_projections(torch.cat([scores[:1] / bright, shapes]), PROJECTION_PICKS))
    return torch.unique(torch.cat(picks))


def successive_projections(points: torch.Tensor, most: int) -> torch.Tensor:
    """Indices of points [axes, points], each farthest from the span of those before."""
    power = points.square().sum(dim=0)
    found: list[int] = []
    basis = points[:, :0]
    for _ in range(min(most, *points.shape)):
        index = int(power.argmax())
        axis = points[:, index] - basis @ (basis.T @ points[:, index])
        length = torch.linalg.vector_norm(axis)
        if float(length) <= 1e-6 * float(torch.linalg.vector_norm(points[:, index])):
            break
        axis = axis / length
        basis = torch.cat([basis, axis[:, None]], dim=1)
        power = power - (axis @ points).square()
        found.append(index)
    return torch.tensor(found, dtype=torch.int64)
