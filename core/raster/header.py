# SPDX-License-Identifier: GPL-3.0-or-later
"""What a raster says about itself before any pixel is read.

Filled by osgeo.gdal in the plugin process and by rasterio in the worker, through the same dialects, so that both
sides see the same raster.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..bands import BandTable
from ..grid import Grid


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
    warnings: tuple[str, ...] = ()
