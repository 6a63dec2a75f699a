# SPDX-License-Identifier: GPL-3.0-or-later
"""A way from an MSI to spectra that was changed to another camera (:mod:`core.ssr.camera_change`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .pixel_way import PixelWay, restore_pixel_way
from .ways import Way
from .ways import restore_way as restore_trained_way

CHANGED = "changed"
"""In files, the kind of such a way."""


@dataclass(frozen=True)
class Translation:
    """What the camera that a way was trained for would have seen, y_t = gain y + offset, within limits.

    Attributes:
        gain: [c_t, c].
        offset: [c_t].
        limits: least and largest number of each band, [2, c_t].
    """

    gain: torch.Tensor
    offset: torch.Tensor
    limits: torch.Tensor

    def __call__(self, msi: torch.Tensor) -> torch.Tensor:
        """Y_t [c_t, rows, columns] of an MSI [c, rows, columns]."""
        least, most = self.limits[..., None]
        found = self.gain @ msi.flatten(1) + self.offset[:, None]
        return torch.minimum(torch.maximum(found, least), most).reshape(-1, *msi.shape[1:])


class ChangedWay:
    """See :class:`core.ssr.ways.Way`: the mean of two that go wrong in different places.

    Args:
        trained: the way as trained, which is shown what its own camera would have seen.
        translation: makes that.
        fresh: a map that was fitted for the other camera; of the same basis.
    """

    def __init__(self, trained: Way, translation: Translation, fresh: PixelWay) -> None:
        self.kind, self.basis, self.halo_px = trained.kind, trained.basis, trained.halo_px
        self.name = f"{trained.name}, changed to another camera"
        self.parameters = trained.parameters + fresh.parameters
        self._trained, self._translation, self._fresh = trained, translation, fresh

    def coordinates(self, msi: torch.Tensor) -> torch.Tensor:
        """See :class:`core.ssr.ways.Way`."""
        return (self._trained.coordinates(self._translation(msi)) + self._fresh.coordinates(msi)) / 2

    def to(self, device: torch.device) -> ChangedWay:
        """See :class:`core.ssr.ways.Way`."""
        translation = Translation(*(part.to(device) for part in vars(self._translation).values()))
        return ChangedWay(self._trained.to(device), translation, self._fresh.to(device))

    def header(self) -> dict[str, Any]:
        """See :class:`core.ssr.ways.Way`."""
        return {"kind": CHANGED, "trained": self._trained.header(), "fresh": self._fresh.header()}

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :class:`core.ssr.ways.Way`."""
        parts = {"trained": self._trained.tensors(), "fresh": self._fresh.tensors(), "to": vars(self._translation)}
        return {f"{title}.{name}": value for title, part in parts.items() for name, value in part.items()}


def restore_way(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Way:
    """Rebuild any saved way."""
    if header["kind"] != CHANGED:
        return restore_trained_way(header, tensors)
    trained = restore_way(header["trained"], below("trained", tensors))
    fresh = restore_pixel_way(header["fresh"], below("fresh", tensors))
    return ChangedWay(trained, Translation(**below("to", tensors)), fresh)


def below(title: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of one part."""
    return {name[len(title) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{title}.")}
