# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled, HyperResError
from hyperres.core.fusion.networks import BatchedLen, BatchedSin
from hyperres.core.fusion.training import OneCycle, Strata, train

CPU = torch.device("cpu")


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_schedule_rises_for_30_percent_and_falls_to_its_end():
    cycle = OneCycle(2500)
    assert cycle.rate(1) == pytest.approx(1e-3 + 9e-3 / 750)
    assert cycle.rate(375) == pytest.approx(5.5e-3)
    assert cycle.rate(750) == 1e-2
    assert cycle.rate(1625) == pytest.approx((1e-2 + 1e-6) / 2)
    assert cycle.rate(2500) == pytest.approx(1e-6)


def test_the_first_step_of_adam_moves_every_weight_by_the_rate():
    network = BatchedLen(2, 3, 2, rng(), width=8)
    before, pixels = network.values.clone(), torch.rand(2, 50, generator=rng(1))
    train(network, lambda: network(pixels).mean(dim=(1, 2)), OneCycle(1, start=1e-3, peak=1e-3, end=1e-3), Context(CPU))
    moved = network.values - before
    assert torch.allclose(moved[network.gradients != 0].abs(), torch.tensor(1e-3), rtol=1e-2)
    assert not moved[network.gradients == 0].any()


def test_members_trained_together_end_where_they_would_alone():
    pixels = torch.rand(3, 64, generator=rng(2))
    target = torch.stack([pixels.prod(dim=0), pixels.max(dim=0).values])
    together = BatchedSin(3, 2, 2, rng(3), width=8)
    alone = BatchedSin(3, 2, 1, width=8)
    for (both_w, both_b), (one_w, one_b) in zip(together.views(), alone.views()):
        one_w.copy_(both_w[1:])
        one_b.copy_(both_b[1:])
    for network in (together, alone):
        train(network, lambda n=network: (n(pixels) - target).abs().mean(dim=(1, 2)), OneCycle(40), Context(CPU))
    assert torch.allclose(together(pixels)[1], alone(pixels)[0], atol=2e-3)


def test_a_network_learns_a_curved_map():
    pixels = torch.rand(2, 500, generator=rng(4))
    target = (pixels[:1] * pixels[1:]).sqrt()
    network = BatchedSin(2, 1, 2, rng(5), width=16)
    loss = train(network, lambda: (network(pixels) - target).abs().mean(dim=(1, 2)), OneCycle(300), Context(CPU))
    assert float(loss.max()) < 0.02  # a plane leaves 0.05


def test_a_loss_that_is_no_number_is_told_in_words():
    network = BatchedLen(1, 1, 1, rng(), width=4)
    pixels = torch.tensor([[1.0, float("inf")]])
    with pytest.raises(HyperResError, match="diverged"):
        train(network, lambda: network(pixels).abs().mean(dim=(1, 2)), OneCycle(100), Context(CPU))


def test_cancelling_is_heard_within_a_second():
    started = time.monotonic()
    context = Context(CPU, is_cancelled=lambda: time.monotonic() - started > 0.2)
    network, pixels = BatchedSin(4, 200, 1, rng()), torch.rand(4, 1000, generator=rng())
    with pytest.raises(Cancelled):
        train(network, lambda: network(pixels).abs().mean(dim=(1, 2)), OneCycle(10**6), context)
    assert time.monotonic() - started < 1.2


def test_progress_goes_from_nothing_to_all():
    told = []
    network, pixels = BatchedLen(2, 1, 1, rng(), width=4), torch.rand(2, 10, generator=rng())
    train(network, lambda: network(pixels).abs().mean(dim=(1, 2)), OneCycle(35), Context(CPU, on_progress=told.append))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_batch_holds_one_pixel_of_every_level_of_brightness():
    pixels = torch.rand(2, 1000, generator=rng(6))
    strata = Strata(pixels, 50, rng(7))
    rank = pixels.sum(dim=0).argsort().argsort()
    for _ in range(20):
        assert torch.equal(rank[strata.draw()] // 20, torch.arange(50))


def test_over_many_batches_every_pixel_takes_part():
    strata = Strata(torch.rand(1, 97, generator=rng(8)), 10, rng(9))
    seen = torch.stack([strata.draw() for _ in range(500)])
    assert len(seen.unique()) == 97


def test_few_pixels_are_all_used():
    assert Strata(torch.rand(1, 30), 50, rng()).draw() is None
