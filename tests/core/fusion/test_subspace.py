# SPDX-License-Identifier: GPL-3.0-or-later
"""Subspace and noise levels against scenes whose noise is known."""

import pytest
import torch

from hyperres.core.fusion.noise import noise_variance
from hyperres.core.fusion.subspace import fit_subspace

BANDS, SIGMA = 60, 0.01


def _spectra(pixels, rank, generator):
    """Spectra of ``rank`` materials around a mean."""
    return torch.rand(pixels, rank, generator=generator) @ torch.rand(rank, BANDS, generator=generator)


@pytest.mark.parametrize("pixels", [150, 3000])
def test_the_noise_of_a_hyperspectral_image_is_found_and_no_component_is_noise(pixels):
    generator = torch.Generator().manual_seed(pixels)
    clean = _spectra(pixels, 5, generator)
    subspace = fit_subspace(clean + SIGMA * torch.randn(pixels, BANDS, generator=generator))
    assert subspace.noise == pytest.approx(SIGMA**2, rel=0.15)
    assert subspace.basis.shape == (BANDS, 5)
    torch.testing.assert_close(subspace.basis.T @ subspace.basis, torch.eye(5), atol=1e-5, rtol=0)
    cube = clean.T.reshape(BANDS, -1, 1)
    assert float((subspace.expand(subspace.project(cube)) - cube).square().mean()) < SIGMA**2


def test_half_covered_pixels_of_the_mean_spectrum_have_no_coefficients():
    generator = torch.Generator().manual_seed(3)
    subspace = fit_subspace(_spectra(500, 5, generator))
    half = 0.5 * subspace.mean[:, None, None].expand(-1, 2, 2)
    torch.testing.assert_close(
        subspace.project(half, torch.full((2, 2), 0.5)), torch.zeros(subspace.basis.shape[1], 2, 2), atol=1e-5, rtol=0
    )


def test_the_noise_of_a_smooth_image_is_found_with_holes_in_it():
    generator = torch.Generator().manual_seed(4)
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    smooth = torch.stack([torch.sin(y / 30) + torch.cos(x / 25), 0.5 + 0.01 * y, torch.ones_like(x)])
    sigma = torch.tensor([0.01, 0.03, 0.002])
    valid = torch.ones(160, 160, dtype=torch.bool)
    valid[40:60, 30:90] = False
    image = smooth + sigma[:, None, None] * torch.randn(smooth.shape, generator=generator)
    image[:, ~valid] = 1e4
    torch.testing.assert_close(noise_variance(image, valid).sqrt(), sigma, rtol=0.15, atol=0)


def test_spectra_are_not_negative_unless_the_image_is():
    pixels = torch.rand(200, 12, generator=torch.Generator().manual_seed(3))
    for shift, least in ((0.0, 0.0), (-0.3, float(pixels.min()) - 0.3)):
        space = fit_subspace(pixels + shift)
        wild = 5.0 * torch.randn(len(space.basis.T), 4, 5, generator=torch.Generator().manual_seed(4))
        assert float(space.expand(wild).min()) == pytest.approx(least, abs=1e-6)
