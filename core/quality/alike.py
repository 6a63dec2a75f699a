# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bands and pixels of two images are the same; standard library only."""

from __future__ import annotations

from collections.abc import Callable

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..fusion.pairing.georeference import has_crs, has_georeference, same_text
from ..grid import Grid

LEAST_TOLERANCE_NM = 1.0
SAME_PX = 0.1
"""Pixels by which corners may differ."""


def same_bands(result: BandTable, other: BandTable, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pair the bands of two images by wavelength, or by position where either has no wavelengths.

    Args:
        result: bands of the image to assess.
        other: bands of the other image.
        name: what to call the other image in sentences.

    Returns:
        positions in both tables, pair by pair; bands without a partner are left out.

    Raises:
        BandsError: the bands cannot be paired.
    """
    if result.wavelength_nm is None or other.wavelength_nm is None:
        if len(result) != len(other):
            raise BandsError(
                f"The image to assess has {len(result)} bands and the {name} {len(other)}, and without wavelengths in "
                "both it is not known which belong together: add wavelengths, or choose images with the same bands."
            )
        every = tuple(range(len(result)))
        return every, every
    tolerance = max(LEAST_TOLERANCE_NM, _half_spacing(other.wavelength_nm))
    pairs = []
    for i, nm in enumerate(result.wavelength_nm):
        k = _nearest(other.wavelength_nm, nm)
        # each is the other's nearest, so that a finer sampled image gives up the bands in between
        if (
            abs(other.wavelength_nm[k] - nm) <= tolerance
            and _nearest(result.wavelength_nm, other.wavelength_nm[k]) == i
        ):
            pairs.append((i, k))
    if not pairs:
        raise BandsError(
            f"The image to assess and the {name} have no wavelength in common: choose images of the same bands."
        )
    return tuple(i for i, _ in pairs), tuple(k for _, k in pairs)


def check_same_grid(result: Grid, other: Grid, name: str, same_crs: Callable[[Grid, Grid], bool]) -> None:
    """Refuse an image whose pixels are not those of the image to assess.

    Args:
        result: grid of the image to assess.
        other: grid of the other image.
        name: what to call the other image in sentences.
        same_crs: tells whether two known systems are one.

    Raises:
        InputError: size, place or CRS differ.
    """
    if (result.width, result.height) != (other.width, other.height):
        raise InputError(
            f"The image to assess has {result.width} x {result.height} pixels and the {name} {other.width} x "
            f"{other.height}: clip or resample one of them so that both have the same pixels."
        )
    if not (has_georeference(result) and has_georeference(other)):
        return
    if has_crs(result) and has_crs(other) and not same_text(result.crs_wkt, other.crs_wkt):
        if not same_crs(result, other):
            raise InputError(
                f"The image to assess and the {name} have different coordinate reference systems: reproject one of "
                "them to the pixels of the other."
            )
    corners = [(0, 0), (0, result.width), (result.height, 0), (result.height, result.width)]
    for corner in corners:
        row, col = result.rowcol(*other.xy(*corner))
        if max(abs(row - corner[0]), abs(col - corner[1])) > SAME_PX:
            raise InputError(
                f"The image to assess and the {name} have the same size but lie in different places: clip or resample "
                "one of them to the pixels of the other."
            )


def _nearest(wavelength_nm: tuple[float, ...], nm: float) -> int:
    return min(range(len(wavelength_nm)), key=lambda k: abs(wavelength_nm[k] - nm))


def _half_spacing(wavelength_nm: tuple[float, ...]) -> float:
    """Half the median distance of neighbouring bands."""
    ordered = sorted(wavelength_nm)
    gaps = sorted(b - a for a, b in zip(ordered, ordered[1:]) if b > a)
    return 0.5 * gaps[len(gaps) // 2] if gaps else 0.0
