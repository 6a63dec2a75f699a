# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges ways of fusing by coarse pixels that they did not see, and results by how they agree with both inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..physics.blur import Blur
from ..physics.footprint import Footprint
from ..physics.upsample import blend
from .correction import Correction, coarse_errors
from .evidence import Contender
from .pair import PairBlock
from .prior import Prior
from .subspace import Subspace

JUDGED_BLOCKS = 4
FOLDS, FOLD_BLOCK = 4, 3
"""One coarse pixel in four is kept aside, in blocks: neighbours share their light."""


def aside(usable: torch.Tensor) -> torch.Tensor:
    """Coarse pixels to keep aside: blocks in a diagonal pattern all over the image, bool [h, w]."""
    rows, cols = (torch.arange(n, device=usable.device) // FOLD_BLOCK for n in usable.shape)
    return (rows[:, None] + 2 * cols[None]) % FOLDS == 0


def guess_of(prior: Prior, block: PairBlock, subspace: Subspace) -> torch.Tensor:
    """A prior's coefficients for a block, [components, H, W]."""
    return prior.predict(block.msi.flatten(1), _context(prior, block, subspace)).reshape(-1, *block.fine_shape)


def spread_of(prior: Prior, block: PairBlock, subspace: Subspace) -> torch.Tensor | None:
    """Their variance between the members of an ensemble, [components, H, W], or None."""
    spread = prior.spread(block.msi.flatten(1), _context(prior, block, subspace))
    return None if spread is None else spread.reshape(-1, *block.fine_shape)


def _context(prior: Prior, block: PairBlock, subspace: Subspace) -> torch.Tensor | None:
    """What a prior needs to know of the coarse pixels around, [context_planes, fine pixels].

    Blended: what is told pixel by pixel leaves stairs in the result.
    """
    if not prior.context_planes:
        return None
    coarse = subspace.project(block.hsi)[: prior.context_planes]
    return blend(coarse, block.placement, block.fine_shape).flatten(1)


def judge(
    name: str,
    prior: Prior,
    correction: Correction | None,
    blocks: Sequence[PairBlock],
    subspace: Subspace,
    footprint: Footprint,
    zeros_outside: bool,
) -> Contender:
    """Predict coarse pixels that were kept aside.

    Args:
        name: of the way, for the report.
        prior: fitted without those pixels.
        correction: of the prior, or None for the prior alone.
        blocks: parts of the pair.
        subspace: of the coefficients.
        footprint: what a coarse pixel sees.
        zeros_outside: see :class:`core.fusion.correction.Correction`.
    """
    squares, angles, count = 0.0, 0.0, 0
    for block in blocks[:JUDGED_BLOCKS]:
        fold = aside(block.hsi_valid)
        fine = guess_of(prior, block, subspace)
        if correction is not None:
            fine = correction.apply(fine, block, subspace, fold)
        errors, usable = coarse_errors(fine, block, subspace, footprint, zeros_outside)
        chosen = fold & usable
        left = subspace.basis @ errors[:, chosen]
        truth = block.hsi[:, chosen]
        squares += float(left.square().sum())
        angles += float(_angles(truth, truth - left).sum())
        count += int(chosen.sum())
    bands = len(subspace.mean)
    return Contender(name, math.sqrt(squares / max(count * bands, 1)), angles / max(count, 1))


def judge_interpolation(blocks: Sequence[PairBlock]) -> Contender:
    """The same for interpolating between the HSI's pixels, which needs no MSI."""
    squares, angles, count, values = 0.0, 0.0, 0, 0
    for block in blocks[:JUDGED_BLOCKS]:
        fold = aside(block.hsi_valid)
        filled, near = _fill(block.hsi, block.hsi_valid & ~fold)
        chosen = fold & block.hsi_valid & near
        guess, truth = filled[:, chosen], block.hsi[:, chosen]
        squares += float((guess - truth).square().sum())
        angles += float(_angles(truth, guess).sum())
        count, values = count + int(chosen.sum()), values + truth.numel()
    return Contender("interpolation of the HSI alone", math.sqrt(squares / max(values, 1)), angles / max(count, 1))


def consistency(
    cubes: Sequence[torch.Tensor],
    blocks: Sequence[PairBlock],
    response: torch.Tensor,
    footprint: Footprint,
    zeros_outside: bool,
) -> tuple[float, float]:
    """PSNR in dB of fused cubes, degraded again, against HSI and MSI; the peak is the inputs' 99.9th percentile.

    Args:
        cubes: fused blocks, [hsi_bands, H, W].
        blocks: their inputs, with the MSI on the HSI's scale.
        response: S, [msi_bands, hsi_bands].
        footprint: what a coarse pixel sees.
        zeros_outside: see :class:`core.fusion.correction.Correction`.
    """
    coarse, fine = [], []
    peaks = [0.0, 0.0]
    for cube, block in zip(cubes, blocks):
        blur = Blur(footprint, block.placement, block.fine_shape, block.coarse_shape)
        whole = blur(block.msi_valid[None].to(cube))[0]
        usable = block.hsi_valid & (whole > (0.02 if zeros_outside else 0.98)) & (whole > 0.98 * blur.coverage)
        coarse.append((blur(cube) - block.hsi)[:, usable])
        fine.append(((response @ cube.flatten(1)).reshape(block.msi.shape) - block.msi)[:, block.msi_valid])
        for i, values in enumerate((block.hsi[:, block.hsi_valid], block.msi[:, block.msi_valid])):
            step = max(1, values.numel() // 1_000_000)
            if values.numel():
                peaks[i] = max(peaks[i], float(torch.quantile(values.flatten()[::step].float(), 0.999)))
    return _psnr(coarse, peaks[0]), _psnr(fine, peaks[1])


def _psnr(errors: Sequence[torch.Tensor], peak: float) -> float:
    squares = torch.cat([error.flatten() for error in errors]).square()
    if not squares.numel():
        return float("nan")
    return 10.0 * math.log10(max(peak, 1e-12) ** 2 / max(float(squares.mean()), 1e-20))


def _angles(truth: torch.Tensor, guess: torch.Tensor) -> torch.Tensor:
    """Spectral angles in degrees between columns."""
    cosine = torch.nn.functional.cosine_similarity(truth, guess, dim=0)
    return torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0)))


def _fill(hsi: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The cube with every pixel replaced by the mean of the known ones in the 5 x 5 around it; where there are any."""
    weight = known.to(hsi)[None, None]
    box = torch.ones(1, 1, 5, 5, dtype=hsi.dtype, device=hsi.device)
    near = torch.nn.functional.conv2d((hsi * weight[0])[:, None], box, padding=2)[:, 0]
    count = torch.nn.functional.conv2d(weight, box, padding=2)[0, 0]
    return near / count.clamp_min(1.0), count > 0
