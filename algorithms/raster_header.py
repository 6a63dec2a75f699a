# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a layer's header with QGIS's own GDAL, through the same dialects as the engine; changes nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from osgeo import gdal
from qgis.core import QgsProviderRegistry, QgsRasterLayer

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.raster.dialects import read_band_table
from ..core.raster.header import RasterHeader

MIN_BANDS = 3
REMOTE = (
    *("/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsihdfs", "/vsiwebhdfs"),
    *("http:", "https:", "ftp:", "pg:", "postgresql:", "wms:", "wmts:", "wcs:"),
)
DOMAINS = ("", "ENVI", "IMAGERY", "IMAGE_STRUCTURE")


def read_image(layer: QgsRasterLayer | None, given: Any) -> RasterHeader:
    """Read the header of the layer to work on.

    Args:
        layer: what QGIS made of the parameter, None when it could not open it.
        given: the parameter's value, for the sentence.

    Raises:
        InputError: the layer cannot be worked on.
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
    return read_header(path)


def file_of(layer: QgsRasterLayer) -> str:
    """What GDAL opens for a layer."""
    source = layer.source()
    if "|" not in source:
        return source
    return str(QgsProviderRegistry.instance().decodeUri("gdal", source).get("path") or source)


def read_header(path: str) -> RasterHeader:
    """Read a raster's header.

    Raises:
        InputError: GDAL does not open it, or it is no image with a spectrum per pixel.
    """
    with _quiet():
        dataset = _open(path)
        if dataset is None:
            raise InputError(f"{path} is no raster that GDAL opens: choose another file.")
        _check_kind(dataset, path)
        return _header(dataset, path)


def _header(dataset: gdal.Dataset, path: str) -> RasterHeader:
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    table, warnings = read_band_table(
        {domain: dataset.GetMetadata(domain) or {} for domain in DOMAINS},
        [{domain: band.GetMetadata(domain) or {} for domain in DOMAINS} for band in bands],
        [band.GetDescription() for band in bands],
    )
    x, a, b, y, d, e = dataset.GetGeoTransform()
    columns, rows = bands[0].GetBlockSize()
    return RasterHeader(
        path=path,
        driver=dataset.GetDriver().ShortName,
        grid=Grid(
            dataset.RasterXSize,
            dataset.RasterYSize,
            (a, b, x, d, e, y),
            dataset.GetProjection(),
            dataset.GetMetadataItem("AREA_OR_POINT") == "Point",
        ),
        table=table,
        dtypes=tuple(gdal.GetDataTypeName(band.DataType).lower() for band in bands),
        nodata=tuple(band.GetNoDataValue() for band in bands),
        scale=tuple(_or_default(band.GetScale(), 1.0) for band in bands),
        offset=tuple(_or_default(band.GetOffset(), 0.0) for band in bands),
        block=(rows, columns),
        warnings=tuple(warnings),
    )


def _check_kind(dataset: gdal.Dataset, path: str) -> None:
    count = dataset.RasterCount
    if count == 0:
        raise InputError(f"{path} holds no bands itself: choose one of its sub-datasets.")
    bands = [dataset.GetRasterBand(i + 1) for i in range(count)]
    if any(gdal.DataTypeIsComplex(band.DataType) for band in bands):
        raise InputError(f"{path} holds complex numbers: convert it to real numbers first.")
    if any(band.GetRasterColorTable() is not None for band in bands):
        raise InputError(f"{path} holds colours of a palette and no reflectance: choose an image with spectra.")
    if any(band.GetColorInterpretation() == gdal.GCI_AlphaBand for band in bands):
        raise InputError(
            f"{path} is a picture with an alpha band and holds no reflectance: choose an image with spectra, or "
            "remove the alpha band."
        )
    if count < MIN_BANDS:
        raise InputError(
            f"{path} has {count} band{'s' if count > 1 else ''}, but at least {MIN_BANDS} are needed: choose an image "
            "with more bands."
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
