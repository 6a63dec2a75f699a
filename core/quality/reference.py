# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality against a reference, tile by tile: what is kept does not grow with the image.

With the estimate x and the reference r over n valid pixels, band b:

    RMSE_b = sqrt(mean (x_b - r_b)^2)              RMSE over all values: from the mean of the squares
    PSNR   = 10 log10(peak^2 / mean square error)  the peak is stated beside it
    SAM    = mean angle between x and r            degrees; pixels that are black in either do not count
    ERGAS  = 100 / ratio * sqrt(mean_b (RMSE_b / mean r_b)^2)       Wald 2002
    CC_b   = correlation of x_b and r_b
    SSIM_b = Wang and others 2004 (doi 10.1109/TIP.2003.819861): Gaussian window 11 x 11, sigma 1.5, K1 0.01, K2 0.03,
             windows that lie wholly on valid pixels
    UIQI_b, Q2n: see ``blocks``, the mean over blocks of 32 x 32 pixels weighted with their valid pixels
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch.nn.functional import conv2d

from .blocks import BLOCK_PX, LEAST_PIXELS, block_windows, moments, q2n, q_index

HALO_PX = BLOCK_PX
"""Margin that tiles need around their cores."""
_WINDOW, _SIGMA = 11, 1.5
_BANDS_AT_ONCE = 16


@dataclass(frozen=True)
class TileQuality:
    """What one tile adds; everything float64.

    Attributes:
        pixels: valid pixels.
        squared_error, result_sum, reference_sum, result_square, reference_square, product: sums per band, [bands].
        angle: sum of the angles in degrees, over ``angles`` pixels; ``black`` pixels have none.
        ssim: sum per band over ``ssim_windows``.
        uiqi, q2n: sums over blocks, weighted with their pixels, ``block_pixels`` in all.
    """

    pixels: torch.Tensor
    squared_error: torch.Tensor
    result_sum: torch.Tensor
    reference_sum: torch.Tensor
    result_square: torch.Tensor
    reference_square: torch.Tensor
    product: torch.Tensor
    angle: torch.Tensor
    angles: torch.Tensor
    black: torch.Tensor
    ssim: torch.Tensor
    ssim_windows: torch.Tensor
    uiqi: torch.Tensor
    q2n: torch.Tensor
    block_pixels: torch.Tensor

    def plus(self, other: TileQuality) -> TileQuality:
        """Both together."""
        return TileQuality(*(getattr(self, f.name) + getattr(other, f.name).cpu() for f in fields(self)))


@dataclass(frozen=True)
class ReferenceScores:
    """The result.

    Attributes:
        pixels: valid pixels; ``black`` of them have no spectral angle.
        peak: of PSNR and SSIM.
        psnr, psnr_bands: over all values in decibels, and the mean over bands.
        rmse, sam, ssim, uiqi, q2n, cc: see the module; means over bands.
        ergas: None where the ratio is not known.
        ergas_bands: bands that ERGAS is over: those whose reference has a positive mean.
        band_rmse, band_psnr, band_ssim, band_uiqi, band_cc, band_bias: per band; the bias is the mean of x - r.
    """

    pixels: int
    black: int
    peak: float
    psnr: float
    psnr_bands: float
    rmse: float
    sam: float
    ssim: float
    uiqi: float
    q2n: float
    cc: float
    ergas: float | None
    ergas_bands: int
    band_rmse: list[float]
    band_psnr: list[float]
    band_ssim: list[float]
    band_uiqi: list[float]
    band_cc: list[float]
    band_bias: list[float]


