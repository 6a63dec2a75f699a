# SPDX-License-Identifier: GPL-3.0-or-later
"""Small trained networks that guess subspace coefficients pixel by pixel.

An ensemble is wiser than its members and knows where they disagree, but costs all of them in every pixel. One small
network taught to say what the ensemble says on average (:mod:`core.fusion.distillation`) takes its place where only
the guess is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union

import torch

from .networks import BatchedLen, BatchedNetwork, BatchedSin

CHUNK = 4096
"""Pixels of all members predicted at once on a CPU: few enough for their features to stay in its cache."""
GPU_CHUNK = 1 << 17
Network = Union[BatchedSin, BatchedLen]
NAMES = {"sin": "SpectraLift's network", "len": "SpectraMorph's network"}


class NetworkPrior:
    """The mean of a few networks; see :class:`core.fusion.prior.Prior`.

    Args:
        network: maps harmonised MSI values, then ``context_planes`` coarse coefficients, to coefficients.
        context_planes: leading coefficients of the coarse pixel that the network also sees.
        ensemble: what ``network`` was taught by, whose members tell how sure they are; None when there is none.
    """

    def __init__(self, network: Network, context_planes: int = 0, ensemble: Network | None = None) -> None:
        self.network, self.context_planes, self.ensemble = network, context_planes, ensemble
        self.name = NAMES[_architecture(network)]
        self.parameters = network.members * network.parameters_per_member

    def predict(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Coefficients, [components, pixels]."""
        return _by_chunks(lambda members: members.mean(dim=0), self.network, self._inputs(msi, context))

    def spread(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor | None:
        """Variance between the members of the ensemble, [components, pixels]."""
        if self.ensemble is None:
            return None
        return _by_chunks(lambda m: m.var(dim=0, unbiased=False), self.ensemble, self._inputs(msi, context))

    def _inputs(self, msi: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        if not self.context_planes:
            return msi
        if context is None:
            raise ValueError("This network needs the coarse coefficients of every pixel.")
        return torch.cat([msi, context])

    def to(self, device: torch.device) -> NetworkPrior:
        """The same on a device."""
        ensemble = None if self.ensemble is None else _moved(self.ensemble, device)
        return NetworkPrior(_moved(self.network, device), self.context_planes, ensemble)

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        ensemble = None if self.ensemble is None else _shape(self.ensemble)
        shapes = {"network": _shape(self.network), "ensemble": ensemble}
        return {"kind": "network", **shapes, "context_planes": self.context_planes}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        weights = {"weights": self.network.values}
        return weights if self.ensemble is None else {**weights, "ensemble": self.ensemble.values}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> NetworkPrior:
        """Rebuild a saved prior."""
        planes = int(header["context_planes"])
        if "network" not in header:  # files made before there were pupils: the ensemble itself predicts
            network = _build(header, tensors["weights"])
            return cls(network, planes, network)
        network = _build(header["network"], tensors["weights"])
        ensemble = None if header["ensemble"] is None else _build(header["ensemble"], tensors["ensemble"])
        return cls(network, planes, ensemble)


@torch.no_grad()
def _by_chunks(reduce: Callable[[torch.Tensor], torch.Tensor], network: Network, inputs: torch.Tensor) -> torch.Tensor:
    """What ``reduce`` makes of the members' predictions [members, outputs, pixels], [outputs, pixels]."""
    result = inputs.new_empty(network.layers[-1][1], inputs.shape[1])
    chunk = CHUNK // network.members if inputs.device.type == "cpu" else GPU_CHUNK
    for start in range(0, inputs.shape[1], chunk):
        part = slice(start, start + chunk)
        result[:, part] = reduce(network(inputs[:, part]))
    return result


def _architecture(network: Network) -> str:
    return "sin" if isinstance(network, BatchedSin) else "len"


def _shape(network: Network) -> dict[str, Any]:
    layers = [list(layer) for layer in network.layers]
    return {"architecture": _architecture(network), "layers": layers, "members": network.members}


def _moved(network: Network, device: torch.device) -> Network:
    """A copy on a device."""
    return _build(_shape(network), network.values.to(device))


def _build(shape: Mapping[str, Any], values: torch.Tensor) -> Network:
    (inputs, width), outputs = shape["layers"][0], shape["layers"][-1][1]
    network: BatchedNetwork
    if shape["architecture"] == "sin":
        blocks = (len(shape["layers"]) - 3) // 2
        network = BatchedSin(inputs, outputs, shape["members"], width=width, blocks=blocks)
    else:
        network = BatchedLen(inputs, outputs, shape["members"], width=width)
    return network.restore(values)  # type: ignore[return-value]
