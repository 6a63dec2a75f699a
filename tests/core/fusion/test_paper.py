# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.fusion import paper
from hyperres.core.fusion.pair import Placement
from hyperres.core.fusion.paper import PaperModel, Scale, fit_spectralift, fit_spectramorph, percentile_scale
from hyperres.core.fusion.surroundings import averaged, under

CONTEXT = Context(torch.device("cpu"))
UNIT = (Scale(), Scale())


@pytest.fixture
def scene():
    """Fine mixtures of three spectra in patches, the same seen coarsely, and by three bands."""
    rng = torch.Generator().manual_seed(0)
    axis = torch.linspace(0, 1, 24)
    spectra = torch.stack([0.2 + 0.6 * axis, 0.8 - 0.5 * axis, 0.3 + 0.4 * torch.sin(6 * axis)])
    shares = torch.rand(3, 8, 8, generator=rng).repeat_interleave(6, 1).repeat_interleave(6, 2)
    shares = shares * (0.7 + 0.6 * torch.rand(3, 48, 48, generator=rng))
    shares = shares / shares.sum(dim=0)
    fine = torch.einsum("eb,exy->bxy", spectra, shares)
    response = torch.eye(3).repeat_interleave(8, dim=1) / 8
    coarse = torch.nn.functional.avg_pool2d(fine, 4)
    return fine, coarse, response


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(paper, "STEPS", 150)


def rng():
    return torch.Generator().manual_seed(3)


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean()))


def test_both_methods_recover_mixtures_of_as_many_spectra_as_there_are_bands(scene, few_steps):
    fine, coarse, response = scene
    msi = torch.tensordot(response, fine, dims=1).flatten(1)
    for fit in (fit_spectralift, fit_spectramorph):
        model = fit(coarse.flatten(1), response, UNIT, rng(), CONTEXT)
        predicted = model.predict(msi).view_as(fine)
        nearest = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
        assert psnr(predicted, fine) > psnr(nearest, fine) + 5.0


def test_the_coarse_prior_helps_where_there_is_one_band_only(scene, few_steps):
    fine, coarse, response = scene
    pan = response.mean(dim=0, keepdim=True)
    msi = torch.tensordot(pan, fine, dims=1).flatten(1)
    without = fit_spectramorph(coarse.flatten(1), pan, UNIT, rng(), CONTEXT, count=3)
    everywhere = torch.ones(coarse.shape[1:], dtype=torch.bool)
    around = averaged(coarse, everywhere, 2).flatten(1)
    told = fit_spectramorph(coarse.flatten(1), pan, UNIT, rng(), CONTEXT, count=3, surroundings=around)
    under_them = under(coarse, Placement(4, 4), 48, 48).flatten(1)
    assert psnr(told.predict(msi, under_them), fine.flatten(1)) > psnr(without.predict(msi), fine.flatten(1)) + 1.0
    with pytest.raises(ValueError, match="coarse spectrum"):
        told.predict(msi)


def test_images_on_other_scales_give_the_same_on_the_scale_of_the_hsi(scene, few_steps):
    fine, coarse, response = scene
    msi = torch.tensordot(response, fine, dims=1).flatten(1)
    plain = fit_spectralift(coarse.flatten(1), response, UNIT, rng(), CONTEXT)
    scales = Scale(100.0, 2100.0), Scale(-1.0, 3.0)
    raw = fit_spectralift(coarse.flatten(1) * 2000 + 100, response, scales, rng(), CONTEXT)
    predicted = raw.predict(msi * 4 - 1)
    assert psnr((predicted - 100) / 2000, plain.predict(msi)) > 50.0
    assert 100.0 <= float(predicted.min()) <= float(predicted.max()) <= 2100.0


def test_the_scale_is_that_of_the_authors():
    values = np.random.default_rng(0).gamma(2.0, 300.0, (7, 901))
    scale = percentile_scale(torch.tensor(values))
    low, high = np.percentile(values, [1, 99])
    assert (scale.low, scale.high) == (pytest.approx(low), pytest.approx(high))
    expected = (np.clip(values, low, high) - low) / (high - low)
    np.testing.assert_allclose(scale.to_unit(torch.tensor(values)).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(scale.from_unit(torch.tensor(expected)).numpy(), np.clip(values, low, high))


def test_a_constant_image_has_a_scale():
    assert percentile_scale(torch.full((2, 9), 5.0)).to_unit(torch.full((2, 1), 5.0)).isfinite().all()


def test_the_same_seed_gives_the_same_model_and_restoring_changes_nothing(scene, monkeypatch):
    monkeypatch.setattr(paper, "STEPS", 20)
    _, coarse, response = scene
    msi = torch.rand(3, 40, generator=rng())
    for fit in (fit_spectralift, fit_spectramorph):
        first, second = (fit(coarse.flatten(1), response, UNIT, rng(), CONTEXT) for _ in range(2))
        assert torch.equal(first.predict(msi), second.predict(msi))
        assert torch.equal(PaperModel.restore(first.header(), first.tensors()).predict(msi), first.predict(msi))


def test_large_images_are_trained_on_in_batches(scene, monkeypatch):
    monkeypatch.setattr(paper, "STEPS", 150)
    monkeypatch.setattr(paper, "BATCH", 32)
    monkeypatch.setattr(paper, "FACTORED", 32)
    fine, coarse, response = scene
    msi = torch.tensordot(response, fine, dims=1).flatten(1)
    for fit in (fit_spectralift, fit_spectramorph):
        assert psnr(fit(coarse.flatten(1), response, UNIT, rng(), CONTEXT).predict(msi), fine.flatten(1)) > 30.0
