# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of networks that make planes finer, from nothing or further, on pairs that are made up as it goes.

The loss is the mean absolute error; pairs that are never trained on judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..engine.method import Context
from ..learning import Progress, Recipe, Training, half_is_fast
from .pairs import PairBatch
from .sources import Source


def train(
    network: nn.Module,
    source: Source,
    held_out: Sequence[PairBatch],
    recipe: Recipe,
    context: Context,
    on_judged: Callable[[nn.Module, Progress], None] = lambda network, progress: None,
) -> Progress:
    """Train a network in place.

    Args:
        network: called with planes, sigma and noise, see :class:`~.network.PlaneNet`.
        source: makes up pairs.
        held_out: pairs that judge it.
        recipe: how long and how fast.
        context: device, seed, progress and the wish to stop.
        on_judged: called after each judgement with the averaged network.

    Returns:
        the judgements, root mean square errors in standard deviations of a plane; the weights of the best are in
        ``network``.

    Raises:
        HyperResError: the loss is no finite number any more.
        Cancelled: the user asked to stop.
    """

    def loss(generator: torch.Generator) -> torch.Tensor:
        return _loss(network, source.draw(recipe.images, generator), recipe.half_precision, context.device)

    training = Training(network, lambda judged: root_mean_square(judged, held_out, context), recipe, context)
    return training.whole(loss, on_judged)


@torch.no_grad()
def root_mean_square(network: nn.Module, batches: Sequence[PairBatch], context: Context) -> float:
    """Root mean square error over all planes and pixels."""
    squares, count = 0.0, 0
    for batch in batches:
        found = network(*(part.to(context.device) for part in (batch.low, batch.sigma, batch.noise)))
        squares += float((found - batch.high.to(context.device)).square().sum())
        count += batch.high.numel()
        context.check_cancelled()
    return math.sqrt(squares / max(count, 1))


def _loss(network: nn.Module, batch: PairBatch, half: bool, device: torch.device) -> torch.Tensor:
    low, high, sigma, noise = (
        part.to(device, non_blocking=True) for part in (batch.low, batch.high, batch.sigma, batch.noise)
    )
    with torch.autocast(device.type, torch.bfloat16, enabled=half and half_is_fast(device)):
        found = network(low, sigma, noise)
    return (found.float() - high).abs().mean()
