# SPDX-License-Identifier: GPL-3.0-or-later
"""How many endmembers an image holds: the median of three elbows.

No single rule works on every image, so three that fail on different ones vote:

1. *Scree.* Whatever the endmembers are, k of them leave at least the energy of the eigenvalues of E[y y^T] after the
   k-th unexplained. Noise and variability let that fall on and on, but smoothly, as a power of the rank. The elbow is
   the last rank that stands out above the power law of the tail. It fails where very many materials look smooth too.
2. *Hull.* Endmembers are taken one by one, each the pixel that those before explain worst under a >= 0, sum(a) = 1
   (iterative error analysis: Neville et al., 4th Airborne Remote Sensing Conference, 1999). The elbow is the last one
   that lowers the error clearly. It counts outliers of small images.
3. *Robust hull.* The same, passing over the few worst pixels, so that outliers are not taken; rare materials may not be
   either.

HySime and NWHFC count variability and correlated noise as signal; they are shown beside it as upper evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..engine.method import Context, Moments, Sample
from .active_set import ActiveSetSolver, rmse
from .extraction import signal_basis
from .noise import noise_variance, regression_weights

MOST = 12
"""Largest count that is proposed."""
TAIL = (12, 24)
"""Ranks, counted from 0, whose eigenvalues show what noise and variability alone look like."""
STANDS_OUT = 1.4
"""Ratio of a singular value to the tail's law from which on it is a material of its own."""
ROUNDING = 1e-6
"""Singular values below this share of the largest are rounding of float32 pixels."""
HULL_PIXELS = 4000
HULL_AXES = 12
"""Dimensions of the signal subspace in which hulls grow: enough for ``MOST`` endmembers, and most noise is outside."""
CLEAR_FALL, ROBUST_FALL = 0.25, 0.2
"""Share by which one more endmember has to lower the error of the hull and of the robust hull."""
PASSED_OVER = 0.002
"""Share of the pixels that the robust hull passes over."""
PERFECT = 1e-3
"""Error, relative to that of one endmember, below which nothing is left to explain."""
FALSE_ALARM = 1e-4


@dataclass(frozen=True)
class CountEvidence:
    """The proposed count and what speaks for and against it.

    Attributes:
        count: the proposed number of endmembers.
        reason: one sentence on how it was chosen.
        hysime, nwhfc: counts by these methods.
        false_alarm: false-alarm probability of NWHFC.
        eigenvalues: of the correlation matrix E[y y^T], falling.
        noise_eigenvalues: noise power along the same directions.
        errors_by_count: (count, root mean squared error that the hull of so many pixels leaves, in the unit of the
            pixels), rising counts.
    """

    count: int
    reason: str
    hysime: int
    nwhfc: int
    false_alarm: float
    eigenvalues: tuple[float, ...]
    noise_eigenvalues: tuple[float, ...]
    errors_by_count: tuple[tuple[int, float], ...]


def estimate_count(sample: Sample, context: Context) -> CountEvidence:
    """Propose a count for the image that a sample was drawn from; the sample's size does not matter.

    Args:
        sample: pixels and moments of the image.
        context: device, seed, cancel.
    """
    context.check_cancelled()
    moments = sample.moments
    drawn = torch.randperm(len(sample.pixels), generator=context.generator())[:HULL_PIXELS]
    points = (sample.pixels[drawn].double() @ signal_basis(moments, HULL_AXES)).float().to(context.device)
    errors = hull_errors(points, passed_over=0.0)
    context.check_cancelled()
    robust = hull_errors(points, passed_over=PASSED_OVER)
    eigenvalues, vectors = torch.linalg.eigh(moments.correlation)
    eigenvalues, vectors = eigenvalues.flip(0).clamp_min(0.0), vectors.flip(1)
    votes = (scree_elbow(eigenvalues), last_fall(errors, CLEAR_FALL), last_fall(robust, ROBUST_FALL))
    bands = len(eigenvalues)
    elbow = sorted(votes)[1]
    per_band = math.sqrt(points.shape[1] / bands)
    return CountEvidence(
        count=min(elbow, bands),
        reason=(
            f"The median of three elbows: eigenvalues {votes[0]}, error of the growing hull {votes[1]}, the same "
            f"without outliers {votes[2]}."
            + (f" But no more than {bands} can be told apart in {bands} bands." if elbow > bands else "")
        ),
        hysime=hysime_count(moments),
        nwhfc=nwhfc(moments),
        false_alarm=FALSE_ALARM,
        eigenvalues=tuple(eigenvalues.tolist()),
        noise_eigenvalues=tuple((noise_variance(moments.correlation) @ vectors.square()).tolist()),
        errors_by_count=tuple((k + 1, error * per_band) for k, error in enumerate(errors[:MOST])),
    )


