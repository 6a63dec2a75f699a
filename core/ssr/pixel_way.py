# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of single pixels from an MSI to spectra as they are applied and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..fusion.networks import BatchedSin
from ..fusion.ridge import Features
from .baselines import ClusteredRidge, PixelNetwork, Ridge, SpectralMap

PIXELS_AT_ONCE = 8192


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


def restore_pixel_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> PixelWay:
    """Rebuild a saved pixel map."""
    kind = header["kind"]
    return PixelWay(kind, _RESTORE[kind](header, tensors), tensors["basis"], tensors["limits"])


def _map_header(pixel_map: SpectralMap) -> dict[str, Any]:
    if isinstance(pixel_map, Ridge):
        return {"degree": pixel_map.features.degree, "ridge": pixel_map.ridge}
    if isinstance(pixel_map, ClusteredRidge):
        return _map_header(pixel_map.common)
    assert isinstance(pixel_map, PixelNetwork)
    return {"members": pixel_map.network.members}


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
    network = BatchedSin(bands, d, int(header["members"]), device=tensors["values"].device)
    network.restore(tensors["values"])
    return PixelNetwork(network, *(tensors[name] for name in ("msi_shift", "msi_scale", "shift", "scale")))


_RESTORE: dict[str, Callable[[Mapping[str, Any], Mapping[str, torch.Tensor]], SpectralMap]] = {
    "ridge": _restore_ridge,
    "clustered": _restore_clustered,
    "pixel": _restore_pixel,
}
