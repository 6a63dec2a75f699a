# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headers of a pair already say against a run; said before a worker starts."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import BandsError, InputError
from ..core.fusion.settings import ESTIMATE, FusionSettings
from ..core.raster.header import RasterHeader


def check_pair(hsi: RasterHeader, msi: RasterHeader, settings: FusionSettings, has_table: bool) -> None:
    """Refuse two images that cannot be fused as asked.

    Args:
        hsi: header of the coarse image.
        msi: header of the fine image.
        settings: what was chosen.
        has_table: a table of the spectral response is given and comes before the sensor.

    Raises:
        InputError: with the sentence for the user.
    """
    check_geometry(hsi, msi)
    absent = [band for band in settings.output_bands or () if band >= len(hsi.table)]
    if absent:
        raise BandsError(f"Band {absent[0] + 1} cannot be written: the hyperspectral image has {len(hsi.table)} bands.")
    if settings.sensor != ESTIMATE and not has_table:
        check_wavelengths(hsi, settings.sensor)
    _check_range(hsi, msi)


def check_geometry(hsi: RasterHeader, msi: RasterHeader) -> None:
    """Refuse images that are swapped, equally fine, or of different places.

    Raises:
        InputError: with the sentence for the user.
    """
    if Path(hsi.path) == Path(msi.path):
        raise InputError(
            f"{Path(hsi.path).name} was chosen for both images: choose the coarse hyperspectral and the fine "
            "multispectral image of the same ground."
        )


def check_wavelengths(hsi: RasterHeader, sensor: str) -> None:
    """Refuse to lay a sensor's response over bands of unknown wavelength.

    Raises:
        BandsError: with the sentence for the user.
    """
    if hsi.table.wavelength_nm is None:
        raise BandsError(
            f"{Path(hsi.path).name} does not tell the wavelengths of its bands, so the response of {sensor} cannot be "
            "laid over them: add the wavelengths to its header, or let the response be estimated or read from a table."
        )


def check_file(path: str | None, label: str) -> None:
    """Refuse a file that is not there; None and an empty path mean that none is wanted.

    Raises:
        InputError: with the sentence for the user.
    """
    if path and not Path(path).is_file():
        raise InputError(f"The file {path} given for '{label}' does not exist: check the path.")


def _check_range(hsi: RasterHeader, msi: RasterHeader) -> None:
    """Refuse multispectral bands of which none lies where the hyperspectral image sees."""
    seen, wanted = hsi.table.wavelength_nm, msi.table.wavelength_nm
    if seen is None or wanted is None:
        return
    low, high = min(seen), max(seen)
    if all(nm < low or nm > high for nm in wanted):
        raise BandsError(
            f"The multispectral bands ({min(wanted):.0f}-{max(wanted):.0f} nm) lie outside the range of the "
            f"hyperspectral image ({low:.0f}-{high:.0f} nm): choose images that see the same part of the spectrum."
        )
