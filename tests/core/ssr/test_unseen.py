# SPDX-License-Identifier: GPL-3.0-or-later
"""What bands leave open: closed forms, what the best linear estimate really misses, and bands out of sight."""

import torch

from hyperres.core.ssr.unseen import find_unseen


def spread(bands=12, classes=(), seed=0):
    mix = torch.randn(*classes, bands, bands, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return mix @ mix.mT / bands


def test_what_is_left_open_is_what_the_best_linear_estimate_misses():
    generator = torch.Generator().manual_seed(1)
    s, noise = spread(), torch.tensor([0.01, 0.1, 0.02], dtype=torch.float64)
    r = torch.rand(3, 12, generator=generator, dtype=torch.float64)
    x = torch.linalg.cholesky(s) @ torch.randn(12, 200_000, generator=generator, dtype=torch.float64)
    y = r @ x + noise.sqrt()[:, None] * torch.randn(3, 200_000, generator=generator, dtype=torch.float64)
    misses = x - torch.linalg.lstsq(y.T, x.T).solution.T @ y
    found = find_unseen(s, r, noise)
    torch.testing.assert_close(found.variance.double(), misses.square().mean(dim=1), rtol=0.02, atol=0)
    assert bool((found.share > 0).all() and (found.share < 1).all())


def test_bands_measured_directly_are_told_and_independent_ones_are_not():
    s = torch.diag(torch.tensor([1.0, 4.0, 9.0, 0.0]))
    found = find_unseen(s, torch.eye(4)[:2], torch.tensor([0.0, 4.0]))
    torch.testing.assert_close(found.variance, torch.tensor([0.0, 2.0, 9.0, 0.0]), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.share, torch.tensor([0.0, 0.5, 1.0, 0.0]), rtol=0, atol=1e-6)
    assert found.blind.tolist() == [False, False, True, False]


def test_a_colour_camera_is_blind_in_the_infrared_unless_the_scene_ties_it_to_the_visible():
    nm = torch.arange(400, 1001, 10).double()
    smooth = torch.exp(-0.5 * ((nm[:, None] - nm) / 40) ** 2)
    camera = torch.exp(-0.5 * ((nm - torch.tensor([[450.0], [550.0], [650.0]])) / 30) ** 2)
    camera /= camera.sum(dim=1, keepdim=True)
    noise = torch.full((3,), 1e-4)
    loose = find_unseen(smooth, camera, noise).blind
    assert not loose[(nm > 430) & (nm < 670)].any() and bool(loose[nm > 720].all())
    brightness = torch.full_like(smooth, 1.0) + 1e-3 * smooth  # all bands rise and fall together
    assert not find_unseen(brightness, camera, noise).blind.any()


def test_classes_are_answered_side_by_side_and_bands_that_see_the_same_are_no_trouble():
    s, r = spread(classes=(4,)), torch.rand(1, 12, generator=torch.Generator().manual_seed(2)).expand(2, 12)
    found = find_unseen(s, r, torch.zeros(2))
    assert found.variance.shape == (4, 12) and bool(found.variance.isfinite().all())
    torch.testing.assert_close(found.variance[2], find_unseen(s[2], r[:1], torch.zeros(1)).variance, rtol=0, atol=1e-5)
