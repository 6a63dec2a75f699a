# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a raster as if it lay on a grid parallel to that of another raster, possibly in another CRS.

A pixel of the result is interpolated (cubic, bilinear beside invalid pixels) from the numbers around its centre; where
that centre falls on an invalid pixel or outside, it is invalid. Coordinates are transformed exactly, so that a window
has the same values whichever other pixels are read with it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import TracebackType

import numpy as np
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.transform import Affine

from ..errors import InputError
from ..grid import Grid, Window
from .cube import CubeReader
from .header import RasterHeader

SAME_PX = 0.01
"""Two CRSs are one where coordinates of one in the other are off by less than this share of a pixel."""
RIM_POINTS = 21
KERNEL_PX = 4
DEGREE_M = 111_320.0


class WarpedReader:
    """A raster's used bands on another grid; the same face as :class:`CubeReader`.

    Args:
        header: the raster's header.
        bands: used bands, counted from 0.
        scale: factor from stored numbers to reflectance.
        grid: where to read it, from :func:`parallel_grid`.
    """

    def __init__(self, header: RasterHeader, bands: tuple[int, ...], scale: float, grid: Grid) -> None:
        self._reader = CubeReader(header, bands, scale)
        self._count = len(bands)
        self._source, self._grid = header.grid, grid
        self._source_crs, self._crs = _both_crs(header.grid, grid)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> WarpedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Read a window of the grid.

        Returns:
            cube: float32 [bands, rows, columns], 0 where invalid.
            valid: bool [rows, columns].

        Raises:
            InputError: the file cannot be read there.
        """
        warped = np.full((self._count, window.height, window.width), np.nan, dtype=np.float32)
        below = self._below(window)
        if below.height > 0 and below.width > 0:
            cube, valid = self._reader.read(below)
            cube[:, ~valid] = np.nan
            rasterio.warp.reproject(
                cube,
                warped,
                src_transform=_affine(self._source, below),
                src_crs=self._source_crs,
                src_nodata=np.nan,
                dst_transform=_affine(self._grid, window),
                dst_crs=self._crs,
                dst_nodata=np.nan,
                resampling=Resampling.cubic,
                tolerance=0.0,
                XSCALE=1,  # else the kernel's width would follow from the window
                YSCALE=1,
            )
        valid = np.asarray(np.isfinite(warped).all(axis=0))
        warped[:, ~valid] = 0.0
        return warped, valid

    def _below(self, window: Window) -> Window:
        """The source's pixels that a window needs."""
        x, y = _coordinates(self._grid, *_rim(window))
        rows, cols = _positions(self._source, _transformed(self._crs, self._source_crs, x, y))
        if not rows.size:
            return Window(0, 0, 0, 0)
        top, left = max(0, math.floor(rows.min()) - KERNEL_PX), max(0, math.floor(cols.min()) - KERNEL_PX)
        bottom = min(self._source.height, math.ceil(rows.max()) + KERNEL_PX)
        right = min(self._source.width, math.ceil(cols.max()) + KERNEL_PX)
        return Window(top, left, max(0, bottom - top), max(0, right - left))


def same_crs(hsi: Grid, msi: Grid) -> bool:
    """Tell whether coordinates on one raster mean the same in the CRS of the other, however the two are written."""
    first, second = _both_crs(hsi, msi)
    if first == second:
        return True
    rows, cols = _rim(hsi.whole)
    x, y = _coordinates(hsi, rows, cols)
    found = _positions(hsi, _transformed(first, second, x, y))
    if len(found[0]) < len(rows):
        return False
    return bool(max(np.abs(found[0] - rows).max(), np.abs(found[1] - cols).max()) < SAME_PX)


