# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as a few planes that can be made finer one by one.

    Y = S A + V C + rest

Y [bands, pixels], S [bands, endmembers], A >= 0 abundances, V the leading principal components of Y - S A; the rest is
mostly noise. Whatever is linear about blur and decimation holds for A and C alike, and for any mixture of them, so the
planes are the principal components of Y within the span of S and V, turned into one another by a rotation. Abundances
themselves are a worse choice: endmembers are far from orthogonal, and where two of them trade places the errors of
their finer maps no longer cancel in the spectra (1 to 3 dB on Jasper Ridge). They are solved for in the finer image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from scipy.ndimage import distance_transform_edt

from ..engine.method import Sample
from ..unmixing.abundances import make_solver
from ..unmixing.noise import noise_variance
from ..unmixing.settings import UnmixSettings

MOST_COMPONENTS = 8
CLEARLY = 1.05
"""By how much a component has to stand out: the edge holds for infinitely many bands."""
PIXELS = 40_000
"""As many tell the statistics of planes well enough."""
LEAST_SIZE = 1e-6
"""Singular value of the spectra, over the largest, below which a direction is rounding."""
FLOOR = 1e-5
"""Least noise variance of a band, as a share of its power: calibration is never better."""
_TENSORS = ("basis", "endmembers", "centre", "spread", "noise", "coarse_noise", "band_noise", "floor")