class ReferenceQuality:
    """Accumulates tiles.

    Args:
        bands: number of bands.
        ratio: coarse over fine pixel size, or None.
        peak: largest value that counts as possible, for PSNR and SSIM.
    """

    def __init__(self, bands: int, ratio: float | None, peak: float = 1.0) -> None:
        self._ratio, self._peak = ratio, peak
        zeros = torch.zeros(bands, dtype=torch.float64)
        none = zeros.new_zeros(())
        names = {f.name for f in fields(TileQuality)}
        per_band = names - {"pixels", "angle", "angles", "black", "ssim_windows", "q2n", "block_pixels"}
        self._sum = TileQuality(**{name: zeros if name in per_band else none for name in names})

    def add(self, tile: TileQuality) -> None:
        """Take in one tile, see :func:`measure`."""
        self._sum = self._sum.plus(tile)

    def result(self) -> ReferenceScores:
        """The scores of everything taken in; NaN where nothing could be measured."""
        s, n = self._sum, self._sum.pixels
        mse = s.squared_error / n
        mean_r, mean_x = s.reference_sum / n, s.result_sum / n
        spread = (s.result_square / n - mean_x**2).clamp_min(0) * (s.reference_square / n - mean_r**2).clamp_min(0)
        cc = torch.where(spread > 0, (s.product / n - mean_x * mean_r) / spread.sqrt(), math.nan)
        used = mean_r > 0
        relative = (mse[used] / mean_r[used] ** 2).mean().sqrt()
        psnr = 10 * torch.log10(self._peak**2 / mse)
        ssim, uiqi = s.ssim / s.ssim_windows, s.uiqi / s.block_pixels
        return ReferenceScores(
            pixels=int(n),
            black=int(s.black),
            peak=self._peak,
            psnr=float(10 * torch.log10(self._peak**2 / mse.mean())),
            psnr_bands=float(psnr.mean()),
            rmse=float(mse.mean().sqrt()),
            sam=float(s.angle / s.angles),
            ssim=float(ssim.mean()),
            uiqi=float(uiqi.mean()),
            q2n=float(s.q2n / s.block_pixels),
            cc=float(cc.nanmean()),
            ergas=None if self._ratio is None or not used.any() else float(100 / self._ratio * relative),
            ergas_bands=int(used.sum()),
            band_rmse=mse.sqrt().tolist(),
            band_psnr=psnr.tolist(),
            band_ssim=ssim.tolist(),
            band_uiqi=uiqi.tolist(),
            band_cc=cc.tolist(),
            band_bias=(mean_x - mean_r).tolist(),
        )


def measure(
    result: torch.Tensor,
    reference: torch.Tensor,
    valid: torch.Tensor,
    origin: tuple[int, int],
    core: tuple[slice, slice],
    peak: float = 1.0,
) -> tuple[TileQuality, torch.Tensor]:
    """Measure one tile.

    Args:
        result: float32 [bands, rows, columns] with ``HALO_PX`` around the core, as far as the image goes; anything
            where invalid.
        reference: likewise.
        valid: bool [rows, columns].
        origin: row and column of the arrays' first pixel in the image.
        core: rows and columns of the tile's core in the arrays.
        peak: see :class:`ReferenceQuality`.

    Returns:
        what the tile adds, and maps of its core, float32 [2, rows, columns]: RMSE over the bands and spectral angle in
        degrees, which is NaN for black pixels.
    """
    inside = valid[core]
    x, r = (image[:, core[0], core[1]][:, inside].double() for image in (result, reference))
    squared = (x - r) ** 2
    norms, dot = (x.norm(dim=0), r.norm(dim=0)), (x * r).sum(dim=0)
    lit = (norms[0] > 0) & (norms[1] > 0)
    angle = torch.rad2deg(torch.arccos((dot / (norms[0] * norms[1])).clamp(-1, 1)))
    maps = result.new_full((2, *inside.shape), math.nan)
    maps[:, inside] = torch.stack([squared.mean(dim=0).sqrt(), torch.where(lit, angle, math.nan)]).to(maps)
    ssim, windows = _ssim(result, reference, valid, core, peak)
    uiqi, q2n_sum, block_pixels = _blocks(result, reference, valid, origin, core)
    tile = TileQuality(
        pixels=inside.sum().double(),
        squared_error=squared.sum(dim=1),
        result_sum=x.sum(dim=1),
        reference_sum=r.sum(dim=1),
        result_square=(x * x).sum(dim=1),
        reference_square=(r * r).sum(dim=1),
        product=(x * r).sum(dim=1),
        angle=angle[lit].sum(),
        angles=lit.sum().double(),
        black=(~lit).sum().double(),
        ssim=ssim,
        ssim_windows=windows,
        uiqi=uiqi,
        q2n=q2n_sum,
        block_pixels=block_pixels,
    )
    return tile, maps


