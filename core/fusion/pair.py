# SPDX-License-Identifier: GPL-3.0-or-later
"""A coarse hyperspectral and a fine multispectral image of the same ground, and how their pixels lie on each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..bands import BandTable
from ..grid import Window

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Placement:
    """Where coarse pixels lie on the fine grid, both counted from the first pixel of their own array.

    Coarse row i covers the fine rows from ``row + i * ratio_y`` to ``row + (i + 1) * ratio_y``; columns likewise. The
    ratios need not be whole numbers, and the coarse array may begin before the fine one (negative ``row``).

    Attributes:
        ratio_y, ratio_x: coarse over fine ground sampling distance.
        row, col: fine position of the outer corner of the first coarse pixel.
    """

    ratio_y: float
    ratio_x: float
    row: float = 0.0
    col: float = 0.0

    def shifted(self, rows: float, cols: float) -> Placement:
        """The placement after moving the coarse image by some fine pixels."""
        return replace(self, row=self.row + rows, col=self.col + cols)

    def within(self, fine: Window, coarse: Window) -> Placement:
        """The placement of a window of the coarse array on a window of the fine one."""
        return Placement(
            self.ratio_y,
            self.ratio_x,
            self.row + coarse.row * self.ratio_y - fine.row,
            self.col + coarse.col * self.ratio_x - fine.col,
        )

    def coarse_window(self, fine: Window, height: int, width: int, margin: int = 0) -> Window:
        """Coarse pixels that touch a fine window, with a margin, clipped to a coarse array of the given size."""
        top = max(0, math.floor((fine.row - self.row) / self.ratio_y) - margin)
        left = max(0, math.floor((fine.col - self.col) / self.ratio_x) - margin)
        bottom = min(height, math.ceil((fine.row + fine.height - self.row) / self.ratio_y) + margin)
        right = min(width, math.ceil((fine.col + fine.width - self.col) / self.ratio_x) + margin)
        return Window(top, left, max(0, bottom - top), max(0, right - left))

    def fine_window(self, coarse: Window, height: int, width: int, margin: int = 0) -> Window:
        """Fine pixels under a coarse window, with a margin, clipped to a fine array of the given size."""
        top = max(0, math.floor(self.row + coarse.row * self.ratio_y) - margin)
        left = max(0, math.floor(self.col + coarse.col * self.ratio_x) - margin)
        bottom = min(height, math.ceil(self.row + (coarse.row + coarse.height) * self.ratio_y) + margin)
        right = min(width, math.ceil(self.col + (coarse.col + coarse.width) * self.ratio_x) + margin)
        return Window(top, left, max(0, bottom - top), max(0, right - left))


@dataclass(frozen=True)
class PairBlock:
    """One part of a pair in memory, as drawn for fitting or read for a tile.

    Attributes:
        hsi: float32 [hsi_bands, h, w], reflectance; finite everywhere, arbitrary where invalid.
        hsi_valid: bool [h, w].
        msi: float32 [msi_bands, H, W], the MSI's own radiometric scale unless said otherwise.
        msi_valid: bool [H, W].
        placement: of this hsi array on this msi array.
        edges: top, bottom, left, right: True where the msi array ends because the whole image does.
        origin: row and column of the msi array's first pixel in the whole image.
    """

    hsi: torch.Tensor
    hsi_valid: torch.Tensor
    msi: torch.Tensor
    msi_valid: torch.Tensor
    placement: Placement
    edges: tuple[bool, bool, bool, bool] = (True, True, True, True)
    origin: tuple[int, int] = (0, 0)

    @property
    def fine_shape(self) -> tuple[int, int]:
        """Rows and columns of the MSI's array."""
        return self.msi.shape[1], self.msi.shape[2]

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """Rows and columns of the HSI's array."""
        return self.hsi.shape[1], self.hsi.shape[2]

    def to(self, device: torch.device) -> PairBlock:
        """The same on a device."""
        names = ("hsi", "hsi_valid", "msi", "msi_valid")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})


@dataclass(frozen=True)
class PairSample:
    """What a fusion method is fitted on: the whole overlap where it is small, else blocks spread over it.

    Attributes:
        blocks: parts of the overlap, without common pixels; one when ``complete``.
        hsi_table, msi_table: the used bands.
        complete: True when the one block is the whole overlap.
        pixel_m: length of a fine pixel along rows and columns, in metres; 1 where it is not known.
    """

    blocks: tuple[PairBlock, ...]
    hsi_table: BandTable
    msi_table: BandTable
    complete: bool
    pixel_m: tuple[float, float] = (1.0, 1.0)
