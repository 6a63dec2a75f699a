# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that was trained for one camera serves another one nearly as well, says what it loses, and refuses when the
other camera shows too little."""

from dataclasses import replace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.engine.model_file import load_model, save_model
from hyperres.core.errors import InputError
from hyperres.core.ssr.camera_change import change_camera, fit_for_image, share_shown, translate
from hyperres.core.ssr.contest import fit_simple
from hyperres.core.ssr.factory import make_network, make_paper_network
from hyperres.core.ssr.method import SpectralSuperResolution
from hyperres.core.ssr.model import SPECTRA, UNCERTAINTY
from hyperres.core.ssr.randomise import random_responses
from hyperres.core.ssr.settings import SsrSettings
from hyperres.core.ssr.ways import NetworkWay

METHOD = SpectralSuperResolution()
OTHER_NM, OTHER_WIDTHS = (475.0, 560.0, 668.0, 842.0, 717.0), (32.0, 27.0, 14.0, 57.0, 12.0)


def camera(centres=OTHER_NM, widths=OTHER_WIDTHS):
    return BandTable(tuple(f"b{nm:.0f}" for nm in centres), (True,) * len(centres), tuple(centres), tuple(widths))


def observed(part, hsi_table, table, noise=0.004, seed=3):
    """What a camera sees of a part that is just as its data sheet says."""
    response = random_responses(hsi_table, table.wavelength_nm, table.fwhm_nm).nominal
    msi = torch.einsum("cb,bij->cij", response, part.hsi)
    return msi + noise * torch.randn(msi.shape, generator=torch.Generator().manual_seed(seed))


def decibels(found, truth):
    return float(-10 * (found - truth).square().mean().log10())


@pytest.fixture(scope="module")
def known(ground):
    """A ground of eight materials, of which four bands with noise do not tell everything, and a model of it."""
    warnings = []
    context = Context(torch.device("cpu"), seed=1, on_warning=warnings.append)
    scene = ground(materials=8, noise=0.004)
    model = METHOD.fit(scene.data, SsrSettings(preset="clustered"), context)
    changed = METHOD.check_model(model, camera(), context)
    return scene, model, changed, warnings


def with_network(model, data, context):
    (start, _), *_ = fit_simple(data, context, "ridge")
    return model._with(way=NetworkWay(make_network(data, start, context)))


def test_the_translation_is_the_best_linear_one():
    """For Gaussian spectra it is what a regression on many simulated pairs finds."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(6, 6, generator=generator)
    spectra = 0.3 * mix @ torch.randn(6, 200_000, generator=generator) + torch.arange(6.0)[:, None]
    ours, theirs = torch.rand(3, 6, generator=generator), torch.rand(2, 6, generator=generator)
    noise = torch.tensor([0.05, 0.02])
    seen = theirs @ spectra + noise.sqrt()[:, None] * torch.randn(2, 200_000, generator=generator)
    rows = torch.cat([seen, torch.ones(1, 200_000)])
    expected = torch.linalg.lstsq(rows.T.double(), (ours @ spectra).T.double()).solution.T
    found = translate(spectra, ours, theirs, noise)
    assert torch.allclose(found.gain, expected[:, :2].float(), atol=0.01)
    assert torch.allclose(found.offset, expected[:, 2].float(), atol=0.03)


def test_a_camera_shows_all_of_itself_and_nothing_of_what_varies_by_itself():
    covariance = torch.diag(torch.tensor([1.0, 4.0, 9.0]))
    bands = torch.eye(3)
    assert share_shown(covariance, bands, bands, torch.zeros(3)).tolist() == pytest.approx([1.0] * 3, abs=1e-6)
    # a band that sees the first two at once tells of each as much as it adds to the sum: 1/5 and 4/5
    both = torch.tensor([[1.0, 1.0, 0.0]])
    assert share_shown(covariance, bands, both, torch.zeros(1)).tolist() == pytest.approx([0.2, 0.8, 0.0], abs=1e-6)
    # noise as strong as the signal halves it
    assert share_shown(covariance, bands, bands[1:2], torch.tensor([4.0])).tolist() == pytest.approx([0.0, 0.5, 0.0])


def test_an_image_with_the_models_bands_changes_nothing(known, context):
    scene, model, *_ = known
    table = scene.data.msi_table
    for image in (table, table.subset([2, 0, 3, 1]), replace(table, wavelength_nm=(448.0, 562.0, 650.0, 843.0))):
        assert fit_for_image(model, image, context).way is model.way
    assert fit_for_image(model, BandTable(table.names, table.good), context).way is model.way


def test_another_camera_loses_less_than_one_and_a_half_decibels(known):
    scene, model, changed, warnings = known
    new = scene.part(40, 40)
    own = decibels(model.apply(new.msi, new.valid)[SPECTRA], new.hsi)
    msi = observed(new, scene.data.hsi_table, camera())
    found = decibels(changed.apply(msi, new.valid)[SPECTRA], new.hsi)
    assert found > own - 1.5
    # to take its bands for those of the model is what a user would do otherwise
    taken = decibels(model.apply(msi[:4], new.valid)[SPECTRA], new.hsi)
    assert found > taken + 1.0
    (sentence,) = [text for text in warnings if "another camera" in text]
    assert f"{abs(changed.evidence.change_db):.1f} dB" in sentence and "717 nm" in sentence
    assert changed.evidence.notes[0] == sentence


