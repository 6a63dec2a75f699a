# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..sensors.pair_bands import MIN_HSI_BANDS, bands_outside, in_words, range_in_words
from .settings import BANDS, SsrSettings


def check_spectral_source(settings: SsrSettings, hsi: BandTable | None, msi: BandTable | None) -> None:
    """Refuse a spectral super-resolution that cannot work.

    Args:
        settings: the settings.
        hsi: the bands of the spectra to learn from; None where there are none.
        msi: the multispectral bands; None where only a sensor is named.

    Raises:
        InputError: with the sentence for the user.
    """
    if hsi is None:
        raise InputError(
            "A multispectral image alone does not tell what spectra look like: give a model, a hyperspectral image of "
            "the same or of similar ground, or a spectral library."
        )
    if len(hsi) < MIN_HSI_BANDS:
        raise BandsError(
            f"Spectral super-resolution needs spectra of at least {MIN_HSI_BANDS} usable bands but only {len(hsi)} are "
            "left: choose another source of spectra."
        )
    if msi is not None:
        _check_bands(settings, hsi, msi)
    elif settings.sensor == BANDS:
        raise InputError(
            "Nothing tells which bands the multispectral camera has: choose it under 'Sensor', or give an image of it "
            "with wavelengths."
        )
    if settings.mode != "overlap" and hsi.wavelength_nm is None:
        raise BandsError(
            "The spectra have no wavelengths, so it cannot be told what the multispectral camera would see of them: "
            "add wavelengths, or choose another source."
        )


def _check_bands(settings: SsrSettings, hsi: BandTable, msi: BandTable) -> None:
    if len(msi) >= len(hsi):
        raise InputError(
            f"The multispectral image has {len(msi)} bands and the spectra have {len(hsi)}: the two inputs seem to be "
            "swapped, so exchange them."
        )
    if settings.mode != "overlap" and settings.sensor == BANDS and msi.wavelength_nm is None:
        raise BandsError(
            "The multispectral image names no wavelengths, so its bands cannot be simulated from spectra: choose the "
            "camera under 'Sensor', or add wavelengths to the image."
        )
    outside = bands_outside(hsi, msi)
    if outside:
        raise BandsError(
            f"Band {in_words(msi, outside)} of the multispectral image lies outside the range of the spectra, "
            f"{range_in_words(hsi)}: leave it out, or choose another source of spectra."
        )
