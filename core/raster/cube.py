# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads windows of a raster as reflectance, at nearly the speed of memory.

A tile goes file -> stored numbers in the layout that the file has -> float32 planes, through two buffers that are
allocated once: fresh arrays of tens of megabytes cost more in page faults than the reading itself.
"""

from __future__ import annotations

from types import TracebackType

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.windows import Window as RasterioWindow

from ..errors import InputError
from ..grid import Window
from .header import RasterHeader
from .open_raster import is_whole, open_raster, read_bands, read_header

__all__ = ["CubeReader", "read_header"]

CHUNK_PIXELS = 512
"""Pixels that are turned from pixel-interleaved to planes at a time, so that they stay in the processor's cache."""


class CubeReader:
    """Reads the used bands of a raster; not to be shared between threads, each opens its own.

    A pixel is valid where every used band is finite and not nodata, and no mask or alpha band hides it.

    Args:
        header: the raster's header.
        bands: used bands, counted from 0.
        scale: factor from stored numbers (after GDAL's scale and offset) to reflectance.

    Raises:
        InputError: the raster cannot be opened or holds complex numbers.
    """

    def __init__(self, header: RasterHeader, bands: tuple[int, ...], scale: float = 1.0) -> None:
        self._bands = tuple(bands)
        self._dtype = np.result_type(*(header.dtypes[i] for i in bands))
        if self._dtype.kind == "c":
            raise InputError(f"{header.path} holds complex numbers: convert it to real numbers first.")
        self._nodata = [_stored_nodata(header.nodata[i], self._dtype) for i in bands]
        self._gain = [np.float32(header.scale[i] * scale) for i in bands]
        self._offset = [np.float32(header.offset[i] * scale) for i in bands]
        self._dataset = open_raster(header.path, direct=is_whole(header))
        self._layout = _layout(self._dataset)
        self._in_file = list(range(1, self._dataset.count + 1)) if self._layout != "band" else [i + 1 for i in bands]
        self._masks = _mask_bands(self._dataset, self._bands)
        self._alpha = _alpha_band(self._dataset)
        self._stored = np.empty(0, self._dtype)
        self._planes = np.empty(0, self._dtype)
        self._cube = np.empty(0, np.float32)

    def __enter__(self) -> CubeReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Read a window.

        Returns:
            cube: float32 [bands, rows, columns], 0 where a value is not finite; a view of a buffer that the next call
                overwrites.
            valid: bool [rows, columns].

        Raises:
            InputError: the file cannot be read there.
        """
        stored = self._read_stored(window)
        valid = self._read_masks(window)
        size = len(self._bands) * valid.size
        if self._cube.size < size:
            self._cube = np.empty(size, np.float32)
        cube = self._cube[:size].reshape(len(self._bands), *valid.shape)
        passes = np.empty(valid.shape, dtype=bool)
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and so invalid
            for i, plane in enumerate(stored):
                self._convert(i, plane, cube[i], valid, passes)
        return cube, valid

    def _convert(self, i: int, stored: np.ndarray, out: np.ndarray, valid: np.ndarray, passes: np.ndarray) -> None:
        """Turn one band into reflectance; one band at a time stays in the processor's cache."""
        nodata = self._nodata[i]
        if nodata is not None:
            np.not_equal(stored, nodata, out=passes)
            np.logical_and(valid, passes, out=valid)
        np.copyto(out, stored, casting="unsafe")
        if self._gain[i] != 1.0:
            np.multiply(out, self._gain[i], out=out)
        if self._offset[i] != 0.0:
            np.add(out, self._offset[i], out=out)
        if self._dtype.kind == "f":
            np.isfinite(out, out=passes)
            if not passes.all():
                np.logical_and(valid, passes, out=valid)
                out[~passes] = 0.0

    def _read_stored(self, window: Window) -> np.ndarray:
        """Stored numbers of the used bands, [bands, rows, columns], not necessarily contiguous."""
        count, rows, cols = len(self._in_file), window.height, window.width
        size = count * rows * cols
        if self._stored.size < size:
            self._stored = np.empty(size, self._dtype)
        flat = self._stored[:size]
        if self._layout == "band":
            stored = flat.reshape(count, rows, cols)
            read_bands(self._dataset, self._in_file, window, stored)
            return stored
        if self._layout == "line":
            stored = flat.reshape(rows, count, cols).transpose(1, 0, 2)
            read_bands(self._dataset, self._in_file, window, stored)
            return stored if count == len(self._bands) else stored[list(self._bands)]
        pixels = flat.reshape(rows * cols, count)
        read_bands(self._dataset, self._in_file, window, pixels.reshape(rows, cols, count).transpose(2, 0, 1))
        return self._planes_of(pixels).reshape(len(self._bands), rows, cols)

    def _planes_of(self, pixels: np.ndarray) -> np.ndarray:
        """Turn [pixels, bands in file] into [used bands, pixels]."""
        size = len(self._bands) * len(pixels)
        if self._planes.size < size:
            self._planes = np.empty(size, self._dtype)
        planes = self._planes[:size].reshape(len(self._bands), len(pixels))
        whole = len(self._bands) == pixels.shape[1]
        for start in range(0, len(pixels), CHUNK_PIXELS):
            chunk = pixels[start : start + CHUNK_PIXELS].T
            np.copyto(planes[:, start : start + CHUNK_PIXELS], chunk if whole else chunk[list(self._bands)])
        return planes

    def _read_masks(self, window: Window) -> np.ndarray:
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        valid = np.ones((window.height, window.width), dtype=bool)
        for band in self._masks:
            valid &= self._dataset.read_masks(band, window=place) > 0
        if self._alpha:
            valid &= self._dataset.read(self._alpha, window=place) > 0
        return valid


def _stored_nodata(nodata: float | None, dtype: np.dtype) -> np.generic | None:
    """The nodata value as it stands in the file; None when no stored number can equal it, or when it is NaN."""
    if nodata is None or np.isnan(nodata):
        return None
    if dtype.kind == "f":
        return dtype.type(nodata)
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else None


def _layout(dataset: rasterio.DatasetReader) -> str:
    """How to ask for the numbers: as they lie in an uncompressed file, so that GDAL copies instead of shuffling."""
    uncompressed = dataset.compression is None and dataset.driver in ("GTiff", "ENVI")
    if uncompressed and dataset.interleaving == Interleaving.pixel and dataset.count > 1:
        return "pixel"
    if uncompressed and dataset.interleaving == Interleaving.line:
        return "line"
    return "band"


def _mask_bands(dataset: rasterio.DatasetReader, bands: tuple[int, ...]) -> list[int]:
    """Bands (from 1) whose masks together hide pixels beyond nodata: the common mask once, or each band's own."""
    masks = []
    common = False
    for i in bands:
        flags = dataset.mask_flag_enums[i]
        if {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha} & set(flags):
            continue
        if MaskFlags.per_dataset in flags:
            if common:
                continue
            common = True
        masks.append(i + 1)
    return masks


def _alpha_band(dataset: rasterio.DatasetReader) -> int | None:
    """The band (from 1) that says how transparent pixels are; GDAL makes a mask of it for 2 and 4 bands only."""
    return next((i + 1 for i, kind in enumerate(dataset.colorinterp) if kind == ColorInterp.alpha), None)
