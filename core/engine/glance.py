# SPDX-License-Identifier: GPL-3.0-or-later
"""A first glance at the pixels: which bands are empty, and in which units the numbers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import rasterio

from ..bands import spans
from ..errors import InputError
from ..grid import Grid, Window
from ..raster.header import RasterHeader
from ..raster.open_raster import open_raster, read_bands

PROBE_PX = 64
PROBES_A_SIDE = 4
HIGH_PERCENTILE = 99.0


@dataclass(frozen=True)
class Glance:
    """What a few windows show.

    Attributes:
        empty: bands (from 0) without a valid value although other bands have some.
        high: a high percentile of the valid values, after GDAL's scale and offset.
    """

    empty: tuple[int, ...]
    high: float


def glance(header: RasterHeader, wanted: Sequence[int] | None = None) -> Glance:
    """Look at windows spread over the raster, then at all of it if they hold nothing.

    Args:
        header: the raster.
        wanted: bands (from 0) that the user picked, None for all good ones.

    Raises:
        InputError: nothing is valid, or a band holds nothing but NaN or infinity without declaring it nodata.
    """
    asked = [i for i, good in enumerate(header.table.good) if good] if wanted is None else wanted
    windows = [*_spread(header.grid), *_strips(header.grid)]
    with open_raster(header.path) as dataset:
        for start in range(0, len(windows), PROBES_A_SIDE**2):
            seen = _look(dataset, header, asked, windows[start : start + PROBES_A_SIDE**2])
            if seen is not None:
                return seen
    raise InputError(f"The raster {header.path} holds no valid pixel at all: every band is nodata everywhere.")


def _look(
    dataset: rasterio.DatasetReader, header: RasterHeader, asked: Sequence[int], windows: list[Window]
) -> Glance | None:
    bands = len(header.table)
    has_value, has_nonsense = np.zeros(bands, dtype=bool), np.zeros(bands, dtype=bool)
    highs = []
    for window in windows:
        stored = np.empty((bands, window.height, window.width), np.result_type(*header.dtypes))
        read_bands(dataset, dataset.indexes, window, stored)
        declared = _declared_nodata(stored, header)
        finite = np.isfinite(stored) & ~declared
        has_value |= finite.any(axis=(1, 2))
        has_nonsense |= (~np.isfinite(stored) & ~declared).any(axis=(1, 2))
        scale = np.asarray(header.scale)[:, None, None]
        values = stored * scale + np.asarray(header.offset)[:, None, None]
        if finite.any():
            highs.append(float(np.percentile(values[finite], HIGH_PERCENTILE)))
    if not has_value.any():
        return None
    nonsense = [int(i) for i in np.flatnonzero(has_nonsense & ~has_value) if i in asked]
    if nonsense:
        raise InputError(
            f"Band {spans(nonsense)} of {header.path} holds only NaN or infinite numbers: choose the other bands under "
            "'Bands', or mark it as bad in the file (bbl = 0)."
        )
    return Glance(tuple(int(i) for i in np.flatnonzero(~has_value)), float(np.median(highs)))


def _declared_nodata(stored: np.ndarray, header: RasterHeader) -> np.ndarray:
    declared = np.zeros(stored.shape, dtype=bool)
    for band, nodata in enumerate(header.nodata):
        if nodata is not None:
            declared[band] = np.isnan(stored[band]) if np.isnan(nodata) else stored[band] == nodata
    return declared


def _spread(grid: Grid) -> Iterator[Window]:
    """Up to 4 x 4 small windows, evenly over the raster."""
    rows = sorted({int(r) for r in np.linspace(0, max(0, grid.height - PROBE_PX), PROBES_A_SIDE)})
    cols = sorted({int(c) for c in np.linspace(0, max(0, grid.width - PROBE_PX), PROBES_A_SIDE)})
    for row in rows:
        for col in cols:
            yield Window(row, col, min(PROBE_PX, grid.height - row), min(PROBE_PX, grid.width - col))


def _strips(grid: Grid) -> Iterator[Window]:
    """The whole raster in small windows, for rasters that are nearly empty."""
    for row in range(0, grid.height, PROBE_PX):
        for col in range(0, grid.width, PROBE_PX):
            yield Window(row, col, min(PROBE_PX, grid.height - row), min(PROBE_PX, grid.width - col))
