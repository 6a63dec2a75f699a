# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes single planes finer: a network, or plain interpolation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import torch

from ..fusion.pair import Placement
from ..physics.upsample import upsample
from .mcnet import McNet
from .network import PlaneNet


class Upscaler(Protocol):
    """Makes standardised planes finer.

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
        """Tensors to save."""
        ...


class Shared:
    """The network that treats all planes alike."""

    def __init__(self, network: PlaneNet) -> None:
        self.network = network.eval().requires_grad_(False)
        self.halo = network.halo

    @torch.inference_mode()
    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """See :class:`Upscaler`."""
        return self.network(planes, planes.new_full((1,), sigma), noise[None])

    def to(self, device: torch.device) -> Shared:
        """See :class:`Upscaler`."""
        return Shared(copy.deepcopy(self.network).to(device))

    def header(self) -> dict[str, Any]:
        """See :class:`Upscaler`."""
        net = self.network
        return {"kind": "shared", "factor": net.factor, "width": net.width, "blocks": net.blocks}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Upscaler`."""
        return dict(self.network.state_dict())


class Published:
    """The published network, which knows the abundances of one image; other planes are interpolated.

    Args:
        network: trained on abundances as they are.
        centre, spread: of the abundances, [endmembers], by which they are standardised.
    """

    def __init__(self, network: McNet, centre: torch.Tensor, spread: torch.Tensor) -> None:
        self.network = network.eval().requires_grad_(False)
        self.halo = network.halo
        self._centre, self._spread = centre, spread

    @torch.inference_mode()
    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """See :class:`Upscaler`."""
        count = len(self._centre)
        centre, spread = self._centre[:, None, None], self._spread[:, None, None]
        shares = planes[:, :count] * spread + centre
        finer = self.network(shares, planes.new_full((1,), sigma), (noise[:count] * self._spread)[None])
        others = interpolated(planes[0, count:], self.network.factor)[None]
        return torch.cat([(finer - centre) / spread, others], dim=1)

    def to(self, device: torch.device) -> Published:
        """See :class:`Upscaler`."""
        return Published(copy.deepcopy(self.network).to(device), self._centre.to(device), self._spread.to(device))

    def header(self) -> dict[str, Any]:
        """See :class:`Upscaler`."""
        net = self.network
        return {
            "kind": "published",
            "factor": net.factor,
            "gain": net.gain,
            "features": net.features,
            "units": net.units,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Upscaler`."""
        return {**self.network.state_dict(), "abundances.centre": self._centre, "abundances.spread": self._spread}


def restore_upscaler(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Upscaler:
    """Rebuild what was saved.

    Raises:
        KeyError, RuntimeError, ValueError: parts are missing or do not fit together.
    """
    tensors = dict(tensors)
    factor = int(header["factor"])
    if header["kind"] == "shared":
        network = PlaneNet(factor, int(header["width"]), int(header["blocks"]))
        network.load_state_dict(tensors)
        return Shared(network)
    if header["kind"] != "published":
        raise ValueError(f"no upscaler {header['kind']!r}")
    centre, spread = tensors.pop("abundances.centre"), tensors.pop("abundances.spread")
    published = McNet(factor, centre, float(header["gain"]), int(header["features"]), int(header["units"]))
    published.load_state_dict(tensors)
    return Published(published, centre, spread)


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
