# SPDX-License-Identifier: GPL-3.0-or-later
"""The regression behind the baseline: planted laws between MSI and coefficients come back, noise makes it humble."""

import pytest
import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.fusion.ridge import CoarseView, fit_ridge
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import gaussian_footprint

SIDE, RATIO, BANDS = 96, 4, 3
SILENT = torch.full((BANDS,), 1e-10)


def _msi(seed=0, bands=BANDS):
    """Smooth fields around 0.3 with detail, [bands, SIDE, SIDE]."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(bands, 1, SIDE, SIDE, generator=generator)
    smooth = [torch.nn.functional.avg_pool2d(noise, n, 1, n // 2)[:, 0] * n for n in (3, 13)]
    return (0.3 + 0.05 * sum(smooth)).clamp(0.02, 0.9)


def _view(msi, law, noise=0.0, usable=None):
    """The coarse view of fine coefficients ``law(msi)``."""
    coarse = SIDE // RATIO
    footprint, placement = gaussian_footprint(1.5, 1.5, RATIO, RATIO), Placement(RATIO, RATIO)
    blur = Blur(footprint, placement, (SIDE, SIDE), (coarse, coarse))
    coefficients = blur(law(msi))
    coefficients = coefficients + noise * torch.randn(coefficients.shape, generator=torch.Generator().manual_seed(9))
    seen = blur(msi) / blur.coverage
    usable = torch.ones(coarse, coarse, dtype=torch.bool) if usable is None else usable
    return CoarseView(msi, seen, coefficients, blur, usable)


def _linear(msi):
    weights = torch.tensor([[0.8, -0.3, 0.5], [-0.2, 0.9, 0.1]])
    return torch.einsum("kb,bij->kij", weights, msi) + torch.tensor([0.1, -0.05])[:, None, None]


def _quadratic(msi):
    a, b, c = msi
    return torch.stack([0.2 + a - 2 * a * b + 1.5 * c**2, b - a**2 + 0.5 * b * c])


def _error(prior, msi, law):
    """Rms error over the law's own variation, on fine pixels."""
    truth = law(msi).flatten(1)
    left = prior.predict(msi.flatten(1)) - truth
    return float(left.square().mean().sqrt() / (truth - truth.mean(dim=1, keepdim=True)).square().mean().sqrt())


def test_a_linear_law_is_recovered_on_fine_pixels():
    msi = _msi()
    prior = fit_ridge([_view(msi, _linear)], SILENT)
    assert _error(prior, msi, _linear) < 1e-2
    assert _error(prior, _msi(1), _linear) < 1e-2  # elsewhere just as well


def test_a_quadratic_law_is_recovered_from_mixed_pixels():
    msi = _msi()
    prior = fit_ridge([_view(msi, _quadratic)], SILENT)
    assert prior.name == "quadratic regression"
    assert _error(prior, msi, _quadratic) < 0.03
    # fitting values where features should be blurred would be off by the products' variance within coarse pixels
    line = fit_ridge([_view(msi, _linear)], SILENT)
    assert _error(line, msi, _quadratic) > 10 * _error(prior, msi, _quadratic)


def test_several_blocks_count_together():
    dark, bright = 0.5 * _msi(2), 0.4 + 0.5 * _msi(3)
    prior = fit_ridge([_view(dark, _linear), _view(bright, _linear)], SILENT)
    assert max(_error(prior, dark, _linear), _error(prior, bright, _linear)) < 2e-2


def test_pixels_that_are_not_usable_teach_nothing():
    msi = _msi()
    usable = torch.ones(SIDE // RATIO, SIDE // RATIO, dtype=torch.bool)
    usable[3:9, 5:11] = False
    view = _view(msi, _quadratic, usable=usable)
    spoilt = view.coefficients.clone()
    spoilt[:, ~usable] = 1e6
    expected = fit_ridge([view], SILENT)
    found = fit_ridge([CoarseView(msi, view.seen, spoilt, view.blur, usable)], SILENT)
    assert torch.equal(found.weights, expected.weights)


def test_noise_of_the_msi_makes_the_regression_lean_less_on_differences_between_bands():
    one = _msi(bands=1)
    tiny = 0.01 * (_msi(4) - 0.3)
    msi = one + tiny  # three bands next to the same

    def law(values):
        return 20 * (values[:1] - values[1:2])

    trusting = fit_ridge([_view(msi, law)], SILENT)
    wary = fit_ridge([_view(msi, law)], torch.full((BANDS,), 0.02**2))
    noisy = msi + 0.02 * torch.randn(msi.shape, generator=torch.Generator().manual_seed(5))
    truth = law(msi).flatten(1)
    errors = [float((prior.predict(noisy.flatten(1)) - truth).square().mean()) for prior in (trusting, wary)]
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 1.05 * float(truth.square().mean())  # no worse than saying nothing


def test_coefficients_that_the_msi_does_not_show_are_not_guessed():
    msi = _msi()
    generator = torch.Generator().manual_seed(6)
    unrelated = torch.nn.functional.avg_pool2d(torch.randn(1, 1, SIDE, SIDE, generator=generator), 9, 1, 4)[0]
    prior = fit_ridge([_view(msi, lambda values: torch.cat([_linear(values), unrelated]))], SILENT)
    guess = prior.predict(msi.flatten(1))
    assert float(guess[2].std()) < 0.5 * float(unrelated.std())
    assert _error(prior, msi, lambda values: torch.cat([_linear(values), unrelated])) < 1.0


@pytest.mark.parametrize("far", [-5.0, 10.0, 100.0])
def test_values_far_outside_the_training_range_stay_finite_and_do_not_explode(far):
    msi = _msi()
    prior = fit_ridge([_view(msi, _quadratic)], SILENT)
    inside = prior.predict(msi.flatten(1))
    slope = float(prior.weights[:, 1 : 1 + BANDS].abs().sum(dim=1).max())
    beyond = prior.predict(torch.full((BANDS, 1), far))
    assert bool(torch.isfinite(beyond).all())
    # products stop at half the range beyond it, so that only the linear part goes on
    assert float(beyond.abs().max()) < slope * (abs(far) + 1) + 30 * float(inside.abs().max())


def test_a_single_band_is_used_linearly():
    msi = _msi(bands=1)
    prior = fit_ridge([_view(msi, lambda values: values**2)], torch.full((1,), 1e-10))
    assert prior.features.degree == 1


def test_a_restored_regression_predicts_the_same():
    msi = _msi()
    prior = fit_ridge([_view(msi, _quadratic)], SILENT)
    again = type(prior).restore(prior.header(), prior.tensors())
    assert torch.equal(again.predict(msi.flatten(1)), prior.predict(msi.flatten(1)))
