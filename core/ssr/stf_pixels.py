# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels that both images show, made alike in sharpness, with their places and the land cover that they show.

The MSI is averaged over the HSI's pixels and blurred by the Gaussian that makes it follow the HSI best, for the HSI was
blurred by its own optics as well. Both are then smoothed alike, which takes most of the HSI's noise, by which responses
would come out too small, and of what is left of a displacement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..fusion.pair import PairBlock
from ..fusion.pairing.alike import COVERED, SIGMAS
from ..fusion.pairing.averaging import area_average, smooth
from ..fusion.pairing.gate import LEAST_PIXELS

SMOOTHED = 1.0
"""Sigma of the smoothing, in pixels of the HSI."""
FIELDS, SMALLEST_FIELD, LARGEST_FIELD = 12, 4, 16
"""Fields along a side of a small image, and the least and greatest side of a field in pixels."""


@dataclass(frozen=True)
class StfPixels:
    """Pixels of both images, neighbours one after the other.

    Attributes:
        hsi: float32 [pixels, hsi_bands].
        msi: float32 [pixels, msi_bands].
        row, col: of each pixel on the HSI's grid, counted from the first one used, int [pixels].
        field: number of the square of neighbours that a pixel lies in, int [pixels].
        label: class of land cover, int [pixels]; 0 where none is known.
    """

    hsi: np.ndarray
    msi: np.ndarray
    row: np.ndarray
    col: np.ndarray
    field: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.hsi)

    def chosen(self, which: np.ndarray) -> StfPixels:
        """Some of the pixels, by indices or by a mask."""
        return StfPixels(*(getattr(self, name)[which] for name in ("hsi", "msi", "row", "col", "field", "label")))


def make_pixels(blocks: Sequence[PairBlock], response: torch.Tensor, labels: Sequence[np.ndarray]) -> StfPixels:
    """Take the pixels that are valid in both images.

    Args:
        blocks: parts of the pair, in their right place.
        response: a first estimate, float32 [msi_bands, hsi_bands].
        labels: class of each HSI pixel of every block, int [rows, columns].

    Raises:
        InputError: there are too few.
    """
    averages, usable = [], []
    for block in blocks:
        means, coverage = area_average(block.msi, block.msi_valid, block.placement, block.coarse_shape)
        averages.append(means)
        usable.append(block.hsi_valid & (coverage > COVERED))
    count = sum(int(mask.sum()) for mask in usable)
    if count < LEAST_PIXELS:
        raise InputError(
            f"Only {count} hyperspectral pixels are valid in both images and at least {LEAST_PIXELS} are needed: "
            "choose images that share more valid ground."
        )
    hsi = [smooth(block.hsi, mask, SMOOTHED) for block, mask in zip(blocks, usable)]
    msi = _as_blurred(averages, [torch.einsum("cb,bhw->chw", response, part) for part in hsi], usable)
    rows, cols = _places(blocks)
    side = min(max(round(math.sqrt(count) / FIELDS), SMALLEST_FIELD), LARGEST_FIELD)
    masks = [mask.numpy() for mask in usable]
    at = [np.nonzero(mask) for mask in masks]
    row = np.concatenate([inside[0] + first for inside, first in zip(at, rows)])
    col = np.concatenate([inside[1] + first for inside, first in zip(at, cols)])
    field = (row // side) * (int(col.max()) // side + 1) + col // side
    pixels = StfPixels(
        np.concatenate([part.numpy()[:, mask].T for part, mask in zip(hsi, masks)]),
        np.concatenate([part.numpy()[:, mask].T for part, mask in zip(msi, masks)]),
        row,
        col,
        field,
        np.concatenate([part[mask] for part, mask in zip(labels, masks)]),
    )
    # field by field, so that runs of pixels are compact pieces of ground
    return pixels.chosen(np.argsort(field, kind="stable"))


def _as_blurred(
    averages: Sequence[torch.Tensor], predicted: Sequence[torch.Tensor], usable: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """The averaged MSI with the blur with which it follows the bands that the HSI predicts best, and smoothed."""
    wanted = torch.cat([part[:, mask] for part, mask in zip(predicted, usable)], dim=1)
    best, highest = list(averages), -math.inf
    for sigma in SIGMAS:
        # two Gaussians after one another are one
        width = math.hypot(sigma, SMOOTHED)
        tried = [smooth(part, mask, width) for part, mask in zip(averages, usable)]
        agreement = _agreement(torch.cat([part[:, mask] for part, mask in zip(tried, usable)], dim=1), wanted)
        if agreement > highest:
            best, highest = tried, agreement
    return best


def _agreement(averaged: torch.Tensor, predicted: torch.Tensor) -> float:
    """Mean correlation over bands [bands, pixels]."""
    a, b = (side - side.mean(1, keepdim=True) for side in (averaged.double(), predicted.double()))
    scale = (a.square().sum(1) * b.square().sum(1)).sqrt().clamp_min(1e-30)
    return float(((a * b).sum(1) / scale).mean())


def _places(blocks: Sequence[PairBlock]) -> tuple[list[int], list[int]]:
    """Row and column of every block's first HSI pixel, counted from the first one of all."""
    rows = [(block.origin[0] + block.placement.row) / block.placement.ratio_y for block in blocks]
    cols = [(block.origin[1] + block.placement.col) / block.placement.ratio_x for block in blocks]
    return [round(row - min(rows)) for row in rows], [round(col - min(cols)) for col in cols]
