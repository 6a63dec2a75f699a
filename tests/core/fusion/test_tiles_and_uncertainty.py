# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted fusions cut into tiles, restored from files, and what they say of their own errors, on a made-up scene."""

import functools
import math
from dataclasses import replace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.fusion import paper, spectralift
from hyperres.core.fusion.method import Fuse, SpectraLift, SpectraMorph
from hyperres.core.fusion.model import FUSED, UNCERTAINTY
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.fusion.settings import FusionSettings
from hyperres.core.grid import Window
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import gaussian_footprint
from hyperres.core.sensors.srf import Srf

BANDS, SIZE, RATIO, NOISE, SIGMA, TILE = 24, 192, 4, 0.001, 1.6, 64
RIM = 5
"""Coarse pixels along each side of the fine image that the coarse one does not reach."""


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """An ensemble that learns for a moment only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectralift, "RECIPE", replace(spectralift.RECIPE, steps=(150,), members=3))
        yield
    _fitted.cache_clear()


def _truth(seed=0):
    """Fields of seven materials, too many for three bands to tell apart; their borders give every scale."""
    noise = torch.randn(7, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    shares = torch.softmax(40 * torch.nn.functional.avg_pool2d(noise, 9, 1, 4)[:, 0], dim=0)
    axis = torch.linspace(0, 1, BANDS)
    spectra = torch.stack([0.3 + 0.2 * torch.sin(math.pi * (k + 1) * axis + k) for k in range(7)], dim=1)
    return (spectra @ shares.flatten(1)).reshape(BANDS, SIZE, SIZE)


def _response():
    centres, axis = torch.linspace(0.1, 0.9, 3), torch.linspace(0, 1, BANDS)
    rows = torch.exp(-0.5 * ((axis[None] - centres[:, None]) / 0.08) ** 2)
    return rows / rows.sum(dim=1, keepdim=True)


def _pair(holes):
    """Truth and a block of it whose HSI covers the middle of the MSI only."""
    generator = torch.Generator().manual_seed(1)
    truth, side = _truth(), SIZE // RATIO - 2 * RIM
    placement = Placement(RATIO, RATIO, RIM * RATIO, RIM * RATIO)
    blur = Blur(gaussian_footprint(SIGMA, SIGMA, RATIO, RATIO), placement, (SIZE, SIZE), (side, side))
    images = [blur(truth), torch.einsum("cb,bij->cij", _response(), truth)]
    hsi, msi = (image + NOISE * torch.randn(image.shape, generator=generator) for image in images)
    hsi_valid, msi_valid = (torch.ones(image.shape[1:], dtype=torch.bool) for image in images)
    if holes:
        hsi_valid[9:12, 13:19] = False
        msi_valid[90:104, 55:77] = False  # across a border of tiles
        msi_valid[150, :] = False
    return truth, PairBlock(torch.where(hsi_valid, hsi, 0.0), hsi_valid, msi, msi_valid, placement)


@functools.cache
def _fitted(method, holes, psf):
    """Truth, block and the model fitted on it."""
    truth, block = _pair(holes)
    return truth, block, _fit(method, block, FusionSettings(psf=psf, registration="ignore"))


def _fit(method, block, settings):
    tables = [BandTable(tuple(str(i) for i in range(n)), (True,) * n) for n in (BANDS, 3)]
    srf = Srf(_response().numpy(), ("a", "b", "c"), "made up")
    sample = PairSample((block,), *tables, complete=True)
    return method().fit(sample, settings, srf, Context(torch.device("cpu"))).prepared((FUSED, UNCERTAINTY))


def _whole(model, block):
    return model.apply(block, (slice(0, SIZE), slice(0, SIZE)))


def _tile(model, block, core):
    """One tile from no more of the pair than a run would read for it."""
    halo = model.halo_px
    top, left = max(0, core.row - halo), max(0, core.col - halo)
    bottom, right = min(SIZE, core.row + core.height + halo), min(SIZE, core.col + core.width + halo)
    fine = Window(top, left, bottom - top, right - left)
    coarse = block.placement.coarse_window(fine, *block.coarse_shape, margin=model.margin_coarse(block.placement))
    rows, cols = slice(top, bottom), slice(left, right)
    below, across = slice(coarse.row, coarse.row + coarse.height), slice(coarse.col, coarse.col + coarse.width)
    part = PairBlock(
        block.hsi[:, below, across],
        block.hsi_valid[below, across],
        block.msi[:, rows, cols],
        block.msi_valid[rows, cols],
        block.placement.within(fine, coarse),
        (top == 0, bottom == SIZE, left == 0, right == SIZE),
    )
    inner = (
        slice(core.row - top, core.row - top + core.height),
        slice(core.col - left, core.col - left + core.width),
    )
    return model.apply(part, inner)


@pytest.mark.parametrize(("method", "holes"), [(Fuse, False), (Fuse, True), (SpectraLift, True)])
def test_tiles_are_the_whole_also_with_holes_and_beyond_the_coarse_image(method, holes):
    _, block, model = _fitted(method, holes, "auto")
    assert 0 < model.halo_px < TILE  # corrected, and the middle tile sees none of the image's borders
    whole, covered = _whole(model, block)
    assert int(covered.sum()) < SIZE * SIZE
    for row in range(0, SIZE, TILE):
        for col in range(0, SIZE, TILE):
            planes, valid = _tile(model, block, Window(row, col, TILE, TILE))
            place = (slice(row, row + TILE), slice(col, col + TILE))
            assert torch.equal(valid, covered[place])
            if valid.any():
                seam = (planes[FUSED] - whole[FUSED][:, place[0], place[1]])[:, valid]
                claimed = whole[UNCERTAINTY][0][place][valid]
                change = (planes[UNCERTAINTY][0][valid] / claimed - 1.0).abs()
                assert float(seam.abs().max()) < 2 * NOISE, (row, col)
                assert float(seam.square().mean().sqrt()) < 0.1 * NOISE, (row, col)
                assert float(change.max()) < 0.05, (row, col)


@pytest.mark.parametrize("method", [Fuse, SpectraLift])
@pytest.mark.parametrize("psf", ["auto", "none"])
def test_the_uncertainty_is_of_the_size_of_the_errors(method, psf):
    truth, block, model = _fitted(method, True, psf)
    planes, covered = _whole(model, block)
    errors = (planes[FUSED] - truth).square().mean(dim=0)[covered]
    claimed = planes[UNCERTAINTY][0].square()[covered]
    ratio = float((errors.mean() / claimed.mean()).sqrt())
    assert 0.5 < ratio < 2.0
    if model.halo_px or method is SpectraLift:  # otherwise nothing tells pixels apart
        doubtful = claimed > claimed.median()
        assert float(errors[doubtful].mean()) > 1.1 * float(errors[~doubtful].mean())


def test_where_the_ensemble_disagrees_the_uncertainty_is_larger():
    _, block, model = _fitted(SpectraLift, True, "none")
    strange = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    strange[60:100, 60:100] = True
    colours = torch.tensor([0.9, 0.0, 0.9])[:, None, None]  # nothing like it was ever seen
    odd = replace(block, msi=torch.where(strange, colours, block.msi))
    claimed = _whole(model, odd)[0][UNCERTAINTY][0]
    assert float(claimed[strange].mean()) > 1.5 * float(claimed[~strange].mean())
    usual = _whole(model, block)[0][UNCERTAINTY][0]
    assert torch.equal(claimed[~strange], usual[~strange])


def test_unrelated_images_leave_the_prediction_uncorrected_and_say_so():
    _, block = _pair(holes=False)
    other = torch.einsum("cb,bij->cij", _response(), _truth(seed=5))
    settings = FusionSettings(registration="ignore", radiometry="none", force=True)
    model = _fit(Fuse, replace(block, msi=other), settings)
    assert model.halo_px == 0
    assert "not corrected" in model.evidence.correction_note
    assert model.evidence.kernel == ()
    assert model.evidence.psf_confidence < 0.5


@pytest.mark.parametrize("method", [SpectraLift, SpectraMorph])
def test_published_networks_admit_their_errors_too(method, monkeypatch):
    monkeypatch.setattr(paper, "STEPS", 60)
    truth, block = _pair(holes=True)
    planes, covered = _whole(_fit(method, block, FusionSettings(mode="paper", registration="ignore")), block)
    error = (planes[FUSED] - truth).square().mean(dim=0)[covered].mean().sqrt()
    claimed = planes[UNCERTAINTY][0].square()[covered].mean().sqrt()
    assert 0.3 * float(error) < float(claimed) < 3.0 * float(error)  # coarse pixels, which vary less, are all they know
