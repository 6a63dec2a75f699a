# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline prior: coefficients as linear or quadratic functions of the MSI, fitted by ridge regression.

    c(m) = W f(m),   f(m) = (1, m_i, v_i v_j),   v = m kept within a little more than the range of the coarse pixels

The fit happens at the coarse scale, where the footprint B is known through it: sum |V^T(Y - mean) - W B f(M)|^2.
Blurring features instead of values keeps what a coarse pixel mixes apart. Degree and ridge are chosen on held-out
blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..physics.blur import Blur

RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
CAUTION = 1.1
"""The strongest ridge is taken whose squared held-out error is at most this many times the least: fine pixels lie
farther out than the coarse ones that judge."""
BEYOND = 0.5
"""How far products of bands are carried beyond the range of the coarse pixels, as a share of it."""
NOISE_PIXELS = 4096
FOLDS = 4
FOLD_BLOCK = 3
"""Coarse pixels along the side of the blocks that are held out together: neighbours share their light."""
LEAST_COVERAGE = 0.2


@dataclass(frozen=True)
class Features:
    """How MSI pixels become features; not centred, so that shrinking pulls towards spectra in proportion to the MSI.

    Attributes:
        low, high: per MSI band, [bands]; products are not carried beyond them.
        degree: 1 or 2.
    """

    low: torch.Tensor
    high: torch.Tensor
    degree: int

    def __call__(self, msi: torch.Tensor) -> torch.Tensor:
        """Features [count, pixels] of pixels [bands, pixels]."""
        parts = [torch.ones_like(msi[:1]), msi]
        if self.degree == 2:
            v = torch.minimum(torch.maximum(msi, self.low[:, None]), self.high[:, None])
            parts += [v[i : i + 1] * v[i:] for i in range(len(v))]
        return torch.cat(parts)

    def to(self, device: torch.device) -> Features:
        """The same on a device."""
        return Features(self.low.to(device), self.high.to(device), self.degree)


