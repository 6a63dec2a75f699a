# SPDX-License-Identifier: GPL-3.0-or-later
"""What light does inside matter: absorption by liquid water, bands of minerals and pigments, scattering layers.

The reflectance of a thick scattering layer follows Kubelka and Munk (1931): with absorption K and scattering S per
length, R = 1 + K/S - sqrt((K/S)^2 + 2 K/S). Pure absorbers enter as K, which makes bands deepen and saturate as they
do in nature.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WATER = (
    (400, 6.6e-5), (450, 9.2e-5), (500, 2.0e-4), (550, 5.7e-4), (600, 2.2e-3), (650, 3.4e-3), (700, 6.2e-3),
    (740, 0.025), (760, 0.026), (800, 0.020), (850, 0.043), (900, 0.068), (930, 0.17), (950, 0.39), (970, 0.46),
    (1000, 0.37), (1040, 0.18), (1070, 0.15), (1100, 0.20), (1150, 0.80), (1200, 1.24), (1250, 1.0), (1280, 0.98),
    (1320, 1.6), (1350, 2.6), (1380, 5.5), (1400, 12.0), (1420, 22.0), (1450, 29.0), (1480, 24.0), (1520, 15.0),
    (1560, 9.6), (1600, 6.7), (1650, 5.4), (1700, 5.6), (1750, 7.2), (1800, 8.4), (1850, 11.0), (1880, 27.0),
    (1900, 72.0), (1930, 122.0), (1950, 115.0), (2000, 68.0), (2050, 41.0), (2100, 27.0), (2150, 20.0),
    (2200, 17.0), (2250, 19.0), (2300, 25.0), (2350, 34.0), (2400, 45.0), (2450, 63.0), (2500, 86.0),
)  # fmt: skip
"""Absorption of liquid water, wavelength in nm and 1/cm: physical constants, rounded to two or three figures."""


def water_absorption(wavelength_nm: np.ndarray) -> np.ndarray:
    """Absorption coefficient of liquid water in 1/cm, [bands]; interpolated in its logarithm."""
    nm, per_cm = np.array(_WATER, dtype=float).T
    return np.exp(np.interp(wavelength_nm, nm, np.log(per_cm)))


def bands(wavelength_nm: np.ndarray, peaks: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """Sum of Gaussian absorption bands.

    Args:
        wavelength_nm: [bands].
        peaks: centre in nm, standard deviation in nm, and height of each band.
    """
    total = np.zeros(len(wavelength_nm))
    for centre, width, height in peaks:
        total += height * np.exp(-0.5 * ((wavelength_nm - centre) / width) ** 2)
    return total


def rise(wavelength_nm: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A smooth step from 0 to 1, e.g. the edge of a charge-transfer absorption, [bands]."""
    return 1.0 / (1.0 + np.exp(-(wavelength_nm - centre) / width))


def thick_layer(ratio: np.ndarray) -> np.ndarray:
    """Reflectance of an infinitely thick layer by Kubelka and Munk.

    Args:
        ratio: absorption over scattering, K/S, not negative.
    """
    return 1.0 + ratio - np.sqrt(ratio * ratio + 2.0 * ratio)


def absorption_ratio(reflectance: np.ndarray) -> np.ndarray:
    """K/S of a thick layer of this reflectance; inverse of :func:`thick_layer`."""
    return (1.0 - reflectance) ** 2 / (2.0 * reflectance)
