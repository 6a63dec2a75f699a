# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..spectra import Spectra
from .settings import UnmixSettings

MIN_BANDS = 3


def check_unmix(settings: UnmixSettings, table: BandTable, endmembers: Spectra | None, classes: int = 0) -> None:
    """Refuse an unmixing that cannot work.

    Args:
        settings: the settings.
        table: the bands that will be used.
        endmembers: the spectra given by the user, if any.
        classes: number of labelled sample classes.

    Raises:
        InputError: with the sentence for the user.
    """
    bands = len(table)
    if bands < MIN_BANDS:
        raise BandsError(
            f"Unmixing needs at least {MIN_BANDS} usable bands but only {bands} are left: choose a raster with more "
            "bands, or more of them under 'Bands'."
        )
    if endmembers is not None and classes:
        raise InputError("Give either a table of endmembers or samples on the image, not both.")
    count = len(endmembers) if endmembers is not None else classes or settings.count or 0
    if endmembers is not None and count < 1:
        raise InputError("The table of endmembers holds no spectrum: add at least one column of values.")
    # A library may hold more spectra than there are bands: sparsity or the constraints pick among them.
    if endmembers is None and count > bands:
        raise InputError(f"{count} endmembers cannot be told apart in {bands} bands: ask for at most {bands}.")
    if endmembers is not None:
        _check_axis(endmembers, table)


def _check_axis(endmembers: Spectra, table: BandTable) -> None:
    """The table's bands must be the raster's, by wavelength where both have them and by number otherwise."""
    ours, theirs = table.wavelength_nm, endmembers.wavelength_nm
    if ours is None or theirs is None:
        return
    low, high = min(theirs), max(theirs)
    if min(ours) > high or max(ours) < low:
        raise BandsError(
            f"The endmember table covers {low:.0f}-{high:.0f} nm but the raster's bands lie at "
            f"{min(ours):.0f}-{max(ours):.0f} nm: they do not overlap, so give spectra of the raster's wavelengths."
        )
