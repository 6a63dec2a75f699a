# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: the best is kept, a crash costs nothing, nonsense ends it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled
from hyperres.core.learning import DivergenceError, Keeper, Progress, Recipe, Training

CPU = torch.device("cpu")
TRUTH = torch.tensor([[2.0, -1.0, 0.5]])
RECIPE = Recipe(steps=60, rate=0.3, average=5, judge_every=10)


class Kept:
    """A state in memory."""

    def __init__(self, state: dict[str, torch.Tensor] | None = None) -> None:
        self.state = state

    def load(self) -> dict[str, torch.Tensor] | None:
        return self.state

    def save(self, state: dict[str, torch.Tensor]) -> None:
        self.state = state


def training(is_cancelled=lambda: False) -> Training:
    torch.manual_seed(3)
    network = nn.Linear(3, 1, bias=False)
    return Training(network, lambda judged: distance(judged), RECIPE, Context(CPU, 7, is_cancelled=is_cancelled))


def distance(network: nn.Module) -> float:
    return float((network.weight.detach() - TRUTH).norm())


def go(run: Training, keeper: Keeper | None = None, end=lambda step: None) -> Progress:
    def loss(generator: torch.Generator) -> torch.Tensor:
        end(run.step)
        inputs = torch.randn(8, 3, generator=generator)
        return (run.network(inputs) - inputs @ TRUTH.T).square().mean()

    return run.whole(loss, keeper=keeper)


def test_a_linear_law_is_learned_and_the_best_is_kept() -> None:
    run = training()
    progress = go(run)
    assert progress.errors[progress.best] < 0.2 * progress.errors[0]
    assert distance(run.network) == pytest.approx(min(progress.errors))


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights() -> None:
    class CutOffError(Exception):
        pass

    def end(step: int) -> None:
        if step == 35:
            raise CutOffError

    whole, cut, kept = training(), training(), Kept()
    expected = go(whole)
    with pytest.raises(CutOffError):
        go(cut, kept, end)
    again = training()
    found = go(again, kept)
    assert found == expected
    assert torch.equal(again.network.weight, whole.network.weight)


def test_a_loss_that_is_no_number_ends_the_training_and_the_best_can_be_had() -> None:
    run = training()

    def loss(generator: torch.Generator) -> torch.Tensor:
        scale = float("nan") if run.step > 30 else 1.0
        return scale * (run.network(torch.eye(3)) - TRUTH.T).square().mean()

    with pytest.raises(DivergenceError, match="extreme values"):
        run.whole(loss)
    run.take_best()
    assert distance(run.network) == pytest.approx(min(run.progress.errors))
    assert len(run.progress.errors) == 4


@pytest.mark.parametrize("last_good", [30, 34])
def test_what_is_no_number_reaches_neither_the_weights_nor_what_is_kept(last_good: int) -> None:
    run, kept = training(), Kept()

    def loss(generator: torch.Generator) -> torch.Tensor:
        scale = float("nan") if run.step > last_good else 1.0
        return scale * (run.network(torch.eye(3)) - TRUTH.T).square().mean()

    with pytest.raises(DivergenceError):
        run.whole(loss, keeper=kept)
    assert run.step == last_good + 1
    assert bool(run.network.weight.isfinite().all())
    assert kept.state is not None and int(kept.state["steps"][-1]) == 30
    assert all(bool(value.isfinite().all()) for name, value in kept.state.items() if name != "generator")


def test_a_judgement_that_is_no_number_is_not_kept() -> None:
    errors = iter([1.0, float("nan")])
    run, kept = Training(nn.Linear(3, 1, bias=False), lambda judged: next(errors), RECIPE, Context(CPU, 7)), Kept()
    with pytest.raises(DivergenceError):
        go(run, kept)
    assert run.progress.errors == [1.0] and kept.state is None


def test_a_wish_to_stop_is_heard() -> None:
    with pytest.raises(Cancelled):
        go(training(is_cancelled=lambda: True))
