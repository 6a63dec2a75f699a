# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of unfolded networks: what patches are, and that unseen ground is told better than at the start."""

from dataclasses import replace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.ssr.contest import fit_simple
from hyperres.core.ssr.factory import make_network
from hyperres.core.ssr.pairs import TrainingData, TrainingPart
from hyperres.core.ssr.training import RECIPE, Patches, root_mean_square, settle, train_network

CPU = torch.device("cpu")
NM = torch.linspace(450, 900, 24)


def part(seed, response):
    """Fields with a hump that no band sees, as high as the field is bright; pixels scatter about that."""
    generator = torch.Generator().manual_seed(seed)
    field = torch.rand(1, 10, 12, generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2)
    level = field + 0.1 * torch.randn(field.shape, generator=generator)
    hump = torch.exp(-0.5 * ((NM - 780) / 25) ** 2)[:, None, None]
    hsi = 0.3 + 0.3 * level * (1 + 0.2 * (NM[:, None, None] - 675) / 225) + 0.3 * field * hump
    return TrainingPart(hsi, torch.einsum("cb,bij->cij", response, hsi), torch.ones(40, 48, dtype=torch.bool))


@pytest.fixture(scope="module")
def data():
    response = torch.stack([torch.exp(-0.5 * ((NM - centre) / 20) ** 2) for centre in (480.0, 560.0, 650.0)])
    response = response / response.sum(dim=1, keepdim=True)
    tables = [
        BandTable(tuple(f"{nm:.0f}" for nm in row), (True,) * len(row), tuple(row))
        for row in (NM.tolist(), [480.0, 560.0, 650.0])
    ]
    parts = [part(seed, response) for seed in range(3)]
    return TrainingData(
        tuple(parts[:2]), tuple(parts[2:]), *tables, response, 0.99 * response, 1.01 * response, torch.full((3,), 1e-8)
    )


def untrained(data):
    context = Context(CPU, 3)
    return make_network(data, fit_simple(data, context, "ridge")[0][0], context)


def test_patches_are_pairs_and_invalid_pixels_tell_nothing_new(data):
    holed = data.train[0].valid.clone()
    holed[5:20, 5:30] = False
    wrong = torch.where(holed, data.train[0].hsi, torch.tensor(1e6))
    hsi, msi = Patches(replace(data, train=(replace(data.train[0], hsi=wrong, valid=holed),)), CPU).draw(
        12, torch.Generator().manual_seed(1)
    )
    assert hsi.shape == (12, 24, 32, 32) and msi.shape == (12, 3, 32, 32)
    assert float(hsi.max()) < 2.0  # numbers of invalid pixels are nowhere
    valid = (torch.einsum("cb,nbij->ncij", data.response, hsi) - msi).abs().amax(dim=1) < 1e-5
    assert valid.float().mean() > 0.5


def test_ground_that_was_never_seen_is_told_better_after_training(data):
    network = untrained(data)
    before = root_mean_square(network.eval(), data.held)
    recipe = replace(RECIPE, steps=100, images=8, judge_every=25, average=20)
    progress = train_network(network, data, recipe, Context(CPU, 3))
    after = root_mean_square(network.eval(), data.held)
    assert progress.errors[0] == pytest.approx(before, rel=1e-4)
    assert after == pytest.approx(min(progress.errors), rel=1e-3)
    assert after < 0.92 * before


def test_the_same_seed_trains_the_same_network(data):
    made = []
    for _ in range(2):
        network = untrained(data)
        train_network(network, data, replace(RECIPE, steps=6, images=2, judge_every=3), Context(CPU, 3))
        made.append(network.state_dict())
    assert all(torch.equal(values, made[1][name]) for name, values in made[0].items())


def test_training_computes_as_training_does(data):
    """In half precision where that is fast, which networks that are applied never are."""
    network, modes = untrained(data), []
    network.stages[0].z_net.register_forward_hook(lambda *_: modes.append((network.training, torch.is_grad_enabled())))
    train_network(network, data, replace(RECIPE, steps=2, images=2, judge_every=2), Context(CPU, 3))
    assert modes.count((True, True)) == 2 and (False, True) not in modes


def test_an_image_is_trusted_as_far_as_its_noise_allows(data):
    """Without noise what the start gets wrong is mended; noise as large as that is not taken over."""
    trusted, generator = [], torch.Generator().manual_seed(0)
    for noise in (0.0, 0.03):
        parts = [
            replace(part, msi=part.msi + noise * torch.randn(part.msi.shape, generator=generator))
            for part in (*data.train, *data.held)
        ]
        noisy = replace(data, train=tuple(parts[:2]), held=tuple(parts[2:]))
        network = untrained(noisy).eval()
        settle(network, noisy.held)
        trusted.append(network.stages[-1].log_mu.exp().item())
    assert trusted[0] < 0.05 < trusted[1]
