# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise of a multispectral image, which has too few bands for one to be predicted by the others.

The second difference along rows and columns removes whatever varies smoothly and keeps noise, with a known factor
(Immerkær 1996, doi:10.1006/cviu.1996.0060). Edges and texture remain as well, so the variance is taken from the
quietest windows, with the known bias of a low quantile among windows of pure noise. Where there are several bands,
texture shows in all of them and noise in one, so what the other bands tell about a band's differences is taken off
first; that takes as much of its noise along as their number says. Both estimates err upwards, so the lower one counts.
"""

from __future__ import annotations

import math

import torch

WINDOW = 8
QUIET = 0.1
"""Quantile of the windows' variances."""
LEAST_WINDOWS = 10
MOST = 0.02
"""Largest standard deviation believed, relative to the band's root mean square (34 dB): beyond it is texture."""
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
    filtered = torch.nn.functional.conv2d(cube[:, None], mask[None, None])[:, 0] / math.sqrt(_GAIN)
    usable = torch.nn.functional.conv2d((~valid)[None, None].to(cube), torch.ones_like(mask)[None, None])[0, 0] == 0
    whole = torch.nn.functional.avg_pool2d(usable[None, None].to(cube), WINDOW).flatten() == 1.0
    if int(whole.sum()) < LEAST_WINDOWS:
        return floor
    quiet = _quiet(filtered, whole)
    if len(cube) > 1:
        quiet = torch.minimum(quiet, _quiet(_unshared(filtered, usable), whole))
    return torch.maximum(torch.minimum(quiet, MOST**2 * power), floor)


def _quiet(filtered: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """Variance in the quietest windows, [bands]."""
    windows = torch.nn.functional.avg_pool2d(filtered.square()[None], WINDOW)[0].flatten(1)
    return torch.quantile(windows[:, whole], QUIET, dim=1) / _QUIET_BIAS


def _unshared(filtered: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """Each band's differences without what those of the other bands tell about them."""
    pixels = filtered[:, usable].double()
    moments = pixels @ pixels.T / pixels.shape[1]
    moments += 1e-9 * torch.diag(moments.diagonal()) + 1e-30 * torch.eye(len(moments), dtype=moments.dtype)
    precision = torch.linalg.inv(moments)
    # the residual of a regression of one on all others, from second moments alone
    return torch.einsum("ij,jhw->ihw", (precision / precision.diagonal()[:, None]).to(filtered), filtered)
