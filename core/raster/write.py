# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes result rasters window by window, with georeference, nodata, names, wavelengths and provenance.

The same windows in the same order give the same bytes, however many threads compress and whatever is read meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window as RasterioWindow

from ..errors import InputError
from ..grid import Grid, Window
from . import gdal_settings as gdal_settings
from .dialects import band_description, band_items, dataset_items
from .target import ENVI_EXTENSIONS, GEOTIFF_EXTENSIONS

if TYPE_CHECKING:
    from ..engine.method import OutputSpec

SIDE_FILES = (".aux.xml", ".ovr", ".msk")
"""What GDAL keeps beside a raster, appended to its whole name."""
THREADS = 2


class RasterWriter:
    """Writes one raster, GeoTIFF or ENVI by the extension of its path.

    Args:
        path: the file to write; an existing one is replaced.
        grid: its size and georeference.
        spec: bands, type, nodata, classes and spectral axis.
        metadata: items for the dataset's default domain, e.g. provenance.
        block: rows and columns of a GeoTIFF's blocks, multiples of 16. Windows along whole blocks write fastest.

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
        self._spec = spec
        self._dataset = self._create(grid, block)
        self._describe(grid, metadata or {})

    def __enter__(self) -> RasterWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write a window.

        Args:
            window: where.
            values: [bands, rows, columns], of the output's type.

        Raises:
            InputError: the disk is full or gone.
        """
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            self._dataset.write(values, window=place)
            _flush_block_cache()
        except (RasterioError, OSError) as error:
            raise InputError(_failed(self._path)) from error

    def close(self) -> None:
        """Finish the file and what lies beside it.

        Raises:
            InputError: the disk is full or gone.
        """
        if self._dataset.closed:
            return
        try:
            self._dataset.close()
            if self._path.suffix.lstrip(".").lower() in ENVI_EXTENSIONS:
                _complete_envi_header(self._path.with_suffix(".hdr"), self._spec)
            elif self._spec.class_names:
                _name_classes(self._path, self._spec.class_names)
        except (RasterioError, OSError) as error:
            raise InputError(_failed(self._path)) from error

    def _create(self, grid: Grid, block: tuple[int, int]) -> rasterio.io.DatasetWriter:
        spec = self._spec
        options: dict[str, Any] = {"driver": "ENVI", "interleave": "bsq"}
        if self._path.suffix.lstrip(".").lower() in GEOTIFF_EXTENSIONS:
            options = _geotiff_options(np.dtype(spec.dtype), block)
        try:
            return rasterio.open(
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
        except (RasterioError, OSError) as error:
            raise InputError(f"{self._path} cannot be created: choose a folder where you may write.") from error

    def _describe(self, grid: Grid, metadata: Mapping[str, str]) -> None:
        dataset, spec = self._dataset, self._spec
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


def _geotiff_options(dtype: np.dtype, block: tuple[int, int]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "driver": "GTiff",
        "tiled": True,
        "blockysize": block[0],
        "blockxsize": block[1],
        "interleave": "band",
        "bigtiff": "IF_SAFER",
        "predictor": 3 if dtype.kind == "f" else 2,
        "num_threads": THREADS,
    }
    if _has_zstd():
        return {**options, "compress": "zstd", "zstd_level": 1}
    return {**options, "compress": "deflate", "zlevel": 1}


def _has_zstd() -> bool:
    try:
        with (
            MemoryFile() as memory,
            memory.open(driver="GTiff", width=16, height=16, count=1, dtype="uint8", compress="zstd"),
        ):
            return True
    except RasterioError:
        return False


def _flush_block_cache() -> None:
    """Let GDAL write its dirty blocks now, oldest first.

    Blocks that stay in the cache are written at a moment, and so at a place in the file, that depends on what else is
    read; shrinking the cache to nothing writes them in the order in which they came.
    """
    with rasterio.Env(GDAL_CACHEMAX=0):
        pass


def _complete_envi_header(header: Path, spec: OutputSpec) -> None:
    """Add the classes, which GDAL leaves out, and take out the temporary path that it writes as description."""
    text = header.read_text(encoding="utf-8")
    before, _, rest = text.partition("description = {")
    text = f"{before}description = {{HyperRes}}{rest.partition('}')[2]}"
    if spec.class_colours:
        names = ["Unclassified", *(re.sub(r"[{},\s]+", " ", name).strip() for name in spec.class_names)]
        colours = [(0, 0, 0), *spec.class_colours]
        text = text.replace("file type = ENVI Standard", "file type = ENVI Classification")
        text += f"classes = {len(colours)}\n"
        text += f"class lookup = {{{', '.join(str(part) for colour in colours for part in colour)}}}\n"
        text += f"class names = {{{', '.join(names)}}}\n"
    header.write_text(text, encoding="utf-8")


def _name_classes(path: Path, names: tuple[str, ...]) -> None:
    """Write category names where GDAL looks for them beside a GeoTIFF: rasterio has no way to set them."""
    categories = "".join(f"<Category>{escape(name, quote=False)}</Category>" for name in ("", *names))
    Path(f"{path}.aux.xml").write_text(
        f'<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>{categories}</CategoryNames>\n'
        "  </PAMRasterBand>\n</PAMDataset>\n",
        encoding="utf-8",
    )


def _failed(path: Path) -> str:
    return f"{path} could not be written to its end: check that the disk is there and has room."
