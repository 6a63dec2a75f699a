# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes pairs to learn from, and what can be done to them on the way to a network."""

from __future__ import annotations

import math
from typing import Protocol

import torch

from .pairs import DEVIATION, PairBatch, degraded

LEAST_SPREAD = 0.3
"""Of a plane in a patch, as a share of the mean over planes: a plane that is hardly there is not blown up."""
GRAIN_SLOPES = 0.5, 2.0
"""Of the amplitude spectrum of grain, f^-slope; the smooth end are hills rather than grain."""
GRAIN_MARGIN = 4
"""Input pixels drawn around a pair."""


class Source(Protocol):
    """Makes up pairs."""

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """Draw so many images."""
        ...


class Grained:
    """Pairs of a source with a Gaussian random field of power-law spectrum over each plane.

    Ground is not all edges: crowns of trees, rough soil and slopes vary everywhere, and the best guess of such fields
    is the linear one. The field's share of the power is u^3 of an image, u uniform in 0-1; planes share part of it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """See :class:`Source`."""
        batch = self._source.draw(count, generator)
        factor = batch.high.shape[-1] // batch.low.shape[-1]
        fields = self._fields(batch, factor, generator)
        off = 1.0 + DEVIATION * (2.0 * torch.rand(2, count, generator=generator) - 1.0)
        seen = degraded(fields, factor, batch.sigma * off[0], batch.sigma * off[1])
        inner, fine = ((..., *(slice(m, -m),) * 2) for m in (GRAIN_MARGIN, GRAIN_MARGIN * factor))
        share = torch.rand(count, 1, 1, 1, generator=generator) ** 3
        power = share.sqrt() * batch.high.std(dim=(2, 3), keepdim=True)
        rest = (1.0 - share).sqrt()
        return PairBatch(
            rest * batch.low + power * seen[inner], rest * batch.high + power * fields[fine], batch.sigma, batch.noise
        )

    def _fields(self, batch: PairBatch, factor: int, generator: torch.Generator) -> torch.Tensor:
        """Fields with a margin, about 0 and of standard deviation 1, [images, planes, H, W]."""
        count, planes = batch.noise.shape
        height, width = (factor * (n + 2 * GRAIN_MARGIN) for n in batch.low.shape[2:])
        low, high = GRAIN_SLOPES
        slope = low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)
        frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
        frequency[0, 0] = math.inf
        white = torch.randn(count, planes + 1, height, width, generator=generator)
        common = torch.rand(count, planes, 1, 1, generator=generator) * 2.0 - 1.0
        white = common * white[:, :1] + (1.0 - common.square()).sqrt() * white[:, 1:]
        fields = torch.fft.irfft2(torch.fft.rfft2(white) * frequency**-slope, s=(height, width))
        return fields / fields.std(dim=(2, 3), keepdim=True)


class Standardised:
    """Pairs of a source whose planes are scaled as those of scenes are before the network, with some freedom.

    A scene's planes have mean 0 and standard deviation 1; a patch of it varies less or more and lies above or below.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """See :class:`Source`."""
        batch = self._source.draw(count, generator)
        spread = batch.low.flatten(2).std(dim=2)
        floor = LEAST_SPREAD * spread.mean(dim=1, keepdim=True)
        draws = torch.rand(3, *spread.shape, generator=generator).to(spread.device)
        sign = torch.where(draws[0] < 0.5, -1.0, 1.0)
        scale = sign * torch.exp2(2.5 * draws[1] - 1.5) / torch.hypot(spread, floor).clamp_min(1e-6)
        shift = (2.0 * draws[2] - 1.0) - scale * batch.low.flatten(2).mean(dim=2)
        low, high = (part * scale[..., None, None] + shift[..., None, None] for part in (batch.low, batch.high))
        return PairBatch(low, high, batch.sigma, batch.noise * scale.abs())


class Recalled:
    """Pairs of a source that come back some times, mirrored and turned, where drawing costs more than learning.

    Args:
        source: draws pairs.
        times: how often a pair is seen on average.
        kept: pairs among which to choose.
    """

    def __init__(self, source: Source, times: int, kept: int = 64) -> None:
        self._source, self._times, self._kept = source, times, kept
        self._pool: list[tuple[torch.Tensor, ...]] = []

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """See :class:`Source`."""
        new = self._source.draw(count if not self._pool else -(-count // self._times), generator)
        self._pool = [*self._pool, *zip(new.low, new.high, new.sigma, new.noise)][-self._kept :]
        chosen = torch.randint(len(self._pool), (count,), generator=generator).tolist()
        low, high, sigma, noise = (torch.stack(parts) for parts in zip(*(self._pool[index] for index in chosen)))
        turns, mirror = (int(torch.randint(n, (1,), generator=generator)) for n in (4, 2))
        low, high = (part.rot90(turns, (2, 3)).flip(3) if mirror else part.rot90(turns, (2, 3)) for part in (low, high))
        return PairBatch(low.contiguous(), high.contiguous(), sigma, noise)
