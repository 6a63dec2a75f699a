# SPDX-License-Identifier: GPL-3.0-or-later
"""Widths of Gaussian point spread functions against their Fourier transform."""

from __future__ import annotations

import numpy as np
import pytest

from hyperres.core.errors import InputError
from hyperres.core.sensors.psf import fwhm_of_sigma, mtf_of_sigma, sigma_of_fwhm, sigma_of_mtf


@pytest.mark.parametrize("ratio", [2, 4, 8.33])
@pytest.mark.parametrize("mtf", [0.15, 0.3, 0.7])
def test_the_gaussian_has_the_contrast_at_the_coarse_nyquist_frequency(ratio, mtf):
    x = np.arange(-400, 401) / 8
    psf = np.exp(-0.5 * (x / sigma_of_mtf(mtf, ratio)) ** 2)
    contrast = (psf * np.cos(2 * np.pi * x / (2 * ratio))).sum() / psf.sum()
    assert contrast == pytest.approx(mtf, abs=1e-6)
    assert mtf_of_sigma(sigma_of_mtf(mtf, ratio), ratio) == pytest.approx(mtf)


def test_a_gaussian_is_at_half_its_height_half_its_fwhm_from_the_centre():
    sigma = 1.7
    assert np.exp(-0.5 * (fwhm_of_sigma(sigma) / 2 / sigma) ** 2) == pytest.approx(0.5)
    assert sigma_of_fwhm(fwhm_of_sigma(sigma)) == pytest.approx(sigma)


def test_full_contrast_is_no_blur():
    assert sigma_of_mtf(1.0, 4) == 0


@pytest.mark.parametrize(("mtf", "ratio", "said"), [(0, 4, "above 0"), (1.2, 4, "above 0"), (0.3, 0.5, "at least 1")])
def test_the_impossible_is_refused_in_words(mtf, ratio, said):
    with pytest.raises(InputError, match=said):
        sigma_of_mtf(mtf, ratio)
