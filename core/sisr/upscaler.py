# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes single planes finer: a network, or plain interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from ..fusion.pair import Placement
from ..physics.upsample import upsample


class Upscaler(Protocol):
    """Makes standardised planes ``factor`` times finer.

    Attributes:
        halo: input pixels around a pixel on which its result depends.
    """

    halo: int

    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """Predict finer planes.

        Args:
            planes: float32 [1, planes, rows, columns].
            sigma: standard deviation of the blur, in pixels of the result.
            noise: standard deviation of each plane's noise, [planes].

        Returns:
            float32 [1, planes, factor * rows, factor * columns].
        """
        ...

    def to(self, device: torch.device) -> Upscaler:
        """The same on a device."""
        ...

    def header(self) -> dict[str, Any]:
        """What to save besides tensors; ``kind`` tells upscalers apart."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save; none where they come with the plugin."""
        ...


class Cubic:
    """Cubic convolution: adds no detail, and is what every other way has to beat."""

    halo = 3

    def __init__(self, factor: int) -> None:
        self._factor = factor

    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """See :class:`Upscaler`."""
        return interpolated(planes[0], self._factor)[None]

    def to(self, device: torch.device) -> Cubic:
        """It holds no tensors."""
        return self

    def header(self) -> dict[str, Any]:
        """See :class:`Upscaler`."""
        return {"kind": "cubic"}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Upscaler`."""
        return {}


def restore_upscaler(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], factor: int) -> Upscaler:
    """Rebuild what was saved."""
    return Cubic(factor)


def interpolated(planes: torch.Tensor, factor: int, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Planes [planes, h, w] by cubic convolution, [planes, factor h, factor w].

    Args:
        planes: the coarse planes.
        factor: how many times finer.
        weight: what each pixel counts, [h, w]; None for 1 everywhere.
    """
    height, width = planes.shape[1:]
    weight = torch.ones(height, width, device=planes.device) if weight is None else weight
    return upsample(planes, weight, Placement(factor, factor), (factor * height, factor * width))
