# SPDX-License-Identifier: GPL-3.0-or-later
"""What instruments would make of a fine hyperspectral scene: Wald's protocol on any scene.

A coarse pixel of width r fine pixels sees the scene through a Gaussian PSF and then averages over its own area, so its
weight at distance x from its centre is the box of width r convolved with the Gaussian, along rows and columns alike:

    k(x) = (Phi((x + r/2) / s) - Phi((x - r/2) / s)) / r.

The integral of k over a fine pixel is closed, so the ratio may be any number from 1; for s = 0 it is the exact average
over the area. A multispectral instrument sees weighted sums of bands. Noise is white, with a signal-to-noise ratio per
band, and its value at a pixel depends on the seed and the pixel alone, whatever tiles an image is made in.

Wald, Ranchin, Mangolini: Fusion of satellite images of different spatial resolutions, PE&RS 63(6), 1997.
"""

from __future__ import annotations

import math

import torch

from ..grid import Window

LEAST_SHARE = 0.5
"""Share of a coarse pixel's weight that must lie on valid fine pixels."""

_REACH_SIGMAS = 5.0
_NOISE_BLOCK = 64


def reach_px(ratio: float, sigma: float) -> int:
    """Fine pixels on either side of a coarse pixel's own area that it sees."""
    return math.ceil(_REACH_SIGMAS * sigma) + (0 if float(ratio).is_integer() else 1)


def weights(first: int, count: int, ratio: float, sigma: float, fine_first: int, fine_count: int) -> torch.Tensor:
    """What some coarse pixels see of some fine ones, along one axis.

    Args:
        first: the first coarse pixel; coarse pixel i covers the fine axis from ``i * ratio`` to ``(i + 1) * ratio``.
        count: number of coarse pixels.
        ratio: coarse over fine ground sampling distance, at least 1.
        sigma: standard deviation of the Gaussian PSF, in fine pixels.
        fine_first: the first fine pixel.
        fine_count: number of fine pixels.

    Returns:
        float64 [count, fine_count]; rows sum to 1 where all that the pixel sees is among the fine pixels.
    """
    centres = (torch.arange(first, first + count, dtype=torch.float64) + 0.5) * ratio
    edges = torch.arange(fine_first, fine_first + fine_count + 1, dtype=torch.float64)
    x = edges[None, :] - centres[:, None]
    below = _ramp(x + ratio / 2, sigma) - _ramp(x - ratio / 2, sigma)
    return (below / ratio).diff(dim=1)


def degrade(
    cube: torch.Tensor, valid: torch.Tensor, row_weights: torch.Tensor, col_weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a coarse image of a fine one.

    Args:
        cube: [bands, fine rows, fine columns], finite.
        valid: bool [fine rows, fine columns]; invalid pixels do not enter, the others take over their weight.
        row_weights: [rows, fine rows], of :func:`weights`.
        col_weights: [columns, fine columns].

    Returns:
        the coarse image [bands, rows, columns], and bool [rows, columns]: False where less than half of what a pixel
        sees is valid and within the image.
    """
    rows, cols = row_weights.to(cube), col_weights.to(cube)
    mask = valid.to(cube)
    share = rows @ mask @ cols.T
    # bands one by one: a product over all of them at once would copy the whole cube
    coarse = torch.stack([rows @ torch.where(valid, band, 0.0) @ cols.T for band in cube])
    return coarse / share.clamp_min(1e-6), share >= LEAST_SHARE


def see_bands(cube: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Multispectral bands of a cube: SRF [msi_bands, bands] times [bands, rows, columns]."""
    return (matrix.to(cube) @ cube.reshape(len(cube), -1)).reshape(len(matrix), *cube.shape[1:])


def noise_levels(power: torch.Tensor, snr_db: float) -> torch.Tensor:
    """Standard deviation of the noise of each band, [bands], from the band's mean square and a ratio in decibels."""
    return (power * 10.0 ** (-snr_db / 10.0)).sqrt()


def unit_noise(bands: int, window: Window, seed: int) -> torch.Tensor:
    """White Gaussian noise of variance 1 for a window of an image, float32 [bands, rows, columns] on the CPU.

    It is drawn in blocks of a fixed grid, each from its own generator, so that windows that overlap agree.
    """
    noise = torch.empty(bands, window.height, window.width)
    bottom, right = window.row + window.height, window.col + window.width
    for top in range(window.row // _NOISE_BLOCK * _NOISE_BLOCK, bottom, _NOISE_BLOCK):
        for left in range(window.col // _NOISE_BLOCK * _NOISE_BLOCK, right, _NOISE_BLOCK):
            generator = torch.Generator().manual_seed(_mixed(seed, top // _NOISE_BLOCK, left // _NOISE_BLOCK))
            block = torch.randn(bands, _NOISE_BLOCK, _NOISE_BLOCK, generator=generator)
            whole = Window(top, left, _NOISE_BLOCK, _NOISE_BLOCK)
            common = _common(window, whole)
            rows, cols = common.within(window)
            block_rows, block_cols = common.within(whole)
            noise[:, rows, cols] = block[:, block_rows, block_cols]
    return noise


def _ramp(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Integral of the Gaussian distribution function, s (z Phi(z) + phi(z)) with z = x / s; max(x, 0) for s = 0."""
    if sigma <= 0:
        return x.clamp_min(0.0)
    z = x / sigma
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return sigma * (z * torch.special.ndtr(z) + density)


def _common(a: Window, b: Window) -> Window:
    row, col = max(a.row, b.row), max(a.col, b.col)
    bottom, right = min(a.row + a.height, b.row + b.height), min(a.col + a.width, b.col + b.width)
    return Window(row, col, bottom - row, right - col)


def _mixed(seed: int, row: int, col: int) -> int:
    """One number of 63 bits from three, far apart for neighbours (steps of SplitMix64)."""
    value = seed & 0xFFFFFFFFFFFFFFFF
    for part in (row, col):
        value = (value * 0x9E3779B97F4A7C15 + part + 0x632BE59BD9B4E019) & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 31
    return value >> 1
