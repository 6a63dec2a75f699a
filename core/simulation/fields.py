# SPDX-License-Identifier: GPL-3.0-or-later
"""Random fields and averaging on grids, built from small matrices for rows and columns."""

from __future__ import annotations

import numpy as np


def smooth_field(rows: int, cols: int, cell_px: float, rng: np.random.Generator) -> np.ndarray:
    """A random field that varies over ``cell_px`` pixels; mean 0 and about unit variance, float32 [rows, cols]."""
    down, across = _blend(rows, cell_px), _blend(cols, cell_px)
    knots = rng.standard_normal((down.shape[1], across.shape[1]), dtype=np.float32)
    field: np.ndarray = down @ knots @ across.T
    return field


def rough_field(rows: int, cols: int, cell_px: float, rng: np.random.Generator, octaves: int = 4) -> np.ndarray:
    """A random field with detail at ever finer scales, like terrain; float32 [rows, cols]."""
    total = np.zeros((rows, cols), dtype=np.float32)
    for octave in range(octaves):
        total += 0.55**octave * smooth_field(rows, cols, max(cell_px / 2**octave, 2.0), rng)
    return total / np.float32(np.sqrt(sum(0.55 ** (2 * octave) for octave in range(octaves))))


def blur_and_decimate(fine: np.ndarray, factor: int, sigma_px: float) -> np.ndarray:
    """See a fine map through a sensor: a Gaussian point spread function, sampled every ``factor`` fine pixels.

    Args:
        fine: [rows * factor, cols * factor].
        factor: fine pixels per sensor pixel.
        sigma_px: width of the point spread function in sensor pixels; its weights sum to 1 up to the image's rim.

    Returns:
        float32 [rows, cols].
    """
    rows, cols = (side // factor for side in fine.shape)
    down, across = (_sensor(side, factor, sigma_px) for side in (rows, cols))
    seen: np.ndarray = down @ fine.astype(np.float32) @ across.T
    return seen


def _blend(length: int, cell_px: float) -> np.ndarray:
    """Weights of knots ``cell_px`` apart at each pixel, raised cosines scaled to unit variance, [length, knots]."""
    place = np.arange(length) / cell_px
    distance = np.abs(place[:, None] - np.arange(int(np.ceil(length / cell_px)) + 2)[None, :] + 0.5)
    weights = np.where(distance < 1.5, np.cos(np.pi / 3 * distance) ** 2, 0.0)
    unit: np.ndarray = (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _sensor(side: int, factor: int, sigma_px: float) -> np.ndarray:
    centre = (np.arange(side) + 0.5) * factor - 0.5
    distance = (np.arange(side * factor)[None, :] - centre[:, None]) / factor
    weights = np.exp(-0.5 * (distance / sigma_px) ** 2)
    weights[np.abs(distance) > 4 * sigma_px] = 0.0
    unit: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return unit
