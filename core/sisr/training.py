# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of networks that make planes finer, from nothing or further, on pairs that are made up as it goes.

Adam minimises the mean absolute error under a one-cycle schedule; what is judged and kept is the running average of the
weights, which follows the last few hundred steps. Pairs that are never trained on judge it now and then, the first time
before any step: the best that was seen is kept, so further training never ends worse than it began.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from ..engine.method import Context
from ..errors import HyperResError
from .pairs import PairBatch
from .sources import Source

LOOK_EVERY = 10
"""Steps between looks at the progress and the wish to cancel."""
LARGEST_NORM = 1.0
"""Gradients are shortened to it; a rare patch does not upset the training."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    Attributes:
        steps: gradient steps.
        images: per step.
        rate: highest learning rate.
        warm_up: share of the steps in which the rate rises.
        falls: whether it falls as a cosine from then on.
        average: steps over which weights are averaged.
        judge_every: steps between judgements.
        patience: judgements without a new best after which to stop.
        half_precision: whether to compute in bfloat16 where the device is fast at it.
    """

    steps: int = 3000
    images: int = 8
    rate: float = 2e-3
    warm_up: float = 0.05
    falls: bool = True
    average: int = 200
    judge_every: int = 250
    patience: int = 1000
    half_precision: bool = True

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 1."""
        turn = max(1.0, self.warm_up * self.steps)
        if step < turn:
            return self.rate * step / turn
        if not self.falls:
            return self.rate
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * (step - turn) / max(1.0, self.steps - turn)))


@dataclass
class Progress:
    """What a training was seen to do.

    Attributes:
        steps: when it was judged.
        errors: root mean square error of the held-out pairs then, in standard deviations of a plane.
        best: index of the least of them, whose weights were kept.
    """

    steps: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Index of the least error."""
        return min(range(len(self.errors)), key=self.errors.__getitem__)


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
        the judgements; the weights of the best are in ``network``.

    Raises:
        HyperResError: the loss is no finite number any more.
        Cancelled: the user asked to stop.
    """
    network.to(context.device)
    average = copy.deepcopy(network).requires_grad_(False)
    best = copy.deepcopy(average.state_dict())
    progress = Progress([0], [root_mean_square(average, held_out, context)])
    adam = torch.optim.Adam(network.parameters(), lr=recipe.rate)
    generator = context.generator()
    for step in range(1, recipe.steps + 1):
        adam.param_groups[0]["lr"] = recipe.rate_at(step)
        loss = _step(network, adam, source.draw(recipe.images, generator), recipe.half_precision, context)
        _follow(average, network, 1.0 / min(step, recipe.average))
        if step % LOOK_EVERY == 0:
            context.check_cancelled()
            _require_finite(loss)
            context.on_progress(step / recipe.steps)
        if step % recipe.judge_every == 0 or step == recipe.steps:
            progress.steps.append(step)
            progress.errors.append(root_mean_square(average, held_out, context))
            if progress.best == len(progress.errors) - 1:
                best = copy.deepcopy(average.state_dict())
            on_judged(average, progress)
            if len(progress.errors) - 1 - progress.best >= recipe.patience:
                break
    network.load_state_dict(best)
    return progress


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


def _step(network: nn.Module, adam: torch.optim.Adam, batch: PairBatch, half: bool, context: Context) -> torch.Tensor:
    """One gradient step; the loss."""
    low, high, sigma, noise = (
        part.to(context.device, non_blocking=True) for part in (batch.low, batch.high, batch.sigma, batch.noise)
    )
    with torch.autocast(context.device.type, torch.bfloat16, enabled=half and half_is_fast(context.device)):
        found = network(low, sigma, noise)
    loss = (found.float() - high).abs().mean()
    adam.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
    adam.step()
    return loss.detach()


def half_is_fast(device: torch.device) -> bool:
    """Tell whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # absent in some versions
    return device.type == "cpu" and probe is not None and bool(probe())


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move averaged weights a share of the way to the present ones."""
    for kept, now in zip(average.parameters(), network.parameters()):
        kept.lerp_(now, share)


def _require_finite(loss: torch.Tensor) -> None:
    if not bool(loss.isfinite()):
        raise HyperResError(
            "The training of the network diverged: check the image for extreme values (nodata that is not declared, a "
            "wrong scale), or use the mode 'fast', which trains nothing."
        )
