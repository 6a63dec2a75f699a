# SPDX-License-Identifier: GPL-3.0-or-later
"""The fine image that is most probable given a guess, a blurred coarse view of it and, if there is one, the MSI.

    min_Z  sum_pixels (Z - P)^T Q (Z - P) + |M - R Z|^2_{W} + |Y - B Z|^2_{N^-1}

Z [k, fine pixels] are subspace coefficients, P the guess with precision Q [k, k], R [c, k] what the MSI sees of them
with the inverse noise variances W [c], B blur and decimation, N [k, k] the coarse noise. The first two terms are the
same k x k problem in every pixel: D = Q + R^T W R, Z0 = D^-1 (Q P + R^T W M). Woodbury's identity moves the third to
the coarse grid, because D does not change from pixel to pixel and so commutes with B:

    Z = Z0 + D^-1 B^T u,    (N + D^-1 B B^T) u = Y - B Z0

Where D^-1 differs by a factor F from pixel to pixel, B^T becomes F B^T in both places.

That is as many times smaller as a coarse pixel holds fine ones, and exact. Diagonalising N and D^-1 together leaves k
scalar problems, solved side by side by conjugate gradients. (Same optimum as Wei, Dobigeon & Tourneret 2015,
doi:10.1109/JSTSP.2015.2407855, eq. 12-18, without its periodic borders and whole-number ratios.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .blur import WHOLE

if TYPE_CHECKING:
    from .blur import Blur

STEPS = 200
TOLERANCE = 0.03


@dataclass(frozen=True)
class Weights:
    """What a pixel's share of the problem looks like; the same for all tiles of a run.

    Attributes:
        guess: D^-1 Q, [k, k], what the guess contributes to Z0.
        seen: D^-1 R^T W, [k, c], what the MSI contributes; c may be 0.
        spread: D^-1, [k, k].
        to_modes: T with T N T^T = I and T D^-1 T^T diagonal, [k, k].
        gains: that diagonal, [k].
    """

    guess: torch.Tensor
    seen: torch.Tensor
    spread: torch.Tensor
    to_modes: torch.Tensor
    gains: torch.Tensor

    def to(self, device: torch.device) -> Weights:
        """The same on a device."""
        return Weights(*(part.to(device) for part in (self.guess, self.seen, self.spread, self.to_modes, self.gains)))


def weigh(
    precision: torch.Tensor, coarse_noise: torch.Tensor, response: torch.Tensor, fine_noise: torch.Tensor
) -> Weights:
    """Prepare what does not depend on pixels.

    Args:
        precision: Q, [k, k], symmetric positive definite.
        coarse_noise: N, [k, k], covariance of the coarse coefficients' noise, positive definite.
        response: R, [c, k]; c = 0 where there is no MSI.
        fine_noise: variance of each MSI band's noise, [c].

    Returns:
        float32, computed in float64.
    """
    q, n, r = precision.double(), coarse_noise.double(), response.double()
    seen = r.T / fine_noise.double()
    spread = torch.linalg.inv(q + seen @ r)
    spread = (spread + spread.T) / 2
    root = torch.linalg.inv(torch.linalg.cholesky(n))
    gains, modes = torch.linalg.eigh(root @ spread @ root.T)
    parts = (spread @ q, spread @ seen, spread, modes.T @ root, gains.clamp_min(0.0))
    return Weights(*(part.float().contiguous() for part in parts))


def solve(
    guess: torch.Tensor,
    weights: Weights,
    blur: Blur,
    coarse: torch.Tensor,
    trust: torch.Tensor,
    fine: torch.Tensor | None = None,
    freedom: torch.Tensor | None = None,
    core: tuple[slice, slice] = WHOLE,
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> torch.Tensor:
    """Solve for the coefficients of one tile.

    Args:
        guess: P, float32 [k, H, W].
        weights: from :func:`weigh`.
        blur: B for this tile.
        coarse: Y as coefficients, float32 [k, h, w]; anything finite where ``trust`` is 0.
        trust: share from 0 (unusable) to 1 of each coarse pixel's inverse noise variance, [h, w].
        fine: M minus what the subspace's mean gives there, [c, H, W]; None without an MSI.
        freedom: by how much what the MSI leaves open, D^-1, varies more or less in a pixel than in others, [H, W].
        core: rows and columns of the fine grid to give back; the rest only has a say.
        steps: most steps of conjugate gradients.
        tolerance: stop when every mode is solved to this share of the coarse noise's standard deviation, which does not
            depend on how the image is cut into tiles.

    Returns:
        Z, float32 [k, rows, columns] of the core.
    """
    seen = _mix(weights.guess, blur(guess))
    start = _mix(weights.guess, guess[:, core[0], core[1]])
    if fine is not None and len(fine):
        seen += _mix(weights.seen, blur(fine))
        start += _mix(weights.seen, fine[:, core[0], core[1]])
    misfit = _mix(weights.to_modes, coarse - seen)
    pull = _mix(weights.to_modes.T, _modes(misfit, weights.gains, blur, trust, freedom, steps, tolerance))
    correction = blur.adjoint(pull, core)
    return start + _mix(weights.spread, correction if freedom is None else freedom[core] * correction)


def _modes(
    misfit: torch.Tensor,
    gains: torch.Tensor,
    blur: Blur,
    trust: torch.Tensor,
    freedom: torch.Tensor | None,
    steps: int,
    tolerance: float,
) -> torch.Tensor:
    """Solve (1 / trust + gain_j B F B^T) u_j = misfit_j for all modes j, [k, h, w]; F is ``freedom`` or 1."""
    root = trust.sqrt()
    residual = root * misfit
    solution = torch.zeros_like(residual)
    tiny = torch.finfo(residual.dtype).tiny
    energy = residual.square().sum(dim=(1, 2), keepdim=True)
    goal = torch.full_like(energy, tolerance**2 * max(float(trust.sum()), 1.0)) + tiny
    # modes of little gain settle in a step or two, and then cost nothing any more
    left = torch.nonzero((energy > goal).flatten()).flatten()
    residual, direction, energy, goal, gain = (part[left] for part in (residual, residual, energy, goal, gains))
    for _ in range(steps):
        if not len(left):
            break
        seen = root * direction
        spread = blur.gram(seen) if freedom is None else blur(freedom * blur.adjoint(seen))
        image = direction + gain[:, None, None] * root * spread
        step = energy / (direction * image).sum(dim=(1, 2), keepdim=True).clamp_min(tiny)
        solution.index_add_(0, left, step * direction)
        residual = residual - step * image
        before, energy = energy, residual.square().sum(dim=(1, 2), keepdim=True)
        direction = residual + energy / before.clamp_min(tiny) * direction
        active = torch.nonzero((energy > goal).flatten()).flatten()
        if len(active) < len(left):
            left, residual, direction, energy, goal, gain = (
                part[active] for part in (left, residual, direction, energy, goal, gain)
            )
    return root * solution


def _mix(matrix: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    return (matrix @ planes.reshape(len(planes), -1)).reshape(len(matrix), *planes.shape[1:])
