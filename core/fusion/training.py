# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the small per-pixel networks: Adam under a linear one-cycle schedule.

    rate(e) = start + (peak - start) e / p            for e < p = warm-up share * E,
              peak - (peak - end) (e - p) / (E - p)   from then on,                       e = 1 ... E

One thread is meant (the engine sees to it): a step is so short that waking a second one costs more than it brings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..engine.method import Context
from ..errors import HyperResError
from .networks import BatchedNetwork

FIRST_MOMENT, SECOND_MOMENT, EPSILON = 0.9, 0.999, 1e-7
"""Adam as Keras sets it."""
LOOK_EVERY = 10
"""Steps between looks at the loss, the progress and the wish to cancel: some milliseconds each."""


@dataclass(frozen=True)
class OneCycle:
    """Learning rates of one training, see the module's equation.

    Attributes:
        steps: gradient steps in all (E).
        start, peak, end: rates.
        warm_up: share of the steps in which the rate rises.
    """

    steps: int
    start: float = 1e-3
    peak: float = 1e-2
    end: float = 1e-6
    warm_up: float = 0.3

    def rate(self, step: int) -> float:
        """Rate of a step, counted from 1."""
        turn = self.warm_up * self.steps
        if step < turn:
            return self.start + (self.peak - self.start) * step / turn
        return self.peak - (self.peak - self.end) * (step - turn) / (self.steps - turn)


def train(
    network: BatchedNetwork, loss: Callable[[], torch.Tensor], schedule: OneCycle, context: Context
) -> torch.Tensor:
    """Minimise a loss over the weights of a network, in place.

    Args:
        network: its ``values`` are changed.
        loss: computes the mean loss of each member, [members], with a graph; called once a step.
        schedule: learning rates.
        context: is told the progress from 0 to 1 and asked whether to stop.

    Returns:
        the loss of each member at the last look, [members].

    Raises:
        HyperResError: the loss is no finite number any more.
        Cancelled: the user asked to stop.
    """
    values = network.values.requires_grad_(False)
    values.grad = network.gradients
    adam = torch.optim.Adam([values], betas=(FIRST_MOMENT, SECOND_MOMENT), eps=EPSILON, fused=True)
    for step in range(1, schedule.steps + 1):
        adam.param_groups[0]["lr"] = schedule.rate(step)
        network.gradients.zero_()
        members = loss()
        members.sum().backward()
        adam.step()
        if step % LOOK_EVERY == 0 or step == schedule.steps:
            context.check_cancelled()
            _require_finite(members)
            context.on_progress(step / schedule.steps)
    values.grad = None
    return members.detach()


def _require_finite(losses: torch.Tensor) -> None:
    if not bool(losses.isfinite().all()):
        raise HyperResError(
            "The training of the network diverged: check both images for extreme values (nodata that is not declared, "
            "a wrong scale), or use the method 'fuse', which trains nothing."
        )


class Strata:
    """Draws small batches that see dark and bright pixels alike.

    The pixels are sorted by brightness and cut into as many equal parts as a batch has pixels; every batch holds one
    pixel of each part, so that the time of a step does not grow with the image.

    Args:
        pixels: [bands, pixels].
        size: pixels of a batch; all of them are used where there are no more.
        generator: draws.
    """

    def __init__(self, pixels: torch.Tensor, size: int, generator: torch.Generator) -> None:
        self.count, self.size, self._generator = pixels.shape[1], size, generator
        self._order = pixels.sum(dim=0).argsort() if self.count > size else None
        self._bounds = torch.linspace(0, self.count, size + 1).long()

    def draw(self) -> torch.Tensor | None:
        """Indices of one batch, or None when the batch is everything."""
        if self._order is None:
            return None
        start, sizes = self._bounds[:-1], self._bounds.diff()
        places = start + (torch.rand(self.size, generator=self._generator) * sizes).long().clamp(max=sizes - 1)
        return self._order[places.to(self._order.device)]
