# SPDX-License-Identifier: GPL-3.0-or-later
"""A close look at one part of a result, beside its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..bands import rgb_bands
from .agreement import decibels_between, see
from .model import SuperresolveModel
from .upscaler import interpolated

if TYPE_CHECKING:
    from .block import Block

PIXELS = 4
LARGEST_COARSE_PX = 96
"""Most rows and columns of the input that are shown."""
KNOWN_BAND, NYQUIST_BAND = (0.05, 0.25), (0.3, 0.5)
"""Cycles per input pixel at which the input hardly blurs, and at which the blur decides."""
MOST_EXCESS = 3.0
"""Decibels by which power near the Nyquist frequency may exceed what lower frequencies lead to expect; with the true
blur it is 0 to 2 on real scenes, and about 2 more for every fifth that the blur is too wide."""
FLATTEST = -14.0
"""Decibels per tenfold frequency; natural scenes fall by 20 and more."""


@dataclass(frozen=True)
class ViewedPixel:
    """Spectra at one place, counted in input pixels from the corner of the view.

    Attributes:
        row, col: the input pixel.
        coarse: its spectrum.
        fine: that of the pixel of the result in it that differs most from it.
    """

    row: int
    col: int
    coarse: tuple[float, ...]
    fine: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """One part of the image.

    Attributes:
        before, cubic, after: true colour with a common stretch, uint8 RGBA [rows, columns, 4], pixels of the result:
            the input repeated, the input interpolated, and the result.
        misfit: root mean square over bands of the result, blurred and decimated, minus the input, [h, w]; NaN where
            that is unknown.
        consistency_psnr: of that, in decibels over the 99.9th percentile of the input.
        frequency: cycles per input pixel.
        power_cubic, power_after: power of the brightness at these frequencies, in decibels.
        pixels: a few spectra.
    """

    before: np.ndarray
    cubic: np.ndarray
    after: np.ndarray
    misfit: np.ndarray
    consistency_psnr: float
    frequency: tuple[float, ...]
    power_cubic: tuple[float, ...]
    power_after: tuple[float, ...]
    pixels: tuple[ViewedPixel, ...]

    def cautions(self) -> list[str]:
        """What a user should not miss."""
        fall = power_law(self.frequency, self.power_after)
        if fall is None or (fall[0] <= FLATTEST and fall[1] <= MOST_EXCESS):
            return []
        return [
            "The result varies more from pixel to pixel than its coarser structures lead to expect, as it does when "
            "the blur is given too wide: look for rims and speckles, and if there are any, give a narrower blur (a "
            "smaller width or a larger MTF)."
        ]

    def psnr_of(self, deviation: float) -> float:
        """What an error of some standard deviation is in decibels, on the scale of ``consistency_psnr``."""
        return self.consistency_psnr + decibels_between(self.misfit, deviation)


def look(model: SuperresolveModel, blocks: Sequence[Block]) -> View | None:
    """Look at the block with the most contrast; None where nothing is valid.

    Args:
        model: fitted, on the device of the blocks.
        blocks: to choose from.
    """
    seen = see(model, blocks, LARGEST_COARSE_PX)
    if seen is None:
        return None
    coarse, valid, after = seen.coarse, seen.valid, seen.after
    cubic = interpolated(coarse, model.factor, valid.to(coarse))
    frequency, powers = _spectra([cubic, after], model.factor)
    pictures = _pictures(coarse, cubic, after, valid, rgb_bands(model.table), model.factor)
    return View(
        before=pictures[0],
        cubic=pictures[1],
        after=pictures[2],
        misfit=seen.misfit.cpu().numpy(),
        consistency_psnr=seen.psnr,
        frequency=frequency,
        power_cubic=powers[0],
        power_after=powers[1],
        pixels=_pixels(coarse, after, valid, model.factor),
    )


def power_law(frequency: Sequence[float], power: Sequence[float]) -> tuple[float, float] | None:
    """How power falls with frequency, and whether it goes on so.

    Args:
        frequency: cycles per input pixel.
        power: in decibels.

    Returns:
        slope in decibels per tenfold frequency where the input knows the ground, and by how many decibels the power
        near its Nyquist frequency exceeds the straight line's; None where the view is too small to tell.
    """
    place, level = np.log10(frequency), np.asarray(power)
    known, near = (
        (np.asarray(frequency) > low) & (np.asarray(frequency) < high) for low, high in (KNOWN_BAND, NYQUIST_BAND)
    )
    if known.sum() < 4 or near.sum() < 2:
        return None
    slope, offset = np.polyfit(place[known], level[known], 1)
    return float(slope), float(np.mean(level[near] - slope * place[near] - offset))


def _spectra(cubes: Sequence[torch.Tensor], factor: int) -> tuple[tuple[float, ...], list[tuple[float, ...]]]:
    """Radial means of the power of the cubes' brightness."""
    height, width = cubes[0].shape[1:]
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    down, across = np.fft.fftfreq(height), np.fft.fftfreq(width)
    radius = np.hypot(down[:, None], across[None])
    bins = max(4, min(height, width) // 4)
    index = (radius * 2 * bins).astype(int)
    inside = index < bins
    count = np.bincount(index[inside], minlength=bins)
    powers = []
    for cube in cubes:
        grey = cube.mean(dim=0).cpu().numpy()
        power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        mean = np.bincount(index[inside], power[inside], bins) / np.maximum(count, 1)
        powers.append(mean)
    top = max(float(power.max()) for power in powers) or 1.0
    levels = [tuple((10.0 * np.log10(power / top + 1e-9)).tolist()) for power in powers]
    return tuple(((np.arange(bins) + 0.5) / (2 * bins) * factor).tolist()), levels


def _pictures(
    coarse: torch.Tensor, cubic: torch.Tensor, after: torch.Tensor, valid: torch.Tensor, rgb: list[int], factor: int
) -> list[np.ndarray]:
    """Input, interpolation and result, stretched alike."""
    known = valid.cpu().numpy()
    low, high = np.percentile(after[rgb].cpu().numpy()[:, np.kron(known, np.ones((factor, factor), bool))], (2, 98), 1)
    span = np.maximum(high - low, np.finfo(np.float32).tiny)
    repeated = coarse[rgb].repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
    pictures = []
    for cube in (repeated, cubic[rgb], after[rgb]):
        share = np.clip((cube.cpu().numpy() - low[:, None, None]) / span[:, None, None], 0.0, 1.0)
        picture = np.zeros((*share.shape[1:], 4), dtype=np.uint8)
        picture[..., :3] = (255 * share).astype(np.uint8).transpose(1, 2, 0)
        picture[..., 3] = np.kron(known, np.full((factor, factor), 255, dtype=np.uint8))
        pictures.append(picture)
    return pictures


def _pixels(coarse: torch.Tensor, after: torch.Tensor, valid: torch.Tensor, factor: int) -> tuple[ViewedPixel, ...]:
    """Input pixels that hold the most different things, apart from one another."""
    fine = after.unfold(1, factor, factor).unfold(2, factor, factor).flatten(3)
    distance = (fine - coarse[..., None]).square().mean(dim=0)
    most = torch.where(valid, distance.amax(dim=-1), -1.0)
    chosen = []
    apart = max(2, min(valid.shape) // 6)
    for _ in range(PIXELS):
        place = int(most.argmax())
        row, col = divmod(place, most.shape[1])
        if most[row, col] < 0:
            break
        part = fine[:, row, col, int(distance[row, col].argmax())]
        chosen.append(ViewedPixel(row, col, tuple(coarse[:, row, col].tolist()), tuple(part.tolist())))
        most[max(0, row - apart) : row + apart + 1, max(0, col - apart) : col + apart + 1] = -1.0
    return tuple(chosen)
