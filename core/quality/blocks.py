# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality indices of blocks: from means and covariances alone, so that all pairs of bands cost one matrix product.

Q (Wang & Bovik 2002, doi 10.1109/97.995823) of two bands is, with means m, variances v and covariance c,

    Q = 4 c m1 m2 / ((v1 + v2) (m1^2 + m2^2)),

and 2 m1 m2 / (m1^2 + m2^2) where both are constant. Q2n (Garzelli & Nencini 2009, doi 10.1109/LGRS.2009.2022650) is the
same for images whose pixels are hypercomplex numbers with one component per band; the modulus of the covariance makes
it sensitive to the angle between spectra as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch

BLOCK_PX = 32
"""Side of the blocks, counted from the image's first pixel."""
LEAST_PIXELS = 16
_TINY = 1e-30


def block_windows(
    origin: tuple[int, int], core: tuple[slice, slice], shape: tuple[int, int], side: int = BLOCK_PX
) -> Iterator[tuple[slice, slice]]:
    """Where blocks lie in an array that is part of an image; each block belongs to the core that its corner lies in.

    Args:
        origin: row and column of the array's first pixel in the image.
        core: rows and columns of the array's core.
        shape: rows and columns of the array; it reaches at least ``side - 1`` beyond its core, or to the image's end.
        side: of a block.
    """
    starts = [
        range(first + -(start + first) % side, part.stop, side)
        for start, part, first in zip(origin, core, (core[0].start, core[1].start))
    ]
    for row in starts[0]:
        for col in starts[1]:
            yield slice(row, min(row + side, shape[0])), slice(col, min(col + side, shape[1]))


def moments(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [bands] and covariance [bands, bands] of [bands, pixels], float64."""
    values = pixels.double()
    mean = values.mean(dim=1, keepdim=True)
    return mean[:, 0], torch.cov(values, correction=0).reshape(len(values), len(values))


def q_index(
    covariance: torch.Tensor,
    first_variance: torch.Tensor,
    second_variance: torch.Tensor,
    first_mean: torch.Tensor,
    second_mean: torch.Tensor,
) -> torch.Tensor:
    """Q, elementwise over tensors that broadcast."""
    spread, power = first_variance + second_variance, first_mean**2 + second_mean**2
    luminance = torch.where(power > _TINY, 2 * first_mean * second_mean / power.clamp_min(_TINY), 1.0)
    contrast = torch.where(spread > _TINY, 2 * covariance / spread.clamp_min(_TINY), 1.0)
    return luminance * contrast


def q_of_pairs(mean: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Q of every band with every other, [bands, bands]."""
    variance = covariance.diagonal()
    return q_index(covariance, variance[:, None], variance[None], mean[:, None], mean[None])


def q2n(mean: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Q2n of two images in a block.

    Args:
        mean: of the first image's bands, then of the second's, [2 bands].
        covariance: likewise, [2 bands, 2 bands].
    """
    bands = len(mean) // 2
    variance = covariance.diagonal()
    cross = _hypercomplex_modulus(covariance[:bands, bands:])
    first, second = mean[:bands].norm(), mean[bands:].norm()
    return q_index(cross, variance[:bands].sum(), variance[bands:].sum(), first, second)


def _hypercomplex_modulus(cross: torch.Tensor) -> torch.Tensor:
    """Modulus of E[z1 conj(z2)] from the bands' cross-covariance: e_i conj(e_j) is a signed unit with index i xor j."""
    bands = len(cross)
    size = 1 << max(bands - 1, 0).bit_length()
    sign = _signs(size)[:bands, :bands].to(cross)
    at = torch.arange(bands, device=cross.device)
    unit = (at[:, None] ^ at[None]).reshape(-1)
    return cross.new_zeros(size).index_add_(0, unit, (sign * cross).reshape(-1)).norm()


@lru_cache(maxsize=4)
def _signs(size: int) -> torch.Tensor:
    """Sign of e_i conj(e_j), [size, size]."""
    conjugate = -torch.ones(size)
    conjugate[0] = 1
    return _product_signs(size) * conjugate[None]


def _product_signs(size: int) -> torch.Tensor:
    """Sign of e_i e_j by Cayley and Dickson: (a, b)(c, d) = (a c - d* b, d a + b c*)."""
    if size == 1:
        return torch.ones(1, 1)
    half = _product_signs(size // 2)
    conjugate = -torch.ones(size // 2)
    conjugate[0] = 1
    top = torch.cat([half, half.T], dim=1)
    bottom = torch.cat([half * conjugate[None], -half.T * conjugate[None]], dim=1)
    return torch.cat([top, bottom])
