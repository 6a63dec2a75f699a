# SPDX-License-Identifier: GPL-3.0-or-later
"""The simple ways: planted laws come back, and each is better where its own kind of law holds."""

import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.ssr.baselines import fit_clustered_ridge, fit_pixel_network, fit_ridge

PIXELS = 6000
CONTEXT = Context(torch.device("cpu"), seed=3)


def pixels(seed=0, count=PIXELS):
    return 0.1 + 0.5 * torch.rand(3, count, generator=torch.Generator().manual_seed(seed))


def linear(msi):
    weights = torch.linspace(-0.5, 1, 24).reshape(8, 3)
    return weights @ msi + 0.1


def two_materials(msi):
    """Another law where the first band is brighter than the second: no polynomial knows."""
    return torch.where(msi[:1] > msi[1:2], linear(msi), 0.5 - linear(msi).flip(0))


def waves(msi):
    return torch.stack([torch.sin(8 * msi[0] + 5 * msi[1]), torch.cos(9 * msi[2]) * msi[0]])


FOLDS = torch.arange(PIXELS) * 20 // PIXELS % 4


def fit(kind, law, noise=0.0):
    msi = pixels()
    target = law(msi)
    target = target + noise * torch.randn(target.shape, generator=torch.Generator().manual_seed(9))
    if kind == "ridge":
        return fit_ridge(msi, target, FOLDS)
    if kind == "clusters":
        return fit_clustered_ridge(msi, target, FOLDS, CONTEXT.generator())
    return fit_pixel_network(msi, target, CONTEXT, steps=300)


def error(found, law):
    """Rms error on new pixels over the law's own spread."""
    msi = pixels(1)
    truth = law(msi)
    return float((found.predict(msi) - truth).square().mean().sqrt() / truth.std(dim=1).square().mean().sqrt())


def test_a_linear_law_comes_back_from_all():
    assert error(fit("ridge", linear), linear) < 1e-3
    assert error(fit("clusters", linear), linear) < 1e-3
    assert error(fit("network", linear), linear) < 0.03


def test_clusters_tell_materials_apart():
    assert error(fit("clusters", two_materials), two_materials) < 0.8 * error(
        fit("ridge", two_materials), two_materials
    )


def test_the_network_follows_what_is_no_polynomial():
    assert error(fit("network", waves), waves) < 0.25 * error(fit("ridge", waves), waves)


def test_noise_makes_the_regression_simple():
    found = fit("ridge", linear, noise=1.0)
    assert found.features.degree == 1 and error(found, linear) < 0.3
    # clusters do not fit the noise either
    assert error(fit("clusters", linear, noise=1.0), linear) < 0.5


def test_the_linear_start_of_the_unfolding_can_be_asked_for():
    found = fit_ridge(pixels(), linear(pixels()), FOLDS, degrees=(1,))
    assert found.weights.shape == (8, 4)  # a constant and three bands


@pytest.mark.parametrize("kind", ["clusters", "network"])
def test_the_same_seed_gives_the_same_answer(kind):
    once, again = (fit(kind, two_materials).predict(pixels(1)) for _ in range(2))
    assert torch.equal(once, again)


def test_a_constant_image_does_not_break_the_fit():
    msi, target = torch.full((3, 400), 0.2), torch.full((5, 400), 0.4)
    folds = torch.arange(400) % 4
    for found in (fit_ridge(msi, target, folds), fit_clustered_ridge(msi, target, folds, CONTEXT.generator())):
        torch.testing.assert_close(found.predict(msi), target, rtol=0.02, atol=0)