def hull_errors(points: torch.Tensor, passed_over: float) -> list[float]:
    """Root mean squared error of hulls of 1, 2, ... pixels, each new one being the pixel explained worst so far.

    Args:
        points: float32 [pixels, axes].
        passed_over: share of the pixels, the worst, that are not taken.
    """
    worst = 1 + int(passed_over * len(points))
    planes = points.T.contiguous()
    from_mean = (points - points.mean(dim=0)).square().sum(dim=1)
    first = points[_ranked(from_mean, worst)]
    hull = points[_ranked((points - first).square().sum(dim=1), worst)][None]
    errors = []
    for _ in range(min(MOST + 1, len(points))):
        shares = ActiveSetSolver(hull, sum_to_one=True, pixels=len(points)).to(points.device).solve(planes)
        error = rmse(hull, planes, shares)
        errors.append(float(error.square().mean().sqrt()))
        hull = torch.cat([hull, points[_ranked(error, worst)][None]])
    return errors


def last_fall(errors: list[float], share: float) -> int:
    """The last of the first ``MOST`` counts at which the error falls by at least a share."""
    floor = PERFECT * errors[0]
    counts = [
        k + 1
        for k in range(1, min(MOST, len(errors)))
        if errors[k - 1] > floor and max(errors[k], floor) <= (1 - share) * errors[k - 1]
    ]
    return max(counts, default=1)


def scree_elbow(eigenvalues: torch.Tensor) -> int:
    """Last of the first ``MOST`` eigenvalues, falling [bands], that stands out above the power law of the tail."""
    root = eigenvalues.sqrt()
    root = root.clamp_min(ROUNDING * float(root[0]))
    first, last = (min(rank, len(root) - 1) for rank in TAIL)
    if last - first < 2:
        first, last = len(root) // 2, len(root)
    rank = torch.arange(1, len(root) + 1, dtype=root.dtype, device=root.device).log()
    slope, level = _line(rank[first:last], root[first:last].log())
    excess = root.log() - (level + min(slope, 0.0) * rank)
    above = [k + 1 for k in range(min(MOST, first)) if float(excess[k]) > math.log(STANDS_OUT)]
    return max(above, default=1)


def hysime_count(moments: Moments) -> int:
    """Dimension of the signal subspace of least mean squared error (Bioucas-Dias & Nascimento, TGRS 46(8), 2008)."""
    correlation = moments.correlation
    weights = regression_weights(correlation)
    eye = torch.eye(len(correlation), dtype=correlation.dtype, device=correlation.device)
    signal = (eye - weights) @ correlation @ (eye - weights).T
    directions = torch.linalg.eigh(signal).eigenvectors
    power = ((correlation @ directions) * directions).sum(dim=0)
    noise = noise_variance(correlation) @ directions.square()
    return int((power > 2 * noise).sum())


def nwhfc(moments: Moments, false_alarm: float = FALSE_ALARM) -> int:
    """Signal sources by the noise-whitened Harsanyi-Farrand-Chang test (Chang & Du, TGRS 42(3), 2004).

    A source adds to an eigenvalue of the correlation but not of the covariance; a Neyman-Pearson test of fixed
    false-alarm probability decides whether they differ.
    """
    scale = noise_variance(moments.covariance).clamp_min(1e-300).rsqrt()
    return _hfc(moments, false_alarm, scale)


def hfc(moments: Moments, false_alarm: float = FALSE_ALARM) -> int:
    """The same test without whitening."""
    return _hfc(moments, false_alarm, torch.ones_like(moments.mean))


def _hfc(moments: Moments, false_alarm: float, scale: torch.Tensor) -> int:
    both = scale[:, None] * scale[None, :]
    with_mean = torch.linalg.eigvalsh(moments.correlation * both)
    without = torch.linalg.eigvalsh(moments.covariance * both)
    deviation = (2.0 / moments.count * (with_mean.square() + without.square())).sqrt()
    threshold = -torch.special.ndtri(torch.tensor(false_alarm, dtype=torch.float64)).to(deviation.device) * deviation
    return int((with_mean - without > threshold).sum())


def _ranked(values: torch.Tensor, rank: int) -> int:
    """Index of the rank-th largest value, counted from 1."""
    return int(values.topk(rank).indices[-1])


def _line(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Slope and level of the least-squares line y = slope x + level."""
    centred = x - x.mean()
    slope = float((centred * y).sum() / centred.square().sum())
    return slope, float(y.mean()) - slope * float(x.mean())
