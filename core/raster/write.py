# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes result rasters window by window, with georeference, nodata, names, wavelengths and provenance.

The same windows in the same order give the same bytes, however many threads compress and whatever is read meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from ..errors import InputError
from ..grid import Grid, Window
from .dialects import band_description, band_items, dataset_items
from .envi_file import EnviFile
from .geotiff_file import GeoTiffFile, creation_options
from .target import GEOTIFF_EXTENSIONS

if TYPE_CHECKING:
    from ..engine.method import OutputSpec

SIDE_FILES = (".aux.xml", ".ovr", ".msk")
"""What GDAL keeps beside a raster, appended to its whole name."""


class RasterWriter:
    """Writes one raster, GeoTIFF or ENVI by the extension of its path.

    Args:
        path: the file to write; an existing one is replaced.
        grid: its size and georeference.
        spec: bands, type, nodata, classes and spectral axis.
        metadata: items for the dataset's default domain, e.g. provenance.
        block: rows and columns of a GeoTIFF's blocks, multiples of 16. Windows must cover whole blocks, but for the
            right and bottom edge, where the output is a GeoTIFF.

    Raises:
        InputError: the file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        spec: OutputSpec,
        metadata: Mapping[str, str] | None = None,
        block: tuple[int, int] = (256, 256),
    ) -> None:
        self._path = Path(path)
        geotiff = self._path.suffix.lstrip(".").lower() in GEOTIFF_EXTENSIONS
        options = creation_options(spec.dtype, block) if geotiff else {"driver": "ENVI", "interleave": "bsq"}
        try:
            dataset = rasterio.open(
                self._path,
                "w",
                width=grid.width,
                height=grid.height,
                count=len(spec.band_names),
                dtype=spec.dtype,
                nodata=spec.nodata,
                crs=CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None,
                transform=None if grid == Grid(grid.width, grid.height) else rasterio.Affine(*grid.transform),
                **options,
            )
            _describe(dataset, grid, spec, metadata or {})
            kind = GeoTiffFile if geotiff else EnviFile
            self._file: GeoTiffFile | EnviFile = kind(self._path, dataset, spec.class_names, spec.class_colours)
        except (RasterioError, OSError, SystemError) as error:
            raise InputError(f"{self._path} cannot be created: choose a folder where you may write.") from error

    def __enter__(self) -> RasterWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.abandon()

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write a window; from one thread at a time.

        Args:
            window: where.
            values: [bands, rows, columns], of the output's type.

        Raises:
            InputError: the disk is full or gone.
        """
        try:
            self._file.write(window, values)
        except (RasterioError, OSError, SystemError) as error:
            raise InputError(self._failed()) from error

    def close(self) -> None:
        """Finish the file and what lies beside it, and make sure that all of it is on the disk.

        Raises:
            InputError: the disk is full or gone.
        """
        try:
            self._file.close()
        except (RasterioError, OSError, SystemError) as error:
            raise InputError(self._failed()) from error

    def _failed(self) -> str:
        return f"{self._path} could not be written to its end: check that the disk is there and has room."


def publish(temporary: str | Path, final: str | Path) -> None:
    """Give a finished file its final name, together with the files beside it.

    Statistics and masks of a replaced raster are removed. The main file comes last, so that whoever sees it finds all
    of it.
    """
    source, target = Path(temporary), Path(final)
    header = source.with_suffix(".hdr")
    if header.is_file():
        header.replace(target.with_suffix(".hdr"))
    for ending in SIDE_FILES:
        side, stale = Path(f"{source}{ending}"), Path(f"{target}{ending}")
        stale.unlink(missing_ok=True)
        if side.is_file():
            side.replace(stale)
    source.replace(target)


def _describe(dataset: rasterio.io.DatasetWriter, grid: Grid, spec: OutputSpec, metadata: Mapping[str, str]) -> None:
    if spec.class_colours:
        colours = {i + 1: (*colour, 255) for i, colour in enumerate(spec.class_colours)}
        dataset.write_colormap(1, {0: (0, 0, 0, 0), **colours})
    dataset.update_tags(**metadata)
    if grid.pixel_is_point:
        dataset.update_tags(AREA_OR_POINT="Point")
    if spec.table is not None:
        for domain, items in dataset_items(spec.table).items():
            dataset.update_tags(ns=domain, **items)
    for i, name in enumerate(spec.band_names):
        dataset.set_band_description(i + 1, name if spec.table is None else band_description(spec.table, i))
        for domain, items in (band_items(spec.table, i) if spec.table else {}).items():
            dataset.update_tags(i + 1, ns=domain or None, **items)
