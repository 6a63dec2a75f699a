# SPDX-License-Identifier: GPL-3.0-or-later
"""Training for one image: its own pairs, what judges them, and networks that come back from files as they were."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.sisr import tuning
from hyperres.core.sisr.block import Block
from hyperres.core.sisr.evidence import Trial
from hyperres.core.sisr.mcnet import McNet
from hyperres.core.sisr.network import PlaneNet
from hyperres.core.sisr.planes import PlaneSpace
from hyperres.core.sisr.reconstruct import make_blur
from hyperres.core.sisr.shipped import shipped_network
from hyperres.core.sisr.tuning import OwnScale, own_pairs, tune
from hyperres.core.sisr.upscaler import MAIN, Published, Shared, interpolated, restore_upscaler

NOTHING = torch.zeros(2)


def planes(rows, cols, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randn(count, rows // 8 + 1, cols // 8 + 1, generator=generator)
    return cells.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, :rows, :cols]


def test_pairs_of_an_image_are_itself_and_its_blurred_view():
    image = planes(96, 96)
    source = OwnScale([image], 2, 1.0, NOTHING, 20)
    batch = source.draw(6, torch.Generator().manual_seed(1))
    assert batch.low.shape == (6, 2, 20, 20) and batch.high.shape == (6, 2, 40, 40)
    blur = make_blur(2, 1.0, (20, 20), torch.device("cpu"))
    inner = np.s_[:, 3:-3, 3:-3]
    for low, high in zip(batch.low, batch.high):
        torch.testing.assert_close(blur(high)[inner], low[inner], atol=2e-3, rtol=0)
    known = {round(float(value), 4) for value in image.flatten()}
    assert {round(float(value), 4) for value in batch.high.flatten()} <= known


def test_own_pairs_have_the_noise_that_they_tell_of():
    level = torch.tensor([0.1, 0.4])
    flat = torch.zeros(2, 80, 80)
    batch = OwnScale([flat], 2, 1.0, level, 24).draw(30, torch.Generator().manual_seed(2))
    np.testing.assert_allclose(batch.low.transpose(0, 1).flatten(1).std(dim=1), level, rtol=0.05)
    np.testing.assert_allclose(batch.noise, level.expand(30, 2))


def test_what_judges_is_never_learnt_from():
    image = torch.arange(160.0)[None, :, None].expand(1, 160, 160).contiguous()  # a value tells its row
    learn, judge = own_pairs([image], 2, 1.0, torch.zeros(1))
    generator = torch.Generator().manual_seed(3)
    learnt, judged = (set(source.draw(40, generator).high.flatten().tolist()) for source in (learn, judge))
    assert max(learnt) < min(judged)
    first, second = own_pairs([torch.zeros(1, 90, 90), torch.ones(1, 90, 90)], 2, 1.0, torch.zeros(1))
    assert not first.draw(4, generator).high.any() and (second.draw(4, generator).high == 1.0).all()


def test_small_images_give_no_pairs():
    assert own_pairs([planes(20, 20)], 4, 2.0, NOTHING) == (None, None)
    assert own_pairs([], 4, 2.0, NOTHING) == (None, None)


@pytest.fixture
def scene():
    """A block of an image that is nothing but its planes, and their space."""
    values = planes(96, 96, count=8, seed=4)
    values = (values - values.mean(dim=(1, 2), keepdim=True)) / values.std(dim=(1, 2), keepdim=True)
    unit = torch.ones(8)
    noise = 0.01 * unit, 1e-4 * torch.eye(8), 1e-4 * unit
    space = PlaneSpace(torch.eye(8), torch.eye(8)[:3], 0 * unit, unit, *noise, torch.tensor(-9.0))
    return space, Block(values, torch.ones(96, 96, dtype=torch.bool), 0)


def test_a_training_that_makes_things_worse_leaves_the_network_as_it_was(scene, monkeypatch):
    space, block = scene
    rough = replace(tuning.RECIPE, steps=6, judge_every=3, images=1, rate=0.1)
    monkeypatch.setattr(tuning, "RECIPE", rough)
    network = shipped_network(2).requires_grad_(True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    progress, _ = tune(network, space, [block], 1.0, Context(torch.device("cpu")))
    assert progress.errors[-1] > progress.errors[0]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])


def _tuned(scene):
    network = PlaneNet(2, width=16, blocks=2)
    torch.manual_seed(5)
    for part in network.parameters():
        torch.nn.init.normal_(part, std=0.02)
    return Shared(network), torch.randn(1, 8, 20, 24), torch.full((8,), 0.02)


def _published(scene):
    torch.manual_seed(6)
    network = McNet(2, torch.tensor([0.2, 0.5, 0.3]), gain=3.0, features=8, units=1)
    parts = torch.eye(8)[:3], torch.zeros(8), torch.ones(8), torch.full((3,), 0.01)
    return Published(network, *parts), torch.rand(1, 8, 20, 24), torch.full((8,), 0.02)


@pytest.mark.parametrize("make", (_tuned, _published))
def test_upscalers_come_back_from_their_parts_as_they_were(scene, make):
    upscaler, low, noise = make(scene)
    header = json.loads(json.dumps(upscaler.header()))
    again = restore_upscaler(header, {name: value.clone() for name, value in upscaler.tensors().items()})
    found = upscaler.predict(low, 1.0, noise)
    assert found.shape == (1, 8, 40, 48) and again.halo == upscaler.halo
    torch.testing.assert_close(again.predict(low, 1.0, noise), found)


def test_an_unknown_upscaler_is_refused():
    with pytest.raises(ValueError, match="magic"):
        restore_upscaler({"kind": "magic", "factor": 2}, {})


def test_planes_behind_the_main_ones_do_better_than_interpolation_as_well():
    """They take the linear guess, which knows the blur."""
    fine = planes(160, 160, count=MAIN + 2, seed=7)
    blur = make_blur(2, 1.0, (80, 80), torch.device("cpu"))
    low, inner = blur(fine), np.s_[16:-16, 16:-16]
    found = Shared(shipped_network(2)).predict(low[None], 1.0, torch.full((MAIN + 2,), 0.01))[0]
    cubic = interpolated(low, 2)
    errors = [(guess - fine)[MAIN:][(slice(None), *inner)].square().mean() for guess in (found, cubic)]
    assert errors[0] < 0.7 * errors[1]


def test_the_gain_of_a_trial_is_in_decibels():
    assert Trial(cubic=0.1, result=0.05, cubic_sam=2.0, result_sam=1.0, said=0.05).gain == pytest.approx(6.02, abs=0.01)
