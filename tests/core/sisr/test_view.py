# SPDX-License-Identifier: GPL-3.0-or-later
"""Power spectra tell whether the blur was right."""

import numpy as np
import pytest

from hyperres.core.sisr.view import power_law

FREQUENCY = (np.arange(48) + 0.5) / 48


def test_a_power_law_is_found_and_goes_on():
    slope, excess = power_law(FREQUENCY, -25.0 * np.log10(FREQUENCY))
    assert slope == pytest.approx(-25.0) and excess == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("wrong", "sign"), [(1.3, 1), (0.7, -1)])
def test_a_blur_that_is_taken_off_too_wide_makes_a_bump(wrong, sign):
    sigma = 0.5  # input pixels
    left = np.exp(-2 * (np.pi * sigma * FREQUENCY) ** 2 * (1 - wrong**2))  # amplitude
    excess = power_law(FREQUENCY, -25.0 * np.log10(FREQUENCY) + 20.0 * np.log10(left))[1]
    assert sign * excess > 2.0


def test_a_view_of_a_few_pixels_tells_nothing():
    assert power_law(FREQUENCY[::12], np.zeros(4)) is None
