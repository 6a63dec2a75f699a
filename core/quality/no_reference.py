# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality without a reference: how a fused image F agrees with the coarse H and the fine M that it was made of.

Consistency is physics: F blurred and decimated must be H, and F seen by the MSI's bands must be M. The indices compare
relations between bands at the two scales (Q: see ``blocks``; B: blur and decimation):

    D_lambda = mean_ij |Q(F_i, F_j) - Q(H_i, H_j)|                             Alparone and others 2008
    D_s      = mean_i |Q(F_i, M_b(i)) - Q(H_i, B M_b(i))|                      doi 10.14358/PERS.74.2.193
    QNR      = (1 - D_lambda) (1 - D_s)
    D_lambda,K = 1 - Q2n(B F, H)                                               Khan and others 2009
    HQNR     = (1 - D_lambda,K) (1 - D_s)                                      doi 10.1109/TGRS.2009.2029094

b(i) is the MSI band that band i correlates with most. Blocks are the same ground at both scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch

from ..fusion.pair import PairBlock
from ..grid import Window
from ..physics.blur import Blur
from ..physics.footprint import Footprint
from .blocks import BLOCK_PX, LEAST_PIXELS, moments, q2n, q_of_pairs
from .examples import Examples, pick

LEAST_SHARE = 0.99
"""Share of a coarse pixel's footprint that must lie on valid fine pixels."""
LEAST_BLOCK = 8
"""Fewest coarse pixels along a block's side."""


def block_side(ratio: float) -> int:
    """Side of a block in coarse pixels: as much ground as 32 fine pixels, but enough pixels for statistics."""
    return max(LEAST_BLOCK, round(BLOCK_PX / ratio))


