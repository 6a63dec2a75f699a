# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of coarse and fine planes to learn from, made up on the fly.

    high = (canvas * g) at half the resolution        low = (high * psf) at every factor-th place + noise

canvas are dead leaves at twice the fine resolution, g is a Gaussian against aliasing, psf the sensor's. The coarse
pixels' centres lie on a regular lattice. In the published law (Xu et al. 2026, arXiv 2601.22755) g has a standard
deviation of 1 fine pixel and psf of 1 coarse pixel, every other pair is free of noise, and the noise comes from white
noise of the bands through the endmembers' pseudo-inverse: its covariance is v (S^T S)^-1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from .colours import FoundColours, MadeUpColours, Palette, PurerColours, draw_light, draw_texture
from .leaves import OVERSAMPLING, LeafLaw, draw_leaves, general_law, paper_law

SIZE = 24
"""Coarse pixels along the side of a pair."""
MARGIN = 2
"""Coarse pixels drawn around a pair, so that the blur at its edge sees what lies beyond."""
SOFTNESS, PAPER_SOFTNESS = 0.5, 1.0
"""Standard deviation of g in fine pixels: a contrast of 0.29 at the Nyquist frequency, as sharp sensors have."""
SIGMAS = 0.35, 1.3
"""Range of the blur for networks that serve any sensor, in coarse pixels."""
DEVIATION = 0.15
"""By which share at most each axis' blur differs from what the network is told."""
TRUNCATED, PAPER_TRUNCATED = 4.0, 3.0
"""Where kernels end, in standard deviations."""


@dataclass(frozen=True)
class PairBatch:
    """Pairs and what is known of them, float32.

    Attributes:
        low: [pairs, planes, rows, columns].
        high: [pairs, planes, factor rows, factor columns].
        sigma: standard deviation of the blur in fine pixels, [pairs].
        noise: standard deviation of the noise, [pairs, planes].
    """

    low: torch.Tensor
    high: torch.Tensor
    sigma: torch.Tensor
    noise: torch.Tensor