@dataclass(frozen=True)
class PlaneSpace:
    """The planes of one scene.

    Attributes:
        basis: orthonormal, spans endmembers and components, float32 [bands, planes].
        endmembers: coefficients of each endmember in the basis, float32 [endmembers, planes].
        centre, spread: mean and standard deviation of each coefficient over the scene, float32 [planes].
        noise: standard deviation of each coefficient's noise over its spread, at most 1, float32 [planes].
        coarse_noise: covariance of the noise of the coefficients, float64 [planes, planes].
        band_noise: noise variance of each band, float32 [bands].
        floor: reflectance that no result goes below: 0, or the least value of an image with negative ones, float32 [].
    """

    basis: torch.Tensor
    endmembers: torch.Tensor
    centre: torch.Tensor
    spread: torch.Tensor
    noise: torch.Tensor
    coarse_noise: torch.Tensor
    band_noise: torch.Tensor
    floor: torch.Tensor

    def project(self, cube: torch.Tensor) -> torch.Tensor:
        """Coefficients [planes, rows, columns] of a cube [bands, rows, columns]."""
        return (self.basis.T @ cube.flatten(1)).reshape(-1, *cube.shape[1:])

    def expand(self, coefficients: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """Some bands, [bands, rows, columns], of coefficients [planes, rows, columns]."""
        return (self.basis[bands] @ coefficients.flatten(1)).reshape(-1, *coefficients.shape[1:])

    def rest(self, cube: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        """What the basis does not hold of a cube, less its noise, [bands, rows, columns].

        Every pixel keeps the share by which its rest exceeds noise, and none where it does not: the estimator of James
        & Stein 1961 with its positive part, which errs less than the rest as it is, whatever the truth. A rare material
        survives it, noise does not.
        """
        bands, planes = self.basis.shape
        left = cube - self.expand(coefficients, torch.arange(bands, device=cube.device))
        power = torch.einsum("b,bij->ij", 1.0 / self.band_noise, left.square())
        return left * (1.0 - (bands - planes - 2) / power.clamp_min(1e-12)).clamp(0.0, 1.0)

    def standardised(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Coefficients [planes, rows, columns] about mean 0 and standard deviation 1, as the network sees them."""
        return (coefficients - self.centre[:, None, None]) / self.spread[:, None, None]

    def restored(self, planes: torch.Tensor) -> torch.Tensor:
        """Coefficients of standardised planes [planes, rows, columns]."""
        return planes * self.spread[:, None, None] + self.centre[:, None, None]

    def to(self, device: torch.device) -> PlaneSpace:
        """The same on a device."""
        moved = {name: value.to(device) for name, value in self.tensors().items()}
        return PlaneSpace(**moved)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return {name: getattr(self, name) for name in _TENSORS}

    @classmethod
    def restore(cls, tensors: Mapping[str, torch.Tensor]) -> PlaneSpace:
        """Rebuild what was saved."""
        return cls(**{name: tensors[name] for name in _TENSORS})


def fit_planes(sample: Sample, endmembers: torch.Tensor, most_noise: torch.Tensor | None = None) -> PlaneSpace:
    """Find the planes of a scene.

    Args:
        sample: pixels and moments.
        endmembers: S^T, float32 [endmembers, bands].
        most_noise: noise variance of each band at most, [bands], where something is known about it.
    """
    endmembers = endmembers.cpu()
    pixels = sample.pixels[:: -(-len(sample.pixels) // PIXELS)].T.contiguous()
    noise = _band_noise(sample)
    if most_noise is not None:
        noise = torch.minimum(noise, most_noise.double().cpu())
    noise = torch.maximum(noise, FLOOR * sample.moments.correlation.diagonal()).clamp_min(1e-18)
    left = pixels - endmembers.T @ make_solver(endmembers, UnmixSettings(model="nnls"))(pixels)
    span = _span(torch.cat([endmembers.double(), main_components(left, len(endmembers)).T]))
    seen = span.T @ pixels.double()
    powers, axes = torch.linalg.eigh(torch.cov(seen))
    basis = span @ axes.flip(1)
    spread = powers.flip(0).clamp_min(1e-18).sqrt()
    coarse_noise = basis.T @ (noise[:, None] * basis)
    return PlaneSpace(
        basis=basis.float().contiguous(),
        endmembers=(endmembers.double() @ basis).float().contiguous(),
        centre=(axes.flip(1).T @ seen.mean(dim=1)).float(),
        spread=spread.float(),
        noise=(coarse_noise.diagonal().sqrt() / spread).clamp_max(1.0).float(),
        coarse_noise=coarse_noise,
        band_noise=noise.float(),
        floor=sample.pixels.min().clamp_max(0.0).float(),
    )


def main_components(left: torch.Tensor, taken: int = 0) -> torch.Tensor:
    """The directions of a residual that stand out from its noise, at most ``MOST_COMPONENTS``.

    A direction counts when its power is above what noise alone can reach (the edge of Marchenko & Pastur 1967), with
    the noise taken from the directions behind it.

    Args:
        left: residual spectra, [bands, pixels].
        taken: dimensions whose noise a fit has taken away.

    Returns:
        orthonormal columns, float64 [bands, components]; there may be none.
    """
    bands, pixels = left.shape
    values = left.double()
    powers, vectors = torch.linalg.eigh(values @ values.T / pixels)
    powers, vectors = powers.flip(0).clamp_min(0.0), vectors.flip(1)
    edge = CLEARLY * (1.0 + math.sqrt(bands / pixels)) ** 2
    rounding = torch.finfo(torch.float32).eps ** 2 * values.square().mean()
    most, kept = min(MOST_COMPONENTS, (bands - taken) // 2), 0
    while kept < most and powers[kept] > edge * powers[kept + 1 :].sum() / (bands - taken - kept - 1) + rounding:
        kept += 1
    return vectors[:, :kept]


def filled(planes: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Planes [planes, rows, columns] whose invalid pixels repeat the nearest valid one; 0 where none is valid."""
    if bool(valid.all()):
        return planes
    if not bool(valid.any()):
        return torch.zeros_like(planes)
    nearest = distance_transform_edt(~valid.cpu().numpy(), return_distances=False, return_indices=True)
    rows, cols = torch.from_numpy(nearest).long().to(planes.device)
    return planes[:, rows, cols]


def _span(spectra: torch.Tensor) -> torch.Tensor:
    """Orthonormal columns that span spectra [spectra, bands], [bands, dimensions]."""
    vectors, sizes, _ = torch.linalg.svd(spectra.T, full_matrices=False)
    return vectors[:, sizes > LEAST_SIZE * sizes[0]]


def _band_noise(sample: Sample) -> torch.Tensor:
    """Noise variance of each band, float64 [bands]: what the other bands do not predict."""
    taken = min(len(sample.table) / max(sample.moments.count, 1), 0.9)  # what the regression explains of the noise
    return noise_variance(sample.moments.correlation) / (1.0 - taken)
