# SPDX-License-Identifier: GPL-3.0-or-later
"""Minimum-volume nonnegative matrix factorisation, for scenes without pure pixels.

Model: min ||X - A E||_F^2 + lambda log det(E E^T + delta I) over spectra E >= 0 [endmembers, bands] and abundances
A >= 0 [pixels, endmembers] whose rows sum to at most one, or to one (``sum_to_one``).
Source: Leplat, Ang and Gillis, ICASSP 2019, doi:10.1109/ICASSP.2019.8682280. The abundance step is exact here, and the
spectra step minimises the tangent of log det at the current spectra, which lies above it: the objective cannot rise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .extraction import Extraction, capped_shares, check_count, simplex_shares
from .snpa import snpa

CONVERGED = 1e-5
"""Relative fall of the objective in one round below which nothing more is to come."""


@dataclass(frozen=True)
class MinVolSettings:
    """How the factorisation weighs and iterates.

    Attributes:
        weight: lambda relative to the start's misfit over the start's log det.
        delta: added to the diagonal of E E^T before log det.
        rounds: most alternations of the two steps.
        inner: gradient steps per spectra step.
        sum_to_one: exact-sum-one abundances instead of at most one.
        target: wanted relative misfit ||X - A E|| / ||X||; lambda is steered towards it when given.
    """

    weight: float = 0.1
    delta: float = 0.1
    rounds: int = 300
    inner: int = 10
    sum_to_one: bool = False
    target: float | None = None


def minvol(
    pixels: torch.Tensor,
    count: int,
    settings: MinVolSettings = MinVolSettings(),
    start: torch.Tensor | None = None,
    on_round: Callable[[float], None] = lambda share: None,
) -> Extraction:
    """Find spectra that need not be pixels.

    Args:
        pixels: float32 [pixels, bands].
        count: endmembers wanted.
        settings: weights and iterations.
        start: spectra to start from, [count, bands]; SNPA's picks when None.
        on_round: called with the finished share after each round; may raise to stop.
    """
    check_count(pixels, count)
    solve = simplex_shares if settings.sum_to_one else capped_shares
    spectra = (snpa(pixels, count).endmembers if start is None else start).clamp_min(0.0)
    shares = solve(spectra, pixels)
    power = float(pixels.double().square().sum())
    delta = settings.delta
    misfit = _misfit(pixels, spectra, shares)
    weight = settings.weight * max(1e-6, misfit) / max(abs(log_volume(spectra, delta)), 1e-6)
    objective = [misfit + weight * log_volume(spectra, delta)]
    for done in range(settings.rounds):
        spectra = _spectra_step(pixels, spectra, shares, weight, delta, settings.inner)
        shares = solve(spectra, pixels)
        misfit = _misfit(pixels, spectra, shares)
        objective.append(misfit + weight * log_volume(spectra, delta))
        if settings.target is not None:
            weight *= _steer(math.sqrt(misfit / power) - settings.target)
        on_round((done + 1) / settings.rounds)
        if settings.target is None and objective[-2] - objective[-1] < CONVERGED * abs(objective[-1]):
            break
    return Extraction(spectra, None, tuple(objective))


def log_volume(spectra: torch.Tensor, delta: float) -> float:
    """Log det(E E^T + delta I), a measure of the volume that the spectra span with the origin."""
    return float(torch.logdet(_gram(spectra, delta)))


def _gram(spectra: torch.Tensor, delta: float) -> torch.Tensor:
    gram = spectra.double() @ spectra.double().T
    return gram + delta * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)


def _misfit(pixels: torch.Tensor, spectra: torch.Tensor, shares: torch.Tensor) -> float:
    return float((pixels - shares @ spectra).square().sum(dtype=torch.float64))


def _steer(excess: float) -> float:
    """Factor of lambda for a relative misfit above (lower it) or below (raise it) the target."""
    return 0.95 if excess > 0.001 else 1.05 if excess < -0.001 else 1.0


def _spectra_step(
    pixels: torch.Tensor, spectra: torch.Tensor, shares: torch.Tensor, weight: float, delta: float, steps: int
) -> torch.Tensor:
    """Minimise tr(E^T T E) - 2 tr(E^T C) over E >= 0: Nesterov's projected gradient, restarted when it would rise."""
    quadratic = weight * torch.linalg.inv(_gram(spectra, delta)) + shares.double().T @ shares.double()
    linear = (shares.T @ pixels).double()
    eigenvalues = torch.linalg.eigvalsh(quadratic)
    step = 1.0 / float(eigenvalues[-1])
    root = math.sqrt(max(float(eigenvalues[0] / eigenvalues[-1]), 0.0))
    momentum = (1 - root) / (1 + root)

    def value(e: torch.Tensor) -> float:
        return float((e * (quadratic @ e - 2 * linear)).sum())

    def descend(e: torch.Tensor) -> torch.Tensor:
        return (e - step * (quadratic @ e - linear)).clamp_min(0.0)

    current = ahead = spectra.double()
    lowest = value(current)
    for _ in range(steps):
        proposed = descend(ahead)
        reached = value(proposed)
        if reached > lowest:
            proposed = descend(current)
            reached = value(proposed)
            ahead = proposed
        else:
            ahead = proposed + momentum * (proposed - current)
        current, lowest = proposed, reached
    return current.to(spectra.dtype)
