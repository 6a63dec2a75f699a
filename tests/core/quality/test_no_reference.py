# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality without a reference: a perfect image, known faults, and the indices from their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperres.core.fusion.pair import PairBlock, Placement
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import gaussian_footprint
from hyperres.core.quality.blocks import moments, q_of_pairs
from hyperres.core.quality.no_reference import PairQuality, measure_pair

torch.set_num_threads(1)
BANDS, RATIO, SIDE = 6, 4, 64
RESPONSE = torch.tensor([[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 0.5, 0.5]])
AREA = gaussian_footprint(0.0, 0.0, RATIO, RATIO)
ALL = slice(0, SIDE)


def scene(seed=0):
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(3, 16, 16, generator=random)
    maps = torch.nn.functional.interpolate(coarse[None], (SIDE, SIDE), mode="bilinear")[0]
    return torch.einsum("bk,khw->bhw", 0.1 + torch.rand(BANDS, 3, generator=random), maps)


def pair(truth, footprint=AREA):
    placement = Placement(RATIO, RATIO)
    blur = Blur(footprint, placement, (SIDE, SIDE), (SIDE // RATIO,) * 2)
    hsi = blur(truth) / blur.coverage
    msi = torch.einsum("mb,bhw->mhw", RESPONSE, truth)
    whole = torch.ones(SIDE, SIDE, dtype=torch.bool)
    return PairBlock(hsi, torch.ones(hsi.shape[1:], dtype=torch.bool), msi, whole, placement)


def scores(result, block, footprint=AREA, valid=None):
    valid = torch.ones(SIDE, SIDE, dtype=torch.bool) if valid is None else valid
    quality = PairQuality()
    tile, examples = measure_pair(result, valid, block, (ALL, ALL), (0, 0), footprint, RESPONSE)
    quality.add(tile)
    return quality.result(), examples


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_the_truth_is_consistent_with_both_inputs(sigma):
    truth, footprint = scene(), gaussian_footprint(sigma, sigma, RATIO, RATIO)
    found, examples = scores(truth, pair(truth, footprint), footprint)
    assert found.psnr_hsi > 110 and found.psnr_msi > 110 and found.sam_hsi < 0.1
    assert found.d_lambda_k < 1e-5 and found.hqnr == pytest.approx(1 - found.d_s, abs=1e-4)
    assert examples.result == pytest.approx(examples.other, abs=1e-2)


def test_the_wrong_blur_is_seen_at_the_coarse_scale_alone():
    truth = scene()
    found, _ = scores(truth, pair(truth, gaussian_footprint(3.0, 3.0, RATIO, RATIO)))
    assert found.psnr_hsi < 40 and found.psnr_msi > 110


def test_an_offset_is_told_in_both_to_the_decibel():
    truth = scene()
    found, _ = scores(truth + 0.1, pair(truth))
    assert [found.psnr_hsi, found.psnr_msi, found.rmse_hsi] == pytest.approx([20, 20, 0.1], abs=1e-3)
    assert found.band_rmse_hsi == pytest.approx([0.1] * BANDS, abs=1e-5)


def test_the_coarse_image_enlarged_agrees_with_itself_but_lacks_detail():
    truth = scene()
    block = pair(truth)
    enlarged = block.hsi.repeat_interleave(RATIO, 1).repeat_interleave(RATIO, 2)
    found, _ = scores(enlarged, block)
    honest, _ = scores(truth, block)
    assert found.psnr_hsi > 110 and found.psnr_msi < 40
    assert found.d_lambda < 1e-4 and found.d_s > honest.d_s


def test_swapped_bands_cost_spectral_quality():
    truth = scene()
    good, _ = scores(truth, pair(truth))
    bad, _ = scores(truth.flip(0), pair(truth))
    assert bad.d_lambda > 0.1 > good.d_lambda and bad.d_lambda_k > 0.05 > good.d_lambda_k
    assert bad.qnr < good.qnr and bad.hqnr < good.hqnr


def test_the_indices_are_those_of_their_definitions():
    truth, block = scene(), pair(scene())
    result = truth + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(3))
    found, _ = scores(result, block)
    blurred = pair(result).hsi
    low = torch.einsum("mb,bhw->mhw", RESPONSE, block.hsi)

    def mean_q(images, side):
        parts = [
            (slice(None), slice(i, i + side), slice(j, j + side))
            for i in range(0, 64, side)
            for j in range(0, 64, side)
        ]
        parts = [p for p in parts if p[1].start < images.shape[1] and p[2].start < images.shape[2]]
        return sum(q_of_pairs(*moments(images[p].reshape(len(images), -1))) for p in parts) / len(parts)

    fine, coarse = mean_q(torch.cat([result, block.msi]), 32), mean_q(torch.cat([block.hsi, low]), 8)
    pairs = [(i, j) for i in range(BANDS) for j in range(BANDS) if i != j]
    assert found.d_lambda == pytest.approx(float(sum((fine - coarse)[p].abs() for p in pairs) / len(pairs)), abs=1e-5)
    nearest = [int(np.corrcoef(np.vstack([h.ravel(), low.reshape(3, -1)]))[0, 1:].argmax()) for h in block.hsi.numpy()]
    d_s = np.mean([abs(float(fine[i, BANDS + b] - coarse[i, BANDS + b])) for i, b in enumerate(nearest)])
    assert found.d_s == pytest.approx(d_s, abs=0.02)
    assert found.qnr == pytest.approx((1 - found.d_lambda) * (1 - found.d_s))
    assert found.rmse_hsi == pytest.approx(float((blurred - block.hsi).pow(2).mean().sqrt()), rel=1e-4)


def test_invalid_pixels_do_not_matter():
    truth, block = scene(), pair(scene())
    valid = torch.ones(SIDE, SIDE, dtype=torch.bool)
    valid[:10, :10] = False
    spoiled = torch.where(valid, truth, 1e6)
    found, _ = scores(spoiled, block, valid=valid)
    assert found.psnr_hsi > 110 and found.fine_pixels == SIDE**2 - 100
    assert found.coarse_pixels == (SIDE // RATIO) ** 2 - 9
