# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from .stf_settings import NO_SENSOR, StfSettings

MIN_HSI_BANDS = 3
MARGIN_NM = 20.0
"""How far outside the HSI's outermost bands an MSI band may lie: half a usual MSI band's width."""


def check_stf(settings: StfSettings, hsi: BandTable, msi: BandTable) -> None:
    """Refuse an estimate that cannot work.

    Args:
        settings: the settings.
        hsi: the hyperspectral bands that will be used.
        msi: the multispectral bands.

    Raises:
        InputError: with the sentence for the user.
    """
    if len(hsi) < MIN_HSI_BANDS:
        raise BandsError(
            f"At least {MIN_HSI_BANDS} usable hyperspectral bands are needed but only {len(hsi)} are left: choose "
            "another hyperspectral image."
        )
    if len(msi) >= len(hsi):
        raise InputError(
            f"The multispectral image has {len(msi)} bands and the hyperspectral one {len(hsi)}: the two inputs seem "
            "to be swapped, so exchange them."
        )
    if settings.sensor != NO_SENSOR and hsi.wavelength_nm is None:
        raise BandsError(
            "The hyperspectral image names no wavelengths, so the published response of a sensor cannot be laid on "
            "its bands: choose no sensor, or add wavelengths to the file."
        )
    seen_bands(hsi, msi)


def seen_bands(hsi: BandTable, msi: BandTable) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Which multispectral bands lie in the range of the hyperspectral ones, as far as wavelengths are known.

    Returns:
        their positions, and a sentence for each other band.

    Raises:
        BandsError: none does.
    """
    if hsi.wavelength_nm is None or msi.wavelength_nm is None:
        return tuple(range(len(msi))), ()
    low, high = min(hsi.wavelength_nm), max(hsi.wavelength_nm)
    kept = tuple(i for i, nm in enumerate(msi.wavelength_nm) if low - MARGIN_NM <= nm <= high + MARGIN_NM)
    if not kept:
        raise BandsError(
            f"No band of the multispectral image lies in the range of the hyperspectral one, {low:.0f}-{high:.0f} nm: "
            "choose another pair, or correct the wavelengths."
        )
    return kept, tuple(
        f"The band {msi.names[i]!r} at {msi.wavelength_nm[i]:.0f} nm is left out: the hyperspectral image reaches from "
        f"{low:.0f} to {high:.0f} nm."
        for i in range(len(msi))
        if i not in kept
    )
