# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses a telling place of a pair and looks at it closely, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..bands import rgb_bands
from ..fusion.view import PairView, ViewedPixel
from ..grid import Grid, Window
from .pair_source import PairSource

if TYPE_CHECKING:
    from ..fusion.model import FusionModel
    from ..fusion.pair import PairBlock

VIEW_PX = 200
CANDIDATES_A_SIDE = 4
PIXELS = 4


def view_pair(source: PairSource, model: FusionModel, device: torch.device) -> PairView | None:
    """Look at the place with the most contrast among a few spread over the image; None where nothing is valid.

    Args:
        source: the pair.
        model: fitted, on the device, writing all used bands.
        device: what computes.
    """
    windows = _candidates(source.grid)
    blocks = [source.block(window) for window in windows]
    best = max(range(len(blocks)), key=lambda i: _contrast(blocks[i]))
    if _contrast(blocks[best]) == 0.0:
        return None
    window, block = windows[best], blocks[best].to(device)
    whole = slice(0, window.height), slice(0, window.width)
    planes, covered = model.apply(block, whole)
    fused, valid = planes["fused"].cpu().numpy(), covered.cpu().numpy()
    if not valid.any():
        return None
    hsi = _nearest(block, model).cpu().numpy()
    msi = model.harmony.scaled(block.msi).cpu().numpy()
    rgb = rgb_bands(model.table)
    low, high = (np.percentile(fused[rgb][:, valid], share, axis=1) for share in (2, 98))
    pictures = [_picture(cube[bands], valid, low, high) for cube, bands in ((hsi, rgb), (fused, rgb))]
    own = msi[rgb_bands(model.msi_table.subset(model.harmony.kept))]
    msi_range = [np.percentile(own[:, valid], share, axis=1) for share in (2, 98)]
    pixels = tuple(
        ViewedPixel(window.row + row, window.col + col, *(tuple(c[:, row, col].tolist()) for c in (fused, hsi, msi)))
        for row, col in _distinct(fused, valid)
    )
    return PairView(pictures[0], _picture(own, valid, *msi_range), pictures[1], pixels)


def _candidates(grid: Grid) -> list[Window]:
    height, width = min(VIEW_PX, grid.height), min(VIEW_PX, grid.width)
    rows = sorted({int(r) for r in np.linspace(0, grid.height - height, CANDIDATES_A_SIDE)})
    cols = sorted({int(c) for c in np.linspace(0, grid.width - width, CANDIDATES_A_SIDE)})
    return [Window(row, col, height, width) for row in rows for col in cols]


def _contrast(block: PairBlock) -> float:
    """Spread of the middle MSI band over valid pixels, weighted by their share."""
    valid = block.msi_valid
    if int(valid.sum()) < 2 or not bool(block.hsi_valid.any()):
        return 0.0
    values = block.msi[len(block.msi) // 2][valid]
    return float(values.std() * valid.float().mean() * block.hsi_valid.float().mean())


def _nearest(block: PairBlock, model: FusionModel) -> torch.Tensor:
    """The coarse spectra repeated on the fine grid."""
    rows, cols = model.covering(block)
    return block.hsi[:, rows.clamp(0, block.hsi.shape[1] - 1)][:, :, cols.clamp(0, block.hsi.shape[2] - 1)]


def _picture(rgb: np.ndarray, valid: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    span = np.maximum(high - low, np.finfo(np.float32).tiny)
    share = np.clip((rgb - low[:, None, None]) / span[:, None, None], 0.0, 1.0)
    picture = np.zeros((*valid.shape, 4), dtype=np.uint8)
    picture[..., :3] = (255 * share).astype(np.uint8).transpose(1, 2, 0)
    picture[..., 3] = np.where(valid, 255, 0)
    return picture


def _distinct(fused: np.ndarray, valid: np.ndarray) -> list[tuple[int, int]]:
    """Pixels whose spectra differ most: the farthest from the mean, then each time the farthest from those chosen."""
    places = np.argwhere(valid)
    places = places[:: max(1, len(places) // 2000)]
    spectra = fused[:, places[:, 0], places[:, 1]].T
    distance = np.linalg.norm(spectra - spectra.mean(axis=0), axis=1)
    # extremes of noise are no materials: the 90th percentile is far enough
    chosen = [int(np.argsort(distance)[int(0.9 * (len(distance) - 1))])]
    while len(chosen) < min(PIXELS, len(places)):
        gaps = np.min([np.linalg.norm(spectra - spectra[i], axis=1) for i in chosen], axis=0)
        chosen.append(int(np.argsort(gaps)[int(0.95 * (len(gaps) - 1))]))
    return [(int(places[i, 0]), int(places[i, 1])) for i in chosen]
