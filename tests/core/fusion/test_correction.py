# SPDX-License-Identifier: GPL-3.0-or-later
"""Fusion by regression and correction on a made-up scene: blind blur, both inputs met, tiles without seams."""

import math
from dataclasses import replace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.fusion.footprint_fit import fit_footprint
from hyperres.core.fusion.method import Fuse
from hyperres.core.fusion.model import FUSED
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.fusion.settings import FusionSettings
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import gaussian_footprint
from hyperres.core.sensors.srf import Srf

BANDS, SIZE, RATIO, NOISE = 30, 128, 4, 0.001
SIGMA = 2.0


def _truth():
    """Fields of seven materials, too many for three bands to tell apart; their borders give every scale."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(7, 1, SIZE, SIZE, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 9, 1, 4)[:, 0]
    shares = torch.softmax(40 * smooth, dim=0)
    nm = torch.linspace(0, 1, BANDS)
    spectra = torch.stack([0.3 + 0.2 * torch.sin(math.pi * (k + 1) * nm + k) for k in range(7)], dim=1)
    return (spectra @ shares.flatten(1)).reshape(BANDS, SIZE, SIZE)


def _response():
    centres, nm = torch.linspace(0.1, 0.9, 3), torch.linspace(0, 1, BANDS)
    rows = torch.exp(-0.5 * ((nm[None] - centres[:, None]) / 0.08) ** 2)
    return rows / rows.sum(dim=1, keepdim=True)


def _sample(psf=SIGMA, moved=(0.0, 0.0)):
    """Truth and a pair of it; the coarse image is inside the fine one, so that nothing is cut off."""
    generator = torch.Generator().manual_seed(1)
    truth, coarse = _truth(), SIZE // RATIO - 6
    placement = Placement(RATIO, RATIO, 3 * RATIO, 3 * RATIO)
    footprint = gaussian_footprint(psf, psf, RATIO, RATIO)
    hsi = Blur(footprint, placement.shifted(*moved), (SIZE, SIZE), (coarse, coarse))(truth)
    msi = (_response() @ truth.flatten(1)).reshape(3, SIZE, SIZE)
    images = [image + NOISE * torch.randn(image.shape, generator=generator) for image in (hsi, msi)]
    valid = [torch.ones(image.shape[1:], dtype=torch.bool) for image in images]
    block = PairBlock(images[0], valid[0], images[1], valid[1], placement)
    tables = [BandTable(tuple(str(i) for i in range(n)), (True,) * n) for n in (BANDS, 3)]
    return truth, PairSample((block,), tables[0], tables[1], complete=True)


def _fuse(sample, psf="auto"):
    srf = Srf(_response().numpy(), ("a", "b", "c"), "made up")
    return Fuse().fit(sample, FusionSettings(psf=psf, registration="ignore"), srf, Context(torch.device("cpu")))


def _apply(model, block, rows=slice(0, SIZE), cols=slice(0, SIZE)):
    return model.prepared((FUSED,)).apply(block, (rows, cols))[0][FUSED]


def _rmse(a, b):
    inner = slice(4 * RATIO, SIZE - 4 * RATIO)
    return float((a - b)[:, inner, inner].square().mean().sqrt())


@pytest.mark.parametrize("sigma", [0.8, 2.0, 3.0])
def test_the_blur_is_found_without_being_told(sigma):
    _, sample = _sample(sigma)
    found = fit_footprint(sample.blocks, _response())
    kernel, true = found.footprint.kernel, gaussian_footprint(sigma, sigma, RATIO, RATIO).kernel
    side = max(len(kernel), len(true))
    pad = [
        torch.nn.functional.pad(k, ((side - k.shape[1]) // 2,) * 2 + ((side - len(k)) // 2,) * 2)
        for k in (kernel, true)
    ]
    assert float((pad[0] - pad[1]).norm() / true.norm()) < 0.1
    assert not found.zeros_outside
    assert found.explained > 0.99


def test_a_small_shift_is_taken_into_the_blur():
    _, sample = _sample(moved=(0.7, -0.4))
    centroid = fit_footprint(sample.blocks, _response()).footprint.centroid
    assert centroid == pytest.approx((0.7, -0.4), abs=0.1)


def test_correction_beats_regression_and_meets_both_inputs_within_their_noise():
    truth, sample = _sample()
    block = sample.blocks[0]
    alone, model = _apply(_fuse(sample, "none"), block), _fuse(sample)
    fused = _apply(model, block)
    assert _rmse(fused, truth) < 0.9 * _rmse(alone, truth)
    blur = Blur(gaussian_footprint(SIGMA, SIGMA, RATIO, RATIO), block.placement, (SIZE, SIZE), block.coarse_shape)
    seen = (_response() @ fused.flatten(1)).reshape(block.msi.shape)
    assert float((seen - block.msi).square().mean().sqrt()) < 2 * NOISE
    assert float((blur(fused) - block.hsi).square().mean().sqrt()) < 2 * NOISE


def test_tiles_make_no_seams():
    _, sample = _sample()
    block, model = sample.blocks[0], _fuse(sample)
    whole, halo, cut = _apply(model, block), model.halo_px, SIZE // 2
    assert 0 < halo < cut
    place, end = block.placement, cut + halo
    rows = int((end - place.row) // RATIO)
    upper = replace(
        block,
        hsi=block.hsi[:, :rows],
        hsi_valid=block.hsi_valid[:rows],
        msi=block.msi[:, :end],
        msi_valid=block.msi_valid[:end],
        edges=(True, False, True, True),
    )
    tile = _apply(model, upper, slice(0, cut))
    assert float((tile - whole[:, :cut]).abs().max()) < 1e-3 * float(whole.max() - whole.min())


def test_a_blur_that_is_not_known_leaves_the_regression_and_says_so():
    _, sample = _sample()
    model = _fuse(sample, "none")
    assert model.halo_px == 0
    assert "not corrected" in model.evidence.correction_note


def _cropped_sample(response, seed=1):
    """A pair that ends where the ground goes on: footprints at the border see what the fine image does not."""
    generator = torch.Generator().manual_seed(seed)
    truth, margin = _truth(), 4 * RATIO
    size, coarse = SIZE - 2 * margin, (SIZE - 2 * margin) // RATIO
    placement = Placement(RATIO, RATIO, margin, margin)
    hsi = Blur(gaussian_footprint(SIGMA, SIGMA, RATIO, RATIO), placement, (SIZE, SIZE), (coarse, coarse))(truth)
    truth = truth[:, margin:-margin, margin:-margin]
    msi = (response @ truth.flatten(1)).reshape(-1, size, size)
    images = [image + NOISE * torch.randn(image.shape, generator=generator) for image in (hsi, msi)]
    valid = [torch.ones(image.shape[1:], dtype=torch.bool) for image in images]
    block = PairBlock(images[0], valid[0], images[1], valid[1], Placement(RATIO, RATIO))
    tables = [BandTable(tuple(str(i) for i in range(n)), (True,) * n) for n in (BANDS, len(msi))]
    return truth, PairSample((block,), tables[0], tables[1], complete=True)


@pytest.mark.parametrize("bands", [1, 3])
def test_the_border_of_the_image_is_no_frame(bands):
    response = _response()[1:2] if bands == 1 else _response()
    truth, sample = _cropped_sample(response)
    srf = Srf(response.numpy(), ("a", "b", "c")[:bands], "made up")
    settings = FusionSettings(psf="auto", registration="ignore")
    model = Fuse().fit(sample, settings, srf, Context(torch.device("cpu")))
    size = truth.shape[1]
    squares = (_apply(model, sample.blocks[0], slice(0, size), slice(0, size)) - truth).square().mean(dim=0)
    inner = slice(2, size - 2)
    inside = float(squares[inner, inner].mean())
    frame = (float(squares.sum()) - float(squares[inner, inner].sum())) / (size**2 - (size - 4) ** 2)
    assert frame < 1.5 * inside
