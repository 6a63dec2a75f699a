# SPDX-License-Identifier: GPL-3.0-or-later
"""Gain and offset between two images, known because the test made them."""

import pytest
import torch

from hyperres.core.fusion.pairing.radiometry import fit_radiometry

torch.set_num_threads(1)


def pixels(count=2000, bands=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.05 + 0.4 * torch.rand(count, bands, generator=random), random


def noise(like, size, random):
    return size * torch.randn(like.shape, generator=random)


@pytest.mark.parametrize(("gain", "offset"), [(1e4, 0.0), (1e4, -1000.0), (57.3, 12.0), (0.8, 0.03)])
def test_units_are_found_in_spite_of_clouds_and_noise_in_both(gain, offset):
    truth, random = pixels()
    msi = gain * (truth + noise(truth, 0.004, random)) + offset
    msi[:200] = gain * 0.9 + offset  # clouds on a tenth of the image
    found = fit_radiometry(msi, truth + noise(truth, 0.004, random))
    assert found.needed
    assert found.gain == pytest.approx(torch.full((3,), gain), rel=0.01)
    assert found.offset == pytest.approx(torch.full((3,), offset), abs=0.003 * gain)
    assert found.used.max() < 0.92
    assert (found.correlation > 0.99).all()
    assert found.residual == pytest.approx(torch.full((3,), 0.004 * 2**0.5), rel=0.1)


def test_equal_scales_are_left_alone():
    truth, random = pixels()
    found = fit_radiometry(truth + noise(truth, 0.01, random), truth + noise(truth, 0.01, random))
    assert not found.needed
    assert "used as it is" in found.sentences(("a", "b", "c"))[0]


def test_the_gain_is_not_attenuated_by_equal_noise_in_both():
    """Ordinary regression would give var / (var + noise) = 0.75 of the slope."""
    truth, random = pixels(count=20_000)
    size = float(truth.std()) / 3**0.5
    found = fit_radiometry(truth + noise(truth, size, random), truth + noise(truth, size, random))
    assert found.gain == pytest.approx(torch.ones(3), abs=0.03)
    assert (found.gain_error > 0.2).all()


def test_a_calibration_error_of_a_few_per_cent_is_noticed():
    truth, random = pixels()
    msi = truth * torch.tensor([1.0, 1.06, 1.0]) + torch.tensor([0.0, 0.0, 0.02]) + noise(truth, 0.002, random)
    found = fit_radiometry(msi, truth)
    assert found.different.tolist() == [False, True, True]
    assert found.apply(msi.T).T == pytest.approx(truth, abs=0.012)


def test_the_gain_is_bracketed_by_its_error():
    truth, random = pixels(count=400)
    found = fit_radiometry(1.3 * truth + noise(truth, 0.03, random), truth)
    assert ((found.gain - 1.3).abs() <= found.gain_error).all()
    assert (found.gain_error < 0.15).all()


def test_constant_bands_give_finite_numbers():
    truth, _ = pixels()
    found = fit_radiometry(torch.full_like(truth, 0.5), truth)
    for numbers in (found.gain, found.offset, found.correlation):
        assert torch.isfinite(numbers).all()
