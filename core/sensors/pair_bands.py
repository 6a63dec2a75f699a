# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bands of a hyperspectral and a multispectral image must be for the two to have to do with one another."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError

MIN_HSI_BANDS = 3
MARGIN_NM = 20.0
"""How far outside the HSI's outermost bands an MSI band may lie: half a usual MSI band's width."""


def check_counts(hsi: BandTable, msi: BandTable) -> None:
    """Refuse a pair with too few hyperspectral bands, or one that seems to be swapped.

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


def bands_outside(hsi: BandTable, msi: BandTable) -> tuple[int, ...]:
    """Positions of the MSI's bands that lie where the HSI has none; none does where wavelengths are not known."""
    if hsi.wavelength_nm is None or msi.wavelength_nm is None:
        return ()
    low, high = min(hsi.wavelength_nm) - MARGIN_NM, max(hsi.wavelength_nm) + MARGIN_NM
    return tuple(i for i, nm in enumerate(msi.wavelength_nm) if not low <= nm <= high)


def in_words(table: BandTable, positions: tuple[int, ...]) -> str:
    """Names of bands with their wavelengths, which are known."""
    nm = table.wavelength_nm or ()
    return ", ".join(f"{table.names[i]} ({nm[i]:.0f} nm)" for i in positions)


def range_in_words(table: BandTable) -> str:
    """From the lowest to the highest wavelength, which are known."""
    nm = table.wavelength_nm or ()
    return f"{min(nm):.0f}-{max(nm):.0f} nm"
