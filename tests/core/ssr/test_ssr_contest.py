# SPDX-License-Identifier: GPL-3.0-or-later
"""The contest is fair: what judges is never learnt from, the best is taken, and errors are owned up to."""

from dataclasses import replace

import pytest
import torch

from hyperres.core.errors import InputError
from hyperres.core.ssr import contest
from hyperres.core.ssr.contest import find_peak, fit_simple, judge
from hyperres.core.ssr.evidence import SsrEvidence
from hyperres.core.ssr.fitting import fit
from hyperres.core.ssr.model import SPECTRA, UNCERTAINTY
from hyperres.core.ssr.pairs import TrainingPart, gather
from hyperres.core.ssr.settings import SsrSettings

SHORT = SsrSettings(preset="auto", steps=10)


def test_what_judges_is_never_learnt_from(ground, context):
    data = ground(noise=0.002).data
    held = tuple(TrainingPart(1 - part.hsi, 0.5 * part.msi, part.valid) for part in data.held)
    for (one, _), (other, _) in zip(fit_simple(data, context), fit_simple(replace(data, held=held), context)):
        for name, tensor in one.tensors().items():
            assert torch.equal(tensor, other.tensors()[name]), name


def test_scores_are_those_of_the_textbook(ground, context):
    data = ground(materials=7, noise=0.01).data
    way = fit_simple(data, context)[0][0]
    part = data.held[0]
    found = torch.einsum("cd,dij->cij", way.basis, way.coordinates(part.msi))
    score = judge(way, data.held, 0.6)
    rmse = (found - part.hsi).square().mean().sqrt()
    cosine = (found * part.hsi).sum(dim=0) / found.norm(dim=0) / part.hsi.norm(dim=0)
    assert score.rmse == pytest.approx(float(rmse), rel=1e-4)
    assert score.psnr == pytest.approx(20 * float(torch.log10(0.6 / rmse)), abs=1e-3)
    assert score.sam == pytest.approx(float(torch.rad2deg(cosine.clamp(max=1).arccos()).mean()), rel=1e-2)


def test_auto_is_never_worse_than_the_best(ground, context):
    evidence = fit(ground(materials=6, noise=0.003).data, SHORT, context).evidence
    assert {score.kind for score in evidence.contenders} == {"ridge", "clustered", "pixel", "network"}
    assert evidence.of(evidence.chosen).psnr == max(score.psnr for score in evidence.contenders)


def test_the_verdict_says_plainly_who_wins(ground, context):
    evidence = fit(ground().data, SsrSettings(preset="ridge"), context).evidence
    ridge = replace(evidence.of("ridge"), psnr=30.0)
    network = replace(ridge, kind="network", name="unfolded network", psnr=28.5)
    lost = replace(evidence, chosen="ridge", contenders=(ridge, network)).verdict()
    assert "unfolded network loses to ridge regression by 1.50 dB" in lost and "adds nothing" in lost
    won = replace(evidence, chosen="network", contenders=(ridge, replace(network, psnr=33.25))).verdict()
    assert "beats" in won and "3.25 dB" in won


def test_a_preset_is_obeyed_but_a_better_one_named(ground, context):
    data = ground(materials=6, noise=0.003).data
    evidence = fit(data, SsrSettings(preset="pixel"), context).evidence
    assert evidence.chosen == "pixel"
    assert evidence.best.kind != "pixel" and evidence.best.name in evidence.verdict()


@pytest.mark.parametrize("preset", ["ridge", "clustered"])
def test_who_asks_for_a_regression_waits_for_no_network(ground, context, preset, monkeypatch):
    monkeypatch.setattr(contest, "fit_pixel_network", None)
    evidence = fit(ground().data, SsrSettings(preset=preset), context).evidence
    assert evidence.chosen == preset
    assert {score.kind for score in evidence.contenders} == {"ridge", "clustered"}


def test_evidence_survives_json(ground, context):
    import json

    evidence = fit(ground().data, SsrSettings(preset="ridge"), context).evidence
    assert SsrEvidence.from_mapping(json.loads(json.dumps(evidence.to_mapping()))) == evidence


