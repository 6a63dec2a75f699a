# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers already show to be impossible; needs no torch, so that QGIS says it before a worker starts."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import InputError
from ..grid import Grid
from ..spectra import Spectra
from ..unmixing.check import check_unmix
from ..unmixing.settings import UnmixSettings
from .settings import SuperresolveSettings

LEAST_SIDE = 16
"""Pixels; what the network makes of a place depends on about as many around it."""


def check_superresolve(
    settings: SuperresolveSettings, table: BandTable, endmembers: Spectra | None, grid: Grid
) -> None:
    """Refuse a super-resolution that cannot work.

    Args:
        settings: the settings.
        table: the bands that will be used.
        endmembers: the spectra given by the user, if any.
        grid: of the input.

    Raises:
        InputError: with the sentence for the user.
    """
    check_unmix(UnmixSettings(count=settings.count), table, endmembers)
    if endmembers is not None and len(endmembers) > len(table):
        raise InputError(
            f"The table holds {len(endmembers)} endmembers but the image only {len(table)} usable bands: give at most "
            f"{len(table)} spectra."
        )
    if min(grid.width, grid.height) < LEAST_SIDE:
        raise InputError(
            f"The image has {grid.width} x {grid.height} pixels, which is less than the network has to see around a "
            f"pixel: give an image of at least {LEAST_SIDE} x {LEAST_SIDE} pixels."
        )
