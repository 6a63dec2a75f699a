# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the subspace of spectra and untrained networks from training data."""

from __future__ import annotations

import torch

from ..engine.method import Context
from .pairs import TrainingData, lesson
from .pixel_way import PixelWay
from .start import PixelStart
from .unfolding import PaperNet, RobustNet

COORDINATES = 10
MOST_PIXELS = 20_000
BRIGHTEST = 0.99
LEAST_SPREAD = 1e-4
"""Of a coordinate, of what the brightest spectra have; weaker ones are noise that is not to be blown up."""
BEYOND = 0.25
"""How far coordinates may lie beyond the range of those learnt from, as a share of it."""
_NEGLIGIBLE = 1e-9
"""Share of the spectra's power that is not worth a coordinate."""


def make_basis(pixels: torch.Tensor, most: int = COORDINATES) -> torch.Tensor:
    """The directions in which spectra lie, strongest first.

    Not centred, so that spectra in proportion to others stay so.

    Args:
        pixels: X, [C, pixels].
        most: how many at most.

    Returns:
        E, orthonormal columns, float32 [C, d].
    """
    wide = pixels.double()
    powers, vectors = torch.linalg.eigh(wide @ wide.mT / wide.shape[1])
    powers = powers.flip(0).clamp_min(0.0)
    left = 1.0 - powers.cumsum(0) / powers.sum().clamp_min(1e-300)
    needed = int((left > _NEGLIGIBLE).sum()) + 1
    return vectors.flip(1)[:, : min(needed, most, len(pixels))].float().contiguous()


def make_seeing_basis(pixels: torch.Tensor, response: torch.Tensor, most: int = COORDINATES) -> torch.Tensor:
    """The directions that the MSI sees, and the strongest ones of what it does not.

    The strongest directions alone may hardly contain what a narrow band sees: spectra could then only be brought into
    line with it by large changes in all others.

    Args:
        pixels: X, [C, pixels].
        response: R, [c, C].
        most: how many unseen ones at most.

    Returns:
        E, orthonormal columns, float32 [C, d].
    """
    seen = torch.linalg.qr(response.mT.double())[0]
    unseen = pixels.double() - seen @ (seen.mT @ pixels.double())
    count = min(most, len(pixels) - seen.shape[1])
    both = torch.cat([seen, make_basis(unseen, count).double()], dim=1)
    return torch.linalg.qr(both)[0].float().contiguous()


def make_network(data: TrainingData, start: PixelWay, context: Context) -> RobustNet:
    """The network that is tied to what is known, at its start: a map of single pixels."""
    torch.manual_seed(context.seed)
    pixels = lesson(data, MOST_PIXELS, context.generator()).hsi
    basis, unit = make_seeing_basis(pixels, data.response), find_unit(pixels)
    first = PixelStart.of(start, basis)
    network = RobustNet(basis, data.response, data.low, data.high, first, unit=unit)
    usual = basis.mT @ pixels
    network.standardise(usual.mean(dim=1), usual.std(dim=1).clamp_min(LEAST_SPREAD * unit))
    return network.to(context.device)


def find_limits(coordinates: torch.Tensor) -> torch.Tensor:
    """Between what coordinates like these [d, pixels] may lie, [2, d]: polynomials have no bounds of their own."""
    least, most = coordinates.amin(dim=1), coordinates.amax(dim=1)
    margin = BEYOND * (most - least)
    return torch.stack([least - margin, most + margin])


def make_paper_network(data: TrainingData, context: Context) -> PaperNet:
    """The network as published."""
    torch.manual_seed(context.seed)
    unit = find_unit(lesson(data, MOST_PIXELS, context.generator()).hsi)
    return PaperNet(len(data.hsi_table), len(data.msi_table), unit=unit).to(context.device)


def find_unit(pixels: torch.Tensor) -> float:
    """What only the brightest values of spectra [C, pixels] exceed; 1 where all are black."""
    brightest = float(torch.quantile(pixels.amax(dim=0), BRIGHTEST))
    return brightest if brightest > 0 else 1.0
