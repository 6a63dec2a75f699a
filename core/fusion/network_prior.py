# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained ensemble of small networks that guesses subspace coefficients pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .networks import BatchedLen, BatchedNetwork, BatchedSin

CHUNK = 1024
"""Pixels predicted at once on a CPU: few enough for the features of all members to stay in its cache."""
GPU_CHUNK = 1 << 17
NAMES = {"sin": "SpectraLift's network", "len": "SpectraMorph's network"}


class NetworkPrior:
    """The mean of an ensemble; see :class:`core.fusion.prior.Prior`.

    Args:
        network: maps harmonised MSI values, then ``context_planes`` coarse coefficients, to coefficients.
        context_planes: leading coefficients of the coarse pixel that the network also sees.
    """

    def __init__(self, network: BatchedSin | BatchedLen, context_planes: int = 0) -> None:
        self.network, self.context_planes = network, context_planes
        self.architecture = "sin" if isinstance(network, BatchedSin) else "len"
        self.name = NAMES[self.architecture]
        self.parameters = network.members * network.parameters_per_member

    @torch.no_grad()
    def predict(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Coefficients and the variance between members, each [components, pixels]."""
        if self.context_planes:
            if context is None:
                raise ValueError("This network needs the coarse coefficients of every pixel.")
            msi = torch.cat([msi, context])
        mean = msi.new_empty(self.network.layers[-1][1], msi.shape[1])
        variance = torch.empty_like(mean)
        chunk = CHUNK if msi.device.type == "cpu" else GPU_CHUNK
        for start in range(0, msi.shape[1], chunk):
            part = slice(start, start + chunk)
            members = self.network(msi[:, part])
            torch.mean(members, dim=0, out=mean[:, part])
            variance[:, part] = (members - mean[:, part]).square_().mean(dim=0)
        return mean, variance

    def to(self, device: torch.device) -> NetworkPrior:
        """The same on a device."""
        return NetworkPrior(_build(self.header(), self.network.values.to(device)), self.context_planes)

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        layers = [list(layer) for layer in self.network.layers]
        members = self.network.members
        shape = {"architecture": self.architecture, "layers": layers, "members": members}
        return {"kind": "network", **shape, "context_planes": self.context_planes}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return {"weights": self.network.values}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> NetworkPrior:
        """Rebuild a saved prior."""
        return cls(_build(header, tensors["weights"]), int(header["context_planes"]))


def _build(header: Mapping[str, Any], values: torch.Tensor) -> BatchedSin | BatchedLen:
    (inputs, width), outputs = header["layers"][0], header["layers"][-1][1]
    network: BatchedNetwork
    if header["architecture"] == "sin":
        blocks = (len(header["layers"]) - 3) // 2
        network = BatchedSin(inputs, outputs, header["members"], width=width, blocks=blocks)
    else:
        network = BatchedLen(inputs, outputs, header["members"], width=width)
    return network.restore(values)  # type: ignore[return-value]
