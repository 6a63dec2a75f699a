# SPDX-License-Identifier: GPL-3.0-or-later
"""What simulated instruments see: averages, blur, bands and noise, whatever the tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from hyperres.core.grid import Window
from hyperres.core.simulation.observe import degrade, noise_levels, reach_px, see_bands, unit_noise, weights


def scene(bands, height, width, seed=0):
    return torch.rand(bands, height, width, generator=torch.Generator().manual_seed(seed))


def everywhere(cube):
    return torch.ones(cube.shape[1:], dtype=torch.bool)


def coarse_of(cube, ratio, sigma, valid=None):
    height, width = cube.shape[1:]
    rows = weights(0, int(height / ratio), ratio, sigma, 0, height)
    cols = weights(0, int(width / ratio), ratio, sigma, 0, width)
    return degrade(cube, everywhere(cube) if valid is None else valid, rows, cols)


def test_without_blur_a_coarse_pixel_is_the_mean_of_its_area():
    cube = scene(3, 24, 32)
    coarse, valid = coarse_of(cube, 4, 0)
    expected = cube.reshape(3, 6, 4, 8, 4).mean((2, 4))
    assert torch.allclose(coarse, expected, atol=1e-6)
    assert valid.all()


def test_a_fractional_ratio_shares_the_pixels_on_its_border():
    line = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    cols = weights(0, 2, 2.5, 0, 0, 5)
    coarse, _ = degrade(line, everywhere(line), torch.ones(1, 1, dtype=torch.float64), cols)
    assert coarse[0, 0].tolist() == pytest.approx([(1 + 2 + 1.5) / 2.5, (1.5 + 4 + 5) / 2.5])


def test_the_blur_is_a_gaussian_followed_by_the_average_of_the_area():
    # on a grid fifty times finer, where sampling hardly matters
    fine, sigma, ratio = 50, 1.7, 4
    signal = np.random.default_rng(0).random(60)
    dense = gaussian_filter1d(signal.repeat(fine), sigma * fine, mode="constant", truncate=6)
    expected = dense.reshape(15, ratio * fine).mean(1)
    found = weights(0, 15, ratio, sigma, 0, 60).numpy() @ signal
    assert found[3:-3] == pytest.approx(expected[3:-3], abs=1e-4)


@pytest.mark.parametrize(("ratio", "sigma"), [(1, 0.0), (4, 0.0), (8.33, 0.0), (4, 1.7), (8.33, 3.5)])
def test_a_constant_scene_stays_constant_up_to_its_rim(ratio, sigma):
    coarse, valid = coarse_of(torch.full((2, 50, 60), 0.3), ratio, sigma)
    assert valid.all()
    assert torch.allclose(coarse, torch.tensor(0.3), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_positions_are_right(sigma):
    # a ramp has the value of its centre, whatever symmetric weights see it
    ramp = torch.arange(200.0).expand(1, 3, 200) + 0.5
    cols = weights(0, 24, 8.33, sigma, 0, 200)
    coarse, _ = degrade(ramp, everywhere(ramp), torch.eye(3, dtype=torch.float64), cols)
    centres = (torch.arange(24) + 0.5) * 8.33
    assert torch.allclose(coarse[0, 0, 2:-2], centres[2:-2], atol=0.02)


def test_the_reach_holds_nearly_all_that_is_seen():
    margin = reach_px(4, 1.7)
    inside = weights(5, 1, 4, 1.7, 20 - margin, 4 + 2 * margin).sum()
    assert 1 - inside < 1e-6


def test_invalid_pixels_do_not_enter_and_mostly_invalid_areas_stay_invalid():
    cube = torch.full((1, 8, 8), 0.5)
    valid = everywhere(cube)
    cube[0, 0, 0], valid[0, 0] = 1e6, False
    valid[4:, 4:7] = False
    coarse, known = coarse_of(cube, 4, 0, valid)
    assert known.tolist() == [[True, True], [True, False]]
    assert coarse[0][known].tolist() == pytest.approx([0.5] * 3)


def test_tiles_give_what_the_whole_image_gives():
    cube, ratio, sigma = scene(4, 80, 80), 2.5, 1.2
    whole, _ = coarse_of(cube, ratio, sigma)
    margin = reach_px(ratio, sigma)
    first, count = 10, 7
    low, high = int(first * ratio) - margin, int(np.ceil((first + count) * ratio)) + margin
    rows = weights(first, count, ratio, sigma, low, high - low)
    part, _ = degrade(cube[:, low:high, low:high], everywhere(cube)[low:high, low:high], rows, rows)
    assert torch.allclose(part, whole[:, first : first + count, first : first + count], atol=2e-6)


def test_bands_are_weighted_sums():
    cube = scene(3, 4, 5)
    seen = see_bands(cube, torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5]]))
    assert torch.equal(seen[0], cube[0])
    assert torch.allclose(seen[1], cube[1:].mean(0))


def test_noise_has_the_signal_to_noise_ratio_of_each_band():
    signal = torch.tensor([0.5, 0.1])[:, None, None].expand(2, 300, 300)
    noise = unit_noise(2, Window(0, 0, 300, 300), 3) * noise_levels(signal.square().mean((1, 2)), 30)[:, None, None]
    snr = 10 * torch.log10(signal.square().mean((1, 2)) / noise.square().mean((1, 2)))
    assert snr.tolist() == pytest.approx([30, 30], abs=0.1)


def test_noise_is_white_and_normal():
    noise = unit_noise(3, Window(0, 0, 256, 256), 0).double()
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert (noise**4).mean().item() == pytest.approx(3, abs=0.1)
    for shifted in (noise.roll(1, 2), noise.roll(64, 2), noise.roll(64, 1), noise.roll(1, 0)):
        assert abs((noise * shifted).mean().item()) < 0.01


def test_noise_at_a_pixel_does_not_depend_on_the_window():
    whole = unit_noise(2, Window(0, 0, 150, 200), 7)
    part = unit_noise(2, Window(50, 61, 40, 90), 7)
    assert torch.equal(part, whole[:, 50:90, 61:151])
    assert not torch.equal(part, unit_noise(2, Window(50, 61, 40, 90), 8))
