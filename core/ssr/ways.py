# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways from an MSI to spectra as they are applied and saved: maps of single pixels, and unfolded networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from .pixel_way import restore_pixel_way
from .start import PixelStart
from .unfolding import PaperNet, RobustNet, Unfolding

LEAST_SIDE = 8
"""Pixels along the side of the smallest image that a network takes."""
PAPER_HALO = 16
"""The published network's attention sees the whole image: no margin makes its tiles exact."""


class Way(Protocol):
    """From an MSI to coordinates a of spectra X = E a.

    Attributes:
        kind: word of the preset.
        name: in words.
        basis: E, [C, d].
        halo_px: how many pixels around a pixel its result depends on.
    """

    kind: str
    name: str
    basis: torch.Tensor
    halo_px: int

    def coordinates(self, msi: torch.Tensor) -> torch.Tensor:
        """Coordinates [d, rows, columns] of an MSI [c, rows, columns] that is finite everywhere."""
        ...

    def to(self, device: torch.device) -> Way:
        """The same on a device."""
        ...

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        ...


class NetworkWay:
    """An unfolded network with the responses of a scene.

    Args:
        network: trained.
        responses: of all stages, each [1, c, C], see :func:`core.ssr.scene.scene_responses`; None for R_0 in all.
    """

    def __init__(self, network: Unfolding, responses: Sequence[torch.Tensor] | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        stages = len(network.stages)
        self.responses = tuple(responses or [network.response.detach()[None]] * (stages + 1))
        self.kind = "network" if isinstance(network, RobustNet) else "paper"
        self.name = "unfolded network" if self.kind == "network" else "PGU-Net as published"
        self.basis = network.basis if isinstance(network, RobustNet) else torch.eye(network.response.shape[1])
        self.basis = self.basis.to(network.response.device)
        self.halo_px = network.reach if isinstance(network, RobustNet) else PAPER_HALO

    @torch.no_grad()
    def coordinates(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`Way`."""
        rows, cols = msi.shape[1:]
        beyond = (0, max(0, LEAST_SIDE - cols), 0, max(0, LEAST_SIDE - rows))
        padded = torch.nn.functional.pad(msi[None], beyond, mode="replicate")
        return self.network.unfold(padded, self.responses[:-1])[0, :, :rows, :cols]

    def with_responses(self, responses: Sequence[torch.Tensor]) -> NetworkWay:
        """The same for another scene."""
        return NetworkWay(self.network, responses)

    def to(self, device: torch.device) -> NetworkWay:
        """See :class:`Way`."""
        moved = copy.deepcopy(self.network).to(device)
        return NetworkWay(moved, [response.to(device) for response in self.responses])

    def header(self) -> dict[str, Any]:
        """See :class:`Way`."""
        header = {"kind": self.kind, "stages": len(self.network.stages)}
        start = self.network.start
        return {**header, "start": start.header} if isinstance(start, PixelStart) else header

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Way`; a scene's responses are found anew for each scene, the last ones are kept."""
        return {**self.network.state_dict(), "responses": torch.cat(self.responses)}


def restore_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Way:
    """Rebuild a saved way."""
    network = header["kind"] in ("network", "paper")
    return restore_network_way(header, tensors) if network else restore_pixel_way(header, tensors)


def restore_network_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> NetworkWay:
    """Rebuild a saved network."""
    values, stages = dict(tensors), int(header["stages"])
    network: Unfolding
    responses = values.pop("responses").split(1)
    bands, hsi_bands = values["response"].shape
    if header["kind"] == "network":
        basis, response, low, high = (values[name] for name in ("basis", "response", "low", "high"))
        own = {name[6:]: value for name, value in values.items() if name.startswith("start.")}
        network = RobustNet(basis, response, low, high, PixelStart(header["start"], own), stages)
    else:
        network = PaperNet(hsi_bands, bands, stages)
    network.load_state_dict(values)
    return NetworkWay(network, responses)
