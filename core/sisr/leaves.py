# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead leaves: pictures of opaque shapes that hide one another, which have edges as real scenes have.

Leaves fall from the front to the back (Kendall & Thoennes 1999, "Perfect simulation in stochastic geometry"): a pixel
belongs to the first leaf that covers it, so the index of a pixel is the smallest among the leaves over it. Any number
of leaves can therefore be drawn at once, in any order. The published law is Xu, Gousseau, Kervazo & Ladjal 2026
(arXiv 2601.22755); the general one adds sizes of a power law, which makes pictures look alike at all scales (Lee,
Mumford & Huang 2001, doi:10.1023/A:1011109015675), shapes other than rectangles, all orientations and thin strips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from .canvas import Canvas, Leaves

OVERSAMPLING = 2
"""Canvas pixels for one pixel of the fine grid, so that edges can be anti-aliased."""
MOST_LEAVES = 1000
"""Of one picture in the published law; what is still free stays so."""
MOST_AT_ONCE = 50
SIZE_STEPS = 512
EXACT_SHARE = 0.99
"""Once so much is covered, the general law only looks for leaves over what is still free."""
AT_GAPS = 128
ROUND = 7.0
"""Squares of the leaves' sizes that a round of leaves adds up to, in canvases."""
STRIP_WIDTHS, STRIP_LENGTHS = (1.0, 3.0), (10.0, 60.0)
FLATTEST, BLUNTEST, SHARPEST = 0.4, 1.2, 0.2


@dataclass(frozen=True)
class LeafLaw:
    """How large leaves are, how they look and where they lie.

    Attributes:
        sizes: 'uniform' for whole numbers of canvas pixels, both sides by themselves; 'power' for a density of
            size^-exponent, the other side being 0.4 to 1 of it.
        smallest: smallest size in fine pixels.
        largest: size in fine pixels that is not reached.
        exponent: of the power law.
        ellipses: share of ellipses.
        polygons: share of triangles and rectangles with a corner cut off; the rest are rectangles.
        strips: share of strips, 1 to 3 fine pixels wide.
        turned: whether all orientations occur; otherwise whole degrees from 45 to 89.
        outside: whether leaves may be centred outside the picture, as many as make all its parts alike.
    """

    sizes: Literal["uniform", "power"]
    smallest: float
    largest: float
    exponent: float = 3.0
    ellipses: float = 0.0
    polygons: float = 0.0
    strips: float = 0.0
    turned: bool = True
    outside: bool = True


def paper_law(factor: int) -> LeafLaw:
    """The published law: rectangles with sides of 2 to 30 coarse pixels."""
    return LeafLaw("uniform", 2.0 * factor, 30.0 * factor, turned=False, outside=False)


def general_law(factor: int, smallest: float = 1.0, exponent: float = 3.0) -> LeafLaw:
    """The law for any scene: leaves of all shapes, from some fine pixels to 30 coarse pixels."""
    return LeafLaw("power", smallest, 30.0 * factor, exponent, ellipses=0.3, polygons=0.3, strips=0.005)


def draw_leaves(
    law: LeafLaw, pictures: int, height: int, width: int, generator: torch.Generator, device: torch.device | None = None
) -> tuple[torch.Tensor, int]:
    """Draw pictures of leaves on a canvas of twice the size.

    Args:
        law: what leaves are like.
        pictures: how many to draw.
        height: of a picture in fine pixels.
        width: of a picture in fine pixels.
        generator: on the CPU; the same picture comes from it on every device.
        device: where the canvas is filled.

    Returns:
        For every canvas pixel the number of its leaf within its picture, int32 [pictures, 2 height, 2 width], and a
        number that none reaches. -1 where the published law leaves a pixel free.
    """
    canvas = Canvas(pictures, OVERSAMPLING * height, OVERSAMPLING * width, device or torch.device("cpu"))
    drawer = _Drawer(law, canvas.height, canvas.width, generator)
    if law.sizes == "uniform":
        while canvas.leaves < MOST_LEAVES and canvas.free_share > 0.0:
            canvas.add(drawer.anywhere(pictures, min(MOST_AT_ONCE, MOST_LEAVES - canvas.leaves)))
    else:
        while canvas.free_share > 1.0 - EXACT_SHARE:
            canvas.add(drawer.anywhere(pictures, drawer.enough))
        while canvas.free_share > 0.0:
            canvas.add(drawer.over(canvas.free_places(AT_GAPS, generator)))
    return canvas.index, canvas.leaves


