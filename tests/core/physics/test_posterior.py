# SPDX-License-Identifier: GPL-3.0-or-later
"""The posterior's solution against the normal equations written out as one dense system."""

import pytest
import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import gaussian_footprint, kernel_footprint
from hyperres.core.physics.posterior import solve, weigh

SIZE, COARSE, K = (13, 11), (3, 3), 3


def _problem(bands, footprint):
    generator = torch.Generator().manual_seed(bands)
    blur = Blur(footprint, Placement(4.3, 3.7, 0.2, -0.1), SIZE, COARSE)
    root = torch.randn(K, K, generator=generator)
    precision, noise = root @ root.T + torch.eye(K), torch.diag(torch.tensor([0.01, 0.02, 0.05]))
    response, fine_noise = torch.randn(bands, K, generator=generator), torch.rand(bands, generator=generator) + 0.1
    guess, fine = torch.randn(K, *SIZE, generator=generator), torch.randn(bands, *SIZE, generator=generator)
    coarse = torch.randn(K, *COARSE, generator=generator)
    return blur, precision, noise, response, fine_noise, guess, fine, coarse


def _dense(blur, precision, noise, response, fine_noise, guess, fine, coarse, trust):
    """Normal equations over all coefficients of all pixels."""
    pixels, cells = SIZE[0] * SIZE[1], COARSE[0] * COARSE[1]
    b = torch.stack([blur(plane.reshape(1, *SIZE)).reshape(-1) for plane in torch.eye(pixels)], dim=1).double()
    weights = torch.linalg.inv(noise.double()).contiguous()
    local = precision.double() + response.double().T @ torch.diag(1 / fine_noise.double()) @ response.double()
    matrix = torch.kron(local.contiguous(), torch.eye(pixels, dtype=torch.float64))
    matrix += torch.kron(weights, (b.T @ torch.diag(trust.reshape(-1).double()) @ b).contiguous())
    right = (precision.double() @ guess.reshape(K, -1).double()).reshape(-1)
    right += ((response.double().T / fine_noise.double()) @ fine.flatten(1).double()).reshape(-1)
    right += (weights @ (coarse.reshape(K, cells).double() * trust.reshape(-1)) @ b).reshape(-1)
    return torch.linalg.solve(matrix, right).reshape(K, *SIZE)


@pytest.mark.parametrize("bands", [0, 1, 2])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_coarse_grid_gives_the_solution_of_the_whole_system(bands, parts):
    generator = torch.Generator().manual_seed(9)
    footprint = (
        gaussian_footprint(1.5, 1.2, 4.3, 3.7)
        if parts == 1
        else kernel_footprint(torch.rand(5, 5, generator=generator))
    )
    problem = _problem(bands, footprint)
    blur, precision, noise, response, fine_noise, guess, fine, coarse = problem
    trust = torch.tensor([[1.0, 0.0, 1.0], [0.5, 1.0, 1.0], [1.0, 1.0, 0.0]])
    found = solve(guess, weigh(precision, noise, response, fine_noise), blur, coarse, trust, fine, tolerance=1e-7)
    torch.testing.assert_close(found.double(), _dense(*problem, trust), rtol=2e-3, atol=2e-3)


def test_without_trust_in_the_coarse_image_only_guess_and_msi_count():
    blur, precision, noise, response, fine_noise, guess, fine, coarse = _problem(2, gaussian_footprint(1, 1, 4.3, 3.7))
    found = solve(guess, weigh(precision, noise, response, fine_noise), blur, coarse, torch.zeros(COARSE), fine)
    local = precision + response.T @ torch.diag(1 / fine_noise) @ response
    right = precision @ guess.reshape(K, -1) + (response.T / fine_noise) @ fine.reshape(2, -1)
    torch.testing.assert_close(found.reshape(K, -1), torch.linalg.solve(local, right), rtol=1e-3, atol=1e-3)


def test_where_the_guess_has_freedom_the_coarse_image_changes_it_more():
    blur, precision, noise, response, fine_noise, guess, fine, coarse = _problem(2, gaussian_footprint(1, 1, 4.3, 3.7))
    freedom = torch.rand(SIZE, generator=torch.Generator().manual_seed(4)) + 0.1
    weights = weigh(precision, noise, response, fine_noise)
    found = solve(guess, weights, blur, coarse, torch.ones(COARSE), fine, freedom, tolerance=1e-7)
    # minimise |Z - Z0|^2 with precision D / freedom, plus |Y - B Z|^2, as one dense system
    pixels = SIZE[0] * SIZE[1]
    start = solve(guess, weights, blur, coarse, torch.zeros(COARSE), fine).reshape(K, -1).double()
    local = (precision + response.T @ torch.diag(1 / fine_noise) @ response).double()
    held = torch.kron(local, torch.diag(1 / freedom.flatten().double()))
    b = torch.stack([blur(plane.reshape(1, *SIZE)).reshape(-1) for plane in torch.eye(pixels)], dim=1).double()
    inverse = torch.linalg.inv(noise.double()).contiguous()
    matrix = held + torch.kron(inverse, (b.T @ b).contiguous())
    right = held @ start.flatten() + (inverse @ coarse.reshape(K, -1).double() @ b).flatten()
    expected = torch.linalg.solve(matrix, right).reshape(K, *SIZE)
    torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=2e-3)
