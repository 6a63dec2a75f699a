# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectraMorph, refined: its network predicts coefficients of the spectral subspace, as an ensemble.

The published network (arXiv:2510.20814) predicts weights of endmembers from a non-negative factorisation. Singular
vectors span the same space better, so the refined network, a quarter as wide, predicts their coefficients, trained as
in :mod:`core.fusion.refined`. The endmembers remain for people to look at: what they make of the fused image is solved
for afterwards, under the constraints that would harm the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..engine.method import Context
from .networks import BatchedLen, BatchedSin
from .nmf import factorise
from .pair import PairBlock
from .refined import Lesson, Recipe, Trained, fit_ensemble

WIDTH = 256
FACTORED = 4096
"""Coarse pixels from which endmembers are taken."""


def _make(inputs: int, outputs: int, members: int, generator: torch.Generator) -> BatchedSin | BatchedLen:
    return BatchedLen(inputs, outputs, members, generator, WIDTH)


# one hidden layer learns slowly at the published rate and stays stable at four times as much
RECIPE = Recipe(_make, _make, members=3, steps=(600, 1500), peak=4e-2)


def fit_len(lesson: Lesson, generator: torch.Generator, context: Context) -> Trained:
    """Train the ensemble.

    Args:
        lesson: what to learn from.
        generator: draws first weights, batches and noise.
        context: is told the progress and asked whether to stop.
    """
    return fit_ensemble(lesson, RECIPE, generator, context)


def find_endmembers(blocks: Sequence[PairBlock], count: int, context: Context) -> torch.Tensor:
    """Spectra of which coarse pixels are non-negative mixtures, float32 [count, bands].

    Args:
        blocks: parts of the pair.
        count: how many.
        context: is asked whether to stop.
    """
    pixels = torch.cat([block.hsi[:, block.hsi_valid] for block in blocks], dim=1).T
    some = torch.linspace(0, len(pixels) - 1, min(FACTORED, len(pixels))).long().to(pixels.device)
    return factorise(pixels[some].clamp_min(0.0).contiguous(), min(count, len(some), pixels.shape[1]), context)