class _Drawer:
    """Draws leaves of a law for canvases of a size, in canvas pixels."""

    def __init__(self, law: LeafLaw, height: int, width: int, generator: torch.Generator) -> None:
        self._law, self._shape, self._generator = law, (height, width), generator
        low, high = OVERSAMPLING * law.smallest, OVERSAMPLING * law.largest
        self._bounds = low, high
        steps = torch.linspace(math.log(low), math.log(high), SIZE_STEPS, dtype=torch.float64).exp()
        density = steps ** (1.0 - law.exponent)  # of the logarithm
        self._steps = steps.float()
        fields = (height + steps) * (width + steps) if law.outside else torch.ones_like(steps)
        self._cumulated, self._biased = _cumulate(density * fields), _cumulate(density * steps.square())
        covered = (density * steps.square()).sum() / (density * fields).sum()  # share of the canvas under one leaf
        if not law.outside:
            covered = covered / (height * width)
        self.enough = max(8, int(ROUND / float(covered)))

    def anywhere(self, pictures: int, count: int) -> Leaves:
        """Leaves all over the canvas, and around it if the law says so."""
        shape = (pictures, count)
        if self._law.sizes == "uniform":
            return self._published(shape)
        sizes = self._sizes(self._cumulated, shape)
        return self._shaped(sizes, None)

    def over(self, places: torch.Tensor) -> Leaves:
        """Leaves centred on places [2, pictures, leaves], larger ones more often as they reach further."""
        return self._shaped(self._sizes(self._biased, tuple(places.shape[1:])), places)

    def _published(self, shape: tuple[int, int]) -> Leaves:
        height, width = self._shape
        low, high = (round(bound) for bound in self._bounds)
        row, col = self._whole(0, height, shape), self._whole(0, width, shape)
        first, second = self._whole(low, high, shape), self._whole(low, high, shape)
        angle = torch.deg2rad(self._whole(45, 90, shape))
        return Leaves(row, col, first / 2.0, second / 2.0, angle, torch.zeros(shape), torch.full(shape, 3.0))

    def _shaped(self, sizes: torch.Tensor, places: torch.Tensor | None) -> Leaves:
        shape, law = tuple(sizes.shape), self._law
        kind, long, short = self._uniform(shape), sizes, sizes * self._uniform(shape, FLATTEST, 1.0)
        thin = (kind < law.strips) & (places is None)
        width = OVERSAMPLING * self._uniform(shape, *STRIP_WIDTHS)
        long = torch.where(thin, width * self._uniform(shape, *STRIP_LENGTHS), long)
        short = torch.where(thin, width, short)
        kind = kind - law.strips
        round_ = (kind >= 0) & (kind < law.ellipses)
        polygon = (kind >= law.ellipses) & (kind < law.ellipses + law.polygons)
        cut = torch.where(polygon, self._uniform(shape, SHARPEST, BLUNTEST), 3.0)
        angle = self._uniform(shape, 0.0, 2.0 * math.pi)
        if places is None:
            margin = long / 2.0 if law.outside else torch.zeros(shape)
            places = torch.stack([self._uniform(shape) * (n + 2 * margin) - margin for n in self._shape])
        return Leaves(places[0], places[1], long / 2.0, short / 2.0, angle, round_.float(), cut)

    def _sizes(self, cumulated: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        drawn = self._uniform(shape)
        above = torch.searchsorted(cumulated, drawn).clamp(1, SIZE_STEPS - 1)
        low, high = cumulated[above - 1], cumulated[above]
        return torch.lerp(self._steps[above - 1], self._steps[above], (drawn - low) / (high - low).clamp_min(1e-12))

    def _uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=self._generator)

    def _whole(self, low: int, high: int, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=self._generator).float()


def _cumulate(density: torch.Tensor) -> torch.Tensor:
    """Distribution function of a density on evenly spaced points, from 0 to 1."""
    steps = (density[1:] + density[:-1]) / 2.0
    total = torch.cat([torch.zeros(1, dtype=density.dtype), steps.cumsum(0)])
    return (total / total[-1]).float()
