# SPDX-License-Identifier: GPL-3.0-or-later
"""How much light reaches a sensor, and hence how noisy each band of reflectance is.

Reflectance is radiance divided by the light that arrives. A sensor's noise is about the same radiance in neighbouring
bands, so the noise of reflectance grows where the sun is weak or air absorbs, and buries the water-vapour bands.
"""

from __future__ import annotations

import numpy as np

from .absorption import bands

_SUN_KELVIN = 5778.0
_PLANCK_NM_KELVIN = 1.43877e7
_WATER_VAPOUR = (
    (720, 8, 0.25), (820, 10, 0.22), (938, 16, 0.7), (1130, 20, 0.9), (1380, 30, 9.0), (1405, 26, 5.0),
    (1870, 40, 10.0), (1910, 34, 5.0), (2550, 55, 5.0),
)  # fmt: skip
_OTHER_GASES = ((762, 4, 0.7), (1268, 6, 0.12), (1575, 12, 0.06), (1605, 12, 0.06), (2010, 12, 0.6), (2060, 12, 0.45))
REFERENCE_REFLECTANCE = 0.3
"""Surface over which signal-to-noise ratios are stated."""


def transmittance(wavelength_nm: np.ndarray) -> np.ndarray:
    """Share of light that passes the air down and up: gases, and scattering by molecules (as wavelength^-4)."""
    gases = bands(wavelength_nm, _WATER_VAPOUR) + bands(wavelength_nm, _OTHER_GASES)
    molecules = 0.19 * (wavelength_nm / 460.0) ** -4.0
    return np.exp(-gases - molecules)


def solar_irradiance(wavelength_nm: np.ndarray) -> np.ndarray:
    """Shape of sunlight above the air by Planck's law, 1 at its peak."""

    def planck(nm: np.ndarray) -> np.ndarray:
        return nm**-5.0 / np.expm1(_PLANCK_NM_KELVIN / (nm * _SUN_KELVIN))

    peak = np.array([2.897772e6 / _SUN_KELVIN])
    return planck(np.asarray(wavelength_nm, dtype=float)) / planck(peak)


def noise_sigma(wavelength_nm: np.ndarray, best_snr: float) -> np.ndarray:
    """Standard deviation of reflectance in each band.

    Args:
        wavelength_nm: [bands].
        best_snr: signal-to-noise ratio of the best band over a surface of ``REFERENCE_REFLECTANCE``.

    Returns:
        float64 [bands]; the signal-to-noise ratio is ``REFERENCE_REFLECTANCE`` divided by it.
    """
    light = solar_irradiance(wavelength_nm) * transmittance(wavelength_nm)
    # Designers slow the decline in the infrared with a quieter detector, as the square root does here.
    quality = np.sqrt(light * transmittance(wavelength_nm))
    return REFERENCE_REFLECTANCE / (best_snr * np.maximum(quality / quality.max(), 1e-3))