def parallel_grid(coarse: Grid, fine: Grid) -> Grid:
    """A grid over the coarse raster with rows and columns along those of the fine one and pixels as large as its own.

    Raises:
        InputError: the coarse raster has no place in the fine one's CRS.
    """
    source_crs, crs = _both_crs(coarse, fine)

    def on_fine(rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = _coordinates(coarse, rows, cols)
        return _positions(fine, _transformed(source_crs, crs, x, y))

    middle = np.array([0.0, 1.0, 0.0]) + coarse.height / 2, np.array([0.0, 0.0, 1.0]) + coarse.width / 2
    rows, cols = on_fine(*middle)
    rim_rows, rim_cols = on_fine(*_rim(coarse.whole))
    if len(rows) < 3 or not rim_rows.size:
        raise InputError(
            "The hyperspectral image lies outside the area of the multispectral image's coordinate reference system: "
            "check both coordinate reference systems."
        )
    ratio_y, ratio_x = math.hypot(*(rows[1:] - rows[0])), math.hypot(*(cols[1:] - cols[0]))
    top, left = float(rim_rows.min()), float(rim_cols.min())
    a, b, _, d, e, _ = fine.transform
    x, y = fine.xy(top, left)
    return replace(
        fine,
        width=max(1, math.ceil((float(rim_cols.max()) - left) / ratio_x - SAME_PX)),
        height=max(1, math.ceil((float(rim_rows.max()) - top) / ratio_y - SAME_PX)),
        transform=(a * ratio_x, b * ratio_y, x, d * ratio_x, e * ratio_y, y),
        crs_wkt=fine.crs_wkt or coarse.crs_wkt,
    )


def pixel_metres(grid: Grid) -> tuple[float, float]:
    """Length of a pixel's sides on the ground along rows and columns; in units of the CRS when that is unknown."""
    a, b, _, d, e, _ = grid.transform
    x_m = y_m = 1.0
    if grid.crs_wkt:
        crs = _crs(grid)
        if crs.is_geographic:
            latitude = grid.xy(grid.height / 2, grid.width / 2)[1]
            x_m, y_m = DEGREE_M * math.cos(math.radians(latitude)), DEGREE_M
        elif crs.is_projected:
            x_m = y_m = crs.linear_units_factor[1]
    return math.hypot(b * x_m, e * y_m), math.hypot(a * x_m, d * y_m)


def _both_crs(first: Grid, second: Grid) -> tuple[CRS, CRS]:
    """The CRSs of two rasters; a missing one is that of the other, and any will do where both are missing."""
    known = first.crs_wkt or second.crs_wkt
    if not known:
        return CRS.from_epsg(3857), CRS.from_epsg(3857)
    return _crs(first if first.crs_wkt else second), _crs(second if second.crs_wkt else first)


def _crs(grid: Grid) -> CRS:
    try:
        return CRS.from_wkt(grid.crs_wkt)
    except CRSError as error:
        raise InputError("The coordinate reference system of an image cannot be understood: assign it anew.") from error


def _rim(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of points along a window's outline."""
    along = np.linspace(0.0, 1.0, RIM_POINTS)
    start, end = np.zeros(RIM_POINTS), np.ones(RIM_POINTS)
    down = np.concatenate([along, along, start, end])
    across = np.concatenate([start, end, along, along])
    return window.row + window.height * down, window.col + window.width * across


def _coordinates(grid: Grid, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of many positions in the raster's CRS."""
    x, y = grid.xy(rows, cols)  # type: ignore[arg-type]
    return np.asarray(x), np.asarray(y)


def _transformed(source: CRS, target: CRS, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in another CRS, infinite where they have none.

    Raises:
        InputError: the two CRSs have nothing in common.
    """
    try:
        moved = rasterio.warp.transform(source, target, x, y)
    except (RasterioError, CPLE_BaseError) as error:
        raise InputError(
            "Coordinates of one image cannot be converted to the other's coordinate reference system: reproject one "
            "of them first."
        ) from error
    return np.asarray(moved[0]), np.asarray(moved[1])


def _positions(grid: Grid, xy: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of those coordinates that are finite."""
    finite = np.isfinite(xy[0]) & np.isfinite(xy[1])
    rows, cols = grid.rowcol(xy[0][finite], xy[1][finite])
    return np.asarray(rows), np.asarray(cols)


def _affine(grid: Grid, window: Window) -> Affine:
    a, b, _, d, e, _ = grid.transform
    x, y = grid.xy(window.row, window.col)
    return Affine(a, b, x, d, e, y)
