# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics against a reference: torchmetrics, closed forms, independent sums; tiles and holes change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchmetrics.functional.image as oracle

from hyperres.core.grid import Grid, plan_tiles
from hyperres.core.quality.blocks import moments, q2n, q_of_pairs
from hyperres.core.quality.reference import HALO_PX, ReferenceQuality, measure

torch.set_num_threads(1)


def images(bands=7, rows=90, cols=75, seed=0, noise=0.05):
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(bands, 6, 6, generator=random)
    reference = torch.nn.functional.interpolate(coarse[None], (rows, cols), mode="bilinear")[0] * 0.6 + 0.1
    return reference + noise * torch.randn(bands, rows, cols, generator=random), reference


def scores(result, reference, valid=None, tile=(1000, 1000), ratio=4.0, peak=1.0):
    valid = torch.ones(result.shape[1:], dtype=torch.bool) if valid is None else valid
    whole = ReferenceQuality(len(result), ratio, peak)
    maps = torch.empty(2, *valid.shape)
    for one in plan_tiles(Grid(valid.shape[1], valid.shape[0]), *tile, HALO_PX):
        rows, cols = one.halo.rows, one.halo.cols
        core = one.core.within(one.halo)
        origin = one.halo.row, one.halo.col
        part, seen = measure(result[:, rows, cols], reference[:, rows, cols], valid[rows, cols], origin, core, peak)
        whole.add(part)
        maps[:, one.core.rows, one.core.cols] = seen
    return whole.result(), maps


def test_torchmetrics_agrees():
    x, r = images()
    found, maps = scores(x, r)
    many = x[None].double(), r[None].double()
    assert found.psnr == pytest.approx(float(oracle.peak_signal_noise_ratio(*many, data_range=1.0)), rel=1e-5)
    angles = oracle.spectral_angle_mapper(*many, reduction="none").rad2deg()
    assert found.sam == pytest.approx(float(angles.mean()), rel=1e-5)
    assert maps[1] == pytest.approx(angles[0].float(), abs=1e-3)
    # without the rim, which it fills by reflection
    _, ssim_map = oracle.structural_similarity_index_measure(*many, data_range=1.0, return_full_image=True)
    ssim = ssim_map[..., 5:-5, 5:-5].mean()
    assert found.ssim == pytest.approx(float(ssim), abs=1e-4)
    ergas = oracle.error_relative_global_dimensionless_synthesis(*many, ratio=1 / 4)
    # torchmetrics multiplies by 100 / ratio with the fine pixel over the coarse one
    assert found.ergas == pytest.approx(float(ergas) / 16, rel=1e-4)
    rmse = (x - r).double().pow(2).mean((1, 2)).sqrt()
    assert found.band_rmse == pytest.approx(rmse.tolist(), rel=1e-5)
    assert found.band_cc == pytest.approx([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(x, r)], abs=1e-5)


def test_uiqi_is_that_of_each_block():
    x, r = images(3, 64, 96)
    blocks = [
        [a[:, i : i + 32, j : j + 32].reshape(3, -1).numpy() for a in (x, r)] for i in (0, 32) for j in (0, 32, 64)
    ]
    by_hand = np.zeros(3)
    for a, b in blocks:
        cov = ((a - a.mean(1, keepdims=True)) * (b - b.mean(1, keepdims=True))).mean(1)
        by_hand += 4 * cov * a.mean(1) * b.mean(1) / ((a.var(1) + b.var(1)) * (a.mean(1) ** 2 + b.mean(1) ** 2)) / 6
    assert scores(x, r)[0].band_uiqi == pytest.approx(by_hand.tolist(), rel=1e-4)


@pytest.mark.parametrize("tile", [(16, 16), (32, 48), (96, 32), (17, 80)])
def test_tiles_change_nothing(tile):
    x, r = images()
    valid = torch.rand(90, 75, generator=torch.Generator().manual_seed(1)) > 0.001
    whole, maps = scores(x, r, valid)
    cut, cut_maps = scores(x, r, valid, tile)
    for name, value in vars(whole).items():
        assert getattr(cut, name) == pytest.approx(value, rel=1e-5), name
    assert torch.equal(torch.nan_to_num(maps), torch.nan_to_num(cut_maps))


