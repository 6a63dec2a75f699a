# SPDX-License-Identifier: GPL-3.0-or-later
"""How the coarse image lies on the fine one, from their georeferences; standard library only, so QGIS can ask too."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import InputError
from ...grid import Grid, Window
from ..pair import Placement

LEAST_OVERLAP = 8
"""Coarse pixels along each side without which nothing can be fitted."""
MOST_COARSER = 1.05
"""The MSI's pixels over the HSI's up to which they count as equally large."""
BARELY_FINER = 1.5
TWIST = 0.05
"""Coarse pixels by which rows may drift along the whole image and still count as parallel to the MSI's."""
SHAPES_DIFFER = 1.25
NEARLY_WHOLE = 1e-6
UNKNOWN_CRS = ("LOCAL_CS", "ENGCRS", "ENGINEERINGCRS")

SameCrs = Callable[[str, str], bool]


@dataclass(frozen=True)
class Placed:
    """Where two images of a pair meet.

    Attributes:
        placement: of the whole HSI on the whole MSI; None when the HSI must be warped first.
        hsi_window: the HSI's pixels that touch the MSI.
        overlap: the MSI's pixels that touch the HSI.
        notes: sentences that the user should not miss.
    """

    placement: Placement | None
    hsi_window: Window
    overlap: Window
    notes: tuple[str, ...] = ()

    @property
    def needs_warp(self) -> bool:
        """True when the grids are turned against each other or their CRSs differ."""
        return self.placement is None


def place(hsi: Grid, msi: Grid, same_crs: SameCrs | None = None) -> Placed:
    """Lay the HSI on the MSI's grid.

    Args:
        hsi: grid of the coarse image.
        msi: grid of the fine image.
        same_crs: tells whether two non-empty WKT texts mean one CRS; without it only the texts are compared.

    Raises:
        InputError: they do not overlap enough, the MSI is the coarser one, or a georeference is unusable.
    """
    _check_usable(hsi, "hyperspectral")
    _check_usable(msi, "multispectral")
    bare = [name for name, grid in (("hyperspectral", hsi), ("multispectral", msi)) if not has_georeference(grid)]
    if len(bare) == 2:
        return _place_by_size(hsi, msi)
    if bare:
        raise InputError(
            f"The {bare[0]} image has no georeference but the other one has: georeference it, so that it is known "
            "where the two overlap."
        )
    notes = _crs_notes(hsi, msi)
    if not notes and not (same_crs or same_text)(hsi.crs_wkt, msi.crs_wkt):
        return Placed(None, hsi.whole, msi.whole, ("The two images have different coordinate reference systems.",))
    placement = _relative(hsi, msi)
    if placement is None:
        return Placed(None, hsi.whole, msi.whole, (*notes, "The grids of the two images are turned or mirrored."))
    return _placed(placement, hsi, msi, notes)


def has_georeference(grid: Grid) -> bool:
    """Tell whether a raster says where it lies; GDAL gives those that do not pixels of size 1 from the origin."""
    return grid.transform not in ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0))


def has_crs(grid: Grid) -> bool:
    """Tell whether a raster's coordinates belong to a known reference system."""
    return bool(grid.crs_wkt) and not grid.crs_wkt.lstrip().upper().startswith(UNKNOWN_CRS)


def same_text(first: str, second: str) -> bool:
    """Tell whether two WKT texts agree, or end in the same code of an authority whatever their flavour."""
    codes = [_root_code(wkt) for wkt in (first, second)]
    if codes[0] and codes[1]:
        return codes[0] == codes[1]
    return "".join(first.split()) == "".join(second.split())


def _root_code(wkt: str) -> tuple[str, str] | None:
    """The authority's code of the whole system, the last entry of its WKT."""
    pattern = r'(?:AUTHORITY|ID)\s*\[\s*"(\w+)"\s*,\s*"?(\w+)"?\s*\]\s*\]\s*$'
    found = re.search(pattern, wkt, re.IGNORECASE)
    return (found[1].upper(), found[2]) if found else None


def _check_usable(grid: Grid, name: str) -> None:
    a, b, _, d, e, _ = grid.transform
    if not all(map(math.isfinite, grid.transform)) or a * e - b * d == 0.0:
        raise InputError(
            f"The georeference of the {name} image is unusable, because its pixels have no area: correct the file."
        )


