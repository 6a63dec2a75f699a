# SPDX-License-Identifier: GPL-3.0-or-later
"""Blur and decimation of a fine image to coarse pixels, with its exact adjoint."""

from __future__ import annotations

from functools import cached_property

import torch

from ..fusion.pair import Placement
from .footprint import Footprint

WHOLE = (slice(None), slice(None))


class Blur:
    """B: coarse = sum_p rows_p fine cols_p^T, one pair of small matrices for each separable part of the footprint.

    Any ratio and offset is allowed: where a lattice point falls between fine pixels, its weight is shared linearly
    among the two next to it. Weight that falls outside the fine image is lost, see ``coverage``.

    Args:
        footprint: what a coarse pixel sees.
        placement: where the coarse pixels lie.
        fine_shape: rows and columns of fine images.
        coarse_shape: rows and columns of coarse images.
    """

    def __init__(
        self, footprint: Footprint, placement: Placement, fine_shape: tuple[int, int], coarse_shape: tuple[int, int]
    ) -> None:
        step = footprint.step
        self._rows = axis_matrices(
            footprint.rows, step, placement.row, placement.ratio_y, fine_shape[0], coarse_shape[0]
        )
        self._cols = axis_matrices(
            footprint.cols, step, placement.col, placement.ratio_x, fine_shape[1], coarse_shape[1]
        )

    def __call__(self, fine: torch.Tensor) -> torch.Tensor:
        """Coarse images [planes, h, w] of fine ones [planes, H, W]."""
        return sum((rows @ fine) @ cols.T for rows, cols in zip(self._rows, self._cols))

    def adjoint(self, coarse: torch.Tensor, core: tuple[slice, slice] = WHOLE) -> torch.Tensor:
        """B^T: fine images [planes, H, W], or some of their rows and columns, of coarse ones [planes, h, w]."""
        down, across = self._rows[:, :, core[0]], self._cols[:, :, core[1]]
        return sum(rows.T @ (coarse @ cols) for rows, cols in zip(down, across))

    def gram(self, coarse: torch.Tensor) -> torch.Tensor:
        """B B^T of coarse images [planes, h, w], without going through the fine grid."""
        parts = [(down @ coarse) @ across.T for down, across in self._products]
        return sum(parts[1:], parts[0])

    @cached_property
    def coverage(self) -> torch.Tensor:
        """Share of each coarse pixel's footprint that lies within the fine image, [h, w]."""
        return torch.einsum("ph,pw->hw", self._rows.sum(dim=2), self._cols.sum(dim=2))

    @cached_property
    def _products(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        pairs = [(p, q) for p in range(len(self._rows)) for q in range(len(self._rows))]
        return [(self._rows[p] @ self._rows[q].T, self._cols[p] @ self._cols[q].T) for p, q in pairs]


def axis_matrices(
    weights: torch.Tensor, step: float, start: float, ratio: float, fine: int, coarse: int
) -> torch.Tensor:
    """One axis of separable weights as matrices [parts, coarse, fine].

    Args:
        weights: [parts, taps] on a lattice around the coarse pixels' centres, see :class:`Footprint`.
        step: distance of its points in fine pixels.
        start: where the first coarse pixel begins, in fine pixels.
        ratio: length of a coarse pixel.
        fine: number of fine pixels.
        coarse: number of coarse pixels.
    """
    device = weights.device
    taps = weights.shape[1]
    centres = start + (torch.arange(coarse, device=device, dtype=torch.float64) + 0.5) * ratio - 0.5
    offsets = (torch.arange(taps, device=device, dtype=torch.float64) - (taps - 1) / 2) * step
    places = centres[:, None] + offsets[None]
    below = (places + 1e-6).floor()
    share = (places - below).clamp_min(0.0)
    matrices = torch.zeros(len(weights), coarse, fine + 2, device=device, dtype=torch.float64)
    for index, part in ((below, 1.0 - share), (below + 1, share)):
        # the first and last column gather what falls outside
        columns = (index.long() + 1).clamp(0, fine + 1).expand(len(weights), -1, -1)
        matrices.scatter_add_(2, columns, part * weights.double()[:, None, :])
    return matrices[:, :, 1:-1].float().contiguous()
