# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled
from hyperres.core.fusion import network_prior, refined
from hyperres.core.fusion.network_prior import NetworkPrior
from hyperres.core.fusion.networks import BatchedLen, BatchedSin
from hyperres.core.fusion.pair import PairBlock, Placement
from hyperres.core.fusion.refined import Recipe, fit_ensemble, gather
from hyperres.core.fusion.spectralift import RECIPE as SIN
from hyperres.core.fusion.spectramorph import RECIPE as LEN
from hyperres.core.fusion.spectramorph import find_endmembers
from hyperres.core.fusion.subspace import fit_subspace
from hyperres.core.physics.upsample import blend

CPU = torch.device("cpu")
CONTEXT = Context(CPU)
BOTH = pytest.mark.parametrize("recipe", [replace(SIN, steps=(300,)), replace(LEN, steps=(600,))], ids=["sin", "len"])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make_pair(bands_seen=3, factor=1.0, patch=4):
    """Patches of mixtures of four spectra, seen coarsely by 24 bands and finely by a few; ratio 4."""
    axis = torch.linspace(0, 1, 24)
    spectra = torch.stack([0.2 + 0.6 * axis, 0.8 - 0.5 * axis, 0.3 + 0.2 * torch.sin(6 * axis), axis**3])
    shares = torch.rand(4, 64 // patch, 64 // patch, generator=rng())
    shares = shares.repeat_interleave(patch, 1).repeat_interleave(patch, 2)
    shares = shares * (0.5 + torch.rand(4, 64, 64, generator=rng(1)))
    fine = factor * torch.einsum("eb,exy->bxy", spectra, shares / shares.sum(dim=0))
    response = torch.eye(bands_seen).repeat_interleave(24 // bands_seen, dim=1) / (24 // bands_seen)
    msi = torch.tensordot(response, fine, dims=1)
    coarse = torch.nn.functional.avg_pool2d(fine, 4)
    valid = [torch.ones(cube.shape[1:], dtype=torch.bool) for cube in (coarse, msi)]
    return fine, PairBlock(coarse, valid[0], msi, valid[1], Placement(4, 4)), response


def lesson_of(block, response, noise=1e-6):
    subspace = fit_subspace(block.hsi.flatten(1).T)
    return subspace, gather([block], subspace, response, torch.full((len(response),), noise), rng(5))


def predict(prior, block, subspace):
    context = None
    if prior.context_planes:
        coarse = subspace.project(block.hsi)[: prior.context_planes]
        context = blend(coarse, block.placement, block.fine_shape).flatten(1)
    return subspace.expand(prior.predict(block.msi.flatten(1), context).view(-1, *block.fine_shape))


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean() / b.square().amax()))


@BOTH
@pytest.mark.parametrize("factor", [1.0, 3000.0])
def test_fine_spectra_are_recovered_whatever_the_unit(recipe, factor):
    fine, block, response = make_pair(factor=factor)
    subspace, lesson = lesson_of(block, response, 1e-6 * factor**2)
    prior = fit_ensemble(lesson, recipe, rng(2), CONTEXT).prior
    nearest = block.hsi.repeat_interleave(4, 1).repeat_interleave(4, 2)
    fused = predict(prior, block, subspace)
    assert psnr(fused, fine) > psnr(nearest, fine) + 6.0
    seen = torch.tensordot(response, fused, dims=1)
    assert psnr(seen, block.msi) > 35.0


@BOTH
def test_a_pan_band_is_helped_by_the_coarse_pixels(recipe, monkeypatch):
    fine, block, response = make_pair(bands_seen=1, patch=16)
    subspace, lesson = lesson_of(block, response)
    told = fit_ensemble(lesson, recipe, rng(2), CONTEXT).prior
    assert told.context_planes == lesson.context_planes > 0
    monkeypatch.setattr(refined, "PAN_PLANES", 0)
    untold = fit_ensemble(lesson_of(block, response)[1], recipe, rng(2), CONTEXT).prior
    assert psnr(predict(told, block, subspace), fine) > psnr(predict(untold, block, subspace), fine) + 2.0
    with pytest.raises(ValueError, match="coarse"):
        told.predict(block.msi.flatten(1))


