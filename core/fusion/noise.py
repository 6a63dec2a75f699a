# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise of a multispectral image, which has too few bands for one to be predicted by the others.

The second difference along rows and columns removes whatever varies smoothly and keeps noise, with a known factor
(Immerkær 1996, doi:10.1006/cviu.1996.0060). Edges and texture remain as well, so the variance is taken from the
quietest windows, with the known bias of a low quantile among windows of pure noise.
"""

from __future__ import annotations

import torch

WINDOW = 8
QUIET = 0.1
"""Quantile of the windows' variances."""
LEAST_WINDOWS = 10
_MASK = torch.tensor([1.0, -2.0, 1.0])
_GAIN = 36.0
"""Sum of the squares of the mask's outer product."""
_QUIET_BIAS = 0.63
"""The 0.1 quantile over the mean of variances in windows of 8 x 8 filtered noise (simulated)."""


def noise_variance(cube: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Variance of the noise of each band.

    Args:
        cube: float32 [bands, rows, columns].
        valid: bool [rows, columns].

    Returns:
        float32 [bands]; at least a tiny share of the band's power, so that it can be divided by.
    """
    power = cube[:, valid].square().mean(dim=1)
    floor = 1e-8 * power + torch.finfo(cube.dtype).tiny
    if min(cube.shape[1:]) < WINDOW + 2:
        return floor
    mask = (_MASK[:, None] * _MASK[None, :]).to(cube)
    filtered = torch.nn.functional.conv2d(cube[:, None], mask[None, None])[:, 0].square() / _GAIN
    usable = torch.nn.functional.conv2d((~valid)[None, None].to(cube), torch.ones_like(mask)[None, None])[0, 0] == 0
    pool = torch.nn.functional.avg_pool2d
    windows = pool(filtered[None], WINDOW)[0].flatten(1)
    whole = pool(usable[None, None].to(cube), WINDOW).flatten() == 1.0
    if int(whole.sum()) < LEAST_WINDOWS:
        return floor
    quiet = torch.quantile(windows[:, whole], QUIET, dim=1) / _QUIET_BIAS
    return torch.maximum(quiet, floor)
