# SPDX-License-Identifier: GPL-3.0-or-later
"""Non-negative least squares from normal equations, by block principal pivoting.

    min over x >= 0 of  x' A x / 2 - b' x,   A positive definite

The minimum is where each x_i is either positive with slope (A x - b)_i = 0 or 0 with a slope that is not negative.
Which are positive is guessed, the equations are solved for them, and all that turn out on the wrong side change sides;
one at a time, the last first, where that does not help any more (Portugal, Judice & Vicente 1994, Mathematics of
Computation 63, 625-643, doi:10.1090/S0025-5718-1994-1250776-4). A good guess needs a few rounds only.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dposv
from scipy.optimize import nnls

_CHANCES = 3
_MOST_ROUNDS = 500
_FLAT = 1e-12
"""Slope, as a share of the largest at 0, that counts as none."""


def solve_nonnegative(matrix: np.ndarray, side: np.ndarray, guess: np.ndarray | None = None) -> np.ndarray:
    """Find the minimum.

    Args:
        matrix: A, float64 [n, n].
        side: b, float64 [n].
        guess: something that is positive where the solution may be, [n].

    Returns:
        x, [n].
    """
    positive = (side if guess is None else guess) > 0
    flat = _FLAT * float(np.abs(side).max())
    fewest, chances = len(side) + 1, _CHANCES
    for _ in range(_MOST_ROUNDS):
        x = _solved(matrix, side, positive)
        wrong = np.flatnonzero(np.where(positive, x < 0, matrix @ x - side < -flat))
        if not len(wrong):
            return x
        if len(wrong) < fewest:
            fewest, chances = len(wrong), _CHANCES
        elif chances:
            chances -= 1
        else:
            wrong = wrong[-1:]
        positive[wrong] = ~positive[wrong]
    root = cholesky(matrix)
    return np.asarray(nnls(root, solve_triangular(root, side, trans="T"), maxiter=30 * len(root))[0])


def _solved(matrix: np.ndarray, side: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """What fulfils the equations of some unknowns, the others being 0."""
    x, places = np.zeros(len(side)), np.flatnonzero(positive)
    if len(places):
        x[places] = dposv(matrix[np.ix_(places, places)], side[places])[1]
    return x
