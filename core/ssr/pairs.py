# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of spectral super-resolution learns from: the same pixels as HSI and as MSI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ..bands import BandTable

if TYPE_CHECKING:
    from .randomise import RandomResponses

FOLDS, FOLD_SIDE = 4, 8
SEEN_ALIKE = 64
"""Pixels that are seen with the same response where it is drawn."""


@dataclass(frozen=True)
class TrainingPart:
    """One patch of ground, seen by both sensors with the same blur.

    Attributes:
        hsi: X, float32 [C, rows, columns]; finite everywhere, arbitrary where invalid.
        msi: Y, float32 [c, rows, columns]; likewise.
        valid: bool [rows, columns].
    """

    hsi: torch.Tensor
    msi: torch.Tensor
    valid: torch.Tensor


@dataclass(frozen=True)
class TrainingData:
    """All there is to learn from.

    Attributes:
        train: what is learnt from.
        held: what judges; never learnt from, and never next to what is.
        hsi_table, msi_table: the bands of both.
        response: R, gains included, float32 [c, C].
        low, high: between which R lies, float32 [c, C].
        noise: variance of the noise of each MSI band, float32 [c].
        randomised: where R is only known roughly, what draws it; else None.
        kept: positions of the MSI's bands among the used ones of the image.
        gain, offset: what brought the image's numbers to the MSI here, (image - offset) / gain, float32 [c].
        ceiling: numbers of the image from which a band is saturated, float32 [c]; infinite where it never is.
        notes: sentences for the report.
        nominal: R as the camera's data sheet has it, float32 [c, C], or None.
    """

    train: tuple[TrainingPart, ...]
    held: tuple[TrainingPart, ...]
    hsi_table: BandTable
    msi_table: BandTable
    response: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    noise: torch.Tensor
    randomised: RandomResponses | None = None
    kept: tuple[int, ...] = ()
    gain: torch.Tensor = field(default_factory=lambda: torch.ones(1))
    offset: torch.Tensor = field(default_factory=lambda: torch.zeros(1))
    ceiling: torch.Tensor = field(default_factory=lambda: torch.full((1,), torch.inf))
    notes: tuple[str, ...] = ()
    nominal: torch.Tensor | None = None


@dataclass(frozen=True)
class Pixels:
    """Valid pixels of several parts.

    Attributes:
        hsi: [C, pixels].
        msi: [c, pixels].
        folds: for cross-validation; neighbours are mostly in the same, int64 [pixels].
    """

    hsi: torch.Tensor
    msi: torch.Tensor
    folds: torch.Tensor


def lesson(data: TrainingData, most: int, generator: torch.Generator) -> Pixels:
    """Pixels to learn from; where the response is only known roughly, every few are seen with another one.

    Args:
        data: the training data.
        most: pixels at most; small data are seen as often as it takes with other responses.
        generator: draws responses.
    """
    pixels = gather(data.train, most)
    return pixels if data.randomised is None else seen_by(data.randomised, pixels, most, generator)


def seen_by(law: RandomResponses, pixels: Pixels, most: int, generator: torch.Generator) -> Pixels:
    """The same spectra as cameras would see them whose response is only known roughly; arguments as :func:`lesson`."""
    count = pixels.hsi.shape[1]
    chosen = torch.cat([torch.randperm(count, generator=generator) for _ in range(-(-most // count))])
    chosen = chosen[: max(1, min(most, len(chosen)) // SEEN_ALIKE) * SEEN_ALIKE]
    chosen = chosen[torch.arange(-(-len(chosen) // SEEN_ALIKE) * SEEN_ALIKE) % len(chosen)]
    hsi = pixels.hsi[:, chosen]
    groups = hsi.reshape(len(hsi), -1, SEEN_ALIKE, 1).transpose(0, 1)
    msi = law.observe(groups, generator).transpose(0, 1).flatten(1)
    return Pixels(hsi, msi, pixels.folds[chosen])


def gather(parts: Sequence[TrainingPart], most: int | None = None) -> Pixels:
    """Valid pixels of some parts.

    Args:
        parts: the parts.
        most: pixels to take at most, evenly.
    """
    count = sum(int(part.valid.sum()) for part in parts)
    step = 1 if most is None else max(1, -(-count // most))
    hsi = torch.cat([part.hsi[:, part.valid] for part in parts], dim=1)[:, ::step]
    msi = torch.cat([part.msi[:, part.valid] for part in parts], dim=1)[:, ::step]
    folds = torch.cat([_folds(part.valid, number) for number, part in enumerate(parts)])[::step]
    return Pixels(hsi.contiguous(), msi.contiguous(), folds)


def _folds(valid: torch.Tensor, first: int) -> torch.Tensor:
    """Blocks in a diagonal pattern, so that every fold lies all over the image."""
    rows, cols = (torch.arange(n, device=valid.device) // FOLD_SIDE for n in valid.shape)
    return ((rows[:, None] + 2 * cols[None] + first) % FOLDS)[valid]
