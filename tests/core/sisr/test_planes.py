# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes: abundances as they are, what they leave, the noise, and gaps."""

import numpy as np
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Sample
from hyperres.core.engine.moments import StreamingMoments
from hyperres.core.sisr.planes import filled, fit_planes, main_components

BANDS, PIXELS, NOISE = 40, 6000, 0.002


def spectra(count):
    axis = torch.linspace(0, 1, BANDS)
    return torch.stack([0.25 + 0.2 * torch.sin((2 + 1.7 * k) * axis + 0.9 * k) for k in range(count)])


def sample_of(pixels):
    moments = StreamingMoments(BANDS)
    moments.add(pixels)
    table = BandTable(names=tuple(map(str, range(BANDS))), good=(True,) * BANDS)
    return Sample(pixels, pixels, moments.result(), table, len(pixels), len(pixels), True)


def mixture(extra, noise=NOISE, seed=0):
    """Shares of three materials, none of them near 0, plus some strange spectra that vary on their own."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.distributions.Dirichlet(8 * torch.ones(3)).sample((PIXELS,))
    strange = 0.02 * torch.randn(PIXELS, extra, generator=generator)
    directions = torch.linalg.qr(torch.randn(BANDS, extra, generator=generator))[0]
    pixels = shares @ spectra(3) + strange @ directions.T + noise * torch.randn(PIXELS, BANDS, generator=generator)
    return shares, pixels


def test_planes_are_standardised_and_no_two_of_them_say_the_same():
    torch.manual_seed(0)
    _, pixels = mixture(extra=2)
    space = fit_planes(sample_of(pixels), spectra(3))
    planes = space.standardised(space.project(pixels.T.reshape(BANDS, 60, 100))).flatten(1)
    np.testing.assert_allclose(planes.mean(dim=1), 0.0, atol=1e-3)
    np.testing.assert_allclose(torch.cov(planes), np.eye(len(planes)), atol=1e-2)


def test_what_varies_outside_the_endmembers_is_found_and_nothing_more():
    torch.manual_seed(1)
    for extra in (0, 2, 5):
        _, pixels = mixture(extra)
        space = fit_planes(sample_of(pixels), spectra(3))
        assert space.basis.shape == (BANDS, 3 + extra)


def test_endmembers_lie_within_the_basis():
    torch.manual_seed(2)
    _, pixels = mixture(extra=1)
    space = fit_planes(sample_of(pixels), spectra(3))
    np.testing.assert_allclose(space.endmembers @ space.basis.T, spectra(3), atol=1e-5)


def test_pure_noise_has_no_main_component():
    noise = torch.randn(BANDS, 3000, generator=torch.Generator().manual_seed(2))
    assert main_components(noise).shape == (BANDS, 0)


def test_planes_lose_nothing_but_noise():
    torch.manual_seed(3)
    _, pixels = mixture(extra=4)
    cube = pixels.T.reshape(BANDS, 60, 100)
    space = fit_planes(sample_of(pixels), spectra(3))
    back = space.restored(space.standardised(space.project(cube)))
    left = cube - space.expand(back, torch.arange(BANDS))
    assert float(left.square().mean()) ** 0.5 < NOISE
    np.testing.assert_allclose(space.basis.T @ space.basis, np.eye(7), atol=1e-5)


def test_the_noise_is_what_was_added():
    torch.manual_seed(4)
    _, pixels = mixture(extra=2)
    space = fit_planes(sample_of(pixels), spectra(3))
    assert abs(float(space.band_noise.mean()) ** 0.5 / NOISE - 1.0) < 0.1
    np.testing.assert_allclose(space.coarse_noise.diagonal().sqrt(), NOISE, rtol=0.2)


def test_of_what_planes_do_not_hold_noise_is_left_out_and_a_rare_spectrum_is_kept():
    torch.manual_seed(5)
    _, pixels = mixture(extra=2)
    space = fit_planes(sample_of(pixels), spectra(3))
    cube = pixels.T.reshape(BANDS, 60, 100).clone()
    rare = 0.1 * torch.sin(torch.linspace(0, 40, BANDS))
    rare -= space.basis @ (space.basis.T @ rare)
    cube[:, 20, 30] += rare
    rest = space.rest(cube, space.project(cube))
    assert float((rest[:, 20, 30] - rare).norm() / rare.norm()) < 0.15
    rest[:, 20, 30] = 0.0
    assert float(rest.square().mean()) ** 0.5 < 0.25 * NOISE


def test_gaps_repeat_the_nearest_valid_pixel():
    planes = torch.arange(30.0).reshape(1, 5, 6)
    valid = torch.ones(5, 6, dtype=torch.bool)
    valid[1:4, :3] = False
    found = filled(planes, valid)
    assert torch.equal(found[:, valid], planes[:, valid])
    assert found[0, 2, 2] == planes[0, 2, 3] and found[0, 1, 0] == planes[0, 0, 0] and found[0, 3, 0] == planes[0, 4, 0]
    assert not filled(planes, torch.zeros(5, 6, dtype=torch.bool)).any()
