# SPDX-License-Identifier: GPL-3.0-or-later
"""The uncertainty that is stated for each pixel and band.

Pixels are sorted into a few classes by what the MSI shows of them. In each, what the MSI leaves open of the spectra's
variance (:mod:`core.ssr.unseen`) is the least that any way can be wrong by. Ways are wrong by more where the validation
part differs from the training part, so the deviations are raised to what is found there. Farther from a class than any
pixel that was learnt from they grow in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from .baselines import find_centres, nearest_centre
from .contest import estimate
from .pairs import Pixels, TrainingPart
from .unseen import find_unseen
from .ways import Way

CLASSES, LEAST_PIXELS = 8, 100
"""Classes at most, and pixels of a class at least on average."""
LEAST_REACH = 1.0
"""Reach of a class at least, in standard deviations of the MSI's bands."""
COVERED = 2.0
"""Deviations on both sides within which errors are counted."""


@dataclass(frozen=True)
class Deviations:
    """Standard deviations by class.

    Attributes:
        scale: what MSI bands are divided by before distances are taken, [c].
        centres: of scaled MSI pixels, [classes, c].
        table: standard deviation, [classes, C].
        reach: how far from their centre pixels were learnt from, scaled, [classes].
    """

    scale: torch.Tensor
    centres: torch.Tensor
    table: torch.Tensor
    reach: torch.Tensor

    def of(self, msi: torch.Tensor, bands: Sequence[int]) -> torch.Tensor:
        """Deviations [bands, rows, columns] of an MSI [c, rows, columns]; they grow with the distance beyond reach."""
        scaled = msi.flatten(1) / self.scale[:, None]
        found = nearest_centre(scaled, self.centres)
        farther = (_distance(scaled, self.centres, found) / self.reach[found]).clamp_min(1.0)
        return (self.table.T[list(bands)][:, found] * farther).reshape(-1, *msi.shape[1:])

    def to(self, device: torch.device) -> Deviations:
        """The same on a device."""
        return Deviations(*(part.to(device) for part in (self.scale, self.centres, self.table, self.reach)))


def expect(pixels: Pixels, response: torch.Tensor, noise: torch.Tensor, generator: torch.Generator) -> Deviations:
    """What the MSI leaves open in each class of pixels.

    Args:
        pixels: of the training part.
        response: R, [c, C].
        noise: variance of each MSI band's noise, [c].
        generator: seeds the classes.
    """
    scale = pixels.msi.std(dim=1).clamp_min(1e-12)
    count = max(1, min(CLASSES, pixels.msi.shape[1] // LEAST_PIXELS))
    scaled = pixels.msi / scale[:, None]
    centres = find_centres(scaled, count, generator)
    member = nearest_centre(scaled, centres)
    whole = torch.cov(pixels.hsi.double())
    covariances = []
    for k in range(len(centres)):
        inside = pixels.hsi[:, member == k].double()
        # few pixels do not fill a covariance: the whole scene's stands in as much as they lack
        share = min(1.0, inside.shape[1] / (2.0 * len(inside)))
        own = torch.cov(inside) if inside.shape[1] > 1 else whole
        covariances.append(share * own + (1.0 - share) * whole)
    left = find_unseen(torch.stack(covariances), response, noise).variance.sqrt()
    distance = _distance(scaled, centres, member)
    farthest = distance.new_zeros(len(centres)).scatter_reduce(0, member, distance, "amax")
    return Deviations(scale, centres, left, farthest.clamp_min(LEAST_REACH))


def raised(expected: Deviations, way: Way, held: Sequence[TrainingPart]) -> tuple[Deviations, float, float]:
    """Deviations raised to what the validation part shows, band by band.

    Returns:
        them, by how much on average, and the share of the validation part's values within two of them.
    """
    bands = range(len(way.basis))
    errors = torch.cat([(estimate(way, part) - part.hsi)[:, part.valid] for part in held], dim=1)
    stated = torch.cat([expected.of(part.msi, bands)[:, part.valid] for part in held], dim=1)
    power = errors.square().mean(dim=1)
    factor = (power / stated.square().mean(dim=1).clamp_min(1e-30)).sqrt().clamp_min(1.0)
    # a band that seems wholly known gets its error as such
    table = torch.where(expected.table > 0, expected.table * factor, power.sqrt())
    result = replace(expected, table=table)
    covered = errors.abs() <= COVERED * torch.where(stated > 0, stated * factor[:, None], power.sqrt()[:, None])
    return result, float(factor.mean()), float(covered.float().mean())


def _distance(scaled: torch.Tensor, centres: torch.Tensor, member: torch.Tensor) -> torch.Tensor:
    """How far scaled pixels [c, pixels] lie from the centres of their classes, [pixels]."""
    return (scaled - centres.T[:, member]).norm(dim=0)
