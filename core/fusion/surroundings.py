# SPDX-License-Identifier: GPL-3.0-or-later
"""The coarse spectrum around a pixel, as further inputs of a network: SpectraMorph's "coarse spectral prior".

One panchromatic value says little about a spectrum, so the network is also told the spectrum of the place. When it is
applied, that is the hyperspectral pixel under the fine one. When it is trained there is nothing coarser than the
hyperspectral image, so averages of its pixels stand in.
"""

from __future__ import annotations

import torch

from .pair import Placement


def averaged(hsi: torch.Tensor, valid: torch.Tensor, side: int) -> torch.Tensor:
    """Each pixel replaced by the mean of the valid ones of its block.

    Args:
        hsi: [bands, h, w].
        valid: bool [h, w].
        side: pixels along the side of a block; the last block of each axis takes the remainder.

    Returns:
        [bands, h, w]; zero in blocks without valid pixels.
    """
    rows, cols = (_block(size, side).to(hsi.device) for size in hsi.shape[1:])
    blocks = (rows[:, None] * (int(cols[-1]) + 1) + cols[None, :]).flatten()
    weight = valid.flatten().to(hsi.dtype)
    count = int(blocks[-1]) + 1
    sums = hsi.new_zeros(len(hsi), count).index_add_(1, blocks, hsi.flatten(1) * weight)
    members = hsi.new_zeros(count).index_add_(0, blocks, weight)
    return (sums / members.clamp_min(1.0))[:, blocks].view_as(hsi)


def under(hsi: torch.Tensor, placement: Placement, height: int, width: int) -> torch.Tensor:
    """The coarse pixel in which the centre of each fine pixel lies; the nearest one beyond the coarse array.

    Args:
        hsi: [bands, h, w].
        placement: of the coarse array on the fine one.
        height: rows of the fine array.
        width: its columns.

    Returns:
        [bands, height, width].
    """
    rows = _nearest(height, placement.row, placement.ratio_y, hsi.shape[1]).to(hsi.device)
    cols = _nearest(width, placement.col, placement.ratio_x, hsi.shape[2]).to(hsi.device)
    return hsi[:, rows][:, :, cols]


def _block(size: int, side: int) -> torch.Tensor:
    return (torch.arange(size) // side).clamp_max(max(1, size // side) - 1)


def _nearest(fine: int, start: float, ratio: float, coarse: int) -> torch.Tensor:
    centres = torch.arange(fine, dtype=torch.float64) + 0.5
    return ((centres - start) / ratio).floor().long().clamp(0, coarse - 1)
