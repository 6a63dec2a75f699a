# SPDX-License-Identifier: GPL-3.0-or-later
"""A way from an MSI to spectra that was changed to another camera (:mod:`core.ssr.camera_change`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .pixel_way import PIXELS_AT_ONCE, PixelWay, restore_pixel_way
from .ways import Way
from .ways import restore_way as restore_trained_way

CHANGED = "changed"
"""In files, the kind of such a way."""


@dataclass(frozen=True)
class Affine:
    """z = gain y + offset.

    Attributes:
        gain: [planes, c].
        offset: [planes].
    """

    gain: torch.Tensor
    offset: torch.Tensor

    def __call__(self, msi: torch.Tensor) -> torch.Tensor:
        """Planes [planes, rows, columns] of an MSI [c, rows, columns]."""
        found = self.gain @ msi.flatten(1) + self.offset[:, None]
        return found.reshape(len(self.gain), *msi.shape[1:])


class ChangedWay:
    """See :class:`core.ssr.ways.Way`: the mean of two that go wrong in different places.

    Args:
        trained: the way as trained, which is shown what its own camera would have seen.
        translation: makes that.
        limits: least and largest number of it, [2, c_t].
        fresh: a map that was fitted for the other camera; of the same basis.
        linear: the best linear estimate of the coordinates.
        reach: how far the map may lead away from it, [d].
    """

    def __init__(
        self,
        trained: Way,
        translation: Affine,
        limits: torch.Tensor,
        fresh: PixelWay,
        linear: Affine,
        reach: torch.Tensor,
    ) -> None:
        self.kind, self.basis, self.halo_px = trained.kind, trained.basis, trained.halo_px
        self.name = f"{trained.name}, changed to another camera"
        self._trained, self._translation, self._limits = trained, translation, limits
        self._fresh, self._linear, self._reach = fresh, linear, reach

    def coordinates(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`core.ssr.ways.Way`."""
        least, most = self._limits[..., None, None]
        trained = self._trained.coordinates(_between(self._translation(msi), least, most))
        # all pixels at once would not fit into a processor's cache
        fresh = torch.cat([self._learnt(part) for part in msi.flatten(1).split(PIXELS_AT_ONCE, dim=1)], dim=1)
        return (trained + fresh.reshape(trained.shape)) / 2

    def _learnt(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the fresh map makes of pixels [c, pixels], near the best linear estimate; [d, pixels]."""
        usual, reach = self._linear(pixels), self._reach[:, None]
        return _between(self._fresh.coordinates(pixels), usual - reach, usual + reach)

    def to(self, device: torch.device) -> ChangedWay:
        """See :class:`core.ssr.ways.Way`."""
        tensors = {name: tensor.to(device) for name, tensor in self._own().items()}
        return _assemble(self._trained.to(device), self._fresh.to(device), tensors)

    def header(self) -> dict[str, Any]:
        """See :class:`core.ssr.ways.Way`."""
        return {"kind": CHANGED, "trained": self._trained.header(), "fresh": self._fresh.header()}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`core.ssr.ways.Way`."""
        parts = {"trained": self._trained.tensors(), "fresh": self._fresh.tensors(), "own": self._own()}
        return {f"{title}.{name}": value for title, part in parts.items() for name, value in part.items()}

    def _own(self) -> dict[str, torch.Tensor]:
        maps = {"translation": self._translation, "linear": self._linear}
        affine = {f"{title}.{name}": value for title, part in maps.items() for name, value in vars(part).items()}
        return {**affine, "limits": self._limits, "reach": self._reach}


def _between(values: torch.Tensor, least: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
    return torch.minimum(torch.maximum(values, least), most)


def restore_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Way:
    """Rebuild any saved way."""
    if header["kind"] != CHANGED:
        return restore_trained_way(header, tensors)
    trained = restore_way(header["trained"], below("trained", tensors))
    fresh = restore_pixel_way(header["fresh"], below("fresh", tensors))
    return _assemble(trained, fresh, below("own", tensors))


def _assemble(trained: Way, fresh: PixelWay, own: Mapping[str, torch.Tensor]) -> ChangedWay:
    translation, linear = (Affine(**below(title, own)) for title in ("translation", "linear"))
    return ChangedWay(trained, translation, own["limits"], fresh, linear, own["reach"])


def below(title: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of one part."""
    return {name[len(title) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{title}.")}
