# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unfolded network begins with: the spectra of a clustered ridge, so that training only has to add to them."""

from __future__ import annotations

import torch
from torch import nn

from ..fusion.ridge import Features
from .baselines import ClusteredRidge, Ridge

_NAMES = ("low", "high", "common", "scale", "centres", "local", "limits")


class ClusteredStart(nn.Module):
    """X_0 of Y, pixel by pixel; not trained further.

    Args:
        tensors: as :meth:`of` makes them and ``state_dict`` gives them, by name.
    """

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for name in _NAMES:
            self.register_buffer(name, tensors[name].clone())

    @classmethod
    def of(cls, found: ClusteredRidge, limits: torch.Tensor) -> ClusteredStart:
        """Make one of a fitted map and the least and largest value of each coordinate [2, d]."""
        common = found.common
        return cls(
            {
                "low": common.features.low,
                "high": common.features.high,
                "common": common.weights,
                "scale": found.scale,
                "centres": found.centres,
                "local": found.weights,
                "limits": limits,
            }
        )

    @torch.no_grad()
    def forward(self, msi: torch.Tensor) -> torch.Tensor:
        """Coordinates [batch, d, rows, columns] of an MSI [batch, c, rows, columns]."""
        tensors = dict(self.named_buffers())
        degree = 1 if tensors["common"].shape[1] == 1 + msi.shape[1] else 2
        common = Ridge(Features(tensors["low"], tensors["high"], degree), tensors["common"], 0.0)
        found = ClusteredRidge(common, tensors["scale"], tensors["centres"], tensors["local"])
        planes = found.predict(msi.transpose(0, 1).flatten(1))
        least, most = tensors["limits"][..., None]
        planes = torch.minimum(torch.maximum(planes, least), most)
        return planes.reshape(-1, len(msi), *msi.shape[2:]).transpose(0, 1)
