# SPDX-License-Identifier: GPL-3.0-or-later
"""The width of a Gaussian point spread function in the terms that people know it by. Standard library only.

A Gaussian of standard deviation s has the modulation transfer function MTF(f) = exp(-2 pi^2 s^2 f^2). At the Nyquist
frequency of the coarse image, f = 1 / (2 ratio) cycles per fine pixel, so that s = ratio / pi * sqrt(-2 ln MTF).
"""

from __future__ import annotations

import math

from ..errors import InputError

_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


def sigma_of_mtf(mtf: float, ratio: float) -> float:
    """Standard deviation, in fine pixels, of the Gaussian with a given contrast at the coarse Nyquist frequency.

    Args:
        mtf: the contrast that is left of a pattern with a period of two coarse pixels, above 0 and at most 1.
        ratio: coarse over fine ground sampling distance.

    Raises:
        InputError: the contrast or the ratio is impossible.
    """
    _check_ratio(ratio)
    if not 0.0 < mtf <= 1.0:
        raise InputError(
            f"The contrast (MTF) at the Nyquist frequency is {mtf:g}: it must lie above 0 and be at most 1."
        )
    return ratio / math.pi * math.sqrt(-2.0 * math.log(mtf))


def mtf_of_sigma(sigma: float, ratio: float) -> float:
    """Contrast at the coarse Nyquist frequency under a Gaussian; inverse of :func:`sigma_of_mtf`."""
    _check_ratio(ratio)
    return math.exp(-0.5 * (math.pi * sigma / ratio) ** 2)


def sigma_of_fwhm(fwhm: float) -> float:
    """Standard deviation of a Gaussian from its full width at half maximum."""
    return fwhm / _FWHM_PER_SIGMA


def fwhm_of_sigma(sigma: float) -> float:
    """Full width at half maximum of a Gaussian from its standard deviation."""
    return sigma * _FWHM_PER_SIGMA


def _check_ratio(ratio: float) -> None:
    if not (math.isfinite(ratio) and ratio >= 1.0):
        raise InputError(f"The ratio of the pixel sizes is {ratio:g}: it must be at least 1.")
