# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a result, seen by the sensor, is the input again: the only judge of a super-resolution without a truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from .block import Block
from .model import IMAGE, SuperresolveModel
from .reconstruct import LEAST_COVERAGE, make_blur

LARGEST_PX = 256
"""Most rows and columns of a result that is looked at."""
LARGEST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Seen:
    """The result of a part of an image.

    Attributes:
        coarse: the input, [bands, h, w].
        valid: bool [h, w].
        after: the result, [bands, s h, s w].
        misfit: root mean square over bands of the result, blurred and decimated, minus the input, [h, w]; NaN where
            that is unknown.
        psnr: of that, in decibels over the 99.9th percentile of the input; NaN where all of it is unknown.
    """

    coarse: torch.Tensor
    valid: torch.Tensor
    after: torch.Tensor
    misfit: torch.Tensor
    psnr: float

    def psnr_of(self, deviation: float) -> float:
        """What an error of some standard deviation is in decibels, on the scale of ``psnr``."""
        return self.psnr + decibels_between(self.misfit.cpu().numpy(), deviation)


def decibels_between(misfit: np.ndarray, deviation: float) -> float:
    """By how many decibels an error of some standard deviation is smaller than a misfit; NaN in it do not count."""
    found = float(np.sqrt(np.nanmean(np.square(misfit))))
    return 20.0 * float(np.log10(max(found, 1e-12) / max(deviation, 1e-12)))


def see(model: SuperresolveModel, blocks: Sequence[Block], most_px: int) -> Seen | None:
    """Make the middle of the block with the most contrast finer; None where nothing is valid.

    Args:
        model: fitted, on the device of the blocks.
        blocks: to choose from.
        most_px: most rows and columns of the input to look at.
    """
    contrasts = [_contrast(block) for block in blocks]
    if not contrasts or max(contrasts) == 0.0:
        return None
    block = _cropped(blocks[int(np.argmax(contrasts))], model.factor, most_px)
    rows, cols = block.core
    coarse, valid = block.cube[:, rows, cols], block.valid[rows, cols]
    after = model.prepared((IMAGE,)).apply(block)[IMAGE]
    blur = make_blur(model.factor, model.settings.psf_sigma, valid.shape, coarse.device)
    square = (blur(after) - coarse).square().mean(dim=0)
    usable = valid & (blur.coverage > LEAST_COVERAGE)
    misfit = torch.where(usable, square.sqrt(), torch.nan)
    if not bool(usable.any()):
        return Seen(coarse, valid, after, misfit, float("nan"))
    peak = float(np.quantile(coarse[:, valid].cpu().numpy(), 0.999))
    psnr = 10.0 * np.log10(max(peak, 1e-12) ** 2 / max(float(square[usable].mean()), 1e-20))
    return Seen(coarse, valid, after, misfit, float(psnr))


def _contrast(block: Block) -> float:
    rows, cols = block.core
    seen = block.cube[:, rows, cols].mean(dim=0)[block.valid[rows, cols]]  # one band alone may be empty
    return float(seen.std()) * float(block.valid[rows, cols].float().mean()) if len(seen) > 1 else 0.0


def _cropped(block: Block, factor: int, most_px: int) -> Block:
    """The middle of a block whose finer version is too large."""
    rows, cols = block.core
    shape = rows.stop - rows.start, cols.stop - cols.start
    side = min(LARGEST_PX, int((LARGEST_BYTES / 4 / len(block.cube)) ** 0.5))
    largest = min(side // factor, most_px)
    row, col = ((size - min(size, largest)) // 2 for size in shape)
    extent = [slice(at, size - at + 2 * block.margin) for at, size in ((row, shape[0]), (col, shape[1]))]
    return replace(block, cube=block.cube[:, extent[0], extent[1]], valid=block.valid[extent[0], extent[1]])
