# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging by pixels kept aside: what is fitted must not know them, and the figures are what one computes by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.fusion import fitting
from hyperres.core.fusion.contest import aside, consistency, judge, judge_interpolation
from hyperres.core.fusion.fitting import _without, coarse_views
from hyperres.core.fusion.method import Fuse
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.fusion.relation import Relation
from hyperres.core.fusion.ridge import fit_ridge
from hyperres.core.fusion.settings import FusionSettings
from hyperres.core.fusion.subspace import fit_subspace
from hyperres.core.physics.footprint import gaussian_footprint
from hyperres.core.sensors.srf import Srf

BANDS, SIDE, RATIO = 20, 96, 4
COARSE = SIDE // RATIO


def _response():
    rows = torch.zeros(3, BANDS)
    for band, first in enumerate((1, 8, 15)):
        rows[band, first : first + 4] = 0.25
    return rows


def _block(noise=0.001):
    """Six materials in patches; the coarse pixels average squares of fine ones."""
    generator = torch.Generator().manual_seed(0)
    fields = torch.nn.functional.avg_pool2d(torch.randn(6, 1, SIDE, SIDE, generator=generator), 7, 1, 3)[:, 0]
    shares = torch.softmax(30 * fields, dim=0).flatten(1)
    axis = torch.linspace(0, 1, BANDS)
    spectra = torch.stack([0.3 + 0.2 * torch.sin(3.0 * (k + 1) * axis + k) for k in range(6)], dim=1)
    truth = (spectra @ shares).reshape(BANDS, SIDE, SIDE)
    hsi = torch.nn.functional.avg_pool2d(truth, RATIO)
    msi = torch.einsum("cb,bij->cij", _response(), truth)
    hsi, msi = (image + noise * torch.randn(image.shape, generator=generator) for image in (hsi, msi))
    hsi_valid, msi_valid = (torch.ones(image.shape[1:], dtype=torch.bool) for image in (hsi, msi))
    return truth, PairBlock(hsi, hsi_valid, msi, msi_valid, Placement(RATIO, RATIO))


def test_a_quarter_is_kept_aside_all_over_the_image():
    kept = aside(torch.ones(48, 60, dtype=torch.bool))
    assert float(kept.float().mean()) == pytest.approx(0.25, abs=0.02)
    corners = kept.float().reshape(4, 12, 5, 12).mean(dim=(1, 3))
    assert float(corners.min()) > 0.2 and float(corners.max()) < 0.3


def test_what_was_kept_aside_does_not_change_the_fit_that_is_judged():
    _, block = _block()
    subspace = fit_subspace(block.hsi.flatten(1).T)
    optics = fitting.Optics(gaussian_footprint(0.0, 0.0, RATIO, RATIO), True, False, 1.0, "")
    kept = aside(block.hsi_valid)
    noise = torch.full((3,), 1e-6)

    def fit(hsi, without):
        views = coarse_views([replace(block, hsi=hsi)], _response(), subspace, optics)
        return fit_ridge(_without(views) if without else views, noise).weights

    spoilt = torch.where(kept, block.hsi.flip(0), block.hsi)
    assert torch.equal(fit(spoilt, True), fit(block.hsi, True))
    assert not torch.allclose(fit(spoilt, False), fit(block.hsi, False))  # while all pixels together would tell


def test_the_correction_is_judged_without_the_pixels_that_judge_it():
    _, block = _block()
    subspace = fit_subspace(block.hsi.flatten(1).T)
    footprint = gaussian_footprint(0.0, 0.0, RATIO, RATIO)
    optics = fitting.Optics(footprint, True, False, 1.0, "")
    views = coarse_views([block], _response(), subspace, optics)
    prior = fit_ridge(_without(views), torch.full((3,), 1e-6))
    relation = _relation(block)
    noise = fitting.Noise(subspace.noise, torch.full((3,), 1e-6))
    correction, _ = fitting.choose_correction(prior, prior, relation, subspace, optics, noise)
    correction = correction or fitting.make_correction(
        footprint, False, torch.full((len(subspace.basis.T), 9), 0.01), noise, _response(), subspace, 1.0
    )
    kept = aside(block.hsi_valid)
    guess = torch.zeros(len(subspace.basis.T), SIDE, SIDE)
    spoilt = replace(block, hsi=torch.where(kept, block.hsi + 0.5, block.hsi))
    blind = [correction.apply(guess, one, subspace, kept) for one in (block, spoilt)]
    assert torch.equal(*blind)
    seeing = [correction.apply(guess, one, subspace) for one in (block, spoilt)]
    assert float((seeing[1] - seeing[0]).abs().max()) > 0.05


