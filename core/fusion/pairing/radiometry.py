# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the MSI onto the HSI's radiometric scale: one gain and offset per band.

    M = gain * Z + offset,    Z = S Y the band that the HSI predicts, M the MSI averaged over the same coarse pixels.

Neither is free of errors, and whichever is taken for exact, the slope comes out too flat. So the line is the one that
treats both alike, the reduced major axis: gain = std(M) / std(Z) (Legendre & Legendre, Numerical Ecology, 10.3.2). The
two ordinary regressions, r times and 1/r times that, bracket it, which tells how far to trust it. Clouds, cars and
edges are kept out by weights that fall to zero at large residuals (Tukey's biweight), starting from the median slope
of pairs of pixels (Theil and Sen).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

STEPS = 20
BIWEIGHT = 4.685
"""Residuals beyond so many standard deviations do not count; 95 % efficient for normal errors."""
STANDARD = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
NEIGHBOURS = 4.0
"""Neighbouring pixels err alike: so many of them count as one."""
NEGLIGIBLE = 0.03
"""A gain or a mean that is off by less is left alone: neither calibration nor knowledge of the blur is better."""


@dataclass(frozen=True)
class Radiometry:
    """How MSI bands follow from the HSI.

    Attributes:
        gain: of each MSI band, in its units per unit of the HSI, float32 [bands].
        offset: of each MSI band, in its units, float32 [bands].
        gain_error: half the width of what the gain may be, [bands].
        correlation: between averaged and predicted bands, outliers left out, [bands].
        residual: standard deviation of what the line leaves, in units of the HSI, [bands].
        different: bool [bands], True where gain and offset are not 1 and 0 within their uncertainty.
        used: share of the pixels that are no outliers, [bands].
    """

    gain: torch.Tensor
    offset: torch.Tensor
    gain_error: torch.Tensor
    correlation: torch.Tensor
    residual: torch.Tensor
    different: torch.Tensor
    used: torch.Tensor

    @property
    def needed(self) -> bool:
        """Whether the two images differ in scale at all."""
        return bool(self.different.any())

    def apply(self, msi: torch.Tensor) -> torch.Tensor:
        """The MSI on the HSI's scale, [bands, ...]."""
        shape = (-1, *(1,) * (msi.ndim - 1))
        return (msi - self.offset.to(msi).view(shape)) / self.gain.to(msi).view(shape)

    def sentences(self, names: tuple[str, ...]) -> list[str]:
        """What was found, band by band.

        Args:
            names: of the MSI bands.
        """
        if not self.needed:
            return ["Both images have the same radiometric scale within its uncertainty, so the MSI is used as it is."]
        numbers = zip(names, self.gain.tolist(), self.gain_error.tolist(), self.offset.tolist())
        bands = "; ".join(
            f"{name}: gain {gain:.4g} +- {error:.2g}, offset {offset:.3g}" for name, gain, error, offset in numbers
        )
        return [f"The multispectral image is brought onto the hyperspectral image's radiometric scale ({bands})."]


def fit_radiometry(averaged: torch.Tensor, predicted: torch.Tensor) -> Radiometry:
    """Fit gain and offset of every band.

    The HSI is blurred by its optics and the averaged MSI is not: make both alike first (:func:`alike.alike_pixels`),
    else the MSI's contrast, and with it the gain, comes out too large.

    Args:
        averaged: M, the MSI averaged over coarse pixels, [pixels, bands]; at least 3 pixels.
        predicted: Z, the same bands predicted from the HSI, [pixels, bands].
    """
    lines = [_fit_band(z, m) for z, m in zip(predicted.double().T, averaged.double().T)]
    columns = [torch.stack(column) for column in zip(*lines)]
    return Radiometry(*(column if column.dtype == torch.bool else column.float() for column in columns))


def _fit_band(z: torch.Tensor, m: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The numbers of one band in the order of :class:`Radiometry`."""
    weight = torch.ones_like(z)
    gain = _median_slope(z, m)
    centre_z, centre_m = z.median(), (m - gain * (z - z.median())).median()
    for _ in range(STEPS):
        residual = m - centre_m - gain * (z - centre_z)
        spread = STANDARD * residual.abs().median()
        if not spread > 0:
            break
        weight = (1 - (residual / (BIWEIGHT * spread)).square()).clamp_min(0.0).square()
        centre_z, centre_m = _mean(z, weight), _mean(m, weight)
        gain = (_variance(m, weight) / _variance(z, weight).clamp_min(_tiny(z))).sqrt().clamp_min(_tiny(m))
    return _judged(z, m, weight, gain)


def _judged(z: torch.Tensor, m: torch.Tensor, weight: torch.Tensor, gain: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The numbers of one band whose weights and gain are settled."""
    mean_z, mean_m = _mean(z, weight), _mean(m, weight)
    both = _mean((z - mean_z) * (m - mean_m), weight)
    product = _variance(z, weight) * _variance(m, weight)
    correlation = (both / product.sqrt().clamp_min(_tiny(z))).clamp(-1.0, 1.0)
    residual = _variance(m - gain * z, weight).sqrt() / gain
    count = weight.sum().clamp_min(NEIGHBOURS) / NEIGHBOURS
    strength = correlation.clamp_min(0.1)
    gain_error = gain * ((1 / strength - strength) / 2 + 2 * ((1 - correlation.square()) / count).sqrt())
    mean_error = 3 * residual / count.sqrt() + NEGLIGIBLE * mean_z.abs()
    different = ((gain - 1).abs() > gain_error + NEGLIGIBLE) | ((mean_m - mean_z).abs() > mean_error)
    used = (weight > 0).double().mean()
    return gain, mean_m - gain * mean_z, gain_error, correlation, residual, different, used


def _median_slope(z: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    """Median slope between pixels that differ clearly; the ratio of their spreads where that is not positive."""
    order = z.argsort()
    half = (len(z) + 1) // 2
    low, high = order[: len(z) - half], order[half:]
    rise, run = m[high] - m[low], z[high] - z[low]
    slope = (rise[run > 0] / run[run > 0]).median() if bool((run > 0).any()) else z.new_zeros(())
    spread = (m - m.median()).abs().median() / (z - z.median()).abs().median().clamp_min(_tiny(z))
    return slope if bool(slope > 0) else spread.clamp_min(_tiny(m))


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(_tiny(weight))


def _variance(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return _mean((values - _mean(values, weight)).square(), weight)


def _tiny(values: torch.Tensor) -> float:
    return torch.finfo(values.dtype).tiny
