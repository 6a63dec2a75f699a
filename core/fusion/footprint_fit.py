# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out from the pair alone what a coarse pixel sees of the fine grid.

The HSI seen by the MSI's bands, Z = S Y, and the MSI M show the same light at two scales, so one kernel K must turn M
into Z in every band: Z = decimate(M * K). That is linear in K. A free kernel (ridge and smoothness chosen on held-out
pixels) competes with a shifted Gaussian, which has four parameters only and wins unless it predicts worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from scipy.optimize import minimize

from ..physics.blur import Blur, axis_matrices
from ..physics.footprint import Footprint, gaussian_footprint, kernel_footprint
from .contest import aside
from .pair import PairBlock

MOST_KNOTS = 18
"""Knots of a free kernel along one axis; wide kernels are interpolated between them."""
LEAST_REACH_PX = 7.0
REACH = 1.0
"""How far a PSF is looked for beyond the coarse pixel itself, in coarse pixels; at least the fine pixels above."""
MOST_COARSE = 3000
SMOOTHNESS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Weight of the penalty relative to the equations' mean power."""
CAUTION = 1.05
"""The smoothest kernel is taken whose held-out error is at most this many times the least."""
PARSIMONY = 1.1
"""A Gaussian is preferred up to this many times the held-out error of a free kernel."""
ZERO_RIM = 0.5
"""Footprints end in zeros outside the image if that explains the rim with less than this share of the other error."""


@dataclass(frozen=True)
class FootprintFit:
    """What was found.

    Attributes:
        footprint: what a coarse pixel sees.
        zeros_outside: True when footprints that stick out of the fine image saw zeros there, as in simulated pairs.
        residual: rms of Z minus the prediction, reflectance.
        explained: share of Z's variance that the prediction explains, 0 to 1.
        sigma: of the Gaussian along rows and columns in fine pixels, or None for a free kernel.
    """

    footprint: Footprint
    zeros_outside: bool
    residual: float
    explained: float
    sigma: tuple[float, float] | None


@dataclass(frozen=True)
class _Equations:
    """One block: what is predicted from what.

    Attributes:
        msi: [bands, H, W], zero where invalid.
        seen: Z, [bands, h, w].
        inside: coarse pixels whose widest footprint lies within valid pixels, bool [h, w].
        rim: coarse pixels whose footprint sticks out of the image but not into invalid pixels, bool [h, w].
        block: the block itself.
    """

    msi: torch.Tensor
    seen: torch.Tensor
    inside: torch.Tensor
    rim: torch.Tensor
    block: PairBlock


def fit_footprint(blocks: Sequence[PairBlock], response: torch.Tensor) -> FootprintFit | None:
    """Estimate the footprint.

    Args:
        blocks: parts of the pair, with the MSI on the HSI's scale.
        response: S, float32 [msi_bands, hsi_bands].

    Returns:
        the fit, or None when too few coarse pixels see enough of the MSI.
    """
    placement = blocks[0].placement
    ratios = placement.ratio_y, placement.ratio_x
    halves = [ratio / 2 + max(LEAST_REACH_PX, REACH * ratio) for ratio in ratios]
    equations = [_equations(block, response, halves) for block in blocks]
    if sum(int(one.inside.sum()) for one in equations) < 16:
        return None
    found = _fit(equations, halves, ratios)
    if found.zeros_outside and all(all(block.edges) for block in blocks):
        # then the rim is as well known as the inside, and small images are mostly rim
        found = _fit([replace(one, inside=one.inside | one.rim) for one in equations], halves, ratios)
    return found


def _fit(equations: Sequence[_Equations], halves: Sequence[float], ratios: tuple[float, float]) -> FootprintFit:
    bases = [_tents(half, ratio) for half, ratio in zip(halves, ratios)]
    rows, seen, held = _rows(equations, bases)
    kernel, error = _free_kernel(rows, seen, held, bases)
    sigma, shift, gauss_error = _gaussian(equations, ratios)
    simple = gauss_error <= PARSIMONY * error
    footprint = _shifted_gaussian(sigma, shift, ratios) if simple else kernel_footprint(kernel)
    residual, explained = _quality(equations, footprint)
    return FootprintFit(footprint, _sees_zeros(equations, footprint), residual, explained, sigma if simple else None)


