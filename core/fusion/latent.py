# SPDX-License-Identifier: GPL-3.0-or-later
"""Endmembers of a fused image and maps of their abundances.

SpectraMorph's network gives latent values without constraints. Constraining the network costs 7-11 dB (the authors'
ablation), so the maps are made afterwards: fully constrained least squares of the fused spectra on the endmembers.
"""

from __future__ import annotations

import torch

from ..bands import BandTable
from ..spectra import Spectra
from ..unmixing.abundances import make_solver
from ..unmixing.settings import UnmixSettings


class LatentMaps:
    """Endmembers, float32 [endmembers, bands], and the abundances of pixels."""

    def __init__(self, endmembers: torch.Tensor) -> None:
        self.endmembers = endmembers
        self._solve = make_solver(endmembers, UnmixSettings(model="fcls", normalize="none"))

    def to(self, device: torch.device) -> LatentMaps:
        """The same on a device."""
        return LatentMaps(self.endmembers.to(device))

    def maps(self, cube: torch.Tensor) -> torch.Tensor:
        """Abundances, [endmembers, rows, columns], of a cube [bands, rows, columns]."""
        return self._solve(cube.reshape(len(cube), -1)).reshape(-1, *cube.shape[1:])

    def spectra(self, table: BandTable) -> Spectra:
        """The endmembers as a table."""
        names = tuple(f"Endmember {i + 1}" for i in range(len(self.endmembers)))
        return Spectra(names, tuple(tuple(row) for row in self.endmembers.cpu().double().tolist()), table.wavelength_nm)
