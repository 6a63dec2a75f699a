# SPDX-License-Identifier: GPL-3.0-or-later
"""The losses by hand, and that only the robust one holds the response to the data."""

import math

import pytest
import torch

from hyperres.core.ssr.losses import mean_angle, paper_loss, robust_loss
from hyperres.core.ssr.unfolding import Estimate, PaperNet

NETWORK = PaperNet(5, 2, stages=2)  # only its way from coordinates to bands matters, which changes nothing


def scene():
    x = 0.2 + torch.rand(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    r = torch.tensor([[0.2, 0.3, 0.4, 0.1, 0.0], [0.0, 0.1, 0.2, 0.3, 0.4]])
    return x, r[None], torch.einsum("kc,bcij->bkij", r, x)


def test_the_angle_is_the_known_one():
    one = torch.tensor([1.0, 0.0])[None, :, None, None]
    for degrees in (30, 90, 150):
        turned = 3 * torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
        assert float(mean_angle(one, turned[None, :, None, None])) == pytest.approx(math.radians(degrees), rel=1e-5)


def test_the_truth_costs_next_to_nothing_and_its_slope_is_finite():
    x, r, y = scene()
    guess = x.clone().requires_grad_()
    loss = robust_loss(NETWORK, Estimate((guess, guess), r), x, y)
    loss.backward()
    rough = float(r.diff(n=2, dim=-1).square().sum())
    assert float(loss.detach()) == pytest.approx(1e-3 * rough + 0.1 * math.acos(1 - 1e-6), abs=1e-5)
    assert bool(guess.grad.isfinite().all())


def test_parts_add_up():
    x, r, y = scene()
    first, last = x + 0.3, 1.5 * x  # the same angles as the truth
    found = Estimate((first, last), r * 1.1)
    paper = float((0.5 * x).mean()) + 0.1 * math.acos(1 - 1e-6)
    assert float(paper_loss(NETWORK, found, x)) == pytest.approx(paper, abs=2e-5)
    rough = float((1.1 * r).diff(n=2, dim=-1).square().sum())
    expected = paper + 0.1 * 0.3 + float((0.1 * y).mean()) + 1e-3 * rough
    assert float(robust_loss(NETWORK, found, x, y)) == pytest.approx(expected, abs=2e-5)


def test_a_wrong_response_costs_something_in_the_robust_loss_only():
    x, r, y = scene()
    right, wrong = Estimate((x, x), r), Estimate((x, x), r.flip(1))
    assert float(paper_loss(NETWORK, wrong, x)) == float(paper_loss(NETWORK, right, x))
    assert float(robust_loss(NETWORK, wrong, x, y)) > float(robust_loss(NETWORK, right, x, y)) + 0.01