def _equations(block: PairBlock, response: torch.Tensor, halves: Sequence[float]) -> _Equations:
    """Set up one block, cropped so that all blocks together stay small."""
    seen = (response @ block.hsi.flatten(1)).reshape(-1, *block.hsi.shape[1:])
    msi = torch.where(block.msi_valid, block.msi, 0.0)
    sides = [torch.ones(1, 2 * math.ceil(half) + 1, device=msi.device) for half in halves]
    box = Footprint(sides[0], sides[1])
    size = box.rows.shape[1] * box.cols.shape[1]
    blur = Blur(box, block.placement, block.fine_shape, block.coarse_shape)
    seen_share = blur(block.msi_valid[None].float())[0] / size
    whole = blur.coverage / size > 1 - 1e-4
    valid = block.hsi_valid & (seen_share >= blur.coverage / size - 1e-4)
    return _Equations(msi, seen, valid & whole, valid & ~whole, block)


def _tents(half: float, ratio: float) -> torch.Tensor:
    """Tent functions over a lattice of whole fine pixels, [knots, taps]."""
    # as many taps as make the lattice fall on pixel centres where the ratio is a whole number
    taps = 2 * math.floor(half - ratio / 2) + max(1, math.ceil(ratio - 1e-9))
    knots = min(taps, MOST_KNOTS)
    lattice = torch.linspace(0, knots - 1, taps, dtype=torch.float64)
    return (1.0 - (lattice[None] - torch.arange(knots, dtype=torch.float64)[:, None]).abs()).clamp_min(0.0).float()


