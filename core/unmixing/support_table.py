# SPDX-License-Identifier: GPL-3.0-or-later
"""Constrained least squares for few endmembers: every support is prepared once, pixels only look theirs up.

A *support* is the set of endmembers with a positive abundance. Knowing it, the abundances are an affine function of the
pixel z, and so are the multipliers of the endmembers left out. With V the endmembers [axes, endmembers], u the centre
of the support (1/|S| on it; 0 without the sum constraint), P the projector on the directions allowed inside it,

    a = u + (V P)^+ (z - V u),        N = I - (V P)(V P)^+,
    b_i = (N w_i)^T (z - V u) / |N w_i|^2,   w_i = v_i - V u,   for i outside the support,

where b_i is the abundance endmember i would take if it were let in. The support is right (Karush-Kuhn-Tucker) when
a >= 0 inside and b <= 0 outside. Otherwise all offenders change sides at once (block principal pivoting: Portugal,
Júdice, Vicente, Mathematics of Computation 63, 1994), later only the first of them (Murty's rule, which cannot cycle),
and what rounding still keeps moving is settled by trying all supports. Both sides of one decision are measured in the
same unit of abundance, so one tolerance serves them, and rounding below it cannot make them contradict each other.

Memory: 2^endmembers x (axes + 1) x endmembers numbers twice, 9 MB for twelve in float64; the work of a pixel is about
three to six products of that small matrix with a vector.
"""

from __future__ import annotations

from copy import copy

import torch
from torch.nn import functional

MAX_ENDMEMBERS = 12
BLOCK_ROUNDS = 5
SINGLE_ROUNDS = 12
DEPENDENT = 1e-8  # sine of the angle below which an endmember counts as a combination of others
TRIAL_NUMBERS = 4_000_000  # how many numbers the trial of all supports may hold at once


class SupportTable:
    """The affine maps of all supports.

    Args:
        vertices: endmembers in a reduced orthonormal basis, float64 [axes, endmembers].
        sum_to_one: abundances sum to one.
        dtype: floating type of the solution.
        tolerance: how negative an abundance may be and pass for zero, relative to the size of the pixel.
    """

    def __init__(self, vertices: torch.Tensor, sum_to_one: bool, dtype: torch.dtype, tolerance: float) -> None:
        count = vertices.shape[1]
        self.sum_to_one = sum_to_one
        self.tolerance = tolerance
        self.full_support = 2**count - 1
        supports = torch.arange(2**count)
        powers = 2 ** torch.arange(count)
        members = (supports[:, None] & powers) > 0
        maps = _affine_maps(vertices, members, sum_to_one)
        width = maps.shape[1]
        self._powers = powers.to(dtype)
        self._decisions = maps.to(dtype).reshape(-1, count)
        self._abundances = (maps * members[:, None, :]).to(dtype).reshape(-1, count)
        self._rows = (supports[:, None] * width + torch.arange(width)).to(torch.int32)

    def to(self, device: torch.device) -> SupportTable:
        """The same table on a device."""
        moved = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(moved, name, value.to(device))
        return moved

    def solve(self, planes: torch.Tensor) -> torch.Tensor:
        """Abundances of pixels.

        Args:
            planes: reduced pixels, [axes, pixels]; with the sum constraint one more plane follows, the weight of the
                constant term.

        Returns:
            [pixels, endmembers], up to ``tolerance`` below zero.
        """
        rows = planes.T.contiguous()
        return self._look_up(self._abundances, self._find_supports(rows), rows)

    def _find_supports(self, rows: torch.Tensor) -> torch.Tensor:
        """Number of the optimal support of each pixel, int32 [pixels]."""
        supports = torch.full((len(rows),), self.full_support, dtype=torch.int32, device=rows.device)
        moving, current = torch.arange(len(rows), device=rows.device), supports
        for turn in range(BLOCK_ROUNDS + SINGLE_ROUNDS):
            decisions = self._look_up(self._decisions, current, rows)
            flips = ((decisions < -self.tolerance).to(rows.dtype) @ self._powers).to(torch.int32)
            offending = flips.nonzero().squeeze(1)
            if not len(offending):
                return supports
            flips = flips.index_select(0, offending)
            if turn >= BLOCK_ROUNDS:
                flips &= -flips
            rows = rows.index_select(0, offending)
            moving = moving.index_select(0, offending)
            current = current.index_select(0, offending) ^ flips
            supports.index_copy_(0, moving, current)
        return supports.index_copy_(0, moving, self._try_all(rows))

    def _look_up(self, table: torch.Tensor, supports: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Apply to each pixel the map of its support: a weighted sum of the map's rows, [pixels, endmembers]."""
        return functional.embedding_bag(
            self._rows.index_select(0, supports), table, mode="sum", per_sample_weights=rows
        )

    def _try_all(self, rows: torch.Tensor) -> torch.Tensor:
        """The support whose worst offence is least, for pixels that rounding keeps from settling."""
        first = int(self.sum_to_one)  # the empty support cannot sum to one
        maps = self._decisions.unflatten(0, (-1, rows.shape[1]))[first:]
        best = []
        for part in rows.split(max(1, TRIAL_NUMBERS // maps[:, 0].numel())):
            worst = torch.einsum("na,sap->nsp", part, maps).amin(2)
            best.append(worst.argmax(1) + first)
        return torch.cat(best).to(torch.int32)


def _affine_maps(vertices: torch.Tensor, members: torch.Tensor, sum_to_one: bool) -> torch.Tensor:
    """Rows that, weighted by a pixel, add up to a inside the support and to -b outside it.

    Returns:
        float64 [supports, axes, endmembers], with the constant term as one more row where there is one.
    """
    inside = members.to(vertices.dtype)
    share = inside / inside.sum(1, keepdim=True).clamp_min(1) * float(sum_to_one)
    project = torch.diag_embed(inside) - inside[:, :, None] * share[:, None, :]
    basis = vertices @ project
    inverse = torch.linalg.pinv(basis, rtol=DEPENDENT)
    centre = (share @ vertices.T)[:, :, None]
    spokes = vertices - centre
    normal = spokes - basis @ (inverse @ spokes)
    distance = normal.square().sum(1, keepdim=True)
    reachable = distance > DEPENDENT**2 * spokes.square().sum(1, keepdim=True)
    outside = torch.where(reachable & ~members[:, None, :], -normal / distance.clamp_min(1e-300), 0.0)
    linear = inverse.transpose(1, 2) * inside[:, None, :] + outside
    if not sum_to_one:
        return linear
    constant = share[:, None, :] - centre.transpose(1, 2) @ linear
    return torch.cat([linear, constant], dim=1)
