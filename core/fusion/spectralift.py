# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectraLift, refined: its network predicts coefficients of the spectral subspace, as an ensemble.

The published network (arXiv:2507.13339) with as many outputs as the subspace has dimensions instead of bands, trained
as in :mod:`core.fusion.refined`.
"""

from __future__ import annotations

import torch

from ..engine.method import Context
from .networks import BatchedLen, BatchedSin
from .refined import Lesson, Recipe, Trained, fit_ensemble

PUPIL_WIDTH = 24


def _pupil(inputs: int, outputs: int, members: int, generator: torch.Generator) -> BatchedSin | BatchedLen:
    return BatchedSin(inputs, outputs, members, generator, PUPIL_WIDTH)


RECIPE = Recipe(BatchedSin, _pupil, members=3, steps=(600, 900))


def fit_sin(lesson: Lesson, generator: torch.Generator, context: Context) -> Trained:
    """Train the ensemble.

    Args:
        lesson: what to learn from.
        generator: draws first weights, batches and noise.
        context: is told the progress and asked whether to stop.
    """
    return fit_ensemble(lesson, RECIPE, generator, context)
