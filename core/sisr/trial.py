# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a model where the truth is known: on the image itself, made coarser once more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from .block import Block, surrounded
from .evidence import Trial
from .model import IMAGE, UNCERTAINTY, SuperresolveModel
from .reconstruct import make_blur
from .upscaler import interpolated

REACH_SIGMAS = 4.0
"""How far the blur of the trial reaches."""
LEAST_SIDE = 12
"""Pixels of a coarsened block below which it shows too little."""


def on_own_scale(model: SuperresolveModel, blocks: Sequence[Block]) -> Trial | None:
    """Blur and decimate blocks, bring them back, and compare.

    Args:
        model: fitted.
        blocks: of the image; the largest square without a hole is taken of each.

    Returns:
        None where no block is large enough and valid.
    """
    sums, count = torch.zeros(5, dtype=torch.float64), 0
    for block in blocks:
        whole = _without_holes(block, math.ceil(REACH_SIGMAS * model.settings.psf_sigma))
        if min(part.stop - part.start for part in whole.core) < model.factor * LEAST_SIDE:
            continue
        truth, coarse = coarsened(whole, model.factor, model.settings.psf_sigma)
        seen = torch.ones(coarse.shape[1:], dtype=torch.bool)
        margin = (model.halo_px, model.halo_px)
        cube, valid = surrounded(coarse.cpu().numpy(), seen.numpy(), (margin, margin))
        again = Block(torch.from_numpy(cube), torch.from_numpy(valid), model.halo_px).to(truth.device)
        made = model.prepared((IMAGE, UNCERTAINTY)).apply(again)
        result, cubic = made[IMAGE], interpolated(coarse, model.factor)
        parts = [_square(cubic, truth), _square(result, truth), _angle(cubic, truth), _angle(result, truth)]
        parts.append(made[UNCERTAINTY].square().mean())
        sums += truth[0].numel() * torch.stack(parts).double().cpu()
        count += truth[0].numel()
    if not count:
        return None
    cubic_square, square, cubic_angle, angle, said = (sums / count).tolist()
    return Trial(cubic_square**0.5, square**0.5, cubic_angle, angle, said**0.5)


def _without_holes(block: Block, margin: int) -> Block:
    """The block itself where it is valid throughout, else the largest square in it that is."""
    if bool(block.valid.all()):
        return block
    corner, side = largest_square(block.valid.cpu().numpy())
    rows, cols = (slice(start, start + side) for start in corner)
    return Block(block.cube[:, rows, cols], block.valid[rows, cols], min(margin, side // 2))


def largest_square(valid: np.ndarray) -> tuple[tuple[int, int], int]:
    """First row and column, and side, of the largest square of True in [rows, columns]; side 0 where there is none."""
    sums = np.pad(valid.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))

    def corners(side: int) -> np.ndarray:
        inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        return np.argwhere(inside == side * side)

    best, least, most = (0, 0), 0, min(valid.shape)
    while least < most:  # a square of True holds all smaller ones
        side = (least + most + 1) // 2
        found = corners(side)
        if len(found):
            best, least = (int(found[0][0]), int(found[0][1])), side
        else:
            most = side - 1
    return best, least


def coarsened(block: Block, factor: int, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The core of a block and its blurred and decimated view, seen with the surroundings that it has.

    Args:
        block: valid throughout.
        factor: s.
        sigma: of the blur, in the block's pixels.

    Returns:
        truth [bands, s h, s w] and view [bands, h, w].
    """
    rows, cols = block.core
    reach = block.margin // factor
    height, width = (rows.stop - rows.start) // factor, (cols.stop - cols.start) // factor
    top, left = rows.start - reach * factor, cols.start - reach * factor
    whole = height + 2 * reach, width + 2 * reach
    around = slice(top, top + factor * whole[0]), slice(left, left + factor * whole[1])
    blur = make_blur(factor, sigma, whole, block.cube.device)
    view = blur(block.cube[:, around[0], around[1]])[:, reach : reach + height, reach : reach + width]
    rows, cols = slice(rows.start, rows.start + factor * height), slice(cols.start, cols.start + factor * width)
    return block.cube[:, rows, cols], view


def _square(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return (found - truth).square().mean()


def _angle(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean spectral angle in degrees."""
    cosine = torch.nn.functional.cosine_similarity(found, truth, dim=0)
    return torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0))).mean()