class RidgePrior:
    """See the module; ``weights`` W are [components, features]."""

    context_planes = 0

    def __init__(self, features: Features, weights: torch.Tensor) -> None:
        self.features = features
        self.weights = weights
        self.parameters = weights.numel()
        self.name = "linear regression" if features.degree == 1 else "quadratic regression"

    def predict(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """See :class:`core.fusion.prior.Prior`."""
        return self.weights @ self.features(msi)

    def spread(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> None:
        """See :class:`core.fusion.prior.Prior`."""

    def to(self, device: torch.device) -> RidgePrior:
        """The same on a device."""
        return RidgePrior(self.features.to(device), self.weights.to(device))

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {"kind": "ridge", "degree": self.features.degree}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return {"weights": self.weights, "low": self.features.low, "high": self.features.high}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> RidgePrior:
        """Rebuild a saved prior."""
        return cls(Features(tensors["low"], tensors["high"], int(header["degree"])), tensors["weights"])


@dataclass(frozen=True)
class CoarseView:
    """One block of a pair as fitting at the coarse scale needs it.

    Attributes:
        msi: harmonised fine values, [msi_bands, H, W].
        seen: the coarse pixels as the MSI would see them, [msi_bands, h, w].
        coefficients: of the coarse pixels, as large as their coverage, [components, h, w].
        blur: to the coarse grid.
        usable: coarse pixels to learn from, bool [h, w].
    """

    msi: torch.Tensor
    seen: torch.Tensor
    coefficients: torch.Tensor
    blur: Blur
    usable: torch.Tensor


def fit_ridge(views: Sequence[CoarseView], fine_noise: torch.Tensor) -> RidgePrior:
    """Fit the baseline.

    Args:
        views: blocks of the pair.
        fine_noise: variance of each MSI band's noise, [msi_bands].
    """
    seen = torch.cat([view.seen[:, view.usable] for view in views], dim=1)
    low, high = seen.amin(dim=1), seen.amax(dim=1)
    margin = BEYOND * (high - low)
    targets, folds = _targets(views), torch.cat([_folds(view.usable) for view in views])
    trials = []
    # a single band's square, blurred, is mostly local contrast: it would fit that instead of colour
    for degree in (1,) if len(seen) == 1 else (1, 2):
        features = Features(low - margin, high + margin, degree)
        rows, noise = _blurred(views, features), _feature_noise(views, features, fine_noise)
        for ridge in RIDGES:
            error = sum(_held_out(rows, targets, folds == fold, ridge, noise) for fold in range(FOLDS))
            trials.append((error, ridge, features, rows, noise))
    least = min(error for error, *_ in trials)
    allowed = (trial for trial in trials if trial[0] <= CAUTION * least)
    _, ridge, features, rows, noise = max(allowed, key=lambda trial: (trial[1], trial[2].degree))
    trust = _trust(rows, targets, folds, ridge, noise)
    return RidgePrior(features, trust[:, None] * _solve(rows, targets, ridge, noise))


def _targets(views: Sequence[CoarseView]) -> torch.Tensor:
    """Coefficients per covered light, [components, usable pixels]."""
    return torch.cat(
        [(view.coefficients / view.blur.coverage.clamp_min(LEAST_COVERAGE))[:, view.usable] for view in views], 1
    )


def _blurred(views: Sequence[CoarseView], features: Features) -> torch.Tensor:
    """Features as the coarse pixels see them, [features, usable pixels]."""
    rows = []
    for view in views:
        fine = features(view.msi.flatten(1)).reshape(-1, *view.msi.shape[1:])
        rows.append((view.blur(fine) / view.blur.coverage.clamp_min(LEAST_COVERAGE))[:, view.usable])
    return torch.cat(rows, dim=1)


def _feature_noise(views: Sequence[CoarseView], features: Features, fine_noise: torch.Tensor) -> torch.Tensor:
    """Covariance of what the MSI's noise does to the features of a fine pixel, float64 [features, features].

    Coarse features are averages and have next to none of it, but fine pixels are what is to be predicted: weights that
    live on small differences between bands pay for it with W C W^T.
    """
    pixels = torch.cat([view.msi.flatten(1) for view in views], dim=1)
    pixels = pixels[:, :: max(1, pixels.shape[1] // NOISE_PIXELS)]
    # a fixed pattern of signs is noise enough for a covariance, and the same every time
    signs = torch.sign(torch.sin(torch.arange(pixels.numel(), dtype=torch.float64) * 12.9898 + 0.5)).to(pixels)
    noisy = pixels + signs.reshape(pixels.shape) * fine_noise.sqrt()[:, None]
    change = (features(noisy) - features(pixels)).double()
    return change @ change.T / change.shape[1]


def _solve(rows: torch.Tensor, targets: torch.Tensor, ridge: float, noise: torch.Tensor) -> torch.Tensor:
    rows, targets = rows.double(), targets.double()
    gram = rows @ rows.T + rows.shape[1] * noise
    gram += ridge * torch.diag(gram.diagonal())
    return torch.linalg.solve(gram, rows @ targets.T).T.float()


def _held_out(
    rows: torch.Tensor, targets: torch.Tensor, aside: torch.Tensor, ridge: float, noise: torch.Tensor
) -> float:
    if not bool(aside.any()):
        return 0.0
    weights = _solve(rows[:, ~aside], targets[:, ~aside], ridge, noise)
    return float((targets[:, aside] - weights @ rows[:, aside]).square().sum())


def _trust(
    rows: torch.Tensor, targets: torch.Tensor, folds: torch.Tensor, ridge: float, noise: torch.Tensor
) -> torch.Tensor:
    """Factor by which held-out guesses of each coefficient are best shrunk, 0 to 1, [components]."""
    both = power = torch.zeros(len(targets), device=targets.device)
    for fold in range(FOLDS):
        held = folds == fold
        if bool(held.any()) and bool((~held).any()):
            guess = _solve(rows[:, ~held], targets[:, ~held], ridge, noise) @ rows[:, held]
            both = both + (guess * targets[:, held]).sum(dim=1)
            power = power + guess.square().sum(dim=1)
    return torch.where(power > 0, both / power.clamp_min(1e-30), 1.0).clamp(0.0, 1.0)


def _folds(usable: torch.Tensor) -> torch.Tensor:
    """Fold of each usable pixel: blocks in a diagonal pattern, so that every fold lies all over the image."""
    rows, cols = (torch.arange(n, device=usable.device) // FOLD_BLOCK for n in usable.shape)
    return ((rows[:, None] + 2 * cols[None]) % FOLDS)[usable]
