# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as a few planes: abundances of endmembers, and the main components of what they leave.

    Y = S A + V C + rest

Y [bands, pixels], S [bands, endmembers], A >= 0 abundances, V the leading principal components of Y - S A. The network
makes the planes A and C finer one by one; their spectra stay. Together S and V span the subspace in which the result is
brought to agree with the input; the rest is mostly noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.ndimage import distance_transform_edt

from ..engine.method import Sample
from ..unmixing.abundances import Solve, make_solver
from ..unmixing.noise import noise_variance
from ..unmixing.settings import UnmixSettings

MOST_COMPONENTS = 8
CLEARLY = 1.05
"""By how much a component has to stand out: the edge holds for infinitely many bands."""
PIXELS = 40_000
"""As many tell the statistics of planes well enough."""
LEAST_POWER = 1e-6
"""Share of the strongest direction's power below which directions of the subspace are rounding."""
MOST_NOISE = 0.5
"""Noise of a plane over its spread; endmembers that are nearly alike would seem to give more."""
FLOOR = 1e-6
"""Least noise variance of a band, as a share of its power: calibration is never better."""
_TENSORS = ("spectra", "centre", "spread", "noise", "basis", "coarse_noise")


@dataclass(frozen=True)
class PlaneSpace:
    """The planes of one scene.

    Attributes:
        spectra: of each plane, endmembers first, float32 [planes, bands].
        count: endmembers among them.
        centre, spread: mean and standard deviation of each plane over the scene, float32 [planes].
        noise: standard deviation of each plane's noise over its spread, float32 [planes].
        basis: orthonormal, spans all spectra, float32 [bands, dimensions].
        coarse_noise: covariance of the noise of the input's coefficients in that basis, [dimensions, dimensions].
        noise_left: mean noise variance per band outside the basis.
    """

    spectra: torch.Tensor
    count: int
    centre: torch.Tensor
    spread: torch.Tensor
    noise: torch.Tensor
    basis: torch.Tensor
    coarse_noise: torch.Tensor
    noise_left: float

    @cached_property
    def _solve(self) -> Solve:
        return make_solver(self.spectra[: self.count].contiguous(), UnmixSettings(model="nnls"))

    def shares(self, pixels: torch.Tensor) -> torch.Tensor:
        """Abundances [endmembers, pixels] of pixels [bands, pixels], not negative."""
        return self._solve(pixels)

    def planes(self, cube: torch.Tensor) -> torch.Tensor:
        """Standardised planes of a cube.

        Args:
            cube: reflectance, float32 [bands, rows, columns].

        Returns:
            float32 [planes, rows, columns], about mean 0 and standard deviation 1.
        """
        values = _split(cube.flatten(1), self.spectra, self.count, self._solve)
        values = (values - self.centre[:, None]) / self.spread[:, None]
        return values.reshape(len(values), *cube.shape[1:])

    def coefficients(self, planes: torch.Tensor) -> torch.Tensor:
        """Coefficients in the basis, [dimensions, rows, columns], of standardised planes.

        Abundances below 0 are taken as 0: no finer image can hold less than nothing of a material.
        """
        values = planes.flatten(1) * self.spread[:, None] + self.centre[:, None]
        values[: self.count].clamp_min_(0.0)
        return (self._mixing @ values).reshape(-1, *planes.shape[1:])

    def project(self, cube: torch.Tensor) -> torch.Tensor:
        """Coefficients in the basis of a cube [bands, rows, columns]."""
        return (self.basis.T @ cube.flatten(1)).reshape(-1, *cube.shape[1:])

    def expand(self, coefficients: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """Some bands, [bands, rows, columns], of coefficients in the basis."""
        return (self.basis[bands] @ coefficients.flatten(1)).reshape(-1, *coefficients.shape[1:])

    @cached_property
    def _mixing(self) -> torch.Tensor:
        """Coefficients of each plane's spectrum, [dimensions, planes]."""
        return self.basis.T @ self.spectra.T

    def to(self, device: torch.device) -> PlaneSpace:
        """The same on a device."""
        moved = {name: value.to(device) for name, value in self.tensors().items()}
        return PlaneSpace.restore(self.header(), moved)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return {name: getattr(self, name) for name in _TENSORS}

    def header(self) -> dict[str, float]:
        """What is no tensor."""
        return {"count": self.count, "noise_left": self.noise_left}

    @classmethod
    def restore(cls, header: Mapping[str, float], tensors: Mapping[str, torch.Tensor]) -> PlaneSpace:
        """Rebuild what was saved."""
        kept = {name: tensors[name] for name in _TENSORS}
        return cls(**kept, count=int(header["count"]), noise_left=float(header["noise_left"]))


def fit_planes(sample: Sample, endmembers: torch.Tensor) -> PlaneSpace:
    """Find the planes of a scene.

    Args:
        sample: pixels and moments.
        endmembers: S^T, float32 [endmembers, bands].
    """
    endmembers = endmembers.cpu()
    count = len(endmembers)
    pixels = sample.pixels[:: -(-len(sample.pixels) // PIXELS)].T.contiguous()
    noise = _band_noise(sample)
    solve = make_solver(endmembers, UnmixSettings(model="nnls"))
    left = pixels - endmembers.T @ solve(pixels)
    spectra = torch.cat([endmembers, main_components(left, count).T])
    values = _split(pixels, spectra, count, solve).double()
    spread = values.std(dim=1).clamp_min(1e-9)
    basis = _basis(spectra.double())
    inverse = torch.linalg.pinv(endmembers.double().T, rtol=1e-6)
    seen = torch.cat([inverse, spectra[count:].double()])
    return PlaneSpace(
        spectra=spectra,
        count=count,
        centre=values.mean(dim=1).float(),
        spread=spread.float(),
        noise=((seen.square() @ noise).sqrt() / spread).clamp_max(MOST_NOISE).float(),
        basis=basis.float().contiguous(),
        coarse_noise=basis.T @ (noise[:, None] * basis),
        noise_left=float(noise.mean() * (1.0 - basis.shape[1] / len(noise))),
    )


def main_components(left: torch.Tensor, taken: int = 0) -> torch.Tensor:
    """The directions of a residual that stand out from its noise, at most ``MOST_COMPONENTS``.

    A direction counts when its power is above what noise alone can reach (the edge of Marchenko & Pastur 1967), with
    the noise taken from the directions behind it.

    Args:
        left: residual spectra, [bands, pixels].
        taken: dimensions whose noise a fit has taken away.

    Returns:
        orthonormal columns, float32 [bands, components]; there may be none.
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
    return vectors[:, :kept].float()


def filled(planes: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Planes [planes, rows, columns] whose invalid pixels repeat the nearest valid one; 0 where none is valid."""
    if bool(valid.all()):
        return planes
    if not bool(valid.any()):
        return torch.zeros_like(planes)
    nearest = distance_transform_edt(~valid.cpu().numpy(), return_distances=False, return_indices=True)
    rows, cols = torch.from_numpy(nearest).long().to(planes.device)
    return planes[:, rows, cols]


def _split(pixels: torch.Tensor, spectra: torch.Tensor, count: int, solve: Solve) -> torch.Tensor:
    """Abundances and components of pixels [bands, pixels], together [planes, pixels]."""
    shares = solve(pixels)
    components = spectra[count:]
    # V^T (Y - S A), without ever holding the residual of all bands
    return torch.cat([shares, components @ pixels - (components @ spectra[:count].T) @ shares])


def _basis(spectra: torch.Tensor) -> torch.Tensor:
    """Orthonormal columns that span the spectra, [bands, dimensions]."""
    vectors, sizes, _ = torch.linalg.svd(spectra.T, full_matrices=False)
    return vectors[:, sizes.square() > LEAST_POWER**2 * sizes[0].square()]


def _band_noise(sample: Sample) -> torch.Tensor:
    """Noise variance of each band, float64 [bands]: what the other bands do not predict."""
    bands, count = len(sample.table), sample.moments.count
    taken = min(bands / max(count, 1), 0.9)  # share of the noise that the regression itself explains
    variance = noise_variance(sample.moments.correlation) / (1.0 - taken)
    return torch.maximum(variance, FLOOR * sample.moments.correlation.diagonal()).clamp_min(1e-18)
