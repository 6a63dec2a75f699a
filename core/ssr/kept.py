# SPDX-License-Identifier: GPL-3.0-or-later
"""The spectra that a model keeps of those it learnt from, so that it can learn another camera later."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .factory import make_basis
from .pairs import Pixels, TrainingData, gather

MOST, COORDINATES = 4096, 20
"""Pixels, and directions in which they may lie: what is left out cannot be told from an MSI."""


@dataclass(frozen=True)
class KeptSpectra:
    """Some pixels of the training part.

    Attributes:
        basis: orthonormal columns, [C, D].
        coordinates: of the spectra in it, [D, pixels].
        folds: for cross-validation, uint8 [pixels].
        noise: variance of the noise of each band of the MSI learnt from, [c].
    """

    basis: torch.Tensor
    coordinates: torch.Tensor
    folds: torch.Tensor
    noise: torch.Tensor

    def seen(self, response: torch.Tensor) -> Pixels:
        """The pixels as a camera sees them whose response is R [c, C], without noise."""
        hsi = self.basis @ self.coordinates
        return Pixels(hsi, response @ hsi, self.folds.long())


def keep_spectra(data: TrainingData) -> KeptSpectra:
    """Keep some spectra of the training part, evenly over all of it."""
    pixels = gather(data.train)
    count = pixels.hsi.shape[1]
    chosen = torch.linspace(0, count - 1, min(MOST, count), dtype=torch.float64).round().long()
    hsi = pixels.hsi[:, chosen]
    basis = make_basis(hsi, COORDINATES)
    return KeptSpectra(basis, basis.mT @ hsi, pixels.folds[chosen].to(torch.uint8), data.noise)
