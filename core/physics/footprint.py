# SPDX-License-Identifier: GPL-3.0-or-later
"""What one coarse pixel sees of the fine grid: the sensor's point spread function with the pixel's own area."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

KEPT_ENERGY = 1e-3
"""Share of a kernel's energy that may be lost when it is split into separable parts."""
REACH_SIGMAS = 3.5
POINT_REACH_SIGMAS = 4.0
OVERSAMPLING = 8


@dataclass(frozen=True)
class Footprint:
    """Weights on a lattice of offsets around a coarse pixel's centre, as a sum of separable parts.

    The weight at row t and column s is sum_p rows[p, t] cols[p, s]; t stands for an offset of
    (t - (taps - 1) / 2) * step fine pixels.

    Attributes:
        rows: float32 [parts, taps along rows].
        cols: float32 [parts, taps along columns].
        step: distance of the lattice's points in fine pixels.
    """

    rows: torch.Tensor
    cols: torch.Tensor
    step: float = 1.0

    @property
    def reach(self) -> tuple[float, float]:
        """How far from its centre a coarse pixel sees, in fine pixels along rows and columns."""
        return tuple((part.shape[1] - 1) / 2 * self.step + 1 for part in (self.rows, self.cols))  # type: ignore[return-value]

    @property
    def kernel(self) -> torch.Tensor:
        """The weights, [taps along rows, taps along columns]; they sum to 1."""
        return self.rows.T @ self.cols

    @property
    def centroid(self) -> tuple[float, float]:
        """Centre of gravity, in fine pixels along rows and columns."""
        kernel = self.kernel.double()
        places = [(torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * self.step for n in kernel.shape]
        down, across = (kernel.cpu().sum(dim=1 - axis) @ places[axis] for axis in (0, 1))
        return float(down), float(across)

    def to(self, device: torch.device) -> Footprint:
        """The same on a device."""
        return Footprint(self.rows.to(device), self.cols.to(device), self.step)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save; together with ``step`` enough for :meth:`restore`."""
        return {"rows": self.rows, "cols": self.cols}

    def header(self) -> dict[str, Any]:
        """What is no tensor."""
        return {"step": self.step}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Footprint:
        """Rebuild a saved footprint."""
        return cls(tensors["rows"], tensors["cols"], float(header["step"]))


def gaussian_footprint(sigma_y: float, sigma_x: float, ratio_y: float, ratio_x: float) -> Footprint:
    """A Gaussian point spread function over the box of the coarse pixel itself.

    Args:
        sigma_y: standard deviation in fine pixels along rows; 0 for none.
        sigma_x: the same along columns.
        ratio_y: height of a coarse pixel in fine pixels.
        ratio_x: its width.
    """
    rows, cols = _box_gaussian(sigma_y, ratio_y), _box_gaussian(sigma_x, ratio_x)
    return Footprint(rows[None], cols[None])


def point_gaussian_footprint(sigma_y: float, sigma_x: float, ratio: int) -> Footprint:
    """A Gaussian point spread function sampled at the centres of fine pixels, without the box of the coarse pixel.

    The coarse pixel's centre lies on a corner of fine pixels where the ratio is even: the number of taps is even then,
    and odd otherwise.

    Args:
        sigma_y: standard deviation in fine pixels along rows; 0 for none.
        sigma_x: the same along columns.
        ratio: size of a coarse pixel in fine pixels.
    """
    rows, cols = _sampled_gaussian(sigma_y, ratio), _sampled_gaussian(sigma_x, ratio)
    return Footprint(rows[None], cols[None])


def kernel_footprint(kernel: torch.Tensor, step: float = 1.0) -> Footprint:
    """Split a kernel around the coarse pixel's centre into separable parts.

    Args:
        kernel: weights [rows, columns] at offsets as in :class:`Footprint`; scaled to sum 1.
        step: distance of its points in fine pixels.
    """
    u, s, v = torch.linalg.svd(kernel.double() / kernel.double().sum(), full_matrices=False)
    energy = s.square().cumsum(0) / s.square().sum()
    parts = int((energy < 1.0 - KEPT_ENERGY).sum()) + 1
    rows, cols = (u[:, :parts] * s[:parts].sqrt()).T, v[:parts] * s[:parts].sqrt()[:, None]
    total = (rows.sum(dim=1) * cols.sum(dim=1)).sum()  # what the left-out parts held
    return Footprint((rows / total).float().contiguous(), cols.float().contiguous(), step)


def _sampled_gaussian(sigma: float, ratio: int) -> torch.Tensor:
    """Weights at the lattice's offsets, out to ``POINT_REACH_SIGMAS``; sum 1."""
    odd = ratio % 2
    half = max(1, math.ceil(POINT_REACH_SIGMAS * sigma))
    places = torch.arange(2 * half + odd, dtype=torch.float64) - (2 * half + odd - 1) / 2
    weights = torch.exp(-(places.square()) / (2 * max(sigma, 1e-3) ** 2))
    return (weights / weights.sum()).float()


def _box_gaussian(sigma: float, ratio: float) -> torch.Tensor:
    """Weights of fine pixels at the lattice's offsets: their overlap with the box, blurred; sum 1."""
    half = ratio / 2 + REACH_SIGMAS * sigma
    # as many taps as make the lattice fall on pixel centres where the ratio is a whole number
    taps = 2 * math.ceil(half - ratio / 2) + max(1, math.ceil(ratio - 1e-9))
    fine = (torch.arange(taps * OVERSAMPLING, dtype=torch.float64) + 0.5) / OVERSAMPLING - taps / 2
    if sigma > 0:
        scale = sigma * math.sqrt(2.0)
        density = torch.erf((fine + ratio / 2) / scale) - torch.erf((fine - ratio / 2) / scale)
    else:
        density = (ratio / 2 - fine.abs() + 0.5 / OVERSAMPLING).mul(OVERSAMPLING).clamp(0.0, 1.0)
    weights = density.reshape(taps, OVERSAMPLING).sum(dim=1)
    return (weights / weights.sum()).float()
