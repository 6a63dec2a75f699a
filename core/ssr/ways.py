# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways from an MSI to spectra as they are applied and saved: maps of single pixels, and unfolded networks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from ..fusion.networks import BatchedSin
from ..fusion.ridge import Features
from .baselines import ClusteredRidge, PixelNetwork, Ridge, SpectralMap
from .factory import bare_network
from .start import ClusteredStart
from .unfolding import PaperNet, RobustNet, Unfolding

LEAST_SIDE = 8
"""Pixels along the side of the smallest image that a network takes."""
PIXELS_AT_ONCE = 8192
PAPER_HALO = 16
"""The published network's attention sees the whole image: no margin makes its tiles exact."""


class Way(Protocol):
    """From an MSI to coordinates a of spectra X = E a.

    Attributes:
        kind: word of the preset.
        name: in words.
        basis: E, [C, d].
        halo_px: how many pixels around a pixel its result depends on.
        parameters: trained numbers.
    """

    kind: str
    name: str
    basis: torch.Tensor
    halo_px: int
    parameters: int

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


class PixelWay:
    """One of the simple maps (:mod:`core.ssr.baselines`).

    Args:
        kind: word of the preset.
        pixel_map: the map.
        basis: E, [C, d].
        limits: least and largest value of each coordinate, [2, d]: polynomials of colours that were never met have no
            bounds of their own.
    """

    halo_px = 0

    def __init__(self, kind: str, pixel_map: SpectralMap, basis: torch.Tensor, limits: torch.Tensor) -> None:
        self.kind, self.basis, self._map, self._limits = kind, basis, pixel_map, limits
        self.name = pixel_map.name
        self.parameters = sum(tensor.numel() for tensor in _map_tensors(pixel_map).values())

    def coordinates(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`Way`."""
        # features of all pixels at once would not fit into a processor's cache
        least, most = self._limits[..., None]
        found = [
            torch.minimum(torch.maximum(self._map.predict(part), least), most)
            for part in msi.flatten(1).split(PIXELS_AT_ONCE, dim=1)
        ]
        return torch.cat(found, dim=1).reshape(-1, *msi.shape[1:])

    def to(self, device: torch.device) -> PixelWay:
        """See :class:`Way`."""
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return restore_pixel_way(self.header(), moved)

    def header(self) -> dict[str, Any]:
        """See :class:`Way`."""
        return {"kind": self.kind, **_map_header(self._map)}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Way`."""
        return {"basis": self.basis, "limits": self._limits, **_map_tensors(self._map)}


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
        self.parameters = sum(values.numel() for values in network.parameters())

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
        return {"kind": self.kind, "stages": len(self.network.stages)}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`Way`; a scene's responses are found anew for each scene, the last ones are kept."""
        return {**self.network.state_dict(), "responses": torch.cat(self.responses)}


def restore_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Way:
    """Rebuild a saved way."""
    network = header["kind"] in ("network", "paper")
    return restore_network_way(header, tensors) if network else restore_pixel_way(header, tensors)


def restore_pixel_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> PixelWay:
    """Rebuild a saved pixel map."""
    kind = header["kind"]
    return PixelWay(kind, _RESTORE[kind](header, tensors), tensors["basis"], tensors["limits"])


def restore_network_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> NetworkWay:
    """Rebuild a saved network."""
    values, stages = dict(tensors), int(header["stages"])
    network: Unfolding
    responses = values.pop("responses").split(1)
    bands, hsi_bands = values["response"].shape
    if header["kind"] == "network":
        basis, response, low, high = (values[name] for name in ("basis", "response", "low", "high"))
        network = bare_network(basis, response, low, high, stages)
        network.add_module(
            "start", ClusteredStart({name[6:]: own for name, own in values.items() if name.startswith("start.")})
        )
    else:
        network = PaperNet(hsi_bands, bands, stages)
    network.load_state_dict(values)
    return NetworkWay(network, responses)


def _map_header(pixel_map: SpectralMap) -> dict[str, Any]:
    if isinstance(pixel_map, Ridge):
        return {"degree": pixel_map.features.degree, "ridge": pixel_map.ridge}
    return _map_header(pixel_map.common) if isinstance(pixel_map, ClusteredRidge) else {}


def _map_tensors(pixel_map: SpectralMap) -> dict[str, torch.Tensor]:
    if isinstance(pixel_map, Ridge):
        return {"low": pixel_map.features.low, "high": pixel_map.features.high, "weights": pixel_map.weights}
    if isinstance(pixel_map, ClusteredRidge):
        own = {"scale": pixel_map.scale, "centres": pixel_map.centres, "local": pixel_map.weights}
        return {**_map_tensors(pixel_map.common), **own}
    assert isinstance(pixel_map, PixelNetwork)
    names = ("msi_shift", "msi_scale", "shift", "scale")
    return {"values": pixel_map.network.values.detach(), **{name: getattr(pixel_map, name) for name in names}}


def _restore_ridge(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Ridge:
    features = Features(tensors["low"], tensors["high"], int(header["degree"]))
    return Ridge(features, tensors["weights"], float(header["ridge"]))


def _restore_clustered(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> ClusteredRidge:
    return ClusteredRidge(_restore_ridge(header, tensors), tensors["scale"], tensors["centres"], tensors["local"])


def _restore_pixel(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> PixelNetwork:
    bands, d = len(tensors["msi_shift"]), len(tensors["shift"])
    network = BatchedSin(bands, d, 1, device=tensors["values"].device)
    network.restore(tensors["values"])
    return PixelNetwork(network, *(tensors[name] for name in ("msi_shift", "msi_scale", "shift", "scale")))


_RESTORE: dict[str, Callable[[Mapping[str, Any], Mapping[str, torch.Tensor]], SpectralMap]] = {
    "ridge": _restore_ridge,
    "clustered": _restore_clustered,
    "pixel": _restore_pixel,
}