def _blocks(
    result: torch.Tensor,
    reference: torch.Tensor,
    valid: torch.Tensor,
    origin: tuple[int, int],
    core: tuple[slice, slice],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sums over the core's blocks of UIQI [bands] and Q2n, weighted with pixels, and the sum of the weights."""
    bands = len(result)
    uiqi = torch.zeros(bands, dtype=torch.float64, device=result.device)
    whole, weight = uiqi.new_zeros(()), uiqi.new_zeros(())
    for window in block_windows(origin, core, (valid.shape[0], valid.shape[1])):
        chosen = valid[window]
        count = int(chosen.sum())
        if count < LEAST_PIXELS:
            continue
        both = torch.cat([image[:, window[0], window[1]][:, chosen] for image in (result, reference)])
        mean, covariance = moments(both)
        variance = covariance.diagonal()
        cross = covariance[:bands, bands:].diagonal()
        uiqi += count * q_index(cross, variance[:bands], variance[bands:], mean[:bands], mean[bands:])
        whole += count * q2n(mean, covariance)
        weight += count
    return uiqi, whole, weight


def _ssim(
    result: torch.Tensor, reference: torch.Tensor, valid: torch.Tensor, core: tuple[slice, slice], peak: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over the windows that are centred on the core and wholly valid, [bands], and their number."""
    half = _WINDOW // 2
    sums = torch.zeros(len(result), dtype=torch.float64, device=result.device)
    # blocks need a wider margin than windows: what windows do not see is left out
    near = (
        slice(max(0, core[0].start - half), core[0].stop + half),
        slice(max(0, core[1].start - half), core[1].stop + half),
    )
    result, reference, valid = result[:, near[0], near[1]], reference[:, near[0], near[1]], valid[near]
    first, height = core[0].start - near[0].start, core[0].stop - core[0].start
    left, width = core[1].start - near[1].start, core[1].stop - core[1].start
    if min(valid.shape) < _WINDOW:
        return sums, sums.new_zeros(())
    clear = conv2d((~valid)[None, None].float(), torch.ones(1, 1, _WINDOW, _WINDOW, device=valid.device))[0, 0] == 0
    rows, cols = (torch.arange(size - 2 * half, device=valid.device) + half for size in valid.shape)
    clear &= ((rows >= first) & (rows < first + height))[:, None]
    clear &= ((cols >= left) & (cols < left + width))[None]
    for start in range(0, len(result), _BANDS_AT_ONCE):
        part = slice(start, start + _BANDS_AT_ONCE)
        x, r = (torch.where(valid, image[part], 0.0) / peak for image in (result, reference))
        sums[part] = (_ssim_map(x, r) * clear).sum(dim=(1, 2), dtype=torch.float64)
    return sums, clear.sum().double()


def _ssim_map(x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    down, across = (_smoothing(size).to(x) for size in x.shape[1:])

    def local(images: torch.Tensor) -> torch.Tensor:
        return down @ images @ across.T

    mean_x, mean_r = local(x), local(r)
    var_x, var_r, cov = local(x * x) - mean_x**2, local(r * r) - mean_r**2, local(x * r) - mean_x * mean_r
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mean_x * mean_r + c1) * (2 * cov + c2) / ((mean_x**2 + mean_r**2 + c1) * (var_x + var_r + c2))


def _smoothing(size: int) -> torch.Tensor:
    """Gaussian means over all windows along an axis of some pixels, float64 [size - 10, size]."""
    offset = torch.arange(size)[None, :] - torch.arange(size - _WINDOW + 1)[:, None] - _WINDOW // 2
    line = torch.exp(-0.5 * (offset.double() / _SIGMA) ** 2) * (offset.abs() <= _WINDOW // 2)
    return line / line.sum(dim=1, keepdim=True)