def test_what_is_invalid_does_not_matter():
    x, r = images()
    valid = torch.ones(90, 75, dtype=torch.bool)
    valid[10:30, 20:50] = False
    before, _ = scores(x, r, valid)
    x[:, ~valid], r[:, ~valid] = 1e9, -7.0
    after, maps = scores(x, r, valid)
    assert vars(after) == vars(before) and after.pixels == 90 * 75 - 600
    assert maps[:, ~valid].isnan().all() and maps[:, valid].isfinite().all()


def test_closed_forms():
    _, r = images(noise=0)
    same, _ = scores(r, r)
    assert (same.rmse, same.psnr, same.ergas) == (0, math.inf, 0)
    assert [same.ssim, same.uiqi, same.q2n, same.cc] == pytest.approx([1, 1, 1, 1], abs=1e-6) and same.sam < 1e-4
    offset, _ = scores(r + 0.1, r)
    assert [offset.psnr, offset.rmse, offset.cc] == pytest.approx([20, 0.1, 1], abs=1e-4)
    assert offset.band_bias == pytest.approx([0.1] * 7, abs=1e-6)
    brighter, _ = scores(1.5 * r, r)
    assert [brighter.sam, brighter.cc] == pytest.approx([0, 1], abs=1e-3)
    assert brighter.uiqi == pytest.approx((2 * 1.5 / (1 + 1.5**2)) ** 2, abs=1e-6) == brighter.q2n
    stored, _ = scores(10000 * (r + 0.1), 10000 * r, peak=10000.0)
    assert [stored.psnr, stored.ssim, stored.ergas] == pytest.approx([offset.psnr, offset.ssim, offset.ergas], abs=1e-3)


def test_ergas_knows_the_ratio():
    x, r = images()
    assert scores(x, r, ratio=8.33)[0].ergas == pytest.approx(scores(x, r, ratio=4)[0].ergas * 4 / 8.33)
    assert scores(x, r, ratio=None)[0].ergas is None


def test_black_pixels_are_counted_and_have_no_angle():
    x, r = images()
    r[:, 3, 4] = 0
    found, maps = scores(x, r)
    assert found.black == 1 and maps[1, 3, 4].isnan() and maps[1].isnan().sum() == 1


def quaternion_product(p, q):
    a, b, c, d = p
    e, f, g, h = q
    return np.array(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]
    )


def test_q4_is_that_of_quaternions():
    x, r = (image.reshape(4, -1) for image in images(4, 20, 20))
    a, b = x.numpy().astype(float), r.numpy().astype(float)
    conjugate = b * np.array([1, -1, -1, -1])[:, None]
    mean_a, mean_b = a.mean(1), b.mean(1)
    cross = quaternion_product(a, conjugate).mean(1) - quaternion_product(mean_a, mean_b * np.array([1, -1, -1, -1]))
    va, vb = a.var(1).sum(), b.var(1).sum()
    ma, mb = np.linalg.norm(mean_a), np.linalg.norm(mean_b)
    by_hand = 4 * np.linalg.norm(cross) * ma * mb / ((va + vb) * (ma**2 + mb**2))
    assert float(q2n(*moments(torch.cat([x, r])))) == pytest.approx(by_hand, rel=1e-6)


def test_q2n_sees_what_single_bands_do_not():
    """Swapping bands leaves brightness alone but turns every spectrum."""
    _, r = images(8, 32, 32, noise=0)
    assert scores(r.flip(0), r)[0].q2n < 0.9 < scores(r + 1e-4, r)[0].q2n


def test_pairs_of_bands_at_once_are_the_pairs_one_by_one():
    x, _ = images(5, 32, 32)
    mean, covariance = moments(x.reshape(5, -1))
    found = q_of_pairs(mean, covariance)
    for i in range(5):
        for j in range(5):
            one, _ = scores(x[i : i + 1], x[j : j + 1])
            assert float(found[i, j]) == pytest.approx(one.uiqi, rel=1e-5)
