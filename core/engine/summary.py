# SPDX-License-Identifier: GPL-3.0-or-later
"""Streaming statistics and quick-looks of rasters that are never held as a whole."""

from __future__ import annotations

import numpy as np

from ..bands import rgb_bands
from ..grid import Grid, Tile
from .method import OutputSpec
from .record import OutputSummary

QUICKLOOK_PX = 320
BINS = 128


class QuickLook:
    """Every n-th pixel of a raster, collected tile by tile."""

    def __init__(self, grid: Grid, bands: int) -> None:
        self._step = max(1, -(-max(grid.width, grid.height) // QUICKLOOK_PX))
        shape = (bands, -(-grid.height // self._step), -(-grid.width // self._step))
        self.values = np.full(shape, np.nan, dtype=np.float32)

    def part(self, tile: Tile, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """What falls on the coarse grid from a tile's core; ``values`` [bands, rows, columns]."""
        rows, cols = (
            slice(-tile.core.row % self._step, None, self._step),
            slice(-tile.core.col % self._step, None, self._step),
        )
        return np.where(valid[None, rows, cols], values[:, rows, cols], np.float32(np.nan))

    def part_shape(self, tile: Tile) -> tuple[int, int]:
        """Rows and columns of a tile's part."""
        rows = range(-tile.core.row % self._step, tile.core.height, self._step)
        cols = range(-tile.core.col % self._step, tile.core.width, self._step)
        return len(rows), len(cols)

    def put(self, tile: Tile, part: np.ndarray) -> None:
        """Take in what :meth:`part` gave for the tile."""
        row, col = -(-tile.core.row // self._step), -(-tile.core.col // self._step)
        self.values[:, row : row + part.shape[1], col : col + part.shape[2]] = part


class Summary:
    """Means, extremes, histogram and quick-look of one output; of spectra those of three bands for a picture."""

    def __init__(self, spec: OutputSpec, grid: Grid) -> None:
        self._shown: slice | list[int] = slice(None) if spec.table is None else rgb_bands(spec.table)
        bands = len(spec.band_names) if spec.table is None else 3
        self._limits = spec.limits
        self._upper = 0.0 if spec.limits is None else spec.limits[1]
        self._lower = 0.0 if spec.limits is None else spec.limits[0]
        self._sum = np.zeros(bands)
        self._low = np.full(bands, np.inf)
        self._high = np.full(bands, -np.inf)
        self._count = 0
        self._histogram = np.zeros((bands, BINS), dtype=np.int64)
        self._quicklook = QuickLook(grid, bands)

    def add(self, tile: Tile, values: np.ndarray, valid: np.ndarray) -> None:
        """Take in a tile's core; ``values`` [bands, rows, columns], ``valid`` [rows, columns]."""
        values = values[self._shown]
        self._quicklook.put(tile, self._quicklook.part(tile, values, valid))
        pixels = values[:, valid]
        if pixels.shape[1] == 0:
            return
        self._count += pixels.shape[1]
        self._sum += pixels.sum(axis=1, dtype=np.float64)
        self._low = np.minimum(self._low, pixels.min(axis=1))
        self._high = np.maximum(self._high, pixels.max(axis=1))
        if self._limits is None:
            self._widen(float(pixels.max()))
        span = max(self._upper - self._lower, np.finfo(np.float32).tiny)
        bins = np.clip((pixels - self._lower) * (BINS / span), 0, BINS - 1).astype(np.int64)
        for band, row in enumerate(bins):
            self._histogram[band] += np.bincount(row, minlength=BINS)

    def result(self) -> OutputSummary:
        """The summary of everything taken in so far."""
        with np.errstate(invalid="ignore"):
            mean = self._sum / self._count if self._count else np.full_like(self._sum, np.nan)
        edges = np.linspace(self._lower, self._upper or 1.0, BINS + 1)
        return OutputSummary(mean, self._low, self._high, edges, self._histogram, self._quicklook.values)

    def _widen(self, value: float) -> None:
        """Double the range of a histogram from 0 until it holds the value, by joining pairs of bins."""
        if self._upper == 0.0 and value > 0.0:
            self._upper = float(2.0 ** np.ceil(np.log2(value)))
        while value > self._upper:
            self._histogram = np.concatenate(
                [self._histogram[:, 0::2] + self._histogram[:, 1::2], np.zeros_like(self._histogram[:, ::2])], axis=1
            )
            self._upper *= 2.0


def stretched(rgb: np.ndarray) -> np.ndarray:
    """Red, green and blue planes [3, rows, columns] with NaN where invalid, as a picture.

    Each plane is stretched from its 2nd to its 98th percentile.

    Returns:
        uint8 [rows, columns, 4], transparent where invalid.
    """
    valid = np.isfinite(rgb).all(axis=0)
    picture = np.zeros((*valid.shape, 4), dtype=np.uint8)
    for i, plane in enumerate(rgb):
        if valid.any():
            low, high = np.percentile(plane[valid], (2, 98))
            share = (plane[valid] - low) / max(high - low, np.finfo(np.float32).tiny)
            picture[valid, i] = np.clip(share * 255, 0, 255).astype(np.uint8)
    picture[valid, 3] = 255
    return picture
