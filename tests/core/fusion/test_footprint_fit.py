# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted point spread functions, simulated by other means, and pairs from which nothing can be told."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter
from scipy.ndimage import shift as moved

from hyperres.core.fusion.footprint_fit import fit_footprint
from hyperres.core.fusion.pair import PairBlock, Placement

BANDS = 3


def _scene(side, seed=0, sigma=0.7):
    """Detail at all scales, float64 [bands, side, side]."""
    random = np.random.default_rng(seed)
    layers = [(sigma, 1.0), (3.0, 3.0), (9.0, 8.0)]
    fields = [
        sum(weight * gaussian_filter(random.standard_normal((side, side)), s, mode="wrap") for s, weight in layers)
        for _ in range(BANDS)
    ]
    return 0.3 + 0.1 * np.stack(fields)


def _block(fine, coarse, ratio, start=0.0):
    """A pair of which the HSI has just the MSI's bands."""
    msi, hsi = torch.from_numpy(fine).float(), torch.from_numpy(coarse).float()
    hsi_valid, msi_valid = (torch.ones(array.shape[1:], dtype=torch.bool) for array in (hsi, msi))
    return PairBlock(hsi, hsi_valid, msi, msi_valid, Placement(ratio, ratio, start, start))


def _averaged(fine, ratio):
    """Means over the area of each coarse pixel; fine pixels on its border count by their share."""
    count = int(fine.shape[1] / ratio)
    edges = np.arange(count + 1) * ratio
    pixels = np.arange(fine.shape[1])
    low = np.maximum(edges[:-1, None], pixels[None])
    share = np.clip(np.minimum(edges[1:, None], pixels[None] + 1) - low, 0, None) / ratio
    return np.einsum("uy,byx,vx->buv", share, fine, share)


def _noisy(cube, seed=1):
    return cube + 5e-4 * np.random.default_rng(seed).standard_normal(cube.shape)


def _fit(block):
    return fit_footprint([block], torch.eye(BANDS))


@pytest.mark.parametrize(("side", "ratio"), [(160, 4.0), (400, 8 + 1 / 3)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_planted_gaussian_is_found_with_its_width(side, ratio, share):
    sigma, fine = share * ratio, _scene(side)
    coarse = _averaged(gaussian_filter(fine, (0, sigma, sigma), mode="wrap"), ratio)
    found = _fit(_block(fine, _noisy(coarse), ratio))
    assert found.explained > 0.99
    # the variance of what a pixel sees is that of the Gaussian and that of the pixel's own box
    places = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in found.footprint.kernel.shape]
    kernel = found.footprint.kernel.double()
    for axis in (0, 1):
        profile = kernel.sum(dim=1 - axis)
        variance = float(profile @ places[axis].square()) - float(profile @ places[axis]) ** 2
        assert np.sqrt(variance) == pytest.approx(np.sqrt(sigma**2 + ratio**2 / 12), rel=0.05)
    assert found.footprint.centroid == pytest.approx((0.0, 0.0), abs=0.15)
    assert float(kernel.sum()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("shift", [(1.0, 0.0), (-0.6, 0.8)])
def test_a_planted_shift_is_found(shift):
    fine = _scene(160)
    blurred = gaussian_filter(fine, (0, 1.6, 1.6), mode="wrap")
    coarse = _averaged(moved(blurred, (0, -shift[0], -shift[1]), order=3, mode="grid-wrap"), 4.0)
    found = _fit(_block(fine, _noisy(coarse), 4.0))
    assert found.footprint.centroid == pytest.approx(shift, abs=0.1)


def test_of_single_fine_pixels_nothing_else_is_claimed():
    fine, ratio = _scene(150), 3
    coarse = fine[:, 1::ratio, 1::ratio]
    found = _fit(_block(fine, _noisy(coarse), float(ratio)))
    assert found.explained > 0.97
    kernel = found.footprint.kernel
    rows, cols = kernel.shape
    assert rows % 2 == cols % 2 == 1
    assert float(kernel[rows // 2, cols // 2]) > 0.8
    assert float(kernel.abs().sum()) < 1.6


@pytest.mark.parametrize("planted", [True, False])
def test_zeros_outside_the_image_are_seen_where_they_were(planted):
    fine, mode = _scene(80), "constant" if planted else "nearest"
    coarse = _averaged(gaussian_filter(fine, (0, 2.5, 2.5), mode=mode), 4.0)
    found = _fit(_block(fine, _noisy(coarse), 4.0))
    assert found.zeros_outside is planted
    assert found.explained > 0.98


def test_unrelated_images_are_not_trusted():
    fine = _scene(160)
    found = _fit(_block(fine, _averaged(_scene(160, seed=7), 4.0), 4.0))
    assert found is None or found.explained < 0.3


def test_too_few_coarse_pixels_give_no_fit():
    fine = _scene(20)
    assert _fit(_block(fine, _averaged(fine, 4.0), 4.0)) is None


def test_a_ring_is_told_apart_from_a_gaussian():
    side, ratio = 240, 4
    fine = _scene(side, sigma=0.5)
    places = np.arange(9) - 4.0
    radius = np.hypot(places[:, None], places[None])
    ring = np.exp(-((radius - 3.0) ** 2) / 0.4)
    ring /= ring.sum()
    blurred = np.stack([convolve(band, ring, mode="wrap") for band in fine])
    found = _fit(_block(fine, _noisy(_averaged(blurred, float(ratio))), float(ratio)))
    assert found.sigma is None
    assert found.explained > 0.97
    kernel = found.footprint.kernel
    middle = kernel[kernel.shape[0] // 2 - 1 : kernel.shape[0] // 2 + 1, kernel.shape[1] // 2 - 1 :][:, :2].mean()
    assert float(kernel.max()) > 1.3 * float(middle)
    assert bool(torch.isfinite(kernel).all())
