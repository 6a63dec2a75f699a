# SPDX-License-Identifier: GPL-3.0-or-later
"""What endmember extraction returns, and the geometry that the extractors share."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..engine.method import Moments
from ..errors import InputError
from .active_set import ActiveSetSolver


@dataclass(frozen=True)
class Extraction:
    """Endmembers found in an image.

    Attributes:
        endmembers: float32 [endmembers, bands].
        indices: the pixel that each endmember is, int64 [endmembers], or None where endmembers are no pixels.
        objective: value after each round of an iterative method.
    """

    endmembers: torch.Tensor
    indices: torch.Tensor | None = None
    objective: tuple[float, ...] = ()


def picked(pixels: torch.Tensor, indices: torch.Tensor) -> Extraction:
    """The extraction whose endmembers are these pixels."""
    return Extraction(pixels[indices].clone(), indices)


def check_count(pixels: torch.Tensor, count: int) -> None:
    """Refuse what no extraction can do.

    Raises:
        InputError: more endmembers are asked for than there are bands or pixels.
    """
    have, bands = pixels.shape
    if not 1 <= count <= min(have, bands):
        raise InputError(
            f"{count} endmembers cannot be found in {have} pixels of {bands} bands: ask for at most {min(have, bands)}."
        )


def too_few_distinct(found: int, count: int) -> InputError:
    """The error for an image with fewer different spectra than endmembers asked for."""
    return InputError(f"Only {found} different spectra can be told apart, fewer than the {count} endmembers asked for.")


def unit_length(spectra: torch.Tensor) -> torch.Tensor:
    """Spectra scaled to unit L2 norm, [spectra, bands]; an all-zero spectrum stays zero."""
    norm = torch.linalg.vector_norm(spectra, dim=1, keepdim=True)
    return spectra / norm.clamp_min(torch.finfo(spectra.dtype).tiny)


def simplex_shares(endmembers: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Nearest points of the convex hull of the endmembers: a >= 0 and sum(a) = 1, [pixels, endmembers]."""
    return ActiveSetSolver(endmembers, sum_to_one=True, pixels=len(pixels)).to(pixels.device).solve(pixels.T).T


def cone_shares(endmembers: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Nearest points of the cone of the endmembers: a >= 0, [pixels, endmembers]."""
    return ActiveSetSolver(endmembers, sum_to_one=False, pixels=len(pixels)).to(pixels.device).solve(pixels.T).T


def capped_shares(endmembers: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Nearest points of the convex hull of the origin and the endmembers: a >= 0 and sum(a) <= 1.

    Returns:
        [pixels, endmembers]; the origin takes what is missing to one.
    """
    return simplex_shares(torch.cat([endmembers, torch.zeros_like(endmembers[:1])]), pixels)[:, :-1]


def signal_basis(moments: Moments, dimension: int) -> torch.Tensor:
    """Orthonormal basis of the strongest directions of an image, float64 [bands, dimension or fewer]."""
    return torch.linalg.eigh(moments.correlation).eigenvectors.flip(1)[:, :dimension]


def signal_subspace(pixels: torch.Tensor, dimension: int) -> torch.Tensor:
    """Orthonormal basis of the strongest directions through the origin, [bands, dimension]."""
    gram = (pixels.T @ pixels).double()
    return torch.linalg.eigh(gram).eigenvectors.flip(1)[:, :dimension].to(pixels.dtype)


def principal_subspace(pixels: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [bands] and orthonormal basis of the strongest directions about it, [bands, dimension]."""
    mean = pixels.mean(dim=0)
    return mean, signal_subspace(pixels - mean, dimension)