def test_the_lesson_says_what_the_msi_sees_of_the_coarse_pixels():
    _, block, response = make_pair()
    lesson = lesson_of(block, response)[1]
    seen = torch.tensordot(response, block.hsi, dims=1)
    assert torch.allclose(lesson.seen, seen.flatten(1), atol=1e-6)
    assert torch.allclose(lesson.response @ lesson.target + lesson.grey[:, None], lesson.seen, atol=2e-3)
    assert torch.allclose(lesson.seen_mean.view_as(seen)[:, 3:6, 6:9].std(dim=(1, 2)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(lesson.seen_mean.view_as(seen)[:, 4, 7], seen[:, 3:6, 6:9].mean(dim=(1, 2)), atol=1e-6)
    assert 0.15 < float(lesson.aside.float().mean()) < 0.35


def test_invalid_pixels_teach_nothing():
    _, block, response = make_pair()
    spoilt = replace(block, hsi=block.hsi.clone(), msi=block.msi.clone())
    spoilt.hsi_valid[2, 3] = spoilt.msi_valid[10:20] = False
    spoilt.hsi[:, 2, 3], spoilt.msi[:, 10:20] = 1e6, -1e6
    subspace = fit_subspace(spoilt.hsi[:, spoilt.hsi_valid].T)
    lesson = gather([spoilt], subspace, response, torch.zeros(3), rng())
    assert lesson.seen.shape[1] == 255
    for pixels in (lesson.seen, lesson.seen_mean, lesson.fine):
        assert float(pixels.abs().max()) < 2.0


def test_where_there_is_nothing_to_learn_training_stays_short():
    _, block, response = make_pair()
    lesson = lesson_of(block, response)[1]
    shuffled = replace(lesson, target=lesson.target[:, torch.randperm(256, generator=rng(7))])
    told = []
    recipe = Recipe(BatchedSin, BatchedSin, 1, (20, 800))
    fit_ensemble(shuffled, recipe, rng(), Context(CPU, on_message=told.append))
    fit_ensemble(lesson, recipe, rng(), Context(CPU, on_message=told.append))
    assert " 20 steps" in told[0]
    assert " 800 steps" in told[1]


def test_the_pilot_has_not_seen_what_was_kept_aside():
    _, block, response = make_pair()
    lesson = lesson_of(block, response)[1]
    recipe = Recipe(BatchedLen, BatchedLen, 1, (60,))
    poisoned = torch.where(lesson.aside, 9.0, lesson.target)
    pilots = [
        fit_ensemble(replace(lesson, target=target), recipe, rng(), CONTEXT).pilot
        for target in (lesson.target, poisoned)
    ]
    assert torch.equal(pilots[0].network.values, pilots[1].network.values)


def test_the_same_seed_gives_the_same_ensemble_and_progress_ends_at_one():
    _, block, response = make_pair()
    lesson = lesson_of(block, response)[1]
    told = []
    recipe = replace(SIN, steps=(20, 40))
    first, second = (
        fit_ensemble(lesson, recipe, rng(3), Context(CPU, on_progress=told.append)).prior for _ in range(2)
    )
    assert torch.equal(first.network.values, second.network.values)
    run = told[: len(told) // 2]
    assert run == sorted(run)
    assert run[-1] == pytest.approx(1.0)


def test_training_can_be_cancelled():
    _, block, response = make_pair()
    with pytest.raises(Cancelled):
        fit_ensemble(lesson_of(block, response)[1], SIN, rng(), Context(CPU, is_cancelled=lambda: True))


@BOTH
def test_the_pupil_says_what_its_teachers_say_for_a_fraction_of_their_work(recipe):
    _, block, response = make_pair()
    lesson = lesson_of(block, response)[1]
    prior = fit_ensemble(lesson, replace(recipe, steps=(300,)), rng(2), CONTEXT).prior
    pixels = block.msi.flatten(1)
    answers = prior.ensemble(pixels).detach().mean(dim=0)
    wrong = (prior.predict(pixels) - answers).square().sum()
    assert float(wrong / answers.var(dim=1, unbiased=False).sum()) < 0.01 * pixels.shape[1]
    assert prior.parameters <= prior.ensemble.members * prior.ensemble.parameters_per_member / recipe.members


@pytest.mark.parametrize("kind", [BatchedSin, BatchedLen])
def test_the_prior_is_its_network_and_the_variance_of_the_ensemble(kind, monkeypatch):
    monkeypatch.setattr(network_prior, "CHUNK", 7)
    network, ensemble = kind(4, 6, 1, rng(1), width=4), kind(4, 6, 3, rng(2), width=8)
    pixels = torch.rand(4, 50, generator=rng(4))
    prior = NetworkPrior(network, ensemble=ensemble)
    assert torch.allclose(prior.predict(pixels), network(pixels).detach()[0], atol=1e-6)
    members = ensemble(pixels).detach()
    assert torch.allclose(prior.spread(pixels), members.var(dim=0, unbiased=False), atol=1e-6)
    assert NetworkPrior(network).spread(pixels) is None


@pytest.mark.parametrize("kind", [BatchedSin, BatchedLen])
def test_a_restored_prior_predicts_the_same(kind):
    prior = NetworkPrior(kind(5, 6, 1, rng(1), width=4), 1, kind(5, 6, 2, rng(), width=8))
    msi, context = torch.rand(4, 9, generator=rng(4)), torch.rand(1, 9, generator=rng(5))
    for other in (NetworkPrior.restore(prior.header(), prior.tensors()), prior.to(CPU)):
        assert torch.equal(other.predict(msi, context), prior.predict(msi, context))
        assert torch.equal(other.spread(msi, context), prior.spread(msi, context))
        assert (other.name, other.parameters, other.context_planes) == (prior.name, prior.parameters, 1)


def test_files_that_hold_only_an_ensemble_are_still_read():
    ensemble = BatchedSin(5, 6, 2, rng(), width=8)
    layers = [list(layer) for layer in ensemble.layers]
    header = {"kind": "network", "architecture": "sin", "layers": layers, "members": 2, "context_planes": 0}
    prior = NetworkPrior.restore(header, {"weights": ensemble.values})
    pixels = torch.rand(5, 9, generator=rng(4))
    assert torch.allclose(prior.predict(pixels), ensemble(pixels).detach().mean(dim=0), atol=1e-6)
    assert float(prior.spread(pixels).max()) > 0


def test_endmembers_enclose_the_pixels_that_they_are_found_in():
    _, block, _ = make_pair()
    endmembers = find_endmembers([block], 4, CONTEXT)
    assert endmembers.shape == (4, 24)
    assert float(endmembers.min()) >= 0.0
    weights = torch.linalg.lstsq(endmembers.T, block.hsi.flatten(1)).solution
    assert psnr(endmembers.T @ weights, block.hsi.flatten(1)) > 50.0
