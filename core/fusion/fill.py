# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts plausible values where the MSI has none, so that they do no harm to the coarse pixels that also see them."""

from __future__ import annotations

from dataclasses import replace

import torch

from .pair import PairBlock
from .surroundings import under


def fill_invalid(block: PairBlock, response: torch.Tensor, grey: torch.Tensor) -> PairBlock:
    """Replace invalid MSI pixels by what the MSI would see of the coarse pixel there.

    Args:
        block: with the MSI on the HSI's scale.
        response: S, [msi_bands, hsi_bands].
        grey: what stands in where the HSI is invalid as well, [msi_bands].
    """
    if bool(block.msi_valid.all()):
        return block
    fallback = grey[:, None, None]
    if 0 in block.coarse_shape:
        return replace(block, msi=torch.where(block.msi_valid, block.msi, fallback))
    seen = (response @ block.hsi.flatten(1)).reshape(-1, *block.coarse_shape)
    seen = torch.where(block.hsi_valid, seen, fallback)
    return replace(block, msi=torch.where(block.msi_valid, block.msi, under(seen, block.placement, *block.fine_shape)))
