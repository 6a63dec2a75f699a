# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headers of a pair already say against a run; said before a worker starts."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsCoordinateReferenceSystem

from ..core.bands import choose_bands
from ..core.errors import BandsError, InputError
from ..core.fusion.check import check_fusion
from ..core.fusion.pairing.georeference import place
from ..core.fusion.settings import FusionSettings
from ..core.raster.header import RasterHeader


def check_pair(hsi: RasterHeader, msi: RasterHeader, settings: FusionSettings, has_table: bool) -> None:
    """Refuse two images that cannot be fused as asked.

    Args:
        hsi: header of the coarse image.
        msi: header of the fine image.
        settings: what was chosen.
        has_table: a table of the spectral response is given.

    Raises:
        InputError: with the sentence for the user.
    """
    check_distinct(hsi, msi)
    used = choose_bands(hsi.table).used
    shown = choose_bands(msi.table, skip_water_vapour=False).used
    check_fusion(settings, hsi.table.subset(used), msi.table.subset(shown), has_table)
    unused = next((band for band in settings.output_bands or () if band not in used), None)
    if unused is not None:
        raise BandsError(
            f"Band {unused + 1} of the hyperspectral image cannot be written, because it does not exist, is marked as "
            "bad or lies where water vapour is opaque: choose other bands under 'Bands to write'."
        )
    check_geometry(hsi, msi)


def check_geometry(hsi: RasterHeader, msi: RasterHeader) -> None:
    """Refuse images that do not overlap enough, or of which the fine one is the coarser.

    Raises:
        InputError: with the sentence for the user.
    """
    place(hsi.grid, msi.grid, same_crs)


def check_distinct(hsi: RasterHeader, msi: RasterHeader) -> None:
    """Refuse one file in both roles.

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
            "laid over them: add the wavelengths to its header, or give the response as a table."
        )


def check_file(path: str | None, label: str) -> None:
    """Refuse a file that is not there; None and an empty path mean that none is wanted.

    Raises:
        InputError: with the sentence for the user.
    """
    if path and not Path(path).is_file():
        raise InputError(f"The file {path} given for '{label}' does not exist: check the path.")


def same_crs(first: str, second: str) -> bool:
    """Tell whether two WKT texts mean one coordinate reference system."""
    crs = QgsCoordinateReferenceSystem.fromWkt
    return crs(first) == crs(second)
