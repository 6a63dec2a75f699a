# SPDX-License-Identifier: GPL-3.0-or-later
"""The spectral transformation function estimated from true pairs alone: seconds, no network.

Smooth non-negative least squares (:mod:`core.sensors.estimate`) gives the function

    MSI = matrix HSI + offset,   matrix = gain * response,

and the same on pixels drawn with replacement gives bands around it. Neighbouring pixels are alike, so that whole runs
of them are drawn (Künsch 1989, doi:10.1214/aos/1176347265). What no spectrum of the scene shows would be set by
smoothness in every draw, so that each draw also bends there at random. How many spectral dimensions the scene has is
told beside the bands, as the effective rank of its spectra (Roy & Vetterli 2007, EUSIPCO, eq. 3):

    exp(-sum p_i log p_i),   p_i = singular value i over their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..bands import BandTable
from ..engine.method import Context
from ..sensors.estimate import EstimatedSrf, estimate_srf, repeat_estimate

RESAMPLES = 30
MOST_PIXELS = 4096
"""Pixels that one estimate sees; more move it less than one run of neighbours does."""
_RUNS = 64
_BAND = (0.025, 0.975)


@dataclass(frozen=True)
class StfEstimate:
    """The function between two sensors and how well the scene fixes it.

    Attributes:
        estimate: response, gain, offset and error of each MSI band, from all pixels.
        matrix: gain * response, float32 [msi_bands, hsi_bands].
        offset: float32 [msi_bands].
        low: lower end of the 95 % band around ``matrix``, float32 [msi_bands, hsi_bands].
        high: upper end of it.
        effective_rank: how many dimensions the spectra of the scene have, about their mean.
    """

    estimate: EstimatedSrf
    matrix: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    effective_rank: float


def estimate_stf(
    hsi_pixels: np.ndarray,
    msi_pixels: np.ndarray,
    tables: tuple[BandTable, BandTable],
    context: Context,
    seed: int = 0,
    force: bool = False,
) -> StfEstimate:
    """Estimate the function and its 95 % bands.

    Args:
        hsi_pixels: X, neighbours one after the other, [pixels, hsi_bands].
        msi_pixels: Y of the same pixels, equally blurred, [pixels, msi_bands].
        tables: bands of the HSI and of the MSI.
        context: is told the progress and asked whether to stop.
        seed: of the draws.
        force: see :func:`core.sensors.estimate.estimate_srf`, whose errors come through.

    Raises:
        Cancelled: the user asked to stop.
    """
    estimate = estimate_srf(hsi_pixels, msi_pixels, *tables, seed=seed, force=force)
    matrix, generator, draws = _matrix(estimate), np.random.default_rng(seed), []
    for draw in range(RESAMPLES):
        context.check_cancelled()
        context.on_progress(draw / RESAMPLES)
        chosen = draw_runs(len(hsi_pixels), generator)
        draws.append(repeat_estimate(estimate, hsi_pixels[chosen], msi_pixels[chosen], tables[0], generator))
    low, high = np.quantile(np.array(draws), _BAND, axis=0).astype(np.float32)
    return StfEstimate(
        estimate,
        matrix,
        np.asarray(estimate.offset, dtype=np.float32),
        np.minimum(low, matrix),
        np.maximum(high, matrix),
        effective_rank(hsi_pixels),
    )


def effective_rank(pixels: np.ndarray) -> float:
    """How many dimensions spectra [pixels, bands] have about their mean: 1 for one direction, 0 without any change."""
    centred = np.asarray(pixels, dtype=np.float64) - np.mean(pixels, axis=0, dtype=np.float64)
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(centred.T @ centred), 0.0, None))
    if not singular.max() > 0:
        return 0.0
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def draw_runs(count: int, generator: np.random.Generator) -> np.ndarray:
    """Indices of whole runs of neighbours, drawn with replacement and kept in order, at most ``MOST_PIXELS``.

    In order, because the estimate holds stretches of neighbours out: a run drawn twice must not be on both sides.
    """
    runs = np.array_split(np.arange(count), min(_RUNS, count))
    drawn = np.sort(generator.integers(len(runs), size=len(runs)))
    chosen = np.concatenate([runs[i] for i in drawn])
    return chosen[:: -(-len(chosen) // MOST_PIXELS)]


def _matrix(estimate: EstimatedSrf) -> np.ndarray:
    return np.asarray(estimate.srf.matrix * np.asarray(estimate.gain)[:, None], dtype=np.float32)
