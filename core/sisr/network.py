# SPDX-License-Identifier: GPL-3.0-or-later
"""A small network that makes planes of any kind and number finer, each by itself and all with a look at the mean.

    high = shuffle(K low + f(K low, sigma, noise))

K is the best linear guess (:mod:`.kriging`), so that the network f only adds what no linear filter can know: sharp,
straight edges. f works on the input's grid: a 3 x 3 convolution, residual blocks and a 3 x 3 convolution to one feature
per fine pixel. In each block the features of a plane also see the mean of those of all planes, which says where edges
are whatever the order and number of the planes (Zaheer et al. 2017, "Deep sets", equation 4).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, relu

from .kriging import REACH, guess, kriging_filters

WIDTH, BLOCKS = 48, 6
CONDITIONS = 2


class PlaneNet(nn.Module):
    """See the module.

    Args:
        factor: how many times finer.
        width: features per input pixel and plane.
        blocks: residual blocks.
    """

    def __init__(self, factor: int, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.factor, self.width, self.blocks = factor, width, blocks
        self.head = nn.Conv2d(factor**2, width, 3, padding=1)
        self.body = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, factor**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def halo(self) -> int:
        """Input pixels around a pixel on which its result depends."""
        return REACH + 2 + 2 * self.blocks

    def forward(self, low: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Predict finer planes.

        Args:
            low: planes of a standard deviation of about 1, float32 [images, planes, h, w].
            sigma: standard deviation of each image's blur in fine pixels, [images].
            noise: standard deviation of each plane's noise, in the unit of the planes, [images, planes].

        Returns:
            float32 [images, planes, factor * h, factor * w].
        """
        with torch.no_grad():
            linear = guess(low, kriging_filters(self.factor, sigma, noise))
        planes = low.shape[1]
        known = _conditions(sigma / self.factor, noise)
        x = self.head(linear.contiguous(memory_format=torch.channels_last))
        for block in self.body:
            x = block(x, known, planes)
        fine = pixel_shuffle(linear + self.tail(x).float(), self.factor)
        return fine.reshape(*low.shape[:2], *fine.shape[2:])


class _Block(nn.Module):
    """Two convolutions around a rectifier whose threshold depends on blur and noise, and the exchange among planes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.exchange = nn.Conv2d(width, width, 1, bias=False)
        self.threshold = nn.Linear(CONDITIONS, width)

    def forward(self, x: torch.Tensor, known: torch.Tensor, planes: int) -> torch.Tensor:
        inner = self.first(x)
        mean = self.exchange(inner.unflatten(0, (-1, planes)).mean(dim=1))
        inner = inner + self.threshold(known)[:, :, None, None]
        inner = inner.unflatten(0, (-1, planes)) + mean[:, None]
        return x + self.second(relu(inner).flatten(0, 1))


def _conditions(sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Blur and noise of each plane on comparable scales, [images * planes, 2]."""
    blur = (4.0 * (sigma - 0.8))[:, None].expand_as(noise)
    return torch.stack([blur, torch.log10(noise + 1e-3) + 2.0], dim=2).flatten(0, 1)
