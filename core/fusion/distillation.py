# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches one small network what an ensemble says on average, so that applying it costs a tenth.

(Hinton, Vinyals & Dean 2015, arXiv:1503.02531.)

    loss = mean |g(x) - mean_m f_m(x)| / sqrt(k)

x are the pixels that will be asked for, k the length of an answer. There is no truth involved and so nothing to
over-fit: the pupil only has to imitate a smooth function of a few numbers.
"""

from __future__ import annotations

import torch

from ..engine.method import Context
from .networks import BatchedLen, BatchedSin
from .training import OneCycle, train

STEPS = 1500
BATCH = 1024
CHUNK = 4096
SMOOTHING = 1e-6
"""Makes the loss round at zero, relative to the square of the data's range."""


def distil(
    ensemble: BatchedSin | BatchedLen,
    pupil: BatchedSin | BatchedLen,
    pixels: torch.Tensor,
    peak: float,
    generator: torch.Generator,
    context: Context,
) -> None:
    """Train a network on the mean of others, in place.

    Args:
        ensemble: the teachers.
        pupil: one network of the same inputs and outputs.
        pixels: what to learn on, as large as networks like it, float32 [inputs, pixels].
        peak: highest learning rate.
        generator: draws batches.
        context: is told the progress and asked whether to stop.
    """
    with torch.no_grad():
        answers = torch.cat([ensemble(part).mean(dim=0) for part in pixels.split(CHUNK, dim=1)], dim=1)
    norm = len(answers) ** 0.5

    def loss() -> torch.Tensor:
        some = torch.randint(pixels.shape[1], (BATCH,), generator=generator).to(pixels.device)
        errors = (pupil(pixels[:, some]) - answers[:, some]).square().sum(dim=1)
        return errors.add(SMOOTHING).sqrt().mean(dim=1) / norm

    train(pupil, loss, OneCycle(STEPS, peak=peak), context)
