# SPDX-License-Identifier: GPL-3.0-or-later
"""A canvas that opaque convex leaves fall on, each behind those before.

A pixel belongs to the first leaf that covers it: to the smallest number among the leaves over it. A convex leaf covers
one interval of each row, found in closed form. An interval is put down as two intervals of a length 2^k that overlap
or touch, and in the end those of 2^k are handed down as two of half the length each, so the cost is that of the leaves'
outlines and of the canvas, not of the leaves' areas. All leaves are put down at once, on any device.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

NONE = 1 << 30
"""Number of no leaf; larger than that of any."""
STEEPEST = 1e-5
"""Least coefficient by which a bound is divided; the bound lies outside any canvas then."""


@dataclass(frozen=True)
class Leaves:
    """Leaves from the front to the back; all attributes are float32 [pictures, leaves].

    With (u, v) the place relative to the centre, turned by the angle and divided by the half sides, a leaf is where
    |u| < 1, |v| < 1 and u + v < cut, or where u^2 + v^2 < 1.

    Attributes:
        row, col: centre in pixels.
        half_u, half_v: half sides in pixels.
        angle: from the columns' direction to that of u, in radians.
        rounded: 1 for ellipses, else 0.
        cut: 2 and more cuts nothing off.
    """

    row: torch.Tensor
    col: torch.Tensor
    half_u: torch.Tensor
    half_v: torch.Tensor
    angle: torch.Tensor
    rounded: torch.Tensor
    cut: torch.Tensor

    def flat(self) -> Leaves:
        """All leaves in one row, [pictures * leaves]."""
        return Leaves(*(getattr(self, field.name).flatten() for field in fields(self)))

    def to(self, device: torch.device) -> Leaves:
        """The same on a device."""
        return Leaves(*(getattr(self, field.name).to(device) for field in fields(self)))


class Canvas:
    """Pictures being filled.

    Args:
        pictures: how many.
        height: rows of each.
        width: columns of each.
        device: where they are filled.
    """

    def __init__(self, pictures: int, height: int, width: int, device: torch.device) -> None:
        self.pictures, self.height, self.width = pictures, height, width
        self.leaves = 0
        self._first = torch.full((pictures, height, width), NONE, dtype=torch.int32, device=device)

    @property
    def index(self) -> torch.Tensor:
        """Number of each pixel's leaf, int32 [pictures, height, width]; -1 where there is none."""
        return self._first.where(self._first < NONE, -1)

    @property
    def free_share(self) -> float:
        """Share of all pixels without a leaf."""
        return float((self._first == NONE).float().mean())

    def free_places(self, most: int, generator: torch.Generator) -> torch.Tensor:
        """Row and column of some free pixels, [2, pictures, most]; of any pixels where there are not so many."""
        free = (self._first == NONE).flatten(1).float().cpu()
        chosen = torch.multinomial(free + 1e-12, most, generator=generator)
        return torch.stack([chosen // self.width, chosen % self.width]).float()

    def add(self, leaves: Leaves) -> None:
        """Put leaves behind those already there."""
        count = leaves.row.shape[1]
        device = self._first.device
        flat = leaves.to(device).flat()
        leaf, row = self._rows(flat)
        start, end = _interval(_bounds(flat)[leaf], row, self.width)
        seen = (end >= start).nonzero()[:, 0]
        leaf, row, start, end = (part.index_select(0, seen) for part in (leaf, row, start, end))
        picture, number = leaf // count, (self.leaves + leaf % count).int()
        level = _log2(end - start + 1)
        levels = int(level.max()) + 1 if len(level) else 1
        table = torch.full((levels, *self._first.shape), NONE, dtype=torch.int32, device=device)
        line = ((level * self.pictures + picture) * self.height + row) * self.width
        for place in (start, end + 1 - (1 << level)):
            table.view(-1).scatter_reduce_(0, line + place, number, "amin")
        self._first = torch.minimum(self._first, _handed_down(table))
        self.leaves += count

    def _rows(self, leaves: Leaves) -> tuple[torch.Tensor, torch.Tensor]:
        """Leaf and row of each of the leaves' rows that lie on the canvas."""
        extent = (leaves.angle.sin() * leaves.half_u).abs() + (leaves.angle.cos() * leaves.half_v).abs()
        top = (leaves.row - extent).ceil().clamp_min(0.0).long()
        bottom = (leaves.row + extent).floor().clamp_max(self.height - 1.0).long()
        heights = (bottom - top + 1).clamp_min(0)
        leaf = torch.repeat_interleave(heights)
        first = heights.cumsum(0) - heights
        return leaf, top[leaf] + torch.arange(len(leaf), device=leaf.device) - first[leaf]


def _bounds(leaves: Leaves) -> torch.Tensor:
    """What the intervals of leaves [n] follow from, see :func:`_interval`, float32 [n, 12]."""
    cos, sin = leaves.angle.cos(), leaves.angle.sin()
    # d rows below the centre and x columns right of it, u = p x + e d and v = q x + f d
    p, e = cos / leaves.half_u, sin / leaves.half_u
    q, f = -sin / leaves.half_v, cos / leaves.half_v
    slope, square = _not_flat(p + q), p * p + q * q
    p_, q_ = _not_flat(p), _not_flat(q)
    root = (p * f - q * e).square() / square.square()
    parts = [
        *(leaves.row, leaves.col, leaves.rounded),
        *(-e / p_, 1.0 / p_.abs(), -f / q_, 1.0 / q_.abs()),
        *(-(e + f) / slope, leaves.cut / slope),
        *(-(p * e + q * f) / square, root),
    ]
    return torch.stack([*parts, 1.0 / square], dim=1)


def _interval(bounds: torch.Tensor, row: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last column that leaves cover in rows [n]; the last is before the first where none is.

    Args:
        bounds: of each row's leaf, [n, 12].
        row: the row.
        width: columns there are.
    """
    centre, col, rounded, a, wide, b, broad, c, edge, middle, root, square = bounds.unbind(1)
    down = row - centre
    first, second, third, axis = a * down, b * down, c * down + edge, middle * down
    low, high = torch.maximum(first - wide, second - broad), torch.minimum(first + wide, second + broad)
    low = torch.where(edge < 0.0, torch.maximum(low, third), low)
    high = torch.where(edge > 0.0, torch.minimum(high, third), high)
    half = square - root * down * down
    half = half.clamp_min(0.0).sqrt() - (half <= 0.0).float()
    low = col + torch.where(rounded > 0.0, axis - half, low)
    high = col + torch.where(rounded > 0.0, axis + half, high)
    start = low.clamp(-1.0, float(width)).floor() + 1.0
    end = high.clamp(-1.0, float(width)).ceil() - 1.0
    return start.int(), end.int()


def _not_flat(slope: torch.Tensor) -> torch.Tensor:
    return torch.where(slope < 0.0, slope.clamp_max(-STEEPEST), slope.clamp_min(STEEPEST))


def _handed_down(table: torch.Tensor) -> torch.Tensor:
    """For each pixel the least of the intervals over it.

    Args:
        table: what intervals of the length 2^level hold that begin at a pixel, [levels, pictures, rows, columns].
    """
    for level in range(len(table) - 1, 0, -1):
        half = 1 << (level - 1)
        below = table[level - 1]
        torch.minimum(below, table[level], out=below)
        later = below[..., half:]
        torch.minimum(later, table[level][..., :-half], out=later)
    return table[0]


def _log2(value: torch.Tensor) -> torch.Tensor:
    """Whole part of the logarithm of whole numbers from 1."""
    return torch.frexp(value.float())[1].long() - 1
