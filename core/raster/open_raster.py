# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens rasters with rasterio and reads their headers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError, RasterioIOError
from rasterio.windows import Window as RasterioWindow

from ..bands import BandTable
from ..errors import InputError
from ..grid import Grid, Window
from . import gdal_settings as gdal_settings
from .dialects import DOMAINS, read_band_table, read_sidecar
from .header import RasterHeader

MAX_SUBDATASETS_NAMED = 5
RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def read_header(path: str | Path) -> RasterHeader:
    """Read a raster's header.

    Raises:
        InputError: GDAL does not open the file, or it is a container whose sub-datasets must be named.
    """
    with open_raster(str(path)) as dataset:
        if dataset.count == 0:
            raise InputError(_no_bands(str(path), dataset.subdatasets))
        _check_complete(dataset)
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
            is_rgba=set(dataset.dtypes) == {"uint8"} and dataset.colorinterp == RGBA,
            warnings=warnings,
        )


def open_raster(path: str, direct: bool = False) -> rasterio.DatasetReader:
    """Open for reading; each thread needs a dataset of its own.

    Args:
        path: what GDAL opens.
        direct: read an uncompressed GeoTIFF past GDAL's cache. Pixel-interleaved files are then read 8 times faster;
            but a truncated one would be read as zeros.

    Raises:
        InputError: GDAL does not open it.
    """
    try:
        with rasterio.Env(GTIFF_DIRECT_IO="YES" if direct else "NO"):
            return rasterio.open(path)
    except (RasterioIOError, CRSError, UnicodeError, ValueError) as error:
        if ":" not in path and not path.startswith("/vsi") and not os.path.exists(path):
            raise InputError(f"The raster {path} does not exist: check the path.") from error
        raise InputError(f"{path} is no raster that GDAL opens: choose another file.") from error


def read_bands(dataset: rasterio.DatasetReader, bands: Sequence[int], window: Window, out: np.ndarray) -> None:
    """Read stored numbers of a window; rasterio reads bands of different types only one at a time.

    Args:
        dataset: the raster.
        bands: counted from 1.
        window: where.
        out: [bands, rows, columns], of a type that holds all of them.

    Raises:
        InputError: the file cannot be read there.
    """
    place = RasterioWindow(window.col, window.row, window.width, window.height)
    try:
        if len(set(dataset.dtypes)) == 1:
            dataset.read(bands, window=place, out=out)
        else:
            for band, plane in zip(bands, out):
                dataset.read(band, window=place, out=plane)
    except RasterioIOError as error:
        raise InputError(
            f"{dataset.name} cannot be read at row {window.row}, column {window.col}: it, or a file that it refers to, "
            "is damaged or incomplete."
        ) from error


def is_whole(header: RasterHeader) -> bool:
    """Tell whether a file is large enough for all its pixels without compression."""
    rows, cols = header.block
    grid = header.grid
    height = grid.height if cols >= grid.width else -(-grid.height // rows) * rows
    width = -(-grid.width // cols) * cols
    pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in header.dtypes)
    return _file_bytes(header.path) >= height * width * pixel_bytes


def _check_complete(dataset: rasterio.DatasetReader) -> None:
    """Refuse an ENVI file that ends too early: GDAL reads what is missing as zeros."""
    header = dataset.tags(ns="ENVI")
    if dataset.driver != "ENVI" or header.get("file_compression", "0") != "0":
        return
    pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
    announced = int(header.get("header_offset", 0)) + dataset.width * dataset.height * pixel_bytes
    found = _file_bytes(dataset.name)
    if found < announced:
        raise InputError(
            f"{dataset.name} is incomplete: it has {found} bytes but its header announces {announced}; copy it again."
        )


def _file_bytes(path: str) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else 0  # also where the path is a long GDAL connection string


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
