# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the HSI is displaced against the MSI, to a small share of a coarse pixel.

At the right place every MSI band, averaged over coarse pixels, is a linear function of what the HSI shows there; this
asks for no common radiometric scale, and not even for the spectral response to be known. So whole coarse pixels are
tried first, and the displacement d that explains the MSI best is refined by Gauss-Newton steps on

    min over d  sum_bands | P (A(d) M_b) |^2 / s_b^2,

A(d) averages over the coarse pixels moved by d, exactly and at any fraction of a fine pixel, P takes off what the HSI
explains (variable projection after Golub & Pereyra 1973, doi:10.1137/0710036, with Kaufman's simplified Jacobian), and
s_b is what is left. Phase correlation of coarse images, the usual way, must interpolate images that are undersampled,
and whitens their noise; this keeps the resolution of the MSI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..pair import PairBlock, Placement
from .averaging import area_average

REACH = 6
"""Coarse pixels within which the displacement is sought."""
FEATURES = 6
"""Principal components that stand for the HSI where the response is not known."""
BINNED_RATIO = 4
"""Fine pixels per coarse one that are enough to move by fractions of a pixel."""
STEPS = 8
SETTLED = 0.005
"""Coarse pixels; smaller steps end the refinement."""
LONGEST = 0.5
COVERED = 0.99
NEIGHBOURS = 4.0
"""Neighbouring pixels err alike: so many of them count as one."""
LEAST_EXPLAINED = 0.3
LARGEST_ERROR, LARGEST_STRAY = 0.1, 1.5
"""For a trusted answer: share of the MSI's variance that the HSI must explain; coarse pixels of standard error, and
from the best whole displacement, that are allowed."""
LEAST_PIXELS = 30


class Shift(NamedTuple):
    """A displacement.

    Attributes:
        pixels: by which the HSI must be moved to lie right, in fine rows and columns.
        confident: False where it could not be told.
    """

    pixels: tuple[float, float]
    confident: bool


@dataclass(frozen=True)
class _Part:
    """A block made light: what explains the MSI [features, h, w], where it is usable, and the binned MSI."""

    features: torch.Tensor
    usable: torch.Tensor
    msi: torch.Tensor
    msi_valid: torch.Tensor
    placement: Placement

    def averages(self, shift: tuple[float, float], grow: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """The MSI over coarse pixels moved by some binned pixels, and some more of those on all sides; coverage."""
        placement = self.placement.shifted(
            shift[0] - grow * self.placement.ratio_y, shift[1] - grow * self.placement.ratio_x
        )
        shape = self.usable.shape[0] + 2 * grow, self.usable.shape[1] + 2 * grow
        return area_average(self.msi, self.msi_valid, placement, shape)


def find_shift(blocks: Sequence[PairBlock], response: torch.Tensor | None = None) -> Shift:
    """Find the displacement of the HSI.

    Args:
        blocks: parts of the pair, on the CPU.
        response: S, [msi_bands, hsi_bands]; None when it is not known.
    """
    bins = max(1, int(min(blocks[0].placement.ratio_y, blocks[0].placement.ratio_x) / BINNED_RATIO))
    basis = _components(blocks) if response is None else response
    parts = [_prepared(block, basis, bins) for block in blocks]
    ratio = parts[0].placement.ratio_y, parts[0].placement.ratio_x
    start = _best_whole(parts)
    if start is None:
        return Shift((0.0, 0.0), False)
    shift, error, explained = _refined(parts, (start[0] * ratio[0], start[1] * ratio[1]))
    strayed = max(abs(shift[i] / ratio[i] - start[i]) for i in (0, 1))
    within = max(abs(shift[i]) / ratio[i] for i in (0, 1)) <= _reach(parts)
    confident = error <= LARGEST_ERROR and explained >= LEAST_EXPLAINED and strayed <= LARGEST_STRAY and within
    return Shift((shift[0] * bins, shift[1] * bins), bool(confident))


def _prepared(block: PairBlock, basis: torch.Tensor, bins: int) -> _Part:
    valid = block.msi_valid.to(block.msi.dtype)
    share = torch.nn.functional.avg_pool2d(valid[None], bins)[0]
    masked = torch.where(block.msi_valid, block.msi, block.msi.new_zeros(()))
    msi = torch.nn.functional.avg_pool2d(masked, bins) / share.clamp_min(1e-6)
    features = torch.einsum("kb,bhw->khw", basis.to(block.hsi), block.hsi)
    place = block.placement
    binned = Placement(place.ratio_y / bins, place.ratio_x / bins, place.row / bins, place.col / bins)
    return _Part(features, block.hsi_valid, msi, share > 0.99, binned)


def _components(blocks: Sequence[PairBlock]) -> torch.Tensor:
    """Leading principal components of the HSI's valid pixels, [components, bands]."""
    pixels = torch.cat([block.hsi[:, block.hsi_valid] for block in blocks], dim=1).double()
    vectors = torch.linalg.eigh(torch.cov(pixels)).eigenvectors
    return vectors[:, -FEATURES:].T.float()


def _reach(parts: Sequence[_Part]) -> int:
    return min(REACH, *(side // 3 for part in parts for side in part.usable.shape))


def _best_whole(parts: Sequence[_Part]) -> tuple[int, int] | None:
    """The displacement in whole coarse pixels that explains most; None where too few pixels are valid."""
    reach = _reach(parts)
    grown = [part.averages((0.0, 0.0), reach) for part in parts]
    best, most = None, -1.0
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            pairs = []
            for part, (averages, coverage) in zip(parts, grown):
                height, width = part.usable.shape
                rows, cols = slice(down, down + height), slice(right, right + width)
                usable = part.usable & (coverage[rows, cols] > COVERED)
                pairs.append((part.features[:, usable], averages[:, rows, cols][:, usable]))
            features, msi = (torch.cat(side, dim=1).double() for side in zip(*pairs))
            if msi.shape[1] >= LEAST_PIXELS:
                explained = float(_explained(msi, _unexplained(features, msi)))
                if explained > most:
                    best, most = (down - reach, right - reach), explained
    return best


def _refined(parts: Sequence[_Part], start: tuple[float, float]) -> tuple[tuple[float, float], float, float]:
    """Gauss-Newton from a start.

    Returns:
        the displacement in binned pixels, its standard error in coarse pixels, and the share of variance explained.
    """
    ratio = torch.tensor([parts[0].placement.ratio_y, parts[0].placement.ratio_x], dtype=torch.float64)
    shift, explained = torch.tensor(start, dtype=torch.float64), 0.0
    error = float("inf")
    for _ in range(STEPS):
        features, msi, slopes = _linearised(parts, shift, ratio)
        if msi.shape[1] < LEAST_PIXELS:
            return start, float("inf"), 0.0
        left = _unexplained(features, msi)
        explained = float(_explained(msi, left))
        spread = left.square().mean(1, keepdim=True).sqrt().clamp_min(1e-12)
        jacobian = torch.stack([(_unexplained(features, slope) / spread).flatten() for slope in slopes], dim=1)
        normal = jacobian.T @ jacobian + 1e-12 * torch.eye(2, dtype=torch.float64)
        step = -torch.linalg.solve(normal, jacobian.T @ (left / spread).flatten())
        error = float((NEIGHBOURS * torch.linalg.inv(normal).diagonal()).sqrt().max())
        shift = shift + step.clamp(-LONGEST, LONGEST) * ratio
        if float(step.abs().max()) < SETTLED:
            break
    return (float(shift[0]), float(shift[1])), error, explained


def _linearised(
    parts: Sequence[_Part], shift: torch.Tensor, ratio: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Features, averaged MSI and its two derivatives per coarse pixel of displacement, [..., pixels] each."""
    at = float(shift[0]), float(shift[1])
    half = float(ratio[0]) / 8, float(ratio[1]) / 8
    found = []
    for part in parts:
        averages, coverage = part.averages(at)
        usable = part.usable & (coverage > COVERED)
        ends = [part.averages((at[0] + y, at[1] + x))[0] for y, x in ((half[0], 0), (-half[0], 0))]
        sides = [part.averages((at[0] + y, at[1] + x))[0] for y, x in ((0, half[1]), (0, -half[1]))]
        planes = part.features, averages, (ends[0] - ends[1]) * 4, (sides[0] - sides[1]) * 4
        found.append([plane[:, usable].double() for plane in planes])
    features, msi, down, right = (torch.cat(side, dim=1) for side in zip(*found))
    return features, msi, [down, right]


def _unexplained(features: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """What a linear function of the features with an offset leaves of values, [bands, pixels] each."""
    features = features - features.mean(1, keepdim=True)
    values = values - values.mean(1, keepdim=True)
    gram = features @ features.T
    gram = gram + (1e-9 * gram.diagonal().mean() + 1e-30) * torch.eye(len(gram), dtype=gram.dtype)
    return values - torch.linalg.solve(gram, features @ values.T).T @ features


def _explained(values: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Mean share of the bands' variance that is explained."""
    whole = values.var(1, correction=0).clamp_min(1e-30)
    return (1 - left.square().mean(1) / whole).mean()
