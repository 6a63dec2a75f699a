# SPDX-License-Identifier: GPL-3.0-or-later
"""Displacements that the test itself made, found again; sharpness, units and nodata must not matter."""

import math
from dataclasses import replace

import pytest
import torch

from hyperres.core.fusion.pair import PairBlock, Placement
from hyperres.core.fusion.pairing.alike import alike_pixels
from hyperres.core.fusion.pairing.radiometry import fit_radiometry
from hyperres.core.fusion.pairing.registration import find_shift

torch.set_num_threads(1)
SIDE = 200
RESPONSE = torch.zeros(3, 12)
RESPONSE[0, :4] = RESPONSE[1, 4:8] = RESPONSE[2, 8:] = 0.25


def seen(count, ratio, start, sigma):
    """What coarse pixels see of fine ones along an axis: their own width, blurred; by a sum over many points."""
    points = (torch.arange(count * 40, dtype=torch.float64) + 0.5) * ratio / 40 + start
    fine = torch.arange(SIDE, dtype=torch.float64) + 0.5
    kernel = torch.exp(-0.5 * ((points[:, None] - fine) / max(sigma, 0.3)) ** 2)
    kernel = kernel / (max(sigma, 0.3) * math.sqrt(2 * math.pi))
    return kernel.view(count, 40, SIDE).mean(1).float()


def landscape(seed=0):
    """Twelve bands of three materials in fields of different size, [12, SIDE, SIDE]."""
    random = torch.Generator().manual_seed(seed)
    maps = []
    for size in (9, 23, 60):
        coarse = torch.randn(1, 1, size, size, generator=random)
        fields = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0]
        maps.append((fields > 0.2).float() + 0.2 * fields)
    spectra = torch.rand(12, 3, generator=random)
    return 0.2 + 0.1 * torch.einsum("bm,mhw->bhw", spectra, torch.stack(maps))


def pair(ratio, shift, sigma=0.35, snr_db=35, seed=0, gain=1.0, offset=0.0):
    """A pair whose HSI was displaced by some fine pixels behind its georeference's back."""
    random = torch.Generator().manual_seed(seed + 100)
    scene, count = landscape(seed), int(SIDE / ratio)
    rows, cols = (seen(count, ratio, start, sigma * ratio) for start in shift)
    share = rows.sum(1)[:, None] * cols.sum(1)
    hsi = torch.einsum("hH,bHW,wW->bhw", rows, scene, cols) / share.clamp_min(0.01)
    hsi = hsi + 10 ** (-snr_db / 20) * hsi.square().mean().sqrt() * torch.randn(hsi.shape, generator=random)
    msi = torch.einsum("cb,bhw->chw", RESPONSE, scene)
    msi = msi + 0.01 * msi.square().mean().sqrt() * torch.randn(msi.shape, generator=random)
    whole = torch.ones(SIDE, SIDE, dtype=torch.bool)
    return PairBlock(hsi, share > 0.95, gain * msi + offset, whole, Placement(ratio, ratio))


@pytest.mark.parametrize("response", [RESPONSE, None], ids=["known response", "unknown response"])
@pytest.mark.parametrize("ratio", [4.0, 25 / 3])
@pytest.mark.parametrize("coarse", [(0.0, 0.0), (0.3, -0.2), (-0.5, 1.4), (3.3, -2.6)])
def test_the_displacement_is_found_to_a_tenth_of_a_coarse_pixel(response, ratio, coarse):
    for snr_db in (30, 40):
        block = pair(ratio, (coarse[0] * ratio, coarse[1] * ratio), snr_db=snr_db, gain=1e4, offset=-300)
        found = find_shift([block], response)
        assert found.confident
        assert (found.pixels[0] / ratio, found.pixels[1] / ratio) == (
            pytest.approx(coarse[0], abs=0.06),
            pytest.approx(coarse[1], abs=0.06),
        )


def test_several_blocks_with_holes_serve_as_well():
    block = pair(4.0, (2.0, -5.0))
    holes = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(9)) < 0.001
    msi_valid = torch.nn.functional.max_pool2d(holes.float()[None, None], 5, 1, 2)[0, 0] == 0
    msi = torch.where(msi_valid, block.msi, torch.full((), -9999.0))
    parts = []
    for first in (0, 26):
        hsi, valid = block.hsi[:, first : first + 24], block.hsi_valid[first : first + 24]
        parts.append(PairBlock(hsi, valid, msi, msi_valid, replace(block.placement, row=4.0 * first)))
    found = find_shift(parts, RESPONSE)
    assert found.confident
    assert found.pixels == (pytest.approx(2.0, abs=0.25), pytest.approx(-5.0, abs=0.25))


@pytest.mark.parametrize("response", [RESPONSE, None])
def test_other_scenes_give_no_confidence(response):
    first, second = pair(4.0, (0.0, 0.0)), pair(4.0, (0.0, 0.0), seed=5)
    assert not find_shift([replace(first, msi=second.msi)], response).confident
    assert not find_shift([replace(first, msi=first.msi.flip(1))], response).confident


def test_moving_by_what_was_found_leaves_nothing_to_find():
    block = pair(4.0, (3.1, -2.2))
    first = find_shift([block], RESPONSE)
    again = find_shift([replace(block, placement=block.placement.shifted(*first.pixels))], RESPONSE)
    assert max(map(abs, again.pixels)) < 0.1


@pytest.mark.parametrize("sigma", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("ratio", [4.0, 25 / 3])
def test_blur_of_the_hsi_is_not_taken_for_a_gain(sigma, ratio):
    block = pair(ratio, (0.0, 0.0), sigma)
    assert not fit_radiometry(*alike_pixels([block], RESPONSE)).needed
    scaled = replace(block, msi=1.3 * block.msi - 0.02)
    found = fit_radiometry(*alike_pixels([scaled], RESPONSE))
    assert found.gain == pytest.approx(torch.full((3,), 1.3), rel=0.03)
    assert found.offset == pytest.approx(torch.full((3,), -0.02), abs=0.01)
    assert torch.allclose(found.apply(scaled.msi), block.msi, atol=0.012)