def _rows(
    equations: Sequence[_Equations], bases: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What each knot's tent sees of M, [equations, knots], Z, [equations], and which of them are kept aside."""
    rows, seen, held, left = [], [], [], MOST_COARSE
    for one in equations:
        placement, device = one.block.placement, one.msi.device
        places = torch.nonzero(one.inside)
        places = places[:: max(1, math.ceil(len(places) / max(left, 1)))]
        if left <= 0 or len(places) == 0:
            continue
        left -= len(places)
        shape, coarse = one.msi.shape[1:], one.seen.shape[1:]
        down = axis_matrices(bases[0].to(device), 1.0, placement.row, placement.ratio_y, shape[0], coarse[0])
        across = axis_matrices(bases[1].to(device), 1.0, placement.col, placement.ratio_x, shape[1], coarse[1])
        half = torch.einsum("uhy,byx->ubhx", down, one.msi)
        tents = torch.einsum("ubhx,vwx->uvbhw", half, across)[:, :, :, places[:, 0], places[:, 1]]
        rows.append(tents.flatten(0, 1).permute(2, 1, 0).flatten(0, 1))
        seen.append(one.seen[:, places[:, 0], places[:, 1]].T.flatten())
        held.append(aside(one.inside)[places[:, 0], places[:, 1]].repeat_interleave(len(one.seen)))
    return torch.cat(rows), torch.cat(seen), torch.cat(held)


def _free_kernel(
    rows: torch.Tensor, seen: torch.Tensor, held: torch.Tensor, bases: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, float]:
    """The kernel on the lattice and its held-out rms error."""
    shape = len(bases[0]), len(bases[1])
    penalty = _roughness(shape).to(rows.device)
    rows, seen = rows.double(), seen.double()
    train = rows[~held]
    gram, right = train.T @ train, train.T @ seen[~held]
    scale = gram.diagonal().mean()
    trials = []
    for strength in SMOOTHNESS:
        weights = torch.linalg.solve(gram + strength * scale * penalty, right)
        trials.append((float((seen[held] - rows[held] @ weights).square().mean().sqrt()), strength))
    least = min(trials)[0]
    strength = max(strength for error, strength in trials if error <= CAUTION * least)
    full = rows.T @ rows
    weights = torch.linalg.solve(full + strength * full.diagonal().mean() * penalty, rows.T @ seen)
    return bases[0].double().T @ weights.reshape(shape).cpu() @ bases[1].double(), least


def _roughness(shape: tuple[int, int]) -> torch.Tensor:
    """Squared first differences along both axes, and a little of the squared weights; [knots, knots]."""
    parts = []
    for axis, size in enumerate(shape):
        steps = torch.diff(torch.eye(size, dtype=torch.float64), dim=0)
        eyes = [torch.eye(n, dtype=torch.float64) for n in shape]
        eyes[axis] = steps.T @ steps
        parts.append(torch.kron(eyes[0].contiguous(), eyes[1].contiguous()))
    return parts[0] + parts[1] + 1e-2 * torch.eye(shape[0] * shape[1], dtype=torch.float64)


def _gaussian(
    equations: Sequence[_Equations], ratios: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """The best shifted Gaussian: sigmas and shift in fine pixels, rms error (four parameters cannot overfit)."""

    def error(parameters: Sequence[float]) -> float:
        sigma, shift = _read(parameters, ratios)
        footprint = gaussian_footprint(*sigma, *ratios)
        squares, count = 0.0, 0
        for one in equations:
            blur = Blur(
                footprint.to(one.msi.device),
                one.block.placement.shifted(*shift),
                one.block.fine_shape,
                one.block.coarse_shape,
            )
            difference = (blur(one.msi) - one.seen)[:, one.inside]
            squares, count = squares + float(difference.square().sum()), count + difference.numel()
        return math.sqrt(squares / max(count, 1))

    found = minimize(
        error, (0.5, 0.5, 0.0, 0.0), method="Nelder-Mead", options={"maxfev": 160, "fatol": 1e-7, "xatol": 0.01}
    )
    return (*_read(found.x, ratios), float(found.fun))


def _read(parameters: Sequence[float], ratios: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Sigmas and shift in fine pixels of parameters in coarse pixels."""
    sigma = tuple(min(abs(float(p)), 1.5) * ratio for p, ratio in zip(parameters[:2], ratios))
    shift = tuple(max(-1.0, min(1.0, float(p))) * ratio for p, ratio in zip(parameters[2:], ratios))
    return sigma, shift  # type: ignore[return-value]


def _shifted_gaussian(sigma: tuple[float, float], shift: tuple[float, float], ratios: tuple[float, float]) -> Footprint:
    """The Gaussian with its shift written into the weights."""
    parts = []
    centred = gaussian_footprint(*sigma, *ratios)
    for weights, move in ((centred.rows[0], shift[0]), (centred.cols[0], shift[1])):
        room = math.ceil(abs(move)) + 1
        padded = torch.nn.functional.pad(weights, (room, room))
        whole, share = math.floor(move), move - math.floor(move)
        parts.append((1 - share) * padded.roll(whole) + share * padded.roll(whole + 1))
    return Footprint(parts[0][None], parts[1][None])


def _quality(equations: Sequence[_Equations], footprint: Footprint) -> tuple[float, float]:
    """Rms residual over the inside and the explained share of the variance."""
    difference, seen = [], []
    for one in equations:
        difference.append((_predict(one, footprint)[0] - one.seen)[:, one.inside])
        seen.append(one.seen[:, one.inside])
    residual, values = torch.cat(difference, dim=1), torch.cat(seen, dim=1)
    variance = (values - values.mean(dim=1, keepdim=True)).square().mean()
    mean_square = residual.square().mean()
    return float(mean_square.sqrt()), float((1.0 - mean_square / variance.clamp_min(1e-20)).clamp(0.0, 1.0))


def _sees_zeros(equations: Sequence[_Equations], footprint: Footprint) -> bool:
    """Tell whether zeros outside the image explain the rim much better than more of the same."""
    zeros = filled = 0.0
    for one in equations:
        predicted, blur = _predict(one, footprint)
        rim = one.rim & (blur.coverage > 0.05) & (blur.coverage < 0.95)
        zeros += float((predicted - one.seen)[:, rim].square().sum())
        filled += float((predicted / blur.coverage.clamp_min(0.05) - one.seen)[:, rim].square().sum())
    return zeros < ZERO_RIM**2 * filled


def _predict(one: _Equations, footprint: Footprint) -> tuple[torch.Tensor, Blur]:
    blur = Blur(footprint.to(one.msi.device), one.block.placement, one.block.fine_shape, one.block.coarse_shape)
    return blur(one.msi), blur
