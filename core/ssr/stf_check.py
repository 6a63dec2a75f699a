# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError
from ..sensors.pair_bands import bands_outside, check_counts, in_words, range_in_words
from .stf_settings import NO_SENSOR, StfSettings


def check_stf(settings: StfSettings, hsi: BandTable, msi: BandTable) -> None:
    """Refuse an estimate that cannot work.

    Args:
        settings: the settings.
        hsi: the hyperspectral bands that will be used.
        msi: the multispectral bands.

    Raises:
        InputError: with the sentence for the user.
    """
    check_counts(hsi, msi)
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
    outside = bands_outside(hsi, msi)
    if len(outside) == len(msi):
        raise BandsError(
            f"No band of the multispectral image lies in the range of the hyperspectral one, {range_in_words(hsi)}: "
            "choose another pair, or correct the wavelengths."
        )
    kept = tuple(i for i in range(len(msi)) if i not in outside)
    return kept, tuple(
        f"The band {in_words(msi, (i,))} is left out: the hyperspectral image has {range_in_words(hsi)}."
        for i in outside
    )
