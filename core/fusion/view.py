# SPDX-License-Identifier: GPL-3.0-or-later
"""A close look at a fused image beside its inputs: pictures of one place and a few spectra from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class ViewedPixel:
    """One fine pixel seen by both inputs and by the fused image.

    Attributes:
        row, col: in the fine image.
        fused: reflectance of the HSI's used bands.
        hsi: spectrum of the coarse pixel that covers it.
        msi: its values, on the HSI's scale.
    """

    row: int
    col: int
    fused: tuple[float, ...]
    hsi: tuple[float, ...]
    msi: tuple[float, ...]


@dataclass(frozen=True)
class PairView:
    """One place of a pair.

    Attributes:
        hsi, msi, fused: true-colour pictures of the same ground with a common stretch, uint8 RGBA [rows, columns, 4].
        pixels: a few pixels from it.
    """

    hsi: numpy.ndarray
    msi: numpy.ndarray
    fused: numpy.ndarray
    pixels: tuple[ViewedPixel, ...]
