# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a layer's header with QGIS's own GDAL, through the same dialects as the engine; changes nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from osgeo import gdal
from qgis.core import QgsProviderRegistry, QgsRasterLayer

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.raster.dialects import DOMAINS, read_band_table, read_sidecar
from ..core.raster.header import MIN_BANDS, RasterHeader, check_spectral

REMOTE = (
    *("/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsihdfs", "/vsiwebhdfs"),
    *("http:", "https:", "ftp:", "pg:", "postgresql:", "wms:", "wmts:", "wcs:"),
)
RGBA = (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand)
NUMPY_NAMES = {"Byte": "uint8", "CFloat32": "complex64", "CFloat64": "complex128"}
"""Where GDAL's names of types are not numpy's in capitals."""


def read_image(layer: QgsRasterLayer | None, given: Any, min_bands: int = MIN_BANDS) -> RasterHeader:
    """Read the header of the layer to work on.

    Args:
        layer: what QGIS made of the parameter, None when it could not open it.
        given: the parameter's value, for the sentence.
        min_bands: how many bands are needed.

    Raises:
        InputError: the layer cannot be worked on.
    """
    return read_header(local_file(layer, given), min_bands)


def local_file(layer: QgsRasterLayer | None, given: Any) -> str:
    """The file of a layer, which the engine can open.

    Raises:
        InputError: the layer does not come from a local file.
    """
    if layer is None:
        raise InputError(f"{given} is no raster that GDAL opens: choose another file.")
    provider = layer.providerType()
    if provider != "gdal":
        raise InputError(
            f"The layer {layer.name()!r} comes from the provider {provider!r} and not from a file: save it as GeoTIFF "
            "first (Export > Save As)."
        )
    path = file_of(layer)
    if path.lower().startswith(REMOTE):
        raise InputError(
            f"The layer {layer.name()!r} lies on a server or in a database: save it as a local file first."
        )
    if path.startswith("/vsimem/"):
        raise InputError(f"The layer {layer.name()!r} exists in the memory of QGIS only: save it as a file first.")
    return path


def file_of(layer: QgsRasterLayer) -> str:
    """What GDAL opens for a layer."""
    source = layer.source()
    if "|" not in source:
        return source
    return str(QgsProviderRegistry.instance().decodeUri("gdal", source).get("path") or source)


def read_header(path: str, min_bands: int = MIN_BANDS) -> RasterHeader:
    """Read a raster's header.

    Raises:
        InputError: GDAL does not open it, or it holds no spectrum per pixel.
    """
    with _quiet():
        dataset = _open(path)
        if dataset is None:
            raise InputError(f"{path} is no raster that GDAL opens: choose another file.")
        if dataset.RasterCount == 0:
            raise InputError(f"{path} is a container of several rasters: choose one of its sub-datasets.")
        header = _header(dataset, path)
    check_spectral(header, min_bands)
    return header


def _header(dataset: gdal.Dataset, path: str) -> RasterHeader:
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    colours = tuple(band.GetColorInterpretation() for band in bands)
    types = tuple(gdal.GetDataTypeName(band.DataType) for band in bands)
    driver = dataset.GetDriver().ShortName
    table, warnings = read_band_table(
        {domain: dataset.GetMetadata(domain) or {} for domain in DOMAINS},
        [{domain: band.GetMetadata(domain) or {} for domain in DOMAINS} for band in bands],
        [band.GetDescription() for band in bands],
        None if driver == "ENVI" else read_sidecar(path),
    )
    good = tuple(g and colour != gdal.GCI_AlphaBand for g, colour in zip(table.good, colours))
    columns, rows = bands[0].GetBlockSize()
    return RasterHeader(
        path=path,
        driver=driver,
        grid=_grid(dataset),
        table=replace(table, good=good),
        dtypes=tuple(NUMPY_NAMES.get(name, name.lower()) for name in types),
        nodata=tuple(band.GetNoDataValue() for band in bands),
        scale=tuple(_or_default(band.GetScale(), 1.0) for band in bands),
        offset=tuple(_or_default(band.GetOffset(), 0.0) for band in bands),
        block=(rows, columns),
        has_palette=any(band.GetRasterColorTable() is not None for band in bands),
        is_rgba=set(types) == {"Byte"} and colours == RGBA,
        warnings=warnings,
    )


def _grid(dataset: gdal.Dataset) -> Grid:
    x, a, b, y, d, e = dataset.GetGeoTransform()
    return Grid(
        width=dataset.RasterXSize,
        height=dataset.RasterYSize,
        transform=(a, b, x, d, e, y),
        crs_wkt=dataset.GetProjection(),
        pixel_is_point=dataset.GetMetadataItem("AREA_OR_POINT") == "Point",
    )


def _open(path: str) -> gdal.Dataset | None:
    try:
        return gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_READONLY)
    except RuntimeError:  # where GDAL's exceptions are switched on
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        yield
    finally:
        gdal.PopErrorHandler()


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value
