# SPDX-License-Identifier: GPL-3.0-or-later
"""Non-negative least squares against an independent solver, and by its conditions of optimality."""

import numpy as np
import pytest
from scipy.optimize import nnls

from hyperres.core.sensors import nonnegative
from hyperres.core.sensors.nonnegative import solve_nonnegative


def problem(rows, unknowns, seed):
    random = np.random.default_rng(seed)
    a = random.standard_normal((rows, unknowns)) + 0.7
    return a, a @ random.standard_normal(unknowns) + random.standard_normal(rows)


@pytest.mark.parametrize("unknowns", [1, 3, 40, 150])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_what_lawson_and_hanson_find(unknowns, seed):
    a, y = problem(200, unknowns, seed)
    found = solve_nonnegative(a.T @ a, a.T @ y)
    assert found == pytest.approx(nnls(a, y)[0], abs=1e-10)


def test_the_guess_does_not_matter():
    a, y = problem(80, 30, 3)
    random = np.random.default_rng(4)
    expected = solve_nonnegative(a.T @ a, a.T @ y)
    for guess in (np.zeros(30), np.ones(30), random.standard_normal(30), expected):
        assert solve_nonnegative(a.T @ a, a.T @ y, guess) == pytest.approx(expected, abs=1e-12)


def test_nothing_is_below_zero_and_no_step_goes_down():
    """Nearly dependent unknowns, as neighbouring bands are."""
    nm = np.linspace(0, 1, 120)
    a = np.exp(-(((nm[:, None] - nm) / 0.2) ** 2))
    matrix, side = a.T @ a + 1e-7 * np.eye(120), a.T @ np.sin(9 * nm)
    found = solve_nonnegative(matrix, side)
    slope = matrix @ found - side
    assert (found >= 0).all() and (found == 0).any() and (found > 0).any()
    assert slope.min() > -1e-8 * np.abs(side).max()
    assert np.abs(slope[found > 0]).max() < 1e-8 * np.abs(side).max()


def test_where_everything_pulls_below_zero_nothing_is_left():
    assert (solve_nonnegative(np.eye(4), -np.ones(4), np.ones(4)) == 0).all()
    assert (solve_nonnegative(np.eye(4), np.zeros(4)) == 0).all()


def test_it_still_answers_when_pivoting_takes_too_long(monkeypatch):
    a, y = problem(60, 20, 5)
    monkeypatch.setattr(nonnegative, "_MOST_ROUNDS", 0)
    assert solve_nonnegative(a.T @ a, a.T @ y) == pytest.approx(nnls(a, y)[0], abs=1e-10)
