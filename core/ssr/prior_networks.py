# SPDX-License-Identifier: GPL-3.0-or-later
"""Z-Net and P-Net: what is learned about images and about responses (Li et al. 2026, arXiv:2606.05759, sections 3.2-3).

Where the paper is silent or contradicts itself the choices are: 3x3 convolutions, LeakyReLU of slope 0.1, concatenated
branches, a residual output, attention with depth-wise convolutions and a reduction of 4.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu, pad, softplus

WIDTH = 64
SLOPE = 0.1
KERNELS, LOCAL_KERNELS = (1, 3, 5), (1, 3)
"""Sides of attention's convolutions as published, and where it looks around; 5 x 5 costs most of a step, for little."""
_REDUCTION = 4


class ChannelAttention(nn.Module):
    """Weighs channels by what they hold at three scales.

        v = sum_i softmax(w)_i DWConv_i(u), i = 1, 3, 5;   CA(u) = v * sigmoid(W2 relu(W1 mean(v)))

    Args:
        channels: of u.
        window: side, odd, of the neighbourhood over which the mean is taken; None takes it over the whole image, so
            that what is cut into tiles comes out differently.
    """

    def __init__(self, channels: int, window: int | None) -> None:
        super().__init__()
        self.window = window
        kernels = KERNELS if window is None else LOCAL_KERNELS
        self.scales = nn.ModuleList(nn.Conv2d(channels, channels, k, padding=k // 2, groups=channels) for k in kernels)
        self.mixture = nn.Parameter(torch.zeros(len(kernels)))
        self.squeeze = nn.Conv2d(channels, max(channels // _REDUCTION, 1), 1)
        self.excite = nn.Conv2d(max(channels // _REDUCTION, 1), channels, 1)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Weighed planes, [batch, channels, rows, columns]."""
        mixed = self._mix(planes)
        if self.window is None:
            squeezed = self.squeeze(mixed.mean(dim=(2, 3), keepdim=True))
        else:  # the same the other way round, on fewer channels
            squeezed = self._local_mean(self.squeeze(mixed), self.window)
        return mixed * torch.sigmoid(self.excite(torch.relu(squeezed)))

    def _mix(self, planes: torch.Tensor) -> torch.Tensor:
        """All scales in one convolution, whose kernel is the weighed sum of theirs."""
        shares = self.mixture.softmax(dim=0)
        kernels, biases = zip(*((scale.weight, scale.bias) for scale in self.scales))
        half = [kernel.shape[-1] // 2 for kernel in kernels]
        alike = torch.stack([pad(kernel, 4 * [half[-1] - own]) for kernel, own in zip(kernels, half)])
        weight = torch.einsum("s,scork->cork", shares, alike)
        return conv2d(planes, weight, shares @ torch.stack(biases), padding=half[-1], groups=len(weight))

    @staticmethod
    def _local_mean(planes: torch.Tensor, window: int) -> torch.Tensor:
        """Means over windows that are cut off at the border, first along rows, then along columns."""
        for size in ((window, 1), (1, window)):
            half = [length // 2 for length in size]
            planes = avg_pool2d(planes, size, 1, half, count_include_pad=False)
        return planes


class ZNet(nn.Module):
    """The prior of the HSI, Z = X + CA(a(Conv [a(Conv X), CA(a(Conv X))])) with a = LeakyReLU.

    Args:
        channels: bands of X, or coordinates of its spectra.
        window: of the attention, see :class:`ChannelAttention`.
    """

    def __init__(self, channels: int, window: int | None = None) -> None:
        super().__init__()
        self.plain = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.attended = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.attention = ChannelAttention(WIDTH, window)
        self.merge = nn.Conv2d(2 * WIDTH, channels, 3, padding=1)
        self.output_attention = ChannelAttention(channels, window)

    @property
    def reach(self) -> int | None:
        """How many pixels away a pixel still has a say; None when all have."""
        window = self.attention.window
        # two 3x3 convolutions, and two attentions of a depth-wise convolution and a mean
        return None if window is None else 2 + 2 * (max(LOCAL_KERNELS) // 2 + window // 2)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Z of X, [batch, channels, rows, columns]."""
        attended = self.attention(leaky_relu(self.attended(planes), SLOPE))
        plain = leaky_relu(self.plain(planes), SLOPE)
        # the convolution of both side by side, without putting them there
        first, second = self.merge.weight.split(WIDTH, dim=1)
        merged = conv2d(plain, first, self.merge.bias, padding=1) + conv2d(attended, second, padding=1)
        return planes + self.output_attention(leaky_relu(merged, SLOPE))

    def start_neutral(self) -> None:
        """Let Z be X until training says otherwise."""
        for parameters in (self.merge, *self.output_attention.scales):
            nn.init.zeros_(parameters.bias)
        nn.init.zeros_(self.merge.weight)


class PNet(nn.Module):
    """The prior of the response: each row of R is a signal over wavelength; rows of P are positive and sum to 1.

    Convolutions of three lengths, fused and added to the input, then one Transformer layer over the bands.

    Args:
        bands: C.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv1d(1, 16, k, padding=k // 2) for k in (3, 5, 7))
        self.fuse = nn.Conv1d(48, 32, 3, padding=1)
        self.shortcut = nn.Conv1d(1, 32, 1)
        self.position = nn.Parameter(torch.zeros(bands, 32))
        self.transformer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, activation="gelu", batch_first=True)
        self.head = nn.Linear(32, 1)
        nn.init.normal_(self.position, std=0.02)

    def forward(self, response: torch.Tensor) -> torch.Tensor:
        """P of R, [batch, c, C]."""
        rows = response.reshape(-1, 1, response.shape[-1])
        features = torch.cat([leaky_relu(branch(rows), SLOPE) for branch in self.branches], dim=1)
        words = (leaky_relu(self.fuse(features), SLOPE) + self.shortcut(rows)).mT + self.position
        change = self.head(self.transformer(words)).reshape(response.shape)
        positive = softplus(response + change)
        return positive / positive.sum(dim=-1, keepdim=True)
