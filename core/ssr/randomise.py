# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws responses that a camera may have whose bands are only known by centre and width.

Real filters lie some nanometres off, are wider or narrower than the data sheet says, and have a form between a Gaussian
and a box; the calibration is off by some percent. What is learnt on many such draws holds for the real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..bands import BandTable
from ..errors import BandsError
from ..sensors.psf import sigma_of_fwhm
from ..sensors.response import spectral_cells

CENTRE_NM, WIDTH, GAIN = 5.0, 0.2, 0.05
"""How far centres (nm), widths (share) and gains (share) may be off, either way."""
NOISE_DB = 30.0, 45.0
"""Signal-to-noise ratios of the MSI."""
BOUND_DRAWS = 512
_STEP_NM = 1.0
_LEAST_SEEN = 0.8
"""Share of a nominal response that the spectra must cover."""


@dataclass(frozen=True)
class RandomResponses:
    """The law of responses of one camera on the bands of an HSI.

    Attributes:
        centres, widths: nominal, nm [c].
        grid: wavelengths at which curves are computed, nm [F].
        seen: what an HSI band adds to the integral over a curve, [F, C].
    """

    centres: torch.Tensor
    widths: torch.Tensor
    grid: torch.Tensor
    seen: torch.Tensor

    @property
    def nominal(self) -> torch.Tensor:
        """R of the data sheet, half way between a Gaussian and a box, float32 [c, C]."""
        half = torch.full_like(self.centres, 0.5)[None]
        return self._responses(self.centres[None], self.widths[None], half)[0]

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Responses with gains, float32 [count, c, C]."""
        draws = torch.rand(4, count, len(self.centres), generator=generator)
        off = 2.0 * draws - 1.0
        responses = self._responses(self.centres + CENTRE_NM * off[0], self.widths * (1.0 + WIDTH * off[1]), draws[2])
        return responses * (1.0 + GAIN * off[3])[..., None]

    def bounds(self, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Between which numbers many draws and the nominal response lie, each [c, C]."""
        drawn = torch.cat([self.draw(BOUND_DRAWS, generator), self.nominal[None]])
        return drawn.amin(dim=0), drawn.amax(dim=0)

    def observe(self, hsi: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What as many drawn cameras see of images, with noise.

        Args:
            hsi: X, [images, C, rows, columns].
            generator: draws.

        Returns:
            Y, [images, c, rows, columns].
        """
        responses = self.draw(len(hsi), generator).to(hsi)
        clean = (responses @ hsi.flatten(2)).reshape(len(hsi), -1, *hsi.shape[2:])
        low, high = NOISE_DB
        decibels = low + (high - low) * torch.rand(len(hsi), 1, 1, 1, generator=generator)
        power = clean.square().mean(dim=(2, 3), keepdim=True).sqrt() * (10.0 ** (-decibels / 20.0)).to(clean)
        return clean + power * torch.randn(clean.shape, generator=generator).to(clean)

    def noise(self, hsi: torch.Tensor) -> torch.Tensor:
        """Variance of the usual noise of each MSI band on spectra [C, pixels], [c]."""
        return (self.nominal @ hsi).square().mean(dim=1) * 10.0 ** (-sum(NOISE_DB) / 20.0)

    def _responses(self, centres: torch.Tensor, widths: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Responses [n, c, C] of curves with centres and widths [n, c], a share of box in each."""
        away = (self.grid - centres[..., None]) / widths[..., None]
        gauss = torch.exp(-0.5 * (away / sigma_of_fwhm(1.0)).square())
        # the edge of a box falls between points of the grid
        box = ((0.5 - away.abs()) * widths[..., None] / _STEP_NM + 0.5).clamp(0.0, 1.0)
        weights = torch.lerp(gauss, box, boxes[..., None]) @ self.seen
        return weights / weights.sum(dim=-1, keepdim=True)


def random_responses(hsi: BandTable, centres: Sequence[float], widths: Sequence[float]) -> RandomResponses:
    """The law for a camera.

    Args:
        hsi: bands of the spectra, in any order.
        centres: of the MSI's bands, nm.
        widths: full widths at half maximum, nm.

    Raises:
        BandsError: the spectra have no wavelengths or do not cover a band.
    """
    if hsi.wavelength_nm is None:
        raise BandsError(
            "The spectra have no wavelengths, so it cannot be told what the multispectral camera would see of them: "
            "add wavelengths, or choose another source."
        )
    reach = 2.0 * max(widths) + CENTRE_NM
    grid = torch.arange(min(centres) - reach, max(centres) + reach + _STEP_NM, _STEP_NM)
    cells = torch.from_numpy(spectral_cells(hsi.wavelength_nm, hsi.fwhm_nm)).float()
    size = cells[:, 1] - cells[:, 0]
    width = size if hsi.fwhm_nm is None else torch.maximum(size, torch.tensor(hsi.fwhm_nm, dtype=torch.float32))
    sigma = sigma_of_fwhm(1.0) * width.clamp_min(_STEP_NM)
    away = (grid[:, None] - torch.tensor(hsi.wavelength_nm, dtype=torch.float32)) / sigma
    seen = torch.exp(-0.5 * away.square()) / sigma * size
    for centre, extent in zip(centres, widths):
        inside = (grid >= centre - extent / 2) & (grid <= centre + extent / 2)
        near = (cells[:, 0] <= grid[inside][:, None]) & (grid[inside][:, None] <= cells[:, 1])
        if float(near.any(dim=1).float().mean()) < _LEAST_SEEN:
            raise BandsError(
                f"The spectra do not cover the multispectral band at {centre:.0f} nm: leave it out, or choose another "
                "source of spectra."
            )
    return RandomResponses(torch.tensor(centres), torch.tensor(widths), grid, seen)
