# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth interpolation of coarse images on a fine grid of any placement."""

from __future__ import annotations

import torch

from ..fusion.pair import Placement

SHARPNESS = -0.5
"""Keys' cubic convolution (doi:10.1109/TASSP.1981.1163711), exact for parabolas."""


LEAST_KNOWN = 0.25
"""Share of a place's neighbours that must count for its value to be taken in full."""
GAP = 5


def upsample(
    coarse: torch.Tensor, weight: torch.Tensor, placement: Placement, fine_shape: tuple[int, int]
) -> torch.Tensor:
    """Interpolate by cubic convolution; beyond the outermost coarse centres the outermost values go on.

    Args:
        coarse: [planes, h, w].
        weight: what each coarse pixel counts, 0 to 1, [h, w]; where none counts, the result is 0.
        placement: where the coarse pixels lie.
        fine_shape: rows and columns of the result.

    Returns:
        [planes, H, W].
    """
    down = _matrix(placement.row, placement.ratio_y, fine_shape[0], coarse.shape[1], coarse.device)
    across = _matrix(placement.col, placement.ratio_x, fine_shape[1], coarse.shape[2], coarse.device)
    if bool((weight == 1.0).all()):
        return (down @ coarse) @ across.T
    # negative lobes over gaps would divide by next to nothing, so gaps are filled first, from their neighbours only
    soft = _matrix(placement.row, placement.ratio_y, fine_shape[0], coarse.shape[1], coarse.device, cubic=False)
    side = _matrix(placement.col, placement.ratio_x, fine_shape[1], coarse.shape[2], coarse.device, cubic=False)
    known = ((soft @ weight) @ side.T / LEAST_KNOWN).clamp_max(1.0)
    return known * ((down @ _filled(coarse, weight)) @ across.T)


def blend(coarse: torch.Tensor, placement: Placement, fine_shape: tuple[int, int]) -> torch.Tensor:
    """Interpolate linearly, [planes, H, W]; beyond the outermost coarse centres the outermost values go on."""
    down = _matrix(placement.row, placement.ratio_y, fine_shape[0], coarse.shape[1], coarse.device, cubic=False)
    across = _matrix(placement.col, placement.ratio_x, fine_shape[1], coarse.shape[2], coarse.device, cubic=False)
    return (down @ coarse) @ across.T


def _filled(coarse: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The images with what counts little replaced by the mean of what counts around it, [planes, h, w]."""
    box = torch.ones(1, 1, GAP, GAP, dtype=coarse.dtype, device=coarse.device)
    sums = torch.nn.functional.conv2d((coarse * weight)[:, None], box, padding=GAP // 2)[:, 0]
    count = torch.nn.functional.conv2d(weight[None, None], box, padding=GAP // 2)[0, 0]
    around = sums / count.clamp_min(1e-6)
    return weight * coarse + (1.0 - weight) * around


def _matrix(
    start: float, ratio: float, fine: int, coarse: int, device: torch.device, cubic: bool = True
) -> torch.Tensor:
    """Interpolation along one axis, float32 [fine, coarse]."""
    places = (torch.arange(fine, device=device, dtype=torch.float64) + 0.5 - start) / ratio - 0.5
    places = places.clamp(0.0, coarse - 1.0)
    below = places.floor()
    share = places - below
    a = SHARPNESS
    matrix = torch.zeros(fine, coarse, device=device, dtype=torch.float64)
    for offset in (-1, 0, 1, 2) if cubic else (0, 1):
        distance = (share - offset).abs()
        if cubic:
            near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
            far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
            weights = torch.where(distance <= 1, near, far)
        else:
            weights = 1 - distance
        index = (below + offset).long().clamp(0, coarse - 1)
        matrix.scatter_add_(1, index[:, None], weights[:, None])
    return matrix.float()
