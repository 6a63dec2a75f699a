# SPDX-License-Identifier: GPL-3.0-or-later
"""Constrained least squares for many endmembers: supports grow and shrink one endmember at a time, all pixels at once.

The active-set method of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23), with the sum constraint
eliminated exactly. Each step lowers the residual, so that it ends at the optimum, and an endmember that combines those
already in is never let in. One step solves a k x k system for each unfinished pixel, k being the largest support met; a
pixel takes about as many steps as it has active endmembers, hence about k^4 / 3 operations in all, in float64.
"""

from __future__ import annotations

from copy import copy

import torch

STEPS_PER_ENDMEMBER = 6
GAIN = 1e-12  # slope, for pixels and endmembers of unit size, below which letting an endmember in gains nothing
BLOCK_NUMBERS = 4_000_000  # numbers in the systems that are solved at once


class LawsonHanson:
    """Active sets of many pixels at once.

    Args:
        vertices: endmembers in a reduced orthonormal basis, float64 [axes, endmembers].
        sum_to_one: abundances sum to one.
    """

    def __init__(self, vertices: torch.Tensor, sum_to_one: bool) -> None:
        self.sum_to_one = sum_to_one
        self._vertices = vertices
        # where the sum is fixed the added constant changes nothing, but keeps the origin from being a dependence
        self._gram = vertices.T @ vertices + float(sum_to_one)

    def to(self, device: torch.device) -> LawsonHanson:
        """The same solver on a device."""
        moved = copy(self)
        moved._vertices, moved._gram = self._vertices.to(device), self._gram.to(device)
        return moved

    def solve(self, planes: torch.Tensor) -> torch.Tensor:
        """Abundances of pixels.

        Args:
            planes: reduced pixels, float64 [axes, pixels]; with the sum constraint one more plane follows, the weight
                of the constant term, which is what the abundances then sum to.

        Returns:
            [pixels, endmembers], never negative.
        """
        block = max(1, BLOCK_NUMBERS // len(self._gram) ** 2)
        return torch.cat([self._solve_block(rows) for rows in planes.T.contiguous().split(block)])

    def _solve_block(self, rows: torch.Tensor) -> torch.Tensor:
        support, abundances = self._start(rows)
        result = abundances.clone()
        moving = torch.arange(len(rows), device=rows.device)
        for _ in range(STEPS_PER_ENDMEMBER * len(self._gram)):
            best = self._solve_supports(rows, support)
            # spectra that all but depend on each other leave the system without a solution: what was found before stays
            dependent = ~best.isfinite().all(1)
            best[dependent] = abundances[dependent]
            abundances, support, settled = _step(best, abundances, support)
            result[moving] = abundances
            gain, entering = self._gains(rows, support, abundances).max(1)
            growing = settled & (gain > GAIN)
            support[growing, entering[growing]] = True
            going = (growing | ~settled) & ~dependent
            if not going.any():
                break
            rows, moving, support, abundances = rows[going], moving[going], support[going], abundances[going]
        return result

    def _start(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Start without any endmember, or, where abundances have a sum, at the endmember that is nearest."""
        axes, count = self._vertices.shape
        support = torch.zeros(len(rows), count, dtype=torch.bool, device=rows.device)
        if self.sum_to_one:
            distance = rows[:, axes:] * self._gram.diagonal() - 2 * rows[:, :axes] @ self._vertices
            support.scatter_(1, distance.argmin(1, keepdim=True), True)
        return support, support * rows[:, -1:] * float(self.sum_to_one)

    def _solve_supports(self, rows: torch.Tensor, support: torch.Tensor) -> torch.Tensor:
        """Least squares with each pixel's support and no regard to signs, [pixels, endmembers]."""
        axes = len(self._vertices)
        size = int(support.sum(1).amax()) if len(support) else 0
        # the members of each support first; what pads the smaller ones is solved apart, as zero
        order = support.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, :size]
        inside = support.gather(1, order).to(rows.dtype)
        gram = self._gram[order[:, :, None], order[:, None, :]] * inside[:, :, None] * inside[:, None, :]
        gram.diagonal(dim1=1, dim2=2).add_(1 - inside)
        slope = (rows[:, :axes] @ self._vertices).gather(1, order) * inside
        solution = torch.cholesky_solve(torch.stack([slope, inside], dim=2), torch.linalg.cholesky_ex(gram).L)
        best, push = solution.unbind(2)
        if self.sum_to_one:
            missing = rows[:, axes:] - best.sum(1, keepdim=True)
            best = best + push * (missing / push.sum(1, keepdim=True))
        return torch.zeros_like(support, dtype=rows.dtype).scatter_(1, order, best)

    def _gains(self, rows: torch.Tensor, support: torch.Tensor, abundances: torch.Tensor) -> torch.Tensor:
        """How fast the misfit falls when an endmember outside the support is let in, [pixels, endmembers]."""
        misfit = rows[:, : len(self._vertices)] - abundances @ self._vertices.T
        slope = misfit @ self._vertices
        if self.sum_to_one:
            slope = slope - (slope * support).sum(1, keepdim=True) / support.sum(1, keepdim=True)
        return slope.masked_fill(support, 0.0)


def _step(
    best: torch.Tensor, abundances: torch.Tensor, support: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Go towards the best of the support as far as no abundance turns negative; what gets to zero leaves.

    Returns:
        abundances and support after the step, and bool [pixels]: True where the best was reached.
    """
    negative = support & (best <= 0)
    share = torch.where(negative, abundances / (abundances - best).clamp_min(1e-300), 1.0).amin(1, keepdim=True)
    reached = abundances + share * (best - abundances)
    support = support & ~(negative & (reached <= 1e-15))
    settled = ~negative.any(1)
    return torch.where(settled[:, None], best, reached.clamp_min(0) * support), support, settled
