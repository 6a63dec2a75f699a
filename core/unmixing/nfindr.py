# SPDX-License-Identifier: GPL-3.0-or-later
"""N-FINDR: the pixels that span the simplex of largest volume.

Model: pixels fill a simplex whose vertices are pixels, so no other choice of pixels encloses more.
Source: Winter, SPIE 3753, 1999, doi:10.1117/12.366289. The volume of the simplex after exchanging vertex j for a pixel
is the old one times the pixel's barycentric coordinate j, so one product tries all exchanges at once (Cramer's rule).
"""

from __future__ import annotations

import torch

from .extraction import Extraction, check_count, picked, principal_subspace, too_few_distinct
from .snpa import snpa

GAIN = 1e-6
"""Relative gain in volume below which an exchange is not worth it (it would be rounding)."""
SINGULAR = 1e-12


def nfindr(pixels: torch.Tensor, count: int, start: torch.Tensor | None = None) -> Extraction:
    """Exchange pixels for vertices, best gain first, until the volume rises no more.

    Args:
        pixels: float32 [pixels, bands].
        count: endmembers wanted.
        start: indices of the pixels to start from, int64 [count]; SNPA's picks when None.

    Raises:
        InputError: there are fewer different spectra than endmembers asked for.
    """
    check_count(pixels, count)
    indices = snpa(pixels, count).indices if start is None else start
    assert indices is not None
    if count == 1:
        return picked(pixels, indices)
    mean, basis = principal_subspace(pixels, count - 1)
    points = ((pixels - mean) @ basis).double()
    points = torch.cat([torch.ones_like(points[:, :1]), points / points.std(dim=0).clamp_min(1e-300)], dim=1)
    if _volume(points[indices]) < SINGULAR:
        indices = _successive_projections(points, count)
    indices = indices.clone()
    volumes = [_volume(points[indices])]
    while True:
        gain, best = (points @ torch.linalg.inv(points[indices])).abs().max(dim=0)
        vertex = int(gain.argmax())
        if float(gain[vertex]) <= 1 + GAIN:
            break
        indices[vertex] = best[vertex]
        volumes.append(_volume(points[indices]))
    extraction = picked(pixels, indices)
    return Extraction(extraction.endmembers, indices, tuple(volumes))


def _volume(vertices: torch.Tensor) -> float:
    return float(torch.linalg.det(vertices).abs())


def _successive_projections(points: torch.Tensor, count: int) -> torch.Tensor:
    """Greedy start of non-zero volume: the point farthest from the span of those picked."""
    residual = points.clone()
    indices = []
    for found in range(count):
        norm = torch.linalg.vector_norm(residual, dim=1)
        index = int(norm.argmax())
        if float(norm[index]) < SINGULAR:
            raise too_few_distinct(found, count)
        axis = residual[index] / norm[index]
        residual = residual - torch.outer(residual @ axis, axis)
        indices.append(index)
    return torch.tensor(indices, device=points.device)
