# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of the input with its surroundings; beyond the image's edges these are its mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Block:
    """A part of an image.

    Attributes:
        cube: reflectance of the used bands, float32 [bands, rows, columns]; anything finite where invalid.
        valid: bool [rows, columns].
        margin: how many pixels on each side only surround the part itself (its core).
    """

    cube: torch.Tensor
    valid: torch.Tensor
    margin: int

    @property
    def core(self) -> tuple[slice, slice]:
        """Rows and columns of the core."""
        rows, cols = self.valid.shape
        return slice(self.margin, rows - self.margin), slice(self.margin, cols - self.margin)

    def finer_core(self, factor: int) -> tuple[slice, slice]:
        """Rows and columns of the core in an array that is ``factor`` times finer."""
        rows, cols = self.core
        return slice(factor * rows.start, factor * rows.stop), slice(factor * cols.start, factor * cols.stop)

    def to(self, device: torch.device) -> Block:
        """The same on a device."""
        return Block(self.cube.to(device, non_blocking=True), self.valid.to(device, non_blocking=True), self.margin)


def surrounded(
    cube: np.ndarray, valid: np.ndarray, missing: tuple[tuple[int, int], tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of a cube and its mask, continued by their mirror images.

    Mirroring at the pixels' outer edges keeps blur and decimation what they are: a mirrored fine image makes a mirrored
    coarse one.

    Args:
        cube: [bands, rows, columns].
        valid: [rows, columns].
        missing: rows and columns to add, before and behind.
    """
    return np.pad(cube, ((0, 0), *missing), mode="symmetric"), np.pad(valid, missing, mode="symmetric")
