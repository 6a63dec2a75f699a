# SPDX-License-Identifier: GPL-3.0-or-later
from itertools import permutations

import numpy as np
import pytest

from hyperres.core.quality.endmembers import abundance_rmse, match_endmembers, spectral_angles_deg


def test_angles_equal_the_closed_form_and_ignore_brightness():
    assert spectral_angles_deg(np.array([[1.0, 0.0]]), np.array([[0.0, 3.0], [5.0, 5.0], [2.0, 0.0]]))[0] == (
        pytest.approx([90.0, 45.0, 0.0])
    )


def test_the_pairing_is_the_best_of_all_orders():
    random = np.random.default_rng(3)
    true, found = random.random((5, 30)), random.random((5, 30))
    angles = spectral_angles_deg(true, found)
    best = min(sum(angles[i, order[i]] for i in range(5)) for order in permutations(range(5)))
    assert sum(match_endmembers(true, found).degrees) == pytest.approx(best)


def test_a_shuffled_truth_is_found_without_error():
    random = np.random.default_rng(4)
    true, shares = random.random((4, 20)), random.random((4, 50))
    order = [2, 0, 3, 1]
    match = match_endmembers(true, true[order] * 7.0)
    assert match.mean_sad_deg == pytest.approx(0.0, abs=1e-5)
    assert abundance_rmse(shares, shares[order], match) == 0.0
    assert abundance_rmse(shares, shares[order] + 0.1, match) == pytest.approx(0.1)