@dataclass(frozen=True)
class PairTile:
    """What one tile adds, float64; sums over blocks are weighted with the blocks' coarse pixels.

    Attributes:
        coarse, fine: pixels compared at each scale.
        coarse_error: squared error of B F per band, [bands].
        fine_error: squared error of F seen by the MSI's bands, [msi_bands].
        angle: sum over coarse pixels of the angle between B F and H, degrees, over ``angles`` pixels.
        weight: sum of the blocks' weights.
        q_fine, q_coarse: of every two bands of F and M, and of H and B M, [bands + msi_bands] squared.
        correlation: of H with B M, [bands, msi_bands].
        q2n: of B F and H.
    """

    coarse: torch.Tensor
    fine: torch.Tensor
    coarse_error: torch.Tensor
    fine_error: torch.Tensor
    angle: torch.Tensor
    angles: torch.Tensor
    weight: torch.Tensor
    q_fine: torch.Tensor
    q_coarse: torch.Tensor
    correlation: torch.Tensor
    q2n: torch.Tensor

    def plus(self, other: PairTile) -> PairTile:
        """Both together."""
        return PairTile(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def cpu(self) -> PairTile:
        """The same in main memory."""
        return PairTile(*(getattr(self, f.name).cpu() for f in fields(self)))


@dataclass(frozen=True)
class PairScores:
    """The result; NaN where nothing could be measured.

    Attributes:
        coarse_pixels, fine_pixels: compared at each scale.
        peak_hsi, peak_msi: of the PSNR.
        psnr_hsi, rmse_hsi, sam_hsi: of B F against H, in decibels, the unit of the images, and degrees.
        psnr_msi, rmse_msi: of F seen by the MSI's bands, against M on the HSI's scale.
        d_lambda, d_s, qnr, d_lambda_k, hqnr: see the module.
        band_rmse_hsi, band_rmse_msi: per band.
    """

    coarse_pixels: int
    fine_pixels: int
    peak_hsi: float
    peak_msi: float
    psnr_hsi: float
    rmse_hsi: float
    sam_hsi: float
    psnr_msi: float
    rmse_msi: float
    d_lambda: float
    d_s: float
    qnr: float
    d_lambda_k: float
    hqnr: float
    band_rmse_hsi: list[float]
    band_rmse_msi: list[float]


def measure_pair(
    result: torch.Tensor,
    valid: torch.Tensor,
    block: PairBlock,
    core: tuple[slice, slice],
    coarse_origin: tuple[int, int],
    footprint: Footprint,
    response: torch.Tensor,
) -> tuple[PairTile, Examples]:
    """Measure one tile.

    Args:
        result: F, float32 [bands, rows, columns], on the block's fine pixels; anything where invalid.
        valid: bool [rows, columns].
        block: H of the tile with the same bands, and M on its scale with the footprint's margin around the tile.
        core: fine rows and columns that belong to this tile alone.
        coarse_origin: row and column of the block's first coarse pixel in the image.
        footprint: what a coarse pixel sees.
        response: of M's bands, [msi_bands, bands].

    Returns:
        what the tile adds, and spectra of coarse pixels: B F and H.
    """
    usable = valid & block.msi_valid
    both = torch.where(usable, torch.cat([result, block.msi]), 0.0)
    blur = Blur(footprint, block.placement, block.fine_shape, block.coarse_shape)
    share = blur(usable[None].to(both))[0]
    seen = blur(both) / share.clamp_min(LEAST_SHARE)
    known = block.hsi_valid & (share >= LEAST_SHARE)
    bands = len(result)
    degraded, msi = seen[:bands], seen[bands:]
    angle = torch.where(known, _angles(degraded, block.hsi), math.nan)
    inside = usable[core]
    fine = both[:, core[0], core[1]][:, inside].double()
    lit = angle.isfinite()
    tile = PairTile(
        coarse=known.sum().double(),
        fine=inside.sum().double(),
        coarse_error=((degraded - block.hsi)[:, known].double() ** 2).sum(dim=1),
        fine_error=((response.double() @ fine[:bands] - fine[bands:]) ** 2).sum(dim=1),
        angle=angle[lit].sum().double(),
        angles=lit.sum().double(),
        **_relations(both, usable, torch.cat([block.hsi, msi]), degraded, known, block),
    )
    return tile, pick(angle, coarse_origin, degraded, block.hsi)


class PairQuality:
    """Accumulates tiles.

    Args:
        peak_hsi: largest value that counts as possible in H, for PSNR.
        peak_msi: likewise in M.
    """

    def __init__(self, peak_hsi: float = 1.0, peak_msi: float = 1.0) -> None:
        self._peaks = peak_hsi, peak_msi
        self._sum: PairTile | None = None

    def add(self, tile: PairTile) -> None:
        """Take in one tile, see :func:`measure_pair`."""
        self._sum = tile.cpu() if self._sum is None else self._sum.plus(tile.cpu())

    def result(self) -> PairScores:
        """The scores of everything taken in; at least one tile must have been."""
        s = self._sum
        if s is None:
            raise ValueError("No tile was added.")
        bands = len(s.coarse_error)
        coarse_mse, fine_mse = s.coarse_error / s.coarse, s.fine_error / s.fine
        gap = (s.q_fine - s.q_coarse).abs() / s.weight
        pairs = gap[:bands, :bands]
        d_lambda = pairs.sum() / (bands * (bands - 1)) if bands > 1 else pairs.sum() * math.nan
        nearest = s.correlation.argmax(dim=1)
        d_s = gap[torch.arange(bands, device=gap.device), bands + nearest].mean()
        d_lambda_k = 1 - s.q2n / s.weight
        return PairScores(
            coarse_pixels=int(s.coarse),
            fine_pixels=int(s.fine),
            peak_hsi=self._peaks[0],
            peak_msi=self._peaks[1],
            psnr_hsi=_psnr(coarse_mse, self._peaks[0]),
            rmse_hsi=float(coarse_mse.mean().sqrt()),
            sam_hsi=float(s.angle / s.angles),
            psnr_msi=_psnr(fine_mse, self._peaks[1]),
            rmse_msi=float(fine_mse.mean().sqrt()),
            d_lambda=float(d_lambda),
            d_s=float(d_s),
            qnr=float((1 - d_lambda) * (1 - d_s)),
            d_lambda_k=float(d_lambda_k),
            hqnr=float((1 - d_lambda_k) * (1 - d_s)),
            band_rmse_hsi=coarse_mse.sqrt().tolist(),
            band_rmse_msi=fine_mse.sqrt().tolist(),
        )


def _psnr(mse: torch.Tensor, peak: float) -> float:
    return float(10 * torch.log10(peak**2 / mse.mean()))


def _angles(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Angle between spectra in degrees, NaN where one is black."""
    a, b = first.double(), second.double()
    return torch.rad2deg(torch.arccos(((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).clamp(-1, 1)))


def _relations(
    fine: torch.Tensor,
    fine_valid: torch.Tensor,
    coarse: torch.Tensor,
    degraded: torch.Tensor,
    known: torch.Tensor,
    block: PairBlock,
) -> dict[str, torch.Tensor]:
    """Sums over blocks of what the indices need."""
    total, bands = len(fine), len(degraded)
    zeros = fine.new_zeros((total, total), dtype=torch.float64)
    sums = {"weight": zeros.new_zeros(()), "q2n": zeros.new_zeros(()), "q_fine": zeros, "q_coarse": zeros}
    sums["correlation"] = zeros[:bands, bands:]
    side = block_side((block.placement.ratio_y * block.placement.ratio_x) ** 0.5)
    height, width = block.coarse_shape
    for row in range(0, height, side):
        for col in range(0, width, side):
            window = Window(row, col, min(side, height - row), min(side, width - col))
            under = block.placement.fine_window(window, *block.fine_shape)
            chosen, chosen_fine = known[window.rows, window.cols], fine_valid[under.rows, under.cols]
            count = int(chosen.sum())
            if count < LEAST_PIXELS or int(chosen_fine.sum()) < LEAST_PIXELS:
                continue
            mean, covariance = moments(coarse[:, window.rows, window.cols][:, chosen])
            deviation = covariance.diagonal().clamp_min(1e-30).sqrt()
            fitting = torch.cat([image[:, window.rows, window.cols][:, chosen] for image in (degraded, coarse[:bands])])
            step = {
                "weight": zeros.new_ones(()),
                "q2n": q2n(*moments(fitting)),
                "q_fine": q_of_pairs(*moments(fine[:, under.rows, under.cols][:, chosen_fine])),
                "q_coarse": q_of_pairs(mean, covariance),
                "correlation": (covariance / (deviation[:, None] * deviation[None]))[:bands, bands:],
            }
            sums = {name: value + count * step[name] for name, value in sums.items()}
    return sums
