# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that trains a network: averaged weights, pairs held out that judge them, and a state that outlives a crash.

Adam minimises a loss under a one-cycle schedule; what is judged and kept is the running average of the weights, which
follows the last few hundred steps. It is judged now and then, the first time before any step: the best that was seen is
kept, so that further training never ends worse than it began.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from .engine.method import Context
from .errors import HyperResError

LOOK_EVERY = 10
"""Steps between reports of progress."""
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
        errors: what the judge said then.
        best: index of the least of them, whose weights were kept.
    """

    steps: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Index of the least error."""
        return min(range(len(self.errors)), key=self.errors.__getitem__)


class Keeper(Protocol):
    """Where the state of a training outlives a crash."""

    def load(self) -> dict[str, torch.Tensor] | None:
        """The state that was saved last, if any."""
        ...

    def save(self, state: dict[str, torch.Tensor]) -> None:
        """Save a state in place of the one before."""
        ...


class Training:
    """A network, what it learned, and how it is being taught.

    Args:
        network: to train in place.
        judge: error of a network on pairs that it is not trained on.
        recipe: how long and how fast.
        context: device, seed, progress and the wish to stop.

    Attributes:
        average: the averaged network.
        progress: the judgements so far.
        step: gradient steps so far.
    """

    def __init__(
        self, network: nn.Module, judge: Callable[[nn.Module], float], recipe: Recipe, context: Context
    ) -> None:
        self.network = network.to(context.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.progress = Progress()
        self.step = 0
        self._judge, self._recipe, self._context = judge, recipe, context
        self._best = copy.deepcopy(self.average.state_dict())
        self._learned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self._adam = torch.optim.Adam(self._learned, lr=recipe.rate)
        self._generator = context.generator()

    def whole(
        self,
        loss: Callable[[torch.Generator], torch.Tensor],
        on_judged: Callable[[nn.Module, Progress], None] = lambda network, progress: None,
        keeper: Keeper | None = None,
    ) -> Progress:
        """Train to the end; the weights of the best judgement are then in the network.

        Args:
            loss: of the network on pairs drawn with the generator.
            on_judged: called after each judgement but the first, with the averaged network.
            keeper: is asked for a state to go on from, and given one after each judgement.

        Raises:
            DivergenceError: losses or errors are no finite numbers any more; nothing was learned from them.
            Cancelled: the user asked to stop.
        """
        kept = keeper.load() if keeper else None
        if kept is not None:
            self._restore(kept)
        else:
            self._judged()
        recipe = self._recipe
        while self.step < recipe.steps and self._since_best() < recipe.patience:
            self._go(loss)
            if self.step % recipe.judge_every == 0 or self.step == recipe.steps:
                self._judged()
                on_judged(self.average, self.progress)
                if keeper is not None:
                    keeper.save(self._state())
        self.network.load_state_dict(self._best)
        return self.progress

    def take_best(self) -> None:
        """Put the weights of the best judgement into the network; for a training that had to end early."""
        self.network.load_state_dict(self._best)

    def _go(self, loss: Callable[[torch.Generator], torch.Tensor]) -> None:
        """One gradient step."""
        self.step += 1
        self._adam.param_groups[0]["lr"] = self._recipe.rate_at(self.step)
        self._adam.zero_grad(set_to_none=True)
        value = loss(self._generator)
        value.backward()
        steepness = nn.utils.clip_grad_norm_(self._learned, LARGEST_NORM)
        _require_finite(float(value.detach() + steepness))  # before it reaches the weights
        self._adam.step()
        self._follow(1.0 / min(self.step, self._recipe.average))
        self._context.check_cancelled()
        if self.step % LOOK_EVERY == 0:
            self._context.on_progress(self.step / self._recipe.steps)

    @torch.no_grad()
    def _follow(self, share: float) -> None:
        """Move averaged weights a share of the way to the present ones."""
        for kept, now in zip(self.average.parameters(), self.network.parameters()):
            kept.lerp_(now, share)

    def _judged(self) -> None:
        error = self._judge(self.average)
        _require_finite(error)  # before anything of it is kept
        self.progress.steps.append(self.step)
        self.progress.errors.append(error)
        if self._since_best() == 0:
            self._best = copy.deepcopy(self.average.state_dict())

    def _since_best(self) -> int:
        """Judgements since the best."""
        return len(self.progress.errors) - 1 - self.progress.best

    def _state(self) -> dict[str, torch.Tensor]:
        """All that the rest of the training depends on."""
        parts = {"now": self.network.state_dict(), "average": self.average.state_dict(), "best": self._best}
        state = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        for at, parameter in enumerate(self._learned):
            state.update({f"adam.{at}.{name}": value for name, value in self._adam.state[parameter].items()})
        state["generator"] = self._generator.get_state()
        state["steps"] = torch.tensor(self.progress.steps)
        state["errors"] = torch.tensor(self.progress.errors, dtype=torch.float64)
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    def _restore(self, state: dict[str, torch.Tensor]) -> None:
        def part(start: str) -> dict[str, torch.Tensor]:
            return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}

        self.network.load_state_dict(part("now."))
        self.average.load_state_dict(part("average."))
        self._best = {name: value.to(self._context.device) for name, value in part("best.").items()}
        for at, parameter in enumerate(self._learned):
            own = part(f"adam.{at}.")
            self._adam.state[parameter] = {
                name: value if name == "step" else value.to(self._context.device) for name, value in own.items()
            }
        self._generator.set_state(state["generator"])
        self.progress = Progress(state["steps"].tolist(), state["errors"].tolist())
        self.step = self.progress.steps[-1]


def half_is_fast(device: torch.device) -> bool:
    """Tell whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # absent in some versions
    return device.type == "cpu" and probe is not None and bool(probe())


def _require_finite(value: float) -> None:
    if not math.isfinite(value):
        raise DivergenceError(
            "The training of the network diverged: check the image for extreme values (nodata that is not declared, a "
            "wrong scale), or use a mode that trains nothing."
        )


class DivergenceError(HyperResError):
    """Losses or errors that are no finite numbers any more."""
