# SPDX-License-Identifier: GPL-3.0-or-later
"""The few dimensions in which the spectra of a scene vary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

LEAST, MOST = 4, 12
"""Components beyond noise are many in every scene; more than a dozen only carry the coarse image's noise along."""


@dataclass(frozen=True)
class Subspace:
    """Spectra as mean + basis c.

    Attributes:
        mean: float32 [bands].
        basis: orthonormal columns, float32 [bands, components].
        noise: mean variance per band of what the subspace leaves out, reflectance squared.
        floor: spectra do not go below it: 0, or the least value of an image that has negative ones.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    noise: float
    floor: float = -math.inf

    def to(self, device: torch.device) -> Subspace:
        """The same on a device."""
        return Subspace(self.mean.to(device), self.basis.to(device), self.noise, self.floor)

    def project(self, cube: torch.Tensor, coverage: torch.Tensor | None = None) -> torch.Tensor:
        """Coefficients [components, rows, columns] of a cube [bands, rows, columns].

        Args:
            cube: spectra, [bands, rows, columns].
            coverage: share of each pixel's light that the cube holds, [rows, columns]; the mean counts as much.
        """
        mean = self.basis.T @ self.mean
        planes = (self.basis.T @ cube.flatten(1)).reshape(-1, *cube.shape[1:])
        return planes - mean[:, None, None] * (1.0 if coverage is None else coverage)

    def expand(self, coefficients: torch.Tensor, bands: list[int] | None = None) -> torch.Tensor:
        """Spectra [bands, rows, columns] of coefficients [components, rows, columns]; only some bands if asked."""
        basis, mean = (self.basis, self.mean) if bands is None else (self.basis[bands], self.mean[bands])
        flat = torch.addmm(mean[:, None], basis, coefficients.flatten(1))
        return flat.clamp_min_(self.floor).reshape(-1, *coefficients.shape[1:])


def fit_subspace(pixels: torch.Tensor) -> Subspace:
    """Find mean, leading singular vectors and the noise around them.

    A component is kept where that lowers the error of the spectra (Gavish & Donoho 2014, doi:10.1109/TIT.2014.2323359,
    eq. 11), which depends on the noise variance, taken from the components beyond ``MOST``, and the number of pixels.

    Args:
        pixels: coarse spectra, [pixels, bands].
    """
    values = pixels.double()
    mean = values.mean(dim=0)
    centred = values - mean
    count, bands = centred.shape
    powers, vectors = torch.linalg.eigh(centred.T @ centred / count)
    powers, vectors = powers.flip(0).clamp_min(0.0), vectors.flip(1)
    rank = min(count - 1, bands)
    most = max(1, min(MOST, rank - 1))
    # noise in the left-out dimensions, with the freedom that the kept ones took away
    left = float(powers[most:].sum()) / max(bands - most, 1) * count / max(count - most, 1)
    kept = int((powers[:most] > left * _threshold(bands / count)).sum())
    kept = max(min(LEAST, most), kept)
    floor = min(0.0, float(values.min()))
    return Subspace(mean.float(), vectors[:, :kept].float().contiguous(), left, floor)


def _threshold(aspect: float) -> float:
    """Power over the noise variance from which keeping a component lowers the error, for bands over pixels."""
    return 2.0 * (aspect + 1.0) + 8.0 * aspect / (aspect + 1.0 + math.sqrt(aspect**2 + 14.0 * aspect + 1.0))
