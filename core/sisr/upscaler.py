# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes single planes finer: a network, or plain interpolation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch.nn.functional import pixel_shuffle

from ..fusion.pair import Placement
from ..physics.upsample import upsample
from ..unmixing.abundances import make_solver
from ..unmixing.settings import UnmixSettings
from .kriging import guess, kriging_filters
from .mcnet import McNet
from .network import PlaneNet

MAIN = 6
"""Planes that the network sees; more of them add less than 0.05 dB on real scenes."""


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

    def straight(self) -> Upscaler:
        """The same in one view, so that turned planes tell how sure it is."""
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
    """The network that treats all planes alike.

    It makes the first planes finer. Those behind them hold so little of the image's variation that they take the best
    linear guess, which the network starts from and which costs next to nothing.

    Args:
        network: the network.
        turned: take the mean over the eight ways to turn and mirror the planes. Nothing in nature prefers one of them,
            so where they differ the network errs; it costs eight times as much (Timofte et al. 2016, section 3.4).
    """

    def __init__(self, network: PlaneNet, turned: bool = False) -> None:
        self.network = network.eval().requires_grad_(False)
        self.turned = turned
        self.halo = network.halo

    @torch.inference_mode()
    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """See :class:`Upscaler`."""
        blur = planes.new_full((1,), sigma)
        finer = self._finer(planes[:, :MAIN], blur, noise[None, :MAIN])
        if planes.shape[1] <= MAIN:
            return finer
        filters = kriging_filters(self.network.factor, blur, noise[None, MAIN:])
        others = pixel_shuffle(guess(planes[:, MAIN:], filters), self.network.factor)
        return torch.cat([finer, others.reshape(1, -1, *finer.shape[2:])], dim=1)

    def _finer(self, planes: torch.Tensor, blur: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        if not self.turned:
            return self.network(planes, blur, noise)
        total = torch.zeros(())
        for turns in range(4):
            for axes in ((), (3,)):
                view = planes.rot90(turns, (2, 3)).flip(axes).contiguous()
                total = total.to(planes) + self.network(view, blur, noise).flip(axes).rot90(-turns, (2, 3))
        return total / 8.0

    def straight(self) -> Shared:
        """See :class:`Upscaler`."""
        return Shared(self.network)

    def to(self, device: torch.device) -> Shared:
        """See :class:`Upscaler`."""
        return Shared(copy.deepcopy(self.network).to(device), self.turned)

    def header(self) -> dict[str, Any]:
        """See :class:`Upscaler`."""
        net = self.network
        shape = {"factor": net.factor, "width": net.width, "blocks": net.blocks}
        return {"kind": "shared", "turned": self.turned, **shape}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Upscaler`."""
        return dict(self.network.state_dict())


class Published:
    """The published network: makes the abundances of one image finer; what they leave is interpolated.

    Args:
        network: trained on abundances as they are.
        endmembers: coefficients of each endmember, [endmembers, planes].
        centre, spread: of the coefficients, by which planes are standardised, [planes].
        noise: standard deviation of each abundance's noise, [endmembers].
    """

    def __init__(
        self,
        network: McNet,
        endmembers: torch.Tensor,
        centre: torch.Tensor,
        spread: torch.Tensor,
        noise: torch.Tensor,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.halo = network.halo
        self._parts = {"endmembers": endmembers, "centre": centre, "spread": spread, "noise": noise}
        self._solve = make_solver(endmembers, UnmixSettings(model="nnls"))

    @torch.inference_mode()
    def predict(self, planes: torch.Tensor, sigma: float, noise: torch.Tensor) -> torch.Tensor:
        """See :class:`Upscaler`."""
        centre, spread = (self._parts[name][:, None, None] for name in ("centre", "spread"))
        coarse = planes[0] * spread + centre
        shares = self._solve(coarse.flatten(1)).reshape(-1, *coarse.shape[1:])
        finer = self.network(shares[None], planes.new_full((1,), sigma), self._parts["noise"][None])[0]
        left = interpolated(coarse - self._mixed(shares), self.network.factor)
        return ((self._mixed(finer) + left - centre) / spread)[None]

    def _mixed(self, shares: torch.Tensor) -> torch.Tensor:
        return torch.einsum("mp,mij->pij", self._parts["endmembers"], shares)

    def straight(self) -> Published:
        """See :class:`Upscaler`."""
        return self

    def to(self, device: torch.device) -> Published:
        """See :class:`Upscaler`."""
        return Published(
            copy.deepcopy(self.network).to(device), **{name: part.to(device) for name, part in self._parts.items()}
        )

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
        return {**self.network.state_dict(), **{f"parts.{name}": part for name, part in self._parts.items()}}


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
        return Shared(network, bool(header["turned"]))
    if header["kind"] != "published":
        raise ValueError(f"no upscaler {header['kind']!r}")
    parts = {name: tensors.pop(f"parts.{name}") for name in ("endmembers", "centre", "spread", "noise")}
    published = McNet(factor, tensors["means"], float(header["gain"]), int(header["features"]), int(header["units"]))
    published.load_state_dict(tensors)
    return Published(published, **parts)


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