def _relation(block):
    fields = {name: None for name in Relation.__dataclass_fields__}
    return Relation(**{**fields, "blocks": (block,), "response": _response(), "complete": True})


class _Constant:
    """A prior that says the same everywhere."""

    context_planes, parameters, name = 0, 0, "constant"

    def __init__(self, coefficients):
        self.coefficients = coefficients

    def predict(self, msi, context=None):
        return self.coefficients[:, None].expand(-1, msi.shape[1])


def test_error_and_angle_are_those_computed_by_hand():
    _, block = _block()
    subspace = fit_subspace(block.hsi.flatten(1).T)
    coefficients = 0.05 * torch.arange(1, len(subspace.basis.T) + 1)
    footprint = gaussian_footprint(0.0, 0.0, RATIO, RATIO)
    found = judge("x", _Constant(coefficients), None, [block], subspace, footprint, False)
    guess = (subspace.mean + subspace.basis @ coefficients).numpy().astype(float)
    truth = block.hsi[:, aside(block.hsi_valid)].numpy().astype(float)
    # what lies outside the subspace is noise and held against nobody
    basis = subspace.basis.numpy().astype(float)
    left = basis @ (basis.T @ (truth - guess[:, None]))
    assert found.rmse == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-4)
    near = truth - left
    cosine = (near * truth).sum(axis=0) / np.linalg.norm(near, axis=0) / np.linalg.norm(truth, axis=0)
    assert found.sam == pytest.approx(np.degrees(np.arccos(cosine)).mean(), rel=1e-3)


def test_interpolation_is_judged_by_its_neighbours_where_it_has_any():
    _, block = _block()
    usual = judge_interpolation([block])
    kept = aside(block.hsi_valid)
    truth = block.hsi.numpy().astype(float)
    squares = []
    for row, col in np.argwhere(kept.numpy()):
        window = (slice(max(row - 2, 0), row + 3), slice(max(col - 2, 0), col + 3))
        known = ~kept.numpy()[window]
        if not known.any():  # the corner of a block in the corner of the image
            continue
        squares.append(np.square(truth[(slice(None), *window)][:, known].mean(axis=1) - truth[:, row, col]))
    assert usual.rmse == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)


@pytest.mark.parametrize("error", [0.0, 0.02])
def test_agreement_with_both_inputs_is_the_psnr_of_the_result_degraded_again(error):
    truth, block = _block()
    generator = torch.Generator().manual_seed(3)
    fused = truth + error * torch.randn(truth.shape, generator=generator)
    footprint = gaussian_footprint(0.0, 0.0, RATIO, RATIO)
    hsi, msi = consistency([fused], [block], _response(), footprint, False)
    again = fused.numpy().astype(float).reshape(BANDS, COARSE, RATIO, COARSE, RATIO).mean(axis=(2, 4))
    seen = np.einsum("cb,bij->cij", _response().numpy(), fused.numpy().astype(float))
    for found, made, given in ((hsi, again, block.hsi.numpy()), (msi, seen, block.msi.numpy())):
        peak = np.quantile(given, 0.999)
        assert found == pytest.approx(20 * np.log10(peak / np.sqrt(np.mean((made - given) ** 2))), abs=0.02)


def test_pixels_that_are_not_valid_do_not_count_in_the_agreement():
    truth, block = _block()
    holed = replace(block, hsi=block.hsi.clone(), hsi_valid=block.hsi_valid.clone())
    holed.hsi[:, 4:7, 5:9], holed.hsi_valid[4:7, 5:9] = 50.0, False
    footprint = gaussian_footprint(0.0, 0.0, RATIO, RATIO)
    whole = consistency([truth], [block], _response(), footprint, False)
    assert consistency([truth], [holed], _response(), footprint, False) == pytest.approx(whole, abs=0.2)


def test_regression_beats_interpolation_in_the_report_of_a_fit():
    _, block = _block()
    tables = [BandTable(tuple(str(i) for i in range(n)), (True,) * n) for n in (BANDS, 3)]
    srf = Srf(_response().numpy(), ("a", "b", "c"), "made up")
    settings = FusionSettings(registration="ignore")
    model = Fuse().fit(PairSample((block,), *tables, complete=True), settings, srf, Context(torch.device("cpu")))
    contenders = {contender.name: contender.rmse for contender in model.evidence.contenders}
    interpolation = contenders.pop("interpolation of the HSI alone")
    assert contenders and max(contenders.values()) < 0.8 * interpolation