def test_what_is_stated_covers_what_goes_wrong_with_the_other_camera(known):
    scene, _, changed, _ = known
    new = scene.part(40, 40)
    made = changed.apply(observed(new, scene.data.hsi_table, camera()), new.valid)
    within = (made[SPECTRA] - new.hsi).abs() <= 2 * made[UNCERTAINTY]
    assert float(within.float().mean()) > 0.9


def test_fewer_bands_are_served_with_more_doubt(known, context):
    scene, model, changed, _ = known
    visible = camera((475.0, 560.0, 668.0), (60.0, 60.0, 60.0))
    few = fit_for_image(model, visible, context)
    new = scene.part(20, 20)
    made = few.apply(observed(new, scene.data.hsi_table, visible), new.valid)
    infrared = [i for i, nm in enumerate(scene.data.hsi_table.wavelength_nm) if nm > 800]
    more = changed.apply(observed(new, scene.data.hsi_table, camera()), new.valid)
    assert made[UNCERTAINTY][infrared].mean() > 1.3 * more[UNCERTAINTY][infrared].mean()
    assert few.evidence.change_db < changed.evidence.change_db
    assert sum(few.evidence.unseen[i] for i in infrared) > sum(changed.evidence.unseen[i] for i in infrared)
    assert len(few.evidence.response) == len(few.evidence.residual) == 3


def test_bands_beyond_the_spectra_are_left_out(known, context):
    scene, model, changed, _ = known
    table = camera((1600.0, *OTHER_NM), (90.0, *OTHER_WIDTHS))
    more = fit_for_image(model, table, context)
    assert more.order == (1, 2, 3, 4, 5) and len(more.msi_table) == 5
    new = scene.part(12, 12)
    msi = observed(new, scene.data.hsi_table, camera())
    image = torch.cat([torch.rand(1, 12, 12), msi])
    assert torch.equal(more.apply(image, new.valid)[SPECTRA], changed.apply(msi, new.valid)[SPECTRA])


def test_cameras_that_show_too_little_are_refused(known, context):
    _, model, *_ = known
    with pytest.raises(InputError, match="lies within the spectra"):
        fit_for_image(model, camera((1600.0, 2200.0), (90.0, 180.0)), context)
    with pytest.raises(InputError, match=r"show only \d+ % of what the model needs, least of all its band"):
        change_camera(model, camera((920.0,), (20.0,)), context)


def test_without_widths_bands_are_matched_as_ever(known):
    scene, model, *_ = known
    said = []
    context = Context(torch.device("cpu"), on_warning=said.append)
    for widths in (None, (0.0,) * 4):
        beside = replace(scene.data.msi_table, wavelength_nm=(460.0, 570.0, 660.0, 850.0), fwhm_nm=widths)
        assert fit_for_image(model, beside, context).way is model.way
        assert "choose the image's camera under 'Sensor'" in said.pop()
    with pytest.raises(InputError, match="'Sensor'"):
        fit_for_image(model, replace(camera((500.0, *OTHER_NM[1:])), fwhm_nm=None), context)


def test_a_changed_model_survives_saving(known, tmp_path):
    scene, _, changed, _ = known
    save_model(changed, tmp_path / "model.safetensors", {})
    again = load_model(tmp_path / "model.safetensors", METHOD).matched(camera())
    new = scene.part(9, 11)
    msi = observed(new, scene.data.hsi_table, camera())
    for role, planes in changed.apply(msi, new.valid).items():
        assert torch.equal(planes, again.apply(msi, new.valid)[role])
    assert again.evidence == changed.evidence


def test_a_network_keeps_its_halo_and_its_tiles_equal_the_whole(known, context):
    scene, model, *_ = known
    model = with_network(model, scene.data, context)
    torch.manual_seed(0)
    for stage in model.way.network.stages:  # as trained, it looks at its surroundings
        stage.z_net.merge.weight.normal_(std=0.02)
    changed = fit_for_image(model, camera(), context)
    halo, new = changed.halo_px, scene.part(80, 90)
    assert halo == model.halo_px > 0 and not changed.needs_scene
    msi = observed(new, scene.data.hsi_table, camera())
    whole = changed.apply(msi, new.valid)[SPECTRA]
    rows, cols = slice(35, 45), slice(33, 55)
    near = slice(rows.start - halo, rows.stop + halo), slice(cols.start - halo, cols.stop + halo)
    tile = changed.apply(msi[:, near[0], near[1]], new.valid[near])[SPECTRA]
    assert (tile[:, halo : halo + 10, halo : halo + 22] - whole[:, rows, cols]).abs().max() < 1e-5


def test_a_changed_model_is_not_changed_again(known, context):
    """What it would say of its losses would be about the camera it was changed to, not the one it was trained for."""
    _, _, changed, _ = known
    assert fit_for_image(changed, camera(), context).way is changed.way
    with pytest.raises(InputError, match="was changed to another camera already"):
        fit_for_image(changed, camera((480.0, 560.0, 650.0, 830.0), (60.0,) * 4), context)


def test_the_published_network_serves_its_own_camera_only(known, context):
    scene, model, *_ = known
    published = model._with(way=NetworkWay(make_paper_network(scene.data, context)))
    with pytest.raises(InputError, match="no other camera"):
        fit_for_image(published, camera(), context)
