# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unfolded network begins with: the best map of single pixels, so that training only has to add to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .pixel_way import PixelWay, restore_pixel_way


class PixelStart(nn.Module):
    """X_0 of Y, pixel by pixel; not trained further.

    Args:
        header: of a :class:`PixelWay`.
        tensors: of the same, by name; its basis leads to the network's coordinates instead of bands.

    Attributes:
        header: as given.
    """

    def __init__(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.header = dict(header)
        for name, values in tensors.items():
            self.register_buffer(name, values.clone())

    @classmethod
    def of(cls, way: PixelWay, basis: torch.Tensor) -> PixelStart:
        """Make one of a fitted way, for a network with the basis E [C, d]."""
        return cls(way.header(), {**way.tensors(), "basis": basis.mT @ way.basis})

    @torch.no_grad()
    def forward(self, msi: torch.Tensor) -> torch.Tensor:
        """Coordinates [batch, d, rows, columns] of an MSI [batch, c, rows, columns]."""
        way = restore_pixel_way(self.header, dict(self.named_buffers()))
        found = way.basis @ way.coordinates(msi.transpose(0, 1).flatten(2)).flatten(1)
        return found.reshape(-1, len(msi), *msi.shape[2:]).transpose(0, 1)
