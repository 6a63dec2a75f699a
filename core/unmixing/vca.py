# SPDX-License-Identifier: GPL-3.0-or-later
"""VCA: vertex component analysis.

Model: pixels fill a simplex whose vertices are pixels. The extreme pixel along a random direction orthogonal to the
vertices found so far is the next vertex.
Source: Nascimento and Bioucas-Dias, IEEE TGRS 43(4), 2005, algorithm 1, doi:10.1109/TGRS.2005.844293.
"""

from __future__ import annotations

import math

import torch

from .extraction import Extraction, check_count, picked, principal_subspace, signal_subspace


def vca(pixels: torch.Tensor, count: int, generator: torch.Generator) -> Extraction:
    """Pick extreme pixels along random directions.

    Args:
        pixels: float32 [pixels, bands].
        count: endmembers wanted.
        generator: source of the directions (on the CPU).
    """
    check_count(pixels, count)
    if count == 1:
        return picked(pixels, pixels.square().sum(dim=1).argmax()[None])
    affine = signal_to_noise_db(pixels, count) < 15 + 10 * math.log10(count)
    points = (_affine_points if affine else _projective_points)(pixels, count).double()
    vertices = torch.zeros(count, count, dtype=torch.float64, device=pixels.device)
    vertices[-1, 0] = 1.0
    indices = []
    for i in range(count):
        direction = torch.randn(count, generator=generator, dtype=torch.float64).to(pixels.device)
        direction = direction - vertices @ (torch.linalg.pinv(vertices) @ direction)
        index = int((points @ direction).abs().argmax())
        vertices[:, i] = points[index]
        indices.append(index)
    return picked(pixels, torch.tensor(indices, device=pixels.device))


def signal_to_noise_db(pixels: torch.Tensor, count: int) -> float:
    """Signal-to-noise ratio if the signal is what ``count`` principal directions hold (paper, equation 13)."""
    mean, basis = principal_subspace(pixels, count)
    power = float(pixels.double().square().sum(dim=1).mean())
    kept = float(((pixels - mean) @ basis).double().square().sum(dim=1).mean() + mean.double().square().sum())
    lost = power - kept
    if lost <= 0:
        return math.inf
    return 10 * math.log10(max(kept - count / pixels.shape[1] * power, 1e-12 * power) / lost)


def _affine_points(pixels: torch.Tensor, count: int) -> torch.Tensor:
    """Low signal-to-noise ratio: principal components, with one constant coordinate."""
    mean, basis = principal_subspace(pixels, count - 1)
    points = (pixels - mean) @ basis
    level = torch.linalg.vector_norm(points, dim=1).max()
    return torch.cat([points, level.expand(len(points), 1)], dim=1)


def _projective_points(pixels: torch.Tensor, count: int) -> torch.Tensor:
    """High signal-to-noise ratio: projection onto the hyperplane that removes brightness."""
    points = pixels @ signal_subspace(pixels, count)
    heights = points @ points.mean(dim=0)
    return points / heights.clamp_min(1e-6 * heights.abs().max())[:, None]
