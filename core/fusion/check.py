# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..sensors.catalogue import load_sensor
from ..sensors.pair_bands import bands_outside, check_counts, in_words, range_in_words
from .settings import ESTIMATE, FusionSettings


def check_fusion(settings: FusionSettings, hsi: BandTable, msi: BandTable, srf_given: bool) -> None:
    """Refuse a fusion that cannot work.

    Args:
        settings: the settings.
        hsi: the hyperspectral bands that will be used.
        msi: the multispectral bands that will be used.
        srf_given: True when the user gave a table of responses.

    Raises:
        InputError: with the sentence for the user.
    """
    check_counts(hsi, msi)
    if srf_given and settings.sensor != ESTIMATE:
        raise InputError("Give either a sensor or a file with spectral responses, not both.")
    if settings.sensor != ESTIMATE:
        _check_sensor(settings.sensor, hsi, msi)
    if not srf_given:
        _check_range(hsi, msi)


def _check_sensor(sensor: str, hsi: BandTable, msi: BandTable) -> None:
    known = load_sensor(sensor)
    if hsi.wavelength_nm is None:
        raise BandsError(
            f"The hyperspectral image names no wavelengths, so the response of {known.title} cannot be laid on its "
            "bands: choose 'estimate' under 'Sensor', or add wavelengths to the file."
        )
    if len(msi) > len(known.bands):
        raise BandsError(
            f"The multispectral image has {len(msi)} bands but {known.title} has {len(known.bands)}: choose another "
            "sensor, or 'estimate'."
        )


def _check_range(hsi: BandTable, msi: BandTable) -> None:
    """MSI bands must lie where the HSI has bands."""
    outside = bands_outside(hsi, msi)
    if outside:
        raise BandsError(
            f"Band {in_words(msi, outside)} of the multispectral image lies outside the hyperspectral range of "
            f"{range_in_words(hsi)}: remove it from the multispectral image."
        )
