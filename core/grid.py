# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pixels lie: the raster's grid, windows in it, and its division into tiles.

x and y are CRS units; row and column count pixels from the top left corner. Conversions live here only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .errors import InputError


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: first row and column, height and width."""

    row: int
    col: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Rows as a slice of the raster."""
        return slice(self.row, self.row + self.height)

    @property
    def cols(self) -> slice:
        """Columns as a slice of the raster."""
        return slice(self.col, self.col + self.width)

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Return this window's rows and columns counted from the top left corner of ``outer``."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)

    def padded(self, margin: int, height: int, width: int) -> Window:
        """Grow by ``margin`` pixels on each side, clipped to a raster of the given size."""
        top, left = max(0, self.row - margin), max(0, self.col - margin)
        bottom = min(height, self.row + self.height + margin)
        right = min(width, self.col + self.width + margin)
        return Window(top, left, bottom - top, right - left)


@dataclass(frozen=True)
class Grid:
    """The georeference of a raster.

    Attributes:
        width, height: size in pixels.
        transform: affine coefficients (a, b, c, d, e, f) with x = a*col + b*row + c, y = d*col + e*row + f,
            measured at pixel corners.
        crs_wkt: the coordinate reference system as WKT, empty when unknown.
        pixel_is_point: True when the file says AREA_OR_POINT=Point.
    """

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    crs_wkt: str = ""
    pixel_is_point: bool = False

    def xy(self, row: float, col: float) -> tuple[float, float]:
        """CRS coordinates of a position in pixels (0, 0 is the outer corner of the first pixel)."""
        a, b, c, d, e, f = self.transform
        return a * col + b * row + c, d * col + e * row + f

    def rowcol(self, x: float, y: float) -> tuple[float, float]:
        """Position in pixels of CRS coordinates; inverse of :meth:`xy`.

        Raises:
            InputError: the georeference has no inverse.
        """
        a, b, c, d, e, f = self.transform
        determinant = a * e - b * d
        if determinant == 0.0:
            raise InputError(
                "The raster's georeference puts all pixels on one line, so no place can be found in it: correct it."
            )
        dx, dy = x - c, y - f
        return (a * dy - d * dx) / determinant, (e * dx - b * dy) / determinant

    def finer(self, factor: int) -> Grid:
        """The grid of the same ground with pixels ``factor`` times smaller."""
        a, b, c, d, e, f = self.transform
        small = (a / factor, b / factor, c, d / factor, e / factor, f)
        return replace(self, width=factor * self.width, height=factor * self.height, transform=small)

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    @property
    def whole(self) -> Window:
        """The window that covers the raster."""
        return Window(0, 0, self.height, self.width)


@dataclass(frozen=True)
class Tile:
    """A piece of work: the pixels it produces (core) and the pixels it needs to see (halo)."""

    index: int
    core: Window
    halo: Window


def plan_tiles(grid: Grid, tile_height: int, tile_width: int, halo_px: int = 0) -> list[Tile]:
    """Divide a raster into tiles, row by row; tiles at the right and bottom edge may be smaller."""
    cores = _cores(grid, tile_height, tile_width)
    return [Tile(i, core, core.padded(halo_px, grid.height, grid.width)) for i, core in enumerate(cores)]


def _cores(grid: Grid, tile_height: int, tile_width: int) -> Iterator[Window]:
    for row in range(0, grid.height, tile_height):
        for col in range(0, grid.width, tile_width):
            yield Window(row, col, min(tile_height, grid.height - row), min(tile_width, grid.width - col))
