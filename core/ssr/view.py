# SPDX-License-Identifier: GPL-3.0-or-later
"""A close look at one part of a result, beside its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..bands import rgb_bands
from .model import SPECTRA, UNCERTAINTY, SsrModel

PIXELS = 4


@dataclass(frozen=True)
class ViewedPixel:
    """The result at one place.

    Attributes:
        row, col: counted from the corner of the view.
        spectrum: in the MSI's unit, [C].
        deviation: standard deviation that is stated, [C].
        msi: what the MSI shows, on the scale of the spectra, [c].
    """

    row: int
    col: int
    spectrum: tuple[float, ...]
    deviation: tuple[float, ...]
    msi: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """One part of the image.

    Attributes:
        before, after: MSI and result in true colour, uint8 RGBA [rows, columns, 4]; ``before`` is None where the MSI
            has no three bands.
        residual: root mean square over the MSI's bands of Y - R X, [rows, columns]; NaN where invalid.
        deviation: root mean square over bands of the standard deviation that is stated, likewise.
        pixels: a few spectra.
    """

    before: np.ndarray | None
    after: np.ndarray
    residual: np.ndarray
    deviation: np.ndarray
    pixels: tuple[ViewedPixel, ...]


def look(model: SsrModel, windows: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> View | None:
    """Look at the window with the most contrast; None where nothing is valid.

    Args:
        model: writing all bands and both rasters, on the windows' device.
        windows: the image's used bands [bands, rows, columns] and validity [rows, columns] of some places.
    """
    usable = [model.usable(msi, valid) for msi, valid in windows]
    contrasts = [_contrast(msi, valid) for (msi, _), valid in zip(windows, usable)]
    best = max(range(len(windows)), key=contrasts.__getitem__)
    msi, valid = windows[best][0], usable[best]
    if not bool(valid.any()):
        return None
    planes = model.apply(msi, valid)
    spectra = planes[SPECTRA].cpu().numpy()
    deviations = planes[UNCERTAINTY].cpu().numpy()
    left = model.residual(msi, valid)
    explained = model.response @ planes[SPECTRA].flatten(1)
    seen = explained.reshape(left.shape) + left  # the MSI on the scale of the spectra
    residual = left.square().mean(dim=0).sqrt().cpu().numpy()
    mask = valid.cpu().numpy()
    values = seen.cpu().numpy()
    pixels = tuple(
        ViewedPixel(row, col, *(tuple(cube[:, row, col].tolist()) for cube in (spectra, deviations, values)))
        for row, col in _distinct(spectra, mask)
    )
    before = _picture(values[rgb_bands(model.msi_table)], mask) if len(values) >= 3 else None
    after = _picture(spectra[rgb_bands(model.table)], mask)
    deviation = np.sqrt(np.square(deviations).mean(axis=0))
    return View(before, after, np.where(mask, residual, np.nan), np.where(mask, deviation, np.nan), pixels)


def _contrast(msi: torch.Tensor, valid: torch.Tensor) -> float:
    """Spread of the middle band over valid pixels, weighted by their share."""
    if int(valid.sum()) < 2:
        return 0.0
    return float(msi[len(msi) // 2][valid].std() * valid.float().mean())


def _picture(rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Red, green and blue, each stretched from its 2nd to its 98th percentile."""
    low, high = (np.percentile(rgb[:, valid], share, axis=1)[:, None, None] for share in (2, 98))
    share = np.clip((rgb - low) / np.maximum(high - low, np.finfo(np.float32).tiny), 0.0, 1.0)
    picture = np.zeros((*valid.shape, 4), dtype=np.uint8)
    picture[..., :3] = np.where(valid, 255 * share, 0).astype(np.uint8).transpose(1, 2, 0)
    picture[..., 3] = np.where(valid, 255, 0)
    return picture


def _distinct(spectra: np.ndarray, valid: np.ndarray) -> list[tuple[int, int]]:
    """Pixels whose spectra differ most: one far from the mean, then each time one far from those chosen."""
    places = np.argwhere(valid)
    places = places[:: max(1, len(places) // 2000)]
    found = spectra[:, places[:, 0], places[:, 1]].T
    distance = np.linalg.norm(found - found.mean(axis=0), axis=1)
    # extremes are noise more often than materials: the 90th percentile is far enough
    chosen = [int(np.argsort(distance)[int(0.9 * (len(distance) - 1))])]
    while len(chosen) < min(PIXELS, len(places)):
        gaps = np.min([np.linalg.norm(found - found[i], axis=1) for i in chosen], axis=0)
        chosen.append(int(np.argsort(gaps)[int(0.95 * (len(gaps) - 1))]))
    return [(int(places[i, 0]), int(places[i, 1])) for i in chosen]
