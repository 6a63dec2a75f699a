# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages of a fine image over coarse pixels, wherever they lie: exact areas, whole-numbered ratios or not.

A coarse pixel covers a rectangle of fine pixels, those at its rim in part. The rectangle's sides are independent, so
the average is A_rows M A_cols^T with two small matrices of shares.
"""

from __future__ import annotations

import torch

from ..pair import Placement


def area_average(
    fine: torch.Tensor, valid: torch.Tensor, placement: Placement, shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the valid fine pixels under every coarse pixel.

    Args:
        fine: [bands, H, W]; anything where invalid.
        valid: bool [H, W].
        placement: of the coarse array on the fine one.
        shape: rows and columns of the coarse array.

    Returns:
        averages [bands, h, w], zero where there is nothing to average, and coverage [h, w], the share of each coarse
        pixel that lies on valid fine ones.
    """
    rows = shares(fine.shape[1], shape[0], placement.row, placement.ratio_y).to(fine)
    cols = shares(fine.shape[2], shape[1], placement.col, placement.ratio_x).to(fine)
    coverage = rows @ valid.to(fine.dtype) @ cols.T
    sums = rows @ torch.where(valid, fine, fine.new_zeros(())) @ cols.T
    averages = torch.where(coverage > 0, sums / coverage.clamp_min(torch.finfo(fine.dtype).tiny), sums.new_zeros(()))
    return averages, coverage


def shares(fine: int, coarse: int, start: float, ratio: float) -> torch.Tensor:
    """Which share of each coarse pixel's side lies on each fine pixel, float64 [coarse, fine].

    Args:
        fine: number of fine pixels along the axis.
        coarse: number of coarse ones.
        start: fine position of the first coarse pixel's outer edge.
        ratio: fine pixels per coarse one.
    """
    begins = start + ratio * torch.arange(coarse, dtype=torch.float64)[:, None]
    pixels = torch.arange(fine, dtype=torch.float64)[None]
    overlap = torch.minimum(begins + ratio, pixels + 1.0) - torch.maximum(begins, pixels)
    return overlap.clamp_min(0.0) / ratio


def smooth(values: torch.Tensor, valid: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian mean of the valid pixels around each pixel, for making images alike whose sharpness differs.

    Args:
        values: [bands, h, w].
        valid: bool [h, w].
        sigma: of the Gaussian, in pixels.

    Returns:
        [bands, h, w]; zero far from any valid pixel.
    """
    rows, cols = (_gaussian(size, sigma).to(values) for size in values.shape[1:])
    weight = rows @ valid.to(values.dtype) @ cols.T
    sums = rows @ torch.where(valid, values, values.new_zeros(())) @ cols.T
    return torch.where(weight > 1e-6, sums / weight.clamp_min(1e-6), sums.new_zeros(()))


def _gaussian(size: int, sigma: float) -> torch.Tensor:
    at = torch.arange(size, dtype=torch.float64)
    return torch.exp(-0.5 * ((at[:, None] - at[None]) / sigma) ** 2)
