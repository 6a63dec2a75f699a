# SPDX-License-Identifier: GPL-3.0-or-later
"""How near found endmembers and abundances are to a ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Match:
    """Found endmembers paired with true ones.

    Attributes:
        true, found: indices of the pairs, in the order of the true ones.
        degrees: spectral angle of each pair.
    """

    true: tuple[int, ...]
    found: tuple[int, ...]
    degrees: tuple[float, ...]

    @property
    def mean_sad_deg(self) -> float:
        """Mean spectral angle distance of the pairs in degrees."""
        return float(np.mean(self.degrees))


def spectral_angles_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spectral angles in degrees, [first, second], of spectra [first, bands] and [second, bands]."""
    unit = [s / np.linalg.norm(s, axis=1, keepdims=True) for s in (first.astype(float), second.astype(float))]
    return np.degrees(np.arccos(np.clip(unit[0] @ unit[1].T, -1.0, 1.0)))


def match_endmembers(true: np.ndarray, found: np.ndarray) -> Match:
    """Pair spectra so that the sum of their spectral angles is least (Hungarian method).

    Args:
        true: spectra, [endmembers, bands].
        found: spectra, [endmembers, bands]; where one side has more, its surplus stays unpaired.
    """
    angles = spectral_angles_deg(true, found)
    rows, cols = linear_sum_assignment(angles)
    return Match(tuple(rows.tolist()), tuple(cols.tolist()), tuple(angles[rows, cols].tolist()))


def abundance_rmse(true: np.ndarray, found: np.ndarray, match: Match) -> float:
    """Root mean squared error over all paired endmembers and pixels.

    Args:
        true: abundances, [endmembers, pixels].
        found: abundances, [endmembers, pixels].
        match: the pairs.
    """
    difference = true[list(match.true)] - found[list(match.found)]
    return float(np.sqrt(np.mean(np.square(difference, dtype=float))))
