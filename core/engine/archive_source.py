# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws blocks of hyperspectral images from which spectra are to be learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import BandsError, InputError
from ..grid import Grid, Window
from .method import Context
from .record import InputRecord
from .source import Source

MOST_PIXELS = 100_000
"""Most pixels of all blocks together; fitting takes the same time for all larger archives."""
SIDE = 64
SAME_NM = 2.5
"""How far bands of several images may lie apart and still be the same."""
LEAST_SHARE = 0.5
"""Share of the first image's bands that all others must have."""


def common_bands(images: Sequence[InputRecord]) -> list[InputRecord]:
    """The images with the bands that all of them have, in the order of the first.

    Raises:
        BandsError: they have too few in common, or do not tell.
        InputError: the numbers of some are reflectance and those of others are not, so that they cannot be mixed.
    """
    first = images[0]
    _refuse_mixed_scales(images)
    found = [list(first.bands_used)] + [_same(first, other) for other in images[1:]]
    kept = [i for i in range(len(first.bands_used)) if all(bands[i] is not None for bands in found)]
    if len(kept) < max(3, LEAST_SHARE * len(first.bands_used)):
        names = ", ".join(Path(image.header.path).name for image in images)
        raise BandsError(
            f"The hyperspectral images {names} have only {len(kept)} bands in common: give images of one sensor."
        )
    return [replace(image, bands_used=tuple(int(bands[i] or 0) for i in kept)) for image, bands in zip(images, found)]


def draw_blocks(images: Sequence[InputRecord], seed: int, step: Context) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Read whole images where they are small, else square blocks spread over them.

    Args:
        images: with as many bands each.
        seed: of the choice of blocks.
        step: for progress and cancelling.

    Returns:
        cube float32 [bands, rows, columns] and valid bool [rows, columns] of each block with a valid pixel.

    Raises:
        InputError: no pixel is valid in all bands.
    """
    random = torch.Generator().manual_seed(seed)
    blocks = []
    for number, image in enumerate(images):
        windows = _windows(image.header.grid, MOST_PIXELS // len(images), random)
        with Source(image.header, image.bands_used, image.scale) as source:
            for window in windows:
                step.check_cancelled()
                cube, valid = source.read(window)
                if valid.any():
                    blocks.append((torch.from_numpy(cube.copy()), torch.from_numpy(valid)))
        step.on_progress((number + 1) / len(images))
    if not blocks:
        raise InputError("No pixel of the hyperspectral images is valid in all used bands: check their nodata values.")
    return blocks


def _refuse_mixed_scales(images: Sequence[InputRecord]) -> None:
    unknown = [Path(image.header.path).name for image in images if not image.is_reflectance]
    if unknown and len(unknown) < len(images):
        raise InputError(
            f"The numbers of {', '.join(unknown)} have no scale that is known, but those of the other hyperspectral "
            "images look like reflectance, so they cannot be learnt from together: set 'Scale' if all have the same "
            "one, else bring them onto one scale first."
        )


def _same(first: InputRecord, other: InputRecord) -> list[int | None]:
    """For each used band of the first image the one of the other at its wavelength, by its number in the file."""
    ours, theirs = first.header.table.wavelength_nm, other.header.table.wavelength_nm
    if ours is None or theirs is None:
        if len(first.header.table) != len(other.header.table):
            raise BandsError(
                f"{Path(other.header.path).name} has other bands than {Path(first.header.path).name} and not both tell "
                "their wavelengths: give images of one sensor."
            )
        return [band if band in other.bands_used else None for band in first.bands_used]
    found: list[int | None] = []
    for band in first.bands_used:
        nearest = min(other.bands_used, key=lambda i: abs(theirs[i] - ours[band]))
        found.append(nearest if abs(theirs[nearest] - ours[band]) <= SAME_NM else None)
    return found


def _windows(grid: Grid, most_pixels: int, random: torch.Generator) -> list[Window]:
    """The whole image, or one block by chance in each of as many equal fields as there is room for."""
    if grid.pixels <= most_pixels:
        return [grid.whole]
    side = min(SIDE, grid.height, grid.width)
    count = max(1, most_pixels // side**2)
    down = max(1, min(grid.height // side, round(math.sqrt(count * grid.height / grid.width))))
    across = max(1, min(grid.width // side, count // down))
    windows = []
    for i in range(down):
        for j in range(across):
            top, bottom = i * grid.height // down, (i + 1) * grid.height // down
            left, right = j * grid.width // across, (j + 1) * grid.width // across
            row = top + int(torch.randint(max(1, bottom - top - side + 1), (), generator=random))
            col = left + int(torch.randint(max(1, right - left - side + 1), (), generator=random))
            windows.append(Window(row, col, side, side))
    return windows
