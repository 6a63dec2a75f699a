# SPDX-License-Identifier: GPL-3.0-or-later
"""The best linear guess of a finer plane, given the blur and the noise: ordinary kriging on a regular lattice.

    z(p) = sum_k w_k(p) y_k,    [C_yy + (e^2 + n^2) I   1] [w]   [c_yz(p)]
                                [1^T                    0] [m] = [1      ]

y_k are the input pixels in a window around the fine pixel p, C_yy and c_yz the covariances of blurred with blurred and
of blurred with fine values, n the noise. The fine plane has the covariance exp(-distance / L), which is that of dead
leaves whose sizes are exponential (Matheron 1975). Weights sum to 1, so a constant plane stays constant. All fine
pixels at the same place within an input pixel share their weights: the guess is a convolution and a pixel shuffle.
"""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d, pad

from ..physics.footprint import point_gaussian_footprint

REACH = 4
"""Input pixels to each side of the one that holds the fine pixel."""
LENGTH = 4.0
"""L in input pixels; the guess hardly depends on it, the variogram near 0 being a straight line for all of them."""
LEAST_NOISE = 0.01
"""e, in standard deviations of the plane: the blur is never known better."""
PERIOD = 32
"""Side of the periodic square, in input pixels, on which covariances are computed: beyond what windows and blur see."""


def kriging_filters(factor: int, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Weights of the guess.

    Args:
        factor: fine pixels per input pixel.
        sigma: standard deviation of the blur in fine pixels, [images].
        noise: standard deviation of the noise over that of the plane, [images, planes].

    Returns:
        float32 [images, planes, factor^2, window, window], fine pixels in the order of pixel shuffle.
    """
    among, across = zip(*(_covariances(factor, float(value)) for value in sigma))
    known = torch.stack(among).to(noise.device)
    wanted = torch.stack(across).to(noise.device)
    images, planes = noise.shape
    count = known.shape[-1]
    system = known.new_ones(images, planes, count + 1, count + 1)
    power = noise.double().square() + LEAST_NOISE**2
    system[..., :-1, :-1] = known[:, None] + power[..., None, None] * torch.eye(count, device=noise.device)
    system[..., -1, -1] = 0.0
    right = torch.cat([wanted, wanted.new_ones(images, 1, factor**2)], dim=1)
    weights = torch.linalg.solve(system, right[:, None])[..., :-1, :]
    side = 2 * REACH + 1
    return weights.mT.reshape(images, planes, factor**2, side, side).float()


def guess(low: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Apply the weights; beyond its edge the plane goes on as its outermost pixels.

    Args:
        low: float32 [images, planes, h, w].
        filters: as :func:`kriging_filters` gives them.

    Returns:
        float32 [images * planes, factor^2, h, w], to be shuffled.
    """
    images, planes, height, width = low.shape
    inner = pad(low, (REACH,) * 4, mode="replicate").reshape(
        1, images * planes, *(n + 2 * REACH for n in (height, width))
    )
    found = conv2d(inner, filters.flatten(0, 2)[:, None], groups=images * planes)
    return found.reshape(images * planes, -1, height, width)


def _covariances(factor: int, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """C_yy [window^2, window^2] and c_yz [window^2, factor^2] of one blur, float64."""
    side = PERIOD * factor
    lag = torch.fft.fftfreq(side, 1.0 / side, dtype=torch.float64)
    spectrum = torch.fft.rfft2(torch.exp(-torch.hypot(lag[:, None], lag[None]) / (LENGTH * factor)))
    taps = point_gaussian_footprint(sigma, sigma, factor).rows[0].double()
    # the input pixel that begins at fine pixel 0 sees the fine pixels around (factor - 1) / 2
    places = torch.arange(len(taps)) + (factor - len(taps)) // 2
    line = torch.zeros(side, dtype=torch.float64).index_add(0, places % side, taps)
    blur = torch.fft.rfft2(line[:, None] * line[None])
    seen = torch.fft.irfft2(spectrum * blur, s=(side, side))
    twice = torch.fft.irfft2(spectrum * (blur * blur.conj()).real, s=(side, side))
    offset = torch.arange(-REACH, REACH + 1) * factor
    apart = (offset[:, None] - offset[None]) % side
    within = (torch.arange(factor)[None] - offset[:, None]) % side
    among = twice[apart[:, None, :, None], apart[None, :, None, :]]
    across = seen[within[:, None, :, None], within[None, :, None, :]]
    return among.flatten(2).flatten(0, 1), across.flatten(2).flatten(0, 1)
