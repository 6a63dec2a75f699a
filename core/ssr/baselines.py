# SPDX-License-Identifier: GPL-3.0-or-later
"""Strong and simple ways from an MSI pixel to a spectrum, which a network has to beat.

    ridge             x = W f(y),              W minimises |X - W f(Y)|^2 / N + lambda |W D|^2
    clustered ridge   x = (W + W_k) f(y),      k the nearest of some centres of y; W_k fits what W leaves there
    pixel network     x = mean of two networks of y, of SpectraLift's form (:class:`core.fusion.networks.BatchedSin`)

f(y) = (1, y_i, y_i y_j) as in :mod:`core.fusion.ridge`, D^2 the mean squares of f. Degree, lambda and the
number of centres are those that do best on pixels held out, fold by fold. X may be bands or coordinates of spectra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..engine.method import Context
from ..fusion.networks import BatchedSin
from ..fusion.ridge import Features
from ..fusion.training import OneCycle, Strata, train

RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
BEYOND = 0.1
"""How far products of bands are carried beyond the range learnt from, as a share of it: new scenes may lie there."""
CENTRES = (8, 16, 32)
STEPS, BATCH = 2000, 1024
MEMBERS = 2
"""Networks that differ in their first weights only: where they never learnt they go wrong in different ways."""
_LLOYD_STEPS = 15
_SEEDING_PIXELS = 20_000


class SpectralMap(Protocol):
    """Anything that gives spectra to MSI pixels."""

    @property
    def name(self) -> str:
        """In words."""
        ...

    def predict(self, msi: torch.Tensor) -> torch.Tensor:
        """X [d, pixels] of Y [c, pixels]."""
        ...


@dataclass(frozen=True)
class Ridge:
    """One regression for all pixels, ``weights`` W [d, features]."""

    features: Features
    weights: torch.Tensor
    ridge: float

    @property
    def name(self) -> str:
        """In words."""
        return "ridge regression"

    def predict(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`SpectralMap`."""
        return self.weights @ self.features(msi)