class NoiseLaw(Protocol):
    """Adds noise to coarse planes."""

    def __call__(self, low: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise for planes [pairs, planes, rows, columns] and its standard deviations [pairs, planes]."""
        ...


class AnyNoise:
    """White noise from nearly nothing to a third of a plane's standard deviation."""

    least, most = 1e-3, 0.3

    def __call__(self, low: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`NoiseLaw`."""
        level = self.least * (self.most / self.least) ** torch.rand(len(low), 1, generator=generator)
        spread = low.flatten(2).std(dim=2).mean(dim=1, keepdim=True)
        deviations = (level * spread).expand(-1, low.shape[1])
        return deviations[..., None, None] * torch.randn(low.shape, generator=generator), deviations


class KnownNoise:
    """White noise of known standard deviations [planes]; half of the pairs have less."""

    def __init__(self, deviations: torch.Tensor) -> None:
        self._deviations = deviations

    def __call__(self, low: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`NoiseLaw`."""
        level = (2.0 * torch.rand(len(low), 1, generator=generator)).clamp_max(1.0)
        deviations = level * self._deviations[None]
        return deviations[..., None, None] * torch.randn(low.shape, generator=generator), deviations


class PaperNoise:
    """The published law: v = 10^(-|60 - e| / 10), e exponential of mean 5 dB, for every other pair.

    Args:
        endmembers: S, [bands, planes].
    """

    def __init__(self, endmembers: torch.Tensor) -> None:
        inverse = torch.linalg.pinv(endmembers.double())
        covariance = inverse @ inverse.T
        self._root = torch.linalg.cholesky(covariance).float()
        self._unit = covariance.diagonal().sqrt().float()

    def __call__(self, low: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`NoiseLaw`."""
        decibels = (60.0 + 5.0 * torch.rand(len(low), generator=generator).clamp_min(1e-12).log()).abs()
        deviation = 10.0 ** (-decibels / 20.0) * (torch.arange(len(low)) % 2 == 0)
        return deviation[:, None, None, None] * self.shape(low, generator), deviation[:, None] * self._unit

    def shape(self, low: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Noise for v = 1, of the shape of planes [pairs, planes, rows, columns]."""
        white = torch.randn(low.shape, generator=generator)
        return torch.einsum("pq,nqhw->nphw", self._root, white)


class PairSource:
    """Makes up pairs.

    Args:
        factor: how many times finer.
        palette: vectors of leaves.
        laws: of leaves; each draw takes one of them.
        noise: adds noise.
        sigmas: range of the blur's standard deviation in fine pixels.
        size: coarse pixels along a side, or rows and columns.
        paper: the published degradation: no margin, texture or light, the blur exactly as told.
    """

    def __init__(
        self,
        factor: int,
        palette: Palette,
        laws: Sequence[LeafLaw],
        noise: NoiseLaw,
        sigmas: tuple[float, float],
        size: int | tuple[int, int] = SIZE,
        paper: bool = False,
    ) -> None:
        self.factor, self._palette, self._laws, self._noise = factor, palette, tuple(laws), noise
        self._sigmas, self._paper = sigmas, paper
        self._size = (size, size) if isinstance(size, int) else size

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """Draw so many pairs."""
        margin = 0 if self._paper else MARGIN
        height, width = (self.factor * (n + 2 * margin) for n in self._size)
        high = self._scenes(count, height, width, generator)
        low_sigma, high_sigma = self._sigmas
        sigma = low_sigma * (high_sigma / low_sigma) ** torch.rand(count, generator=generator)
        off = torch.zeros(2, count) if self._paper else DEVIATION * (2 * torch.rand(2, count, generator=generator) - 1)
        reach = PAPER_TRUNCATED if self._paper else TRUNCATED
        low = degraded(high, self.factor, sigma * (1 + off[0]), sigma * (1 + off[1]), reach)
        if margin:
            low = low[..., margin:-margin, margin:-margin]
            high = high[..., margin * self.factor : -margin * self.factor, margin * self.factor : -margin * self.factor]
        noise, deviations = self._noise(low, generator)
        return PairBatch(low + noise, high.contiguous(), sigma, deviations)

    def _scenes(self, count: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
        """Fine planes [count, planes, height, width]."""
        law = self._laws[int(torch.randint(len(self._laws), (1,), generator=generator))]
        index, leaves = draw_leaves(law, count, height, width, generator)
        colours = self._palette.draw(count, leaves, generator).mT.contiguous()
        if self._paper:
            return softened(painted(index, colours), PAPER_SOFTNESS)
        canvas = painted(index, colours)
        other = painted(index, colours.roll(1, dims=2))
        texture = draw_texture(count, height, width, generator)[:, None]
        canvas += (other - canvas) * texture.repeat_interleave(OVERSAMPLING, 2).repeat_interleave(OVERSAMPLING, 3)
        return softened(canvas, SOFTNESS) * draw_light(count, height, width, generator)[:, None]


def generic_source(factor: int, planes: int = 6, size: int = SIZE) -> PairSource:
    """Pairs of no scene at all, for networks that are to serve any."""
    laws = [general_law(factor, smallest) for smallest in (1.0, factor / 2.0, float(factor), 2.0 * factor)]
    sigmas = SIGMAS[0] * factor, SIGMAS[1] * factor
    return PairSource(factor, MadeUpColours(planes), laws, AnyNoise(), sigmas, size)


def scene_source(
    factor: int,
    planes: torch.Tensor,
    valid: torch.Tensor | None,
    law: LeafLaw,
    sigma: float,
    noise: torch.Tensor,
    size: int = SIZE,
) -> PairSource:
    """Pairs that resemble a scene.

    Args:
        factor: how many times finer.
        planes: of the scene, float32 [planes, rows, columns].
        valid: which pixels count, bool [rows, columns]; all without it.
        law: of its leaves.
        sigma: standard deviation of its blur in fine pixels.
        noise: standard deviation of each plane's noise, [planes].
        size: coarse pixels along a side of a pair.
    """
    return PairSource(factor, PurerColours(planes, factor, valid), [law], KnownNoise(noise), (sigma, sigma), size)


def paper_source(
    factor: int,
    planes: torch.Tensor,
    endmembers: torch.Tensor,
    valid: torch.Tensor | None = None,
    sigma: float | None = None,
    size: int | tuple[int, int] | None = None,
) -> PairSource:
    """Pairs of the published law.

    Args:
        factor: how many times finer.
        planes: abundances of the scene, float32 [endmembers, rows, columns].
        endmembers: S, float32 [bands, endmembers].
        valid: which pixels count, bool [rows, columns]; all without it.
        sigma: standard deviation of the blur in fine pixels; 1 coarse pixel without it.
        size: rows and columns of a pair; those of the scene without it.
    """
    blur = float(factor) if sigma is None else sigma
    whole = (planes.shape[1], planes.shape[2]) if size is None else size
    palette = FoundColours(planes, valid)
    return PairSource(factor, palette, [paper_law(factor)], PaperNoise(endmembers), (blur, blur), whole, paper=True)


def painted(index: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Give every pixel its leaf's vector; 0 where there is no leaf.

    Args:
        index: int32 [pictures, rows, columns]; -1 for none.
        colours: float32 [pictures, planes, leaves].

    Returns:
        float32 [pictures, planes, rows, columns].
    """
    padded = torch.cat([torch.zeros_like(colours[..., :1]), colours], dim=2)
    flat = (index.flatten(1).long() + 1)[:, None].expand(-1, colours.shape[1], -1)
    return padded.gather(2, flat).reshape(*colours.shape[:2], *index.shape[1:])


def softened(canvas: torch.Tensor, softness: float) -> torch.Tensor:
    """Bring a canvas to the fine resolution, with a Gaussian of so many fine pixels against aliasing."""
    sigma = torch.full((1,), OVERSAMPLING * softness)
    return degraded(canvas, OVERSAMPLING, sigma, sigma, TRUNCATED)


def degraded(
    fine: torch.Tensor, factor: int, sigma_y: torch.Tensor, sigma_x: torch.Tensor, reach: float = TRUNCATED
) -> torch.Tensor:
    """Blur with sampled Gaussians and keep the values at the coarse pixels' centres.

    Args:
        fine: planes [pairs, planes, H, W].
        factor: H and W are multiples of it.
        sigma_y: standard deviation in fine pixels along rows, [pairs] or [1].
        sigma_x: the same along columns.
        reach: where kernels end, in standard deviations. The image is mirrored at its edges.

    Returns:
        [pairs, planes, H / factor, W / factor].
    """
    rows = _sampling(fine.shape[2], factor, sigma_y, reach).to(fine.device)
    cols = _sampling(fine.shape[3], factor, sigma_x, reach).to(fine.device)
    return rows[:, None] @ fine @ cols.mT[:, None]


def _sampling(length: int, factor: int, sigma: torch.Tensor, reach: float) -> torch.Tensor:
    """Blur and decimation of one axis, float32 [pairs, length / factor, length]."""
    beyond = min(length, math.ceil(reach * float(sigma.max())) + 1)
    centres = (torch.arange(length // factor) + 0.5) * factor - 0.5
    places = torch.arange(-beyond, length + beyond)
    apart = (places[None] - centres[:, None]).abs()[None] / sigma[:, None, None].clamp_min(1e-3)
    # at least the nearest pixels count, however narrow the kernel
    weights = torch.where(apart <= reach + 1e-4, torch.exp(-apart.square() / 2.0), 0.0)
    weights = weights / weights.sum(dim=2, keepdim=True)
    inner = weights[..., beyond : beyond + length].clone()
    inner[..., :beyond] += weights[..., :beyond].flip(2)
    inner[..., length - beyond :] += weights[..., beyond + length :].flip(2)
    return inner