def _crs_notes(hsi: Grid, msi: Grid) -> tuple[str, ...]:
    """What must be assumed where a CRS is missing; nothing where both are known."""
    missing = [name for name, grid in (("hyperspectral", hsi), ("multispectral", msi)) if not has_crs(grid)]
    if len(missing) == 2:
        return ("Neither image names its coordinate reference system: the same one is assumed for both.",)
    if missing:
        return (f"The {missing[0]} image names no coordinate reference system: that of the other one is assumed.",)
    return ()


def _relative(hsi: Grid, msi: Grid) -> Placement | None:
    """The HSI's rows and columns in those of the MSI; None where they are not parallel or run the other way."""
    origin = msi.rowcol(*hsi.xy(0, 0))
    down = msi.rowcol(*hsi.xy(hsi.height, 0))
    right = msi.rowcol(*hsi.xy(0, hsi.width))
    ratio_y, ratio_x = (down[0] - origin[0]) / hsi.height, (right[1] - origin[1]) / hsi.width
    if ratio_y <= 0.0 or ratio_x <= 0.0:
        return None
    if abs(down[1] - origin[1]) > TWIST * ratio_x or abs(right[0] - origin[0]) > TWIST * ratio_y:
        return None
    return Placement(*map(_tidy, (ratio_y, ratio_x, *origin)))


def _tidy(value: float) -> float:
    """Undo rounding in the georeference where a whole number is meant."""
    whole = round(value)
    return float(whole) if abs(value - whole) < NEARLY_WHOLE * max(1.0, abs(value)) else value


def _place_by_size(hsi: Grid, msi: Grid) -> Placed:
    ratio_y, ratio_x = msi.height / hsi.height, msi.width / hsi.width
    if max(ratio_y, ratio_x) > SHAPES_DIFFER * min(ratio_y, ratio_x):
        raise InputError(
            f"Neither image is georeferenced, and their shapes differ ({hsi.height} x {hsi.width} and {msi.height} x "
            f"{msi.width} pixels), so they cannot show the same ground: georeference them, or cut them alike."
        )
    note = "Neither image is georeferenced: they are taken to cover the same ground from corner to corner."
    return _placed(Placement(ratio_y, ratio_x), hsi, msi, (note,))


def _placed(placement: Placement, hsi: Grid, msi: Grid, notes: tuple[str, ...]) -> Placed:
    """Check sizes and overlap of what lies on one grid."""
    ratio_y, ratio_x = placement.ratio_y, placement.ratio_x
    coarser = 1 / min(ratio_y, ratio_x)
    if coarser > MOST_COARSER:
        raise InputError(
            f"The multispectral image is coarser than the hyperspectral one (its pixels are {coarser:.3g} times as "
            "large): exchange the two inputs if they are swapped, else choose a finer multispectral image."
        )
    overlap = placement.fine_window(hsi.whole, msi.height, msi.width)
    if overlap.height == 0 or overlap.width == 0:
        raise InputError(
            f"The two images do not overlap (hyperspectral {_extent(hsi)}, multispectral {_extent(msi)}): choose "
            "images of the same ground, and check their coordinate reference systems."
        )
    seen_y, seen_x = overlap.height / ratio_y, overlap.width / ratio_x
    if min(seen_y, seen_x) < LEAST_OVERLAP:
        raise InputError(
            f"The two images overlap by only {seen_y:.3g} x {seen_x:.3g} hyperspectral pixels: at least "
            f"{LEAST_OVERLAP} along each side are needed, so choose images that share more ground."
        )
    return Placed(placement, placement.coarse_window(msi.whole, hsi.height, hsi.width), overlap, notes)


def little_to_gain(placement: Placement) -> tuple[str, ...]:
    """What to tell a user who wants the multispectral image's detail where it hardly has more."""
    ratio = max(placement.ratio_y, placement.ratio_x)
    if ratio >= BARELY_FINER:
        return ()
    return (
        f"The multispectral pixels are hardly finer than the hyperspectral ones (ratio {ratio:.3g}), so that there is "
        "little detail to gain from them.",
    )


def _extent(grid: Grid) -> str:
    """Where a raster lies, in words."""
    corners = [grid.xy(row, col) for row in (0, grid.height) for col in (0, grid.width)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return f"x {min(xs):.8g} to {max(xs):.8g}, y {min(ys):.8g} to {max(ys):.8g}"