@dataclass(frozen=True)
class ClusteredRidge:
    """One regression around each centre.

    Attributes:
        common: W and f.
        scale: what bands are divided by before distances are taken, [c].
        centres: of scaled pixels, [k, c].
        weights: W + W_k, [k, d, features].
    """

    common: Ridge
    scale: torch.Tensor
    centres: torch.Tensor
    weights: torch.Tensor

    @property
    def name(self) -> str:
        """In words."""
        return f"ridge regression in {len(self.centres)} clusters"

    def predict(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`SpectralMap`."""
        features = self.common.features(msi)
        nearest = nearest_centre(msi / self.scale[:, None], self.centres)
        found = torch.empty(self.weights.shape[1], msi.shape[1], dtype=msi.dtype, device=msi.device)
        for k, weights in enumerate(self.weights):
            inside = (nearest == k).nonzero()[:, 0]
            found[:, inside] = weights @ features[:, inside]
        return found


@dataclass(frozen=True)
class PixelNetwork:
    """Small networks that see one pixel, whose mean counts.

    Attributes:
        network: all of them.
        msi_shift, msi_scale: of Y, [c, 1].
        shift: of X, [d, 1].
        scale: of X, a scalar.
    """

    network: BatchedSin
    msi_shift: torch.Tensor
    msi_scale: torch.Tensor
    shift: torch.Tensor
    scale: torch.Tensor

    @property
    def name(self) -> str:
        """In words."""
        return "pixel network"

    @torch.no_grad()
    def predict(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`SpectralMap`."""
        return self.network((msi - self.msi_shift) / self.msi_scale).mean(dim=0) * self.scale + self.shift


def fit_ridge(msi: torch.Tensor, target: torch.Tensor, folds: torch.Tensor, degrees: Sequence[int] = (1, 2)) -> Ridge:
    """Fit one regression.

    Args:
        msi: Y, [c, pixels].
        target: X, [d, pixels].
        folds: which fold holds a pixel out, whole [pixels]; neighbours belong in the same.
        degrees: to choose from; 1 alone for a regression that is linear in the MSI.
    """
    low, high = msi.amin(dim=1), msi.amax(dim=1)
    margin = BEYOND * (high - low)
    trials = []
    for degree in degrees:
        features = Features(low - margin, high + margin, degree)
        rows = features(msi)
        parts = [_normal(rows[:, folds == fold], target[:, folds == fold]) for fold in folds.unique()]
        gram, cross = (torch.stack(part).sum(dim=0) for part in zip(*parts))
        for ridge in RIDGES:
            error = 0.0
            for fold, part in zip(folds.unique(), parts):
                weights = _solve(gram - part[0], cross - part[1], ridge)
                error += float((target[:, folds == fold] - weights @ rows[:, folds == fold]).square().sum())
            trials.append((error, ridge, features, _solve(gram, cross, ridge)))
    _, ridge, features, weights = min(trials, key=lambda trial: trial[0])
    return Ridge(features, weights, ridge)


def fit_clustered_ridge(
    msi: torch.Tensor, target: torch.Tensor, folds: torch.Tensor, generator: torch.Generator
) -> ClusteredRidge:
    """Fit a regression around each centre; arguments as those of :func:`fit_ridge`, the generator seeds the centres."""
    scale = msi.std(dim=1).clamp_min(1e-12)
    common = fit_ridge(msi, target, folds)
    trials = []
    for count in CENTRES:
        centres = find_centres(msi / scale[:, None], count, generator)
        for ridge in RIDGES:
            error = 0.0
            for fold in folds.unique():
                held = folds == fold
                part = _fit_around(common, scale, centres, msi[:, ~held], target[:, ~held], ridge)
                error += float((target[:, held] - part.predict(msi[:, held])).square().sum())
            trials.append((error, ridge, centres))
    _, ridge, centres = min(trials, key=lambda trial: trial[0])
    return _fit_around(common, scale, centres, msi, target, ridge)


def fit_pixel_network(msi: torch.Tensor, target: torch.Tensor, context: Context, steps: int = STEPS) -> PixelNetwork:
    """Train pixel networks on the mean square error.

    Args:
        msi: Y, [c, pixels].
        target: X, [d, pixels].
        context: see :func:`core.fusion.training.train`, whose errors come through.
        steps: of training.
    """
    generator = context.generator()
    msi_shift, shift = msi.mean(dim=1, keepdim=True), target.mean(dim=1, keepdim=True)
    msi_scale = msi.std(dim=1, keepdim=True).clamp_min(1e-12)
    scale = (target - shift).square().mean().sqrt().clamp_min(1e-12)  # one for all, so that errors keep their weights
    inputs, wanted = (msi - msi_shift) / msi_scale, (target - shift) / scale
    network = BatchedSin(len(msi), len(target), MEMBERS, generator, device=msi.device)
    strata = Strata(inputs, BATCH, generator)

    def loss() -> torch.Tensor:
        drawn = strata.draw()
        seen, truth = (inputs, wanted) if drawn is None else (inputs[:, drawn], wanted[:, drawn])
        return (network(seen) - truth).square().mean(dim=(1, 2))

    train(network, loss, OneCycle(steps), context)
    return PixelNetwork(network, msi_shift, msi_scale, shift, scale)


def _fit_around(
    common: Ridge, scale: torch.Tensor, centres: torch.Tensor, msi: torch.Tensor, target: torch.Tensor, ridge: float
) -> ClusteredRidge:
    """Fit what the common regression leaves around each centre; few pixels leave it as it is."""
    rows, nearest = common.features(msi), nearest_centre(msi / scale[:, None], centres)
    left, power = target - common.weights @ rows, rows.double().square().mean(dim=1)
    weights = []
    for k in range(len(centres)):
        inside = (nearest == k).nonzero()[:, 0]
        gram, cross = _normal(rows[:, inside], left[:, inside])
        # as many pixels' worth of caution, whatever the cluster's size
        caution = ridge * msi.shape[1] / len(centres) * torch.diag(power)
        weights.append(common.weights + torch.linalg.solve(gram + caution, cross.mT).mT.to(common.weights))
    return ClusteredRidge(common, scale, centres, torch.stack(weights))


def _normal(rows: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """F F^T and X F^T, float64."""
    wide = rows.double()
    return wide @ wide.mT, target.double() @ wide.mT


def _solve(gram: torch.Tensor, cross: torch.Tensor, ridge: float) -> torch.Tensor:
    return torch.linalg.solve(gram + ridge * torch.diag(gram.diagonal().clamp_min(1e-30)), cross.mT).mT.float()


def nearest_centre(pixels: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Index of the nearest centre of each pixel [c, pixels]."""
    # |p - c|^2 without |p|^2, which is the same for all centres
    return (centres.square().sum(dim=1)[:, None] / 2 - centres @ pixels).argmin(dim=0)


def find_centres(pixels: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Centres [k, c] by k-means from far-apart pixels (Arthur & Vassilvitskii 2007, k-means++)."""
    chosen = torch.randperm(pixels.shape[1], generator=generator)[:_SEEDING_PIXELS].to(pixels.device)
    points = pixels[:, chosen].T
    centres, distance = points[:1], (points - points[0]).square().sum(dim=1)
    for _ in range(min(count, len(points)) - 1):
        shares = distance.cpu().clamp_min(1e-30)
        drawn = points[torch.multinomial(shares, 1, generator=generator).to(points.device)]
        centres = torch.cat([centres, drawn])
        distance = torch.minimum(distance, (points - drawn).square().sum(dim=1))
    for _ in range(_LLOYD_STEPS):
        member = torch.nn.functional.one_hot(nearest_centre(points.T, centres), len(centres)).to(points)
        sizes = member.sum(dim=0)[:, None]
        centres = torch.where(sizes > 0, member.T @ points / sizes.clamp_min(1), centres)
    return centres
