# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the published method, as its authors released it: MCNet with wider layers, on abundances.

Xu, Gousseau, Kervazo & Ladjal 2026 (arXiv 2601.22755) after Li, Wang & Li 2020 (doi:10.3390/rs12101660). The planes and
one constant plane with the noise variance are a volume [rows, columns, planes]. Residual blocks of separated 3-D
convolutions alternate with 2-D ones; a transposed convolution makes rows and columns finer.

MCNet was made for volumes [bands, rows, columns]: its kernels 1 x 3 x 3 are spatial, its kernels 3 x 1 x 1 spectral.
The released code moved the planes to the last axis and left the kernels, so rows are treated unlike columns, and planes
are convolved as if their order had a meaning. This is kept here: it is what was published, and why it is no default.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import weight_norm

from ..errors import InputError
from ..learning import Recipe

FEATURES, UNITS, BLOCKS = 84, 3, 4


class McNet(nn.Module):
    """The published network.

    Args:
        factor: how many times finer.
        means: of the abundance planes of the image, which are taken off before and put back after, [planes].
        gain: variance of a plane's noise, averaged over the planes, that noise of variance 1 in the image brings about
            by the pseudo-inverse of the endmembers: the mean of the diagonal of (S^T S)^-1.
        features: channels of all layers.
        units: separated convolutions in each of a block's three steps.
    """

    means: torch.Tensor

    def __init__(
        self, factor: int, means: torch.Tensor, gain: float = 1.0, features: int = FEATURES, units: int = UNITS
    ) -> None:
        super().__init__()
        self.factor, self.gain, self.features, self.units = factor, gain, features, units
        self.register_buffer("means", means.float())
        self.head = weight_norm(nn.Conv3d(1, features, 3, padding=1))
        self.body = nn.ModuleList(_Block(features, units) for _ in range(BLOCKS))
        kernel, stride = (factor + 2, factor + 2, 3), (factor, factor, 1)
        self.finer = weight_norm(nn.ConvTranspose3d(features, features, kernel, stride, padding=1))
        self.tail = weight_norm(nn.Conv3d(features, 1, 3, padding=1))

    @property
    def halo(self) -> int:
        """Input pixels around a pixel on which its result depends: head and tail, and the columns of the blocks."""
        return 3 + BLOCKS * (3 * self.units + 3)

    def forward(self, low: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Predict finer abundances.

        Args:
            low: float32 [images, planes, h, w].
            sigma: not used: the network learns one blur.
            noise: standard deviation of each plane's noise, [images, planes].

        Returns:
            float32 [images, planes, factor * h, factor * w].
        """
        means = self.means[:, None, None]
        variance = noise.square().mean(dim=1)[:, None, None, None] / self.gain
        planes = torch.cat([low - means, variance.expand(-1, 1, *low.shape[2:])], dim=1)
        start = self.head(planes.permute(0, 2, 3, 1)[:, None])
        x = start
        for block in self.body:
            x = block(x) + start
        found = self.tail(self.finer(x))[:, 0].permute(0, 3, 1, 2)
        return found[:, :-1] + means


def paper_recipe() -> Recipe:
    """The published training: 200 passes over 5000 pairs, eight at a time, at a constant rate in full precision.

    The authors kept the state that did best against the true fine image; here pairs that are not trained on choose.
    """
    return Recipe(
        steps=125_000, images=8, rate=1e-4, warm_up=0.0, falls=False, average=1, judge_every=625, half_precision=False
    )


def require_gpu(device: torch.device) -> None:
    """Refuse to train the published network without a graphics card.

    Raises:
        InputError: the device is none.
    """
    if device.type == "cpu":
        raise InputError(
            "The mode 'paper' trains the published network, some 10^18 operations for one image, which takes months "
            "on a CPU: choose a graphics card as device, or the mode 'fast' or 'tuned'."
        )


class _Block(nn.Module):
    """Three residual steps; what each gives also goes through flat convolutions, and all three are merged."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(nn.Sequential(*(_separated(features) for _ in range(units))) for _ in range(3))
        self.flat = nn.ModuleList(_flat(features) for _ in range(3))
        self.shares = nn.Parameter(torch.ones(3))
        self.merge = weight_norm(nn.Conv3d(3 * features, features, 1))
        self.last = _separated(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step, seen = x, []
        for share, advance, flat in zip(self.shares, self.steps, self.flat):
            step = advance(step) + step
            seen.append(share * _slicewise(flat, step))
        return self.last(relu(self.merge(torch.cat(seen, dim=1))) + x)


def _separated(features: int) -> nn.Sequential:
    """A 3-D convolution in two parts: over columns and planes, then over rows."""
    return nn.Sequential(
        weight_norm(nn.Conv3d(features, features, (1, 3, 3), padding=(0, 1, 1))),
        nn.ReLU(),
        weight_norm(nn.Conv3d(features, features, (3, 1, 1), padding=(1, 0, 0))),
        nn.ReLU(),
    )


def _flat(features: int) -> nn.Sequential:
    """Two 2-D convolutions over columns and planes."""
    return nn.Sequential(
        weight_norm(nn.Conv2d(features, features, 3, padding=1)),
        nn.ReLU(),
        weight_norm(nn.Conv2d(features, features, 3, padding=1)),
    )


def _slicewise(layers: nn.Module, volume: torch.Tensor) -> torch.Tensor:
    """Apply 2-D layers to each row's slice of volumes [images, features, rows, columns, planes]."""
    images, _, rows = volume.shape[:3]
    return layers(volume.transpose(1, 2).flatten(0, 1)).unflatten(0, (images, rows)).transpose(1, 2)