def test_stated_deviations_hold_on_new_ground(ground, context):
    """Errors of other pixels lie within two deviations as often as those of a normal law, or more."""
    scene = ground(materials=8, noise=0.002)
    model = fit(scene.data, SsrSettings(preset="ridge"), context)
    new = scene.part(60, 60)
    made = model.apply(new.msi, new.valid)
    errors, stated = (made[SPECTRA] - new.hsi).abs(), made[UNCERTAINTY]
    assert float((errors <= 2 * stated).float().mean()) > 0.93
    # and they are no larger than they need to be
    assert float(stated.square().mean().sqrt()) < 1.5 * float(errors.square().mean().sqrt())


def test_bands_beyond_the_camera_are_blind(ground, context):
    """What varies on its own beyond 900 nm, where the camera sees nothing, is flagged; what it sees is not."""
    scene = ground(materials=4)
    generator = torch.Generator().manual_seed(9)

    def lively(part):
        hsi = part.hsi.clone()
        hsi[-3:] = 0.3 + 0.1 * torch.randn(1, *part.valid.shape, generator=generator)
        return replace(part, hsi=hsi)

    response = scene.response.clone()
    response[:, -3:] = 0.0
    data = replace(
        scene.data,
        train=tuple(map(lively, scene.data.train)),
        held=tuple(map(lively, scene.data.held)),
        response=response,
    )
    evidence = fit(data, SsrSettings(preset="ridge"), context).evidence
    assert evidence.blind == (False,) * 27 + (True,) * 3
    assert any("cannot see 3 of 30 bands (940-980 nm)" in note for note in evidence.notes)


def test_constant_bands_and_too_few_pixels_are_refused(ground, context):
    data = ground().data
    flat = tuple(
        replace(part, msi=torch.cat([part.msi[:3], torch.full_like(part.msi[:1], 0.2)])) for part in data.train
    )
    with pytest.raises(InputError, match="NIR"):
        fit(replace(data, train=flat), SsrSettings(preset="ridge"), context)
    few = tuple(replace(part, valid=part.valid & (torch.arange(48) < 1)) for part in data.held)
    with pytest.raises(InputError, match="to validate with"):
        fit(replace(data, held=few), SsrSettings(preset="ridge"), context)


@pytest.mark.parametrize("where", ["train", "held"])
def test_values_that_are_no_numbers_are_refused(ground, context, where):
    data = ground().data
    hsi = getattr(data, where)[0].hsi.clone()
    hsi[3, 5, 5] = float("nan")
    harmed = replace(data, **{where: (replace(getattr(data, where)[0], hsi=hsi),)})
    with pytest.raises(InputError, match="no numbers"):
        fit(harmed, SsrSettings(preset="ridge"), context)


def test_the_peak_ignores_a_few_glints(ground):
    part = ground().part(40, 40)
    glint = part.hsi.clone()
    glint[:, 0, 0] = 50.0
    assert find_peak([replace(part, hsi=glint)]) < 1.0


def test_only_valid_pixels_are_gathered(ground):
    part = ground().part(10, 12)
    valid = torch.arange(12)[None].expand(10, 12) < 5
    pixels = gather([replace(part, valid=valid)])
    assert pixels.hsi.shape[1] == 50
    assert torch.equal(pixels.msi, part.msi[:, :, :5].flatten(1))


def test_colours_never_met_do_not_run_away(ground, context):
    """A quadratic law carried far beyond what it was fitted on would give spectra of any size."""
    data = ground(materials=6).data
    brightest = max(float(part.hsi.max()) for part in data.train)
    strange = torch.rand(4, 30, 30, generator=torch.Generator().manual_seed(3)) * 20 - 10
    for way, _ in fit_simple(data, context):
        found = torch.einsum("cd,dij->cij", way.basis, way.coordinates(strange))
        assert float(found.abs().max()) < 3 * brightest
