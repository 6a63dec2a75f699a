# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..sensors.catalogue import load_sensor
from .settings import ESTIMATE, FusionSettings

MIN_HSI_BANDS = 3
MARGIN_NM = 20.0
"""How far outside the HSI's outermost bands an MSI band may lie: half a usual MSI band's width."""


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
    if len(hsi) < MIN_HSI_BANDS:
        raise BandsError(
            f"Fusion needs at least {MIN_HSI_BANDS} usable hyperspectral bands but only {len(hsi)} are left: choose "
            "another hyperspectral image."
        )
    if len(msi) >= len(hsi):
        raise InputError(
            f"The multispectral image has {len(msi)} bands and the hyperspectral one {len(hsi)}: the two inputs seem "
            "to be swapped, so exchange them."
        )
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
    if hsi.wavelength_nm is None or msi.wavelength_nm is None:
        return
    low, high = min(hsi.wavelength_nm) - MARGIN_NM, max(hsi.wavelength_nm) + MARGIN_NM
    outside = [f"{name} ({nm:.0f} nm)" for name, nm in zip(msi.names, msi.wavelength_nm) if not low <= nm <= high]
    if outside:
        raise BandsError(
            f"Band {', '.join(outside)} of the multispectral image lies outside the hyperspectral range of "
            f"{low + MARGIN_NM:.0f}-{high - MARGIN_NM:.0f} nm: remove it from the multispectral image."
        )
