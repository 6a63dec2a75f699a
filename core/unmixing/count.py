# SPDX-License-Identifier: GPL-3.0-or-later
"""How many endmembers an image holds, from its first and second moments alone.

Whatever the endmembers are, k of them leave at least the energy of the eigenvalues of E[y y^T] after the k-th
unexplained. Noise and spectral variability let that error fall on and on, but smoothly: eigenvalues follow a power of
their rank. The count is the last rank whose eigenvalue stands out above the power law of the tail (the elbow of the scree
plot). HySime and NWHFC count variability and correlated noise as signal; they are shown beside it as upper evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..engine.method import Context, Moments, Sample
from .noise import noise_variance, regression_weights

MOST = 12
"""Largest count that is proposed."""
TAIL = (12, 24)
"""Ranks, counted from 0, whose eigenvalues show what noise and variability alone look like."""
STANDS_OUT = 1.4
"""Ratio of a singular value to the tail's law from which on it is a material of its own."""
ROUNDING = 1e-6
"""Singular values below this share of the largest are rounding of float32 pixels."""
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
        errors_by_count: (count, smallest possible root mean squared error in the unit of the pixels), rising counts.
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
    """Propose a count for the image that a sample was drawn from."""
    context.check_cancelled()
    return count_endmembers(sample.moments)


def count_endmembers(moments: Moments, false_alarm: float = FALSE_ALARM) -> CountEvidence:
    """Propose a count.

    Args:
        moments: of the valid pixels.
        false_alarm: false-alarm probability of NWHFC.
    """
    eigenvalues, vectors = torch.linalg.eigh(moments.correlation)
    eigenvalues, vectors = eigenvalues.flip(0).clamp_min(0.0), vectors.flip(1)
    noise = noise_variance(moments.correlation)
    count = elbow(eigenvalues)
    hysime, nwhfc_count = hysime_count(moments), nwhfc(moments, false_alarm)
    reason = (
        f"{count} endmembers: from there on the error that any endmembers must leave falls no faster than noise and "
        "variability alone would let it "
        f"(HySime, which counts variability as signal, says {hysime}; NWHFC says {nwhfc_count})."
    )
    return CountEvidence(
        count=count,
        reason=reason,
        hysime=hysime,
        nwhfc=nwhfc_count,
        false_alarm=false_alarm,
        eigenvalues=tuple(eigenvalues.tolist()),
        noise_eigenvalues=tuple((noise @ vectors.square()).tolist()),
        errors_by_count=_least_errors(eigenvalues),
    )


def elbow(eigenvalues: torch.Tensor) -> int:
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


def _least_errors(eigenvalues: torch.Tensor) -> tuple[tuple[int, float], ...]:
    left = eigenvalues.flip(0).cumsum(0).flip(0)
    most = min(MOST, len(eigenvalues) - 1)
    return tuple((k, math.sqrt(float(left[k]) / len(eigenvalues))) for k in range(1, most + 1))


def _line(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Slope and level of the least-squares line y = slope x + level."""
    centred = x - x.mean()
    slope = float((centred * y).sum() / centred.square().sum())
    return slope, float(y.mean()) - slope * float(x.mean())
