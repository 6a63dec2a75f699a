# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import point_gaussian_footprint
from hyperres.core.sisr.kriging import LENGTH, REACH, guess, kriging_filters
from hyperres.core.sisr.network import PlaneNet
from hyperres.core.sisr.upscaler import interpolated

FACTORS = (2, 4, 8)
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(params=FACTORS)
def network(request: pytest.FixtureRequest) -> PlaneNet:
    """A small one with weights that do something."""
    torch.manual_seed(3)
    made = PlaneNet(request.param, width=8, blocks=2)
    torch.nn.init.normal_(made.tail.weight, std=0.1)
    return made.requires_grad_(False)


def inputs(factor: int, planes: int = 3, rows: int = 20, cols: int = 17) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    low = torch.randn(2, planes, rows, cols, generator=generator)
    noise = 0.1 * torch.rand(2, planes, generator=generator)
    return low, torch.tensor([0.5, 0.9]) * factor, noise


@pytest.mark.parametrize("planes", [1, 2, 7])
def test_any_number_of_planes_of_any_size_becomes_finer(network: PlaneNet, planes: int) -> None:
    low, sigma, noise = inputs(network.factor, planes, rows=9, cols=31)
    high = network(low, sigma, noise)
    assert high.shape == (2, planes, 9 * network.factor, 31 * network.factor)
    assert high.dtype == torch.float32
    assert torch.equal(high, network(low, sigma, noise))


def test_the_order_of_planes_and_images_does_not_matter(network: PlaneNet) -> None:
    low, sigma, noise = inputs(network.factor)
    high = network(low, sigma, noise)
    order = [2, 0, 1]
    torch.testing.assert_close(network(low[:, order], sigma, noise[:, order]), high[:, order], **CLOSE)
    torch.testing.assert_close(network(low.flip(0), sigma.flip(0), noise.flip(0)), high.flip(0), **CLOSE)


def test_planes_learn_of_one_another(network: PlaneNet) -> None:
    low, sigma, noise = inputs(network.factor)
    other = low.clone()
    other[:, 1] *= -2.0
    changed = (network(low, sigma, noise) - network(other, sigma, noise))[:, 0].abs().max()
    assert changed > 1e-4


def test_what_lies_beyond_the_halo_does_not_matter(network: PlaneNet) -> None:
    low, sigma, noise = inputs(network.factor, rows=40, cols=40)
    halo, s = network.halo, network.factor
    part = network(low[:, :, 3 : 3 + 2 * halo + 4, 2 : 2 + 2 * halo + 4], sigma, noise)
    inner = part[:, :, halo * s : -halo * s, halo * s : -halo * s]
    top, left = (3 + halo) * s, (2 + halo) * s
    whole = network(low, sigma, noise)[:, :, top : top + 4 * s, left : left + 4 * s]
    torch.testing.assert_close(inner, whole, **CLOSE)


def test_an_untrained_network_is_the_linear_guess() -> None:
    low, sigma, noise = inputs(2)
    linear = torch.nn.functional.pixel_shuffle(guess(low, kriging_filters(2, sigma, noise)), 2)
    torch.testing.assert_close(PlaneNet(2)(low, sigma, noise).flatten(0, 1), linear[:, 0])


@pytest.mark.parametrize("factor", FACTORS)
def test_a_constant_plane_stays_constant_in_the_guess(factor: int) -> None:
    low = torch.full((1, 1, 12, 12), 7.0)
    found = guess(low, kriging_filters(factor, torch.tensor([0.8 * factor]), torch.tensor([[0.02]])))
    torch.testing.assert_close(found, torch.full_like(found, 7.0), rtol=1e-5, atol=0)


@pytest.mark.parametrize("factor", (2, 4))
def test_weights_of_the_guess_solve_the_kriging_equations(factor: int) -> None:
    """Against covariances summed pixel by pixel over the blurs' footprints."""
    sigma, noise = 0.6 * factor, 0.05
    kernel = point_gaussian_footprint(sigma, sigma, factor).kernel.double()
    side = (torch.arange(len(kernel)) - (len(kernel) - 1) / 2).double()
    places = torch.cartesian_prod(side, side)
    steps = torch.arange(-REACH, REACH + 1).double() * factor
    centres = torch.cartesian_prod(steps, steps)
    weights = kernel_weights = kernel.flatten()

    def covariance(apart: torch.Tensor) -> torch.Tensor:
        return torch.exp(-apart.norm(dim=-1) / (LENGTH * factor))

    first = (factor - 1) / 2  # the first fine pixel lies so far before the centre of its input pixel
    target = torch.tensor([-first, -first]).double()
    to_target = covariance(centres[:, None] + places[None] - target) @ weights
    both = (places[:, None] - places[None]).reshape(-1, 2)
    pairs = (kernel_weights[:, None] * weights[None]).flatten()
    unique, inverse = both.unique(dim=0, return_inverse=True)
    merged = torch.zeros(len(unique)).double().index_add(0, inverse, pairs)
    among = torch.stack([covariance(centres - c + unique[:, None]).T @ merged for c in centres])
    found = kriging_filters(factor, torch.tensor([sigma]), torch.tensor([[noise]]))[0, 0, 0].flatten().double()
    left = among @ found + (noise**2 + 0.01**2) * found - to_target
    assert (left - left.mean()).abs().max() < 1e-4  # all equal: the Lagrange multiplier
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("factor", FACTORS)
def test_the_guess_sharpens_a_blurred_wave_and_stays_in_place(factor: int) -> None:
    size, sigma = 24, 0.7 * factor
    whole = (size * factor, size * factor)
    period = 6.0 * factor
    wave = torch.sin(2.0 * math.pi * torch.arange(whole[1]) / period).expand(1, *whole)
    blur = Blur(point_gaussian_footprint(sigma, sigma, factor), Placement(factor, factor), whole, (size, size))
    low = blur(wave) / blur.coverage
    found = guess(low[None], kriging_filters(factor, torch.tensor([sigma]), torch.zeros(1, 1)))
    found = torch.nn.functional.pixel_shuffle(found, factor)
    inner = (..., slice(6 * factor, -6 * factor), slice(6 * factor, -6 * factor))
    assert (found[inner] - wave[None][inner]).square().mean().sqrt() < 0.03
    assert (interpolated(low, factor)[inner] - wave[inner]).square().mean().sqrt() > 0.1


def test_stronger_noise_gives_a_smoother_guess() -> None:
    levels = torch.tensor([[0.0, 0.03, 0.3]])
    power = kriging_filters(4, torch.tensor([3.0]), levels).square().sum(dim=(3, 4)).mean(dim=2)[0]
    assert power[0] > power[1] > power[2]
