# SPDX-License-Identifier: GPL-3.0-or-later
"""The spectral axis of a raster: wavelengths, widths, bad bands and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BandsError

WATER_VAPOUR_WINDOWS_NM: tuple[tuple[float, float], ...] = ((1350.0, 1450.0), (1800.0, 1950.0))
"""Where the atmosphere lets almost no light through, so that surface reflectance there is mostly noise."""
RGB_NM = (660.0, 560.0, 480.0)


@dataclass(frozen=True)
class BandTable:
    """The bands of one raster, in file order.

    Attributes:
        names: one name per band.
        good: False where the file marks the band as bad (``bbl`` 0).
        wavelength_nm: band centres in nanometres, or None when the raster has none.
        fwhm_nm: full widths at half maximum in nanometres, or None.
    """

    names: tuple[str, ...]
    good: tuple[bool, ...]
    wavelength_nm: tuple[float, ...] | None = None
    fwhm_nm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for field in (self.good, self.wavelength_nm, self.fwhm_nm):
            if field is not None and len(field) != len(self.names):
                raise BandsError(
                    f"The band table is inconsistent: {len(self.names)} bands but {len(field)} values in one column."
                )

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, bands: Sequence[int]) -> BandTable:
        """Return the table of the given bands (counted from 0), in the given order."""
        return BandTable(
            names=tuple(self.names[i] for i in bands),
            good=tuple(self.good[i] for i in bands),
            wavelength_nm=None if self.wavelength_nm is None else tuple(self.wavelength_nm[i] for i in bands),
            fwhm_nm=None if self.fwhm_nm is None else tuple(self.fwhm_nm[i] for i in bands),
        )

    def is_monotonic(self) -> bool:
        """Tell whether wavelengths are known and strictly increasing in file order."""
        nm = self.wavelength_nm
        return nm is not None and all(a < b for a, b in zip(nm, nm[1:]))


@dataclass(frozen=True)
class BandChoice:
    """Which bands a run uses, and why the others are left out.

    Attributes:
        used: indices from 0, in file order.
        reasons: one sentence per reason for leaving bands out.
    """

    used: tuple[int, ...]
    reasons: tuple[str, ...]


def choose_bands(
    table: BandTable,
    wanted: Sequence[int] | None = None,
    skip_water_vapour: bool = True,
    all_nodata: Sequence[int] = (),
) -> BandChoice:
    """Choose the bands to work with.

    Args:
        table: the raster's bands.
        wanted: indices from 0 that the user picked; they are used even where marked bad. None means all good bands.
        skip_water_vapour: leave out the water-vapour windows; ignored for bands picked by hand.
        all_nodata: indices of bands without a single valid value; never used.

    Raises:
        BandsError: a picked band does not exist, or no band is left.
    """
    every = range(len(table))
    empty = {i for i in all_nodata if i in every}
    reasons = []
    if wanted:
        absent = [i for i in wanted if i not in every]
        if absent:
            raise BandsError(f"Band {absent[0] + 1} does not exist: the raster has {len(table)} bands.")
        unused = empty & set(wanted)
        used = sorted(set(wanted) - unused)
    else:
        bad = {i for i in every if not table.good[i]} - empty
        water = _in_water_vapour(table) - bad - empty if skip_water_vapour else set()
        reasons += _left_out(bad, "marked as bad in the file")
        reasons += _left_out(water, "in the water-vapour windows 1350-1450 and 1800-1950 nm")
        unused = empty
        used = [i for i in every if i not in bad | water | empty]
    reasons += _left_out(unused, "without a single valid value")
    if not used:
        raise BandsError("No usable band is left: all bands are bad, empty or in the water-vapour windows.")
    return BandChoice(tuple(used), tuple(reasons))


def written_bands(wanted: Sequence[int] | None, used: Sequence[int]) -> tuple[int, ...]:
    """Which of the used bands to write, counted from 0 among them.

    Args:
        wanted: bands of the file to write, from 0, None for all that are used.
        used: bands of the file that are used, from 0.

    Raises:
        BandsError: none is wanted, or one that is not used.
    """
    if wanted is None:
        return tuple(range(len(used)))
    if not wanted:
        raise BandsError("No band is to be written: choose at least one, or leave the choice empty for all.")
    absent = [band for band in wanted if band not in used]
    if absent:
        raise BandsError(
            f"Band {absent[0] + 1} cannot be written: it does not exist, is bad, empty or in a water-vapour window. "
            "Choose other bands."
        )
    return tuple(used.index(band) for band in sorted(set(wanted)))


def rgb_bands(table: BandTable) -> list[int]:
    """Bands nearest to red, green and blue; last, middle and first band when wavelengths are unknown."""
    if table.wavelength_nm is None:
        return [len(table) - 1, len(table) // 2, 0]
    nm = table.wavelength_nm
    return [min(range(len(nm)), key=lambda i: abs(nm[i] - target)) for target in RGB_NM]


def _left_out(bands: set[int], why: str) -> list[str]:
    if not bands:
        return []
    number = "1 band is" if len(bands) == 1 else f"{len(bands)} bands are"
    return [f"{number} left out, {why}: {spans(sorted(bands))}."]


def spans(indices: Sequence[int]) -> str:
    """Write indices counted from 0 as band numbers counted from 1: ``1-3, 7``."""
    parts: list[list[int]] = []
    for i in indices:
        if parts and i == parts[-1][1] + 1:
            parts[-1][1] = i
        else:
            parts.append([i, i])
    return ", ".join(str(a + 1) if a == b else f"{a + 1}-{b + 1}" for a, b in parts)


def _in_water_vapour(table: BandTable) -> set[int]:
    if table.wavelength_nm is None:
        return set()
    return {
        i for i, nm in enumerate(table.wavelength_nm) if any(low <= nm <= high for low, high in WATER_VAPOUR_WINDOWS_NM)
    }
