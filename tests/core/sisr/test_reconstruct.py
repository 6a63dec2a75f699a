# SPDX-License-Identifier: GPL-3.0-or-later
"""The correction by the input: against dense algebra, and until the input is met within its noise."""

import math

import numpy as np
import pytest
import torch

from hyperres.core.sisr.reconstruct import fit_reconstruction, make_blur

FACTOR, SIGMA, SIDE = 4, 2.0, 24


def dense_blur(side, factor, sigma):
    """B along one axis by its definition: a Gaussian sampled around the centre (i + 0.5) s - 0.5."""
    centres = (np.arange(side) + 0.5) * factor - 0.5
    weights = np.exp(-((np.arange(side * factor)[None] - centres[:, None]) ** 2) / (2 * sigma**2))
    return weights / (sigma * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("factor", (2, 4, 8))
def test_the_blur_is_a_gaussian_around_the_centres_of_input_pixels(factor):
    sigma = 0.5 * factor
    blur = make_blur(factor, sigma, (12, 12), torch.device("cpu"))
    fine = torch.randn(1, 12 * factor, 12 * factor, generator=torch.Generator().manual_seed(0))
    axis = dense_blur(12, factor, sigma)
    expected = axis @ fine[0].double().numpy() @ axis.T
    inner = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(blur(fine)[0].numpy()[inner], expected[inner], atol=0.02 * expected.std())


def test_the_mean_of_the_posterior_by_dense_algebra():
    generator = torch.Generator().manual_seed(1)
    planes, side, factor, sigma = 2, 6, 2, 1.0
    blur = make_blur(factor, sigma, (side, side), torch.device("cpu"))
    noise = torch.tensor([[0.02, 0.005], [0.005, 0.03]], dtype=torch.float64)
    misfit = torch.randn(planes, 400, generator=generator)
    found = fit_reconstruction(factor, sigma, misfit, noise)
    guess = torch.randn(planes, 12, 12, generator=generator)
    coarse = torch.randn(planes, side, side, generator=generator)
    got = found.apply(guess, coarse, torch.ones(side, side)).double()

    axis = blur(torch.eye(144).reshape(144, 12, 12)).reshape(144, -1).T.double()
    usable = (blur.coverage > 0.98).flatten()
    axis = torch.kron(torch.eye(planes, dtype=torch.float64), axis[usable])
    prior = torch.kron(found.weights.spread.double(), torch.eye(144, dtype=torch.float64))
    known = torch.kron(noise, torch.eye(int(usable.sum()), dtype=torch.float64))
    seen = coarse.flatten(1)[:, usable].flatten().double()
    start = guess.flatten().double()
    exact = start + prior @ axis.T @ torch.linalg.solve(axis @ prior @ axis.T + known, seen - axis @ start)
    torch.testing.assert_close(got.flatten(), exact, atol=0.02 * float((exact - start).std()), rtol=0)


def test_the_result_seen_through_the_blur_is_the_input_up_to_its_noise():
    generator = torch.Generator().manual_seed(2)
    level = 0.01
    fine = torch.nn.functional.avg_pool2d(torch.randn(1, 3, 100, 100, generator=generator), 5, 1)[0]
    blur = make_blur(FACTOR, SIGMA, (SIDE, SIDE), torch.device("cpu"))
    coarse = blur(fine) + level * torch.randn(3, SIDE, SIDE, generator=generator)
    guess = torch.zeros_like(fine)
    inside = blur.coverage > 0.98
    noise = level**2 * torch.eye(3, dtype=torch.float64)
    found = fit_reconstruction(FACTOR, SIGMA, (coarse - blur(guess))[:, inside], noise)
    left = blur(found.apply(guess, coarse, torch.ones(SIDE, SIDE))) - coarse
    assert float(left[:, inside].square().mean()) ** 0.5 < level


def test_the_expected_error_is_that_of_guesses_with_independent_errors():
    generator = torch.Generator().manual_seed(3)
    level, side = 0.05, 40
    blur = make_blur(2, 1.0, (side, side), torch.device("cpu"))
    truth = torch.randn(2, 2 * side, 2 * side, generator=generator)
    coarse = blur(truth) + level * torch.randn(2, side, side, generator=generator)
    inside = blur.coverage > 0.98
    noise = level**2 * torch.eye(2, dtype=torch.float64)
    found = fit_reconstruction(2, 1.0, coarse[:, inside], noise)
    result = found.apply(torch.zeros_like(truth), coarse, torch.ones(side, side))
    error = (result - truth)[:, 12:-12, 12:-12].square().sum(dim=0).mean()
    assert float(error) == pytest.approx(found.variance, rel=0.1)


def test_invalid_pixels_say_nothing():
    generator = torch.Generator().manual_seed(4)
    coarse = torch.randn(2, SIDE, SIDE, generator=generator)
    guess = torch.zeros(2, SIDE * FACTOR, SIDE * FACTOR)
    found = fit_reconstruction(FACTOR, SIGMA, coarse.flatten(1), 0.01 * torch.eye(2, dtype=torch.float64))
    trust = torch.ones(SIDE, SIDE)
    trust[10:14, 10:14] = 0.0
    results = []
    for nonsense in (-50.0, 900.0):
        broken = torch.where(trust > 0, coarse, nonsense)
        results.append(found.apply(guess, broken, trust))
    torch.testing.assert_close(*results)
