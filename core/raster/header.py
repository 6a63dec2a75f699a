# SPDX-License-Identifier: GPL-3.0-or-later
"""What a raster says about itself before any pixel is read.

Filled by osgeo.gdal in the plugin process and by rasterio in the worker, through the same dialects, so that both
sides see the same raster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..bands import BandTable
from ..errors import InputError
from ..grid import Grid

MIN_BANDS = 3


@dataclass(frozen=True)
class RasterHeader:
    """Header of a raster.

    Attributes:
        path: what GDAL opened.
        driver: GDAL's short driver name.
        grid: size and georeference.
        table: the spectral axis; an alpha band counts as bad.
        dtypes: numpy name of each band's type, e.g. ``int16``.
        nodata: declared nodata value per band, in stored units, or None.
        scale, offset: GDAL's factor and summand per band (value = stored * scale + offset).
        block: rows and columns of the file's blocks.
        has_palette: True when a band carries a colour table.
        is_rgba: True for a picture in bytes whose four bands are red, green, blue and alpha.
        warnings: sentences about what had to be guessed.
    """

    path: str
    driver: str
    grid: Grid
    table: BandTable
    dtypes: tuple[str, ...]
    nodata: tuple[float | None, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    block: tuple[int, int]
    has_palette: bool = False
    is_rgba: bool = False
    warnings: tuple[str, ...] = ()


def check_spectral(header: RasterHeader, min_bands: int = MIN_BANDS) -> None:
    """Refuse rasters that do not hold a spectrum per pixel.

    Args:
        header: the raster.
        min_bands: how many bands make a spectrum. A picture of red, green, blue and alpha will do where fewer than
            three are enough, as for the fine image of a pair.

    Raises:
        InputError: says what the raster is instead.
    """
    if any(name.startswith(("c", "complex")) for name in header.dtypes):
        raise InputError(f"{header.path} holds complex numbers: convert it to real numbers first.")
    if header.has_palette:
        raise InputError(f"{header.path} holds colours of a palette and no reflectance: choose an image with spectra.")
    if header.is_rgba and min_bands >= MIN_BANDS:
        raise InputError(f"{header.path} is a picture of red, green, blue and alpha: choose an image with spectra.")
    flat = next((i for i, scale in enumerate(header.scale) if scale == 0.0 or not math.isfinite(scale)), None)
    if flat is not None:
        raise InputError(
            f"{header.path} declares the scale {header.scale[flat]:g} for band {flat + 1}, which leaves nothing of its "
            "numbers: correct the file."
        )
    count = len(header.table)
    if count < min_bands:
        raise InputError(
            f"{header.path} has {count} band{'s' if count > 1 else ''}, but at least {min_bands} are needed: choose an "
            "image with more bands."
        )
