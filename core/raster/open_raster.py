# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens rasters with rasterio and reads their headers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError, RasterioIOError

from ..bands import BandTable
from ..errors import InputError
from ..grid import Grid
from . import gdal_settings as gdal_settings
from .dialects import DOMAINS, read_band_table, read_sidecar
from .header import RasterHeader

MAX_SUBDATASETS_NAMED = 5


def read_header(path: str | Path) -> RasterHeader:
    """Read a raster's header.

    Raises:
        InputError: GDAL does not open the file, or it is a container whose sub-datasets must be named.
    """
    with open_raster(str(path)) as dataset:
        if dataset.count == 0:
            raise InputError(_no_bands(str(path), dataset.subdatasets))
        table, warnings = _band_table(dataset)
        return RasterHeader(
            path=str(path),
            driver=dataset.driver,
            grid=_grid(dataset),
            table=table,
            dtypes=tuple(dataset.dtypes),
            nodata=tuple(dataset.nodatavals),
            scale=tuple(dataset.scales),
            offset=tuple(dataset.offsets),
            block=tuple(dataset.block_shapes[0]),
            has_palette=ColorInterp.palette in dataset.colorinterp,
            warnings=warnings,
        )


def open_raster(path: str) -> rasterio.DatasetReader:
    """Open for reading; each thread needs a dataset of its own.

    Raises:
        InputError: GDAL does not open it.
    """
    try:
        return rasterio.open(path)
    except (RasterioIOError, CRSError, UnicodeError, ValueError) as error:
        if ":" not in path and not path.startswith("/vsi") and not Path(path).exists():
            raise InputError(f"The raster {path} does not exist: check the path.") from error
        raise InputError(f"{path} is no raster that GDAL opens: choose another file.") from error


def _no_bands(path: str, subdatasets: list[str]) -> str:
    if not subdatasets:
        return f"{path} holds no raster bands: choose another file."
    named = ", ".join(subdatasets[:MAX_SUBDATASETS_NAMED])
    more = f" and {len(subdatasets) - MAX_SUBDATASETS_NAMED} more" if len(subdatasets) > MAX_SUBDATASETS_NAMED else ""
    return f"{path} is a container of several rasters: choose one of its sub-datasets ({named}{more})."


def _band_table(dataset: rasterio.DatasetReader) -> tuple[BandTable, tuple[str, ...]]:
    table, warnings = read_band_table(
        {domain: dataset.tags(ns=domain or None) for domain in DOMAINS},
        [{domain: dataset.tags(band, ns=domain or None) for domain in DOMAINS} for band in dataset.indexes],
        dataset.descriptions,
        None if dataset.driver == "ENVI" else read_sidecar(dataset.name),
    )
    alpha = [kind == ColorInterp.alpha for kind in dataset.colorinterp]
    if any(alpha):
        table = replace(table, good=tuple(good and not a for good, a in zip(table.good, alpha)))
        warnings = (
            *warnings,
            f"Band {alpha.index(True) + 1} says how transparent the pixels are: it only marks invalid pixels.",
        )
    return table, warnings


def _grid(dataset: rasterio.DatasetReader) -> Grid:
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return Grid(
        width=dataset.width,
        height=dataset.height,
        transform=(a, b, c, d, e, f),
        crs_wkt=dataset.crs.to_wkt() if dataset.crs else "",
        pixel_is_point=dataset.tags().get("AREA_OR_POINT") == "Point",
    )
