# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes of land cover for the HSI's pixels of a pair, from a raster of classes or from labelled geometries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rasterio
import rasterio.features
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from ..errors import InputError
from ..fusion.pair import PairBlock
from ..grid import Grid
from ..raster.open_raster import open_raster

LARGEST_CLASS = 65_535
UNKNOWN_PLACE = CRS.from_epsg(3857)
"""Stands for the coordinate system of rasters that have none: the same for all of them."""


def place_of(block: PairBlock, fine: Grid) -> Affine:
    """From rows and columns of a block's HSI pixels to coordinates of the MSI's grid."""
    placement = block.placement
    row, col = block.origin[0] + placement.row, block.origin[1] + placement.col
    a, b, c, d, e, f = fine.transform
    across, down = placement.ratio_x, placement.ratio_y
    return Affine(a * across, b * down, a * col + b * row + c, d * across, e * down, d * col + e * row + f)


def check_classes(path: str) -> None:
    """Refuse a raster that cannot hold classes, before anything else is read.

    Raises:
        InputError: with the sentence for the user.
    """
    with open_raster(path) as dataset:
        if dataset.count != 1:
            raise InputError(f"{path} has {dataset.count} bands: choose a raster of classes, which has one.")
        if np.dtype(dataset.dtypes[0]).kind not in "iuf":
            raise InputError(f"{path} holds no plain numbers: choose a raster of classes, which are whole numbers.")


def labels_of_raster(
    path: str, blocks: Sequence[PairBlock], fine: Grid
) -> tuple[tuple[np.ndarray, ...], dict[int, str]]:
    """Read the class that covers most of each HSI pixel.

    Args:
        path: a raster of whole numbers, on any grid; 0 and nodata mean no class.
        blocks: parts of the pair.
        fine: the MSI's grid.

    Returns:
        for each block int32 [rows, columns], and the names of the classes, by number.

    Raises:
        InputError: the raster cannot be read, holds no classes, or lies elsewhere.
    """
    with open_raster(path) as dataset:
        labels = tuple(_read(dataset, block, fine, path) for block in blocks)
    found = sorted({int(value) for part in labels for value in np.unique(part)} - {0})
    if not found:
        raise InputError(
            f"{path} has no class where the two images are: choose a raster of the same ground, in which 0 means no "
            "class."
        )
    return labels, {value: f"Class {value}" for value in found}


def labels_of_samples(
    samples: Sequence[Mapping[str, Any]], blocks: Sequence[PairBlock], fine: Grid
) -> tuple[tuple[np.ndarray, ...], dict[int, str]]:
    """Give HSI pixels whose centres lie in labelled geometries their classes; see :func:`labels_of_raster`.

    Args:
        samples: records ``{"name": class, "geometry": GeoJSON in the MSI's coordinate system}``.
        blocks: parts of the pair.
        fine: the MSI's grid.
    """
    names = {number: name for number, name in enumerate(dict.fromkeys(str(one["name"]) for one in samples), 1)}
    numbers = {name: number for number, name in names.items()}
    shapes = [(one["geometry"], numbers[str(one["name"])]) for one in samples]
    labels = tuple(
        np.asarray(
            rasterio.features.rasterize(
                shapes, block.coarse_shape, transform=place_of(block, fine), dtype="int32", skip_invalid=False
            )
        )
        for block in blocks
    )
    return labels, names


def _read(dataset: rasterio.DatasetReader, block: PairBlock, fine: Grid, path: str) -> np.ndarray:
    wide = np.zeros(block.coarse_shape, dtype=np.float64)
    own = dataset.crs
    target = CRS.from_wkt(fine.crs_wkt) if fine.crs_wkt else own or UNKNOWN_PLACE
    try:
        reproject(
            rasterio.band(dataset, 1),
            wide,
            src_crs=own or target,
            dst_crs=target,
            dst_transform=place_of(block, fine),
            init_dest_nodata=False,
            resampling=Resampling.mode,
        )
    except RasterioError as error:
        raise InputError(f"{path} cannot be laid on the two images: check its coordinate reference system.") from error
    wide = np.nan_to_num(wide, nan=0.0)
    if np.any(wide != np.round(wide)) or wide.min() < 0 or wide.max() > LARGEST_CLASS:
        raise InputError(
            f"{path} holds numbers that are no classes: choose a raster of whole numbers from 0 to {LARGEST_CLASS}."
        )
    return wide.astype(np.int32)
