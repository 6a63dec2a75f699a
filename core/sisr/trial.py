# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a model where the truth is known: on the image itself, made coarser once more."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .block import Block, surrounded
from .evidence import Trial
from .model import IMAGE, UNCERTAINTY, SuperresolveModel
from .reconstruct import make_blur
from .upscaler import interpolated

LEAST_SIDE = 12
"""Pixels of a coarsened block below which it shows too little."""


def on_own_scale(model: SuperresolveModel, blocks: Sequence[Block]) -> Trial | None:
    """Blur and decimate blocks, bring them back, and compare.

    Args:
        model: fitted.
        blocks: valid throughout where they count.

    Returns:
        None where no block is large enough and valid.
    """
    sums, count = torch.zeros(5, dtype=torch.float64), 0
    for block in blocks:
        truth, coarse = coarsened(block, model.factor, model.settings.psf_sigma)
        if truth is None or min(coarse.shape[1:]) < LEAST_SIDE:
            continue
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


def coarsened(block: Block, factor: int, sigma: float) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The core of a block and its blurred and decimated view, seen with the surroundings that it has.

    Returns:
        truth [bands, s h, s w], None where pixels are invalid, and view [bands, h, w].
    """
    rows, cols = block.core
    reach = block.margin // factor
    height, width = (rows.stop - rows.start) // factor, (cols.stop - cols.start) // factor
    top, left = rows.start - reach * factor, cols.start - reach * factor
    whole = height + 2 * reach, width + 2 * reach
    around = slice(top, top + factor * whole[0]), slice(left, left + factor * whole[1])
    if not bool(block.valid[around].all()):
        return None, block.cube[:, :0, :0]
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
