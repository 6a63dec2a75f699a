# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a guess of the fine image to agree with the input, as far as the input's noise allows.

The guess P is a Gaussian prior of the fine coefficients, Z ~ N(P, C) in every pixel, and the input their blurred and
decimated view, Y = B Z + n. Errors of the guess that do not depend on one another would leave a covariance of

    E[(Y - B P)(Y - B P)^T] = g C + N,   g = sum of the squared weights of the blur

in the input, N being its noise, so C follows from what the guess leaves of the input. That is a lower bound: what the
input cannot see, it cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..fusion.pair import Placement
from ..physics.blur import Blur
from ..physics.footprint import Footprint, point_gaussian_footprint
from ..physics.posterior import Weights, solve, weigh

LEAST_FREEDOM = 0.05
"""Least variance of the guess's errors in the input, over that of the noise; none at all would freeze the guess."""
LEAST_COVERAGE = 0.98
"""Input pixels that see less than this of the block say nothing."""
DECAY = 6
"""Input pixels after which what happens at a block's border no longer matters."""
SPECTRUM_SIDE = 64
_NAMES = ("guess", "seen", "spread", "to_modes", "gains")


@dataclass(frozen=True)
class Reconstruction:
    """A fitted correction.

    Attributes:
        factor: how many times finer the result is.
        sigma: standard deviation of the blur in pixels of the result.
        weights: of the posterior.
        variance: variance of the result's error, summed over coefficients, mean over pixels.
    """

    factor: int
    sigma: float
    weights: Weights
    variance: float

    def apply(self, guess: torch.Tensor, coarse: torch.Tensor, trust: torch.Tensor) -> torch.Tensor:
        """Correct one block.

        Args:
            guess: P, float32 [dimensions, s h, s w].
            coarse: Y in the basis, float32 [dimensions, h, w]; finite where ``trust`` is 0.
            trust: 1 where the input is valid, else 0, float32 [h, w].

        Returns:
            Z, float32 [dimensions, s h, s w].
        """
        blur = make_blur(self.factor, self.sigma, trust.shape, guess.device)
        trust = torch.where(blur.coverage > LEAST_COVERAGE, trust, 0.0)
        return solve(guess, self.weights, blur, coarse, trust)

    def to(self, device: torch.device) -> Reconstruction:
        """The same on a device."""
        return Reconstruction(self.factor, self.sigma, self.weights.to(device), self.variance)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return {name: getattr(self.weights, name) for name in _NAMES}

    def header(self) -> dict[str, float]:
        """What is no tensor."""
        return {"factor": self.factor, "sigma": self.sigma, "variance": self.variance}

    @classmethod
    def restore(cls, header: Mapping[str, float], tensors: Mapping[str, torch.Tensor]) -> Reconstruction:
        """Rebuild what was saved."""
        weights = Weights(*(tensors[name] for name in _NAMES))
        return cls(int(header["factor"]), float(header["sigma"]), weights, float(header["variance"]))


def make_blur(factor: int, sigma: float, shape: tuple[int, ...], device: torch.device) -> Blur:
    """The blur and decimation to an input block of some shape."""
    height, width = shape
    footprint = psf(factor, sigma).to(device)
    return Blur(footprint, Placement(factor, factor), (factor * height, factor * width), (height, width))


def psf(factor: int, sigma: float) -> Footprint:
    """What an input pixel sees of the fine grid."""
    return point_gaussian_footprint(sigma, sigma, factor)


def fit_reconstruction(factor: int, sigma: float, misfit: torch.Tensor, noise: torch.Tensor) -> Reconstruction:
    """Put a correction together.

    Args:
        factor: how many times finer the result is.
        sigma: standard deviation of the blur in pixels of the result.
        misfit: what guesses leave of the input, Y - B P, [dimensions, pixels].
        noise: N, covariance of the input's noise, float64 [dimensions, dimensions].
    """
    errors = misfit.double().cpu()
    seen = errors @ errors.T / errors.shape[1]
    root = torch.linalg.cholesky(noise)
    inverse = torch.linalg.inv(root)
    powers, modes = torch.linalg.eigh(inverse @ seen @ inverse.T)
    gain = float(psf(factor, sigma).kernel.double().square().sum())
    freedom = (powers - 1.0).clamp_min(LEAST_FREEDOM) / gain
    shape = root @ modes
    precision = torch.linalg.inv(shape @ torch.diag(freedom) @ shape.T)
    nothing = torch.zeros(0, len(noise))
    weights = weigh((precision + precision.T) / 2, noise, nothing, nothing[:, 0])
    left = (freedom * (1.0 - _told(freedom, factor, sigma))).to(shape)
    variance = float((shape.square() @ left).sum())
    return Reconstruction(factor, sigma, weights, variance)


def _told(gains: torch.Tensor, factor: int, sigma: float) -> torch.Tensor:
    """Share of the prior's variance that the input takes away, per mode; inside a large image."""
    side = SPECTRUM_SIDE
    blur = make_blur(factor, sigma, (side, side), torch.device("cpu"))
    line = torch.zeros(1, side, side)
    line[0, side // 2, side // 2] = 1.0
    response = blur.gram(line)[0].double()
    eigenvalues = torch.fft.fft2(torch.fft.ifftshift(response)).real.clamp_min(0.0)
    products = gains[:, None, None] * eigenvalues
    return (products / (1.0 + products)).mean(dim=(1, 2)) / factor**2
