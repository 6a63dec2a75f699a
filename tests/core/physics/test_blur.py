# SPDX-License-Identifier: GPL-3.0-or-later
"""Blur and decimation against direct sums, closed forms and the definition of an adjoint."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from hyperres.core.fusion.pair import Placement
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import Footprint, gaussian_footprint, kernel_footprint

PLACEMENTS = [Placement(4, 4), Placement(3, 5, -3.0, 2.0), Placement(8.33, 8.33, 0.4, -3.7), Placement(1, 1)]


def _kernel(rows, cols, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((rows, cols)))


def _footprints(placement):
    return [
        gaussian_footprint(2.3, 1.1, placement.ratio_y, placement.ratio_x),
        kernel_footprint(_kernel(9, 8)),
        kernel_footprint(_kernel(5, 5), step=1.7),
    ]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("which", range(3))
def test_the_adjoint_is_the_adjoint_and_the_gram_their_product(placement, which):
    blur = Blur(_footprints(placement)[which], placement, (41, 50), (6, 5))
    generator = torch.Generator().manual_seed(1)
    fine, coarse = torch.randn(3, 41, 50, generator=generator), torch.randn(3, 6, 5, generator=generator)
    assert torch.isclose((blur(fine) * coarse).sum(), (fine * blur.adjoint(coarse)).sum(), rtol=1e-4)
    torch.testing.assert_close(blur.gram(coarse), blur(blur.adjoint(coarse)), rtol=1e-4, atol=1e-5)


def test_whole_ratios_give_convolution_with_zeros_outside_then_block_means():
    image = np.random.default_rng(2).random((24, 32))
    psf = _kernel(7, 7, 3).numpy()
    psf /= psf.sum()
    means = convolve2d(image, psf, "same").reshape(6, 4, 8, 4).mean(axis=(1, 3))
    # the coarse pixel's area belongs to its footprint; convolution turns the PSF round
    footprint = kernel_footprint(torch.from_numpy(convolve2d(psf[::-1, ::-1], np.full((4, 4), 1 / 16))))
    blur = Blur(footprint, Placement(4, 4), (24, 32), (6, 8))
    np.testing.assert_allclose(blur(torch.from_numpy(image)[None].float())[0], means, atol=2e-3)


def test_a_sharp_footprint_is_the_mean_over_the_coarse_pixel():
    image = torch.randn(1, 20, 20, generator=torch.Generator().manual_seed(4))
    blur = Blur(gaussian_footprint(0.0, 0.0, 5, 4), Placement(5, 4), (20, 20), (4, 5))
    torch.testing.assert_close(blur(image)[0], image.reshape(4, 5, 5, 4).mean(dim=(1, 3)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ratio", [4.0, 8.33])
def test_a_wave_is_damped_as_the_transfer_function_says(ratio):
    sigma, wavelength = 0.45 * ratio, 6 * ratio
    wave = torch.cos(2 * math.pi * (torch.arange(400) + 0.5) / wavelength).expand(1, 400, 400)
    blur = Blur(gaussian_footprint(sigma, sigma, ratio, ratio), Placement(ratio, ratio), (400, 400), (40, 40))
    inside = (blur(wave)[0] / blur.coverage)[10:30, 4:36]
    centres = (torch.arange(4, 36) + 0.5) * ratio
    f = 1 / wavelength
    transfer = math.exp(-2 * (math.pi * sigma * f) ** 2) * math.sin(math.pi * ratio * f) / (math.pi * ratio * f)
    expected = transfer * torch.cos(2 * math.pi * centres * f)
    torch.testing.assert_close(inside[0], expected, atol=6e-3, rtol=0)


def test_coverage_is_the_share_within_the_image():
    blur = Blur(gaussian_footprint(0.0, 0.0, 4, 4), Placement(4, 4, -2, 0), (10, 8), (3, 2))
    torch.testing.assert_close(blur.coverage, torch.tensor([[0.5, 0.5], [1.0, 1.0], [1.0, 1.0]]))


def test_a_kernel_survives_its_split_and_its_file():
    kernel = _kernel(11, 9, 5)
    footprint = kernel_footprint(kernel)
    restored = Footprint.restore(footprint.header(), footprint.tensors())
    torch.testing.assert_close(restored.kernel.double(), kernel / kernel.sum(), atol=2e-4, rtol=0)
    assert float(restored.kernel.sum()) == pytest.approx(1.0, abs=1e-6)


def test_the_centroid_is_where_the_weight_lies():
    kernel = torch.zeros(7, 7)
    kernel[3, 5] = 1.0
    assert kernel_footprint(kernel, step=0.5).centroid == pytest.approx((0.0, 1.0), abs=1e-6)
