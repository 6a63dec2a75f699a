# SPDX-License-Identifier: GPL-3.0-or-later
"""A fitted model gives back what the MSI determines, keeps to itself what it does not, and survives saving."""

from dataclasses import replace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.model_file import load_model, save_model
from hyperres.core.errors import BandsError, InputError
from hyperres.core.ssr.contest import fit_simple
from hyperres.core.ssr.factory import make_network
from hyperres.core.ssr.matching import listed
from hyperres.core.ssr.method import SpectralSuperResolution
from hyperres.core.ssr.model import SPECTRA, UNCERTAINTY
from hyperres.core.ssr.pairs import TrainingPart
from hyperres.core.ssr.scene import SceneTile
from hyperres.core.ssr.settings import SsrSettings
from hyperres.core.ssr.ways import NetworkWay

METHOD = SpectralSuperResolution()
SIMPLE = ("ridge", "clustered", "pixel")


def fitted(data, context, preset="ridge"):
    return METHOD.fit(data, SsrSettings(preset=preset), context)


def with_network(model, data, context):
    """The same model with an untrained network in place of its map."""
    return model._with(way=NetworkWay(make_network(data, fit_simple(data, context, "ridge")[0][0], context)))


def test_spectra_that_the_msi_determines_come_back(ground, context):
    """Four materials whose shares sum to 1 have three degrees of freedom, four bands see all of them."""
    scene = ground(materials=4)
    model = fitted(scene.data, context)
    new = scene.part(20, 30)
    found = model.apply(new.msi, new.valid)[SPECTRA]
    assert found.shape == new.hsi.shape
    assert (found - new.hsi).abs().max() < 2e-3
    assert model.residual(new.msi, new.valid).abs().max() < 2e-3


def test_what_the_response_explains_is_what_the_msi_shows(ground, context):
    """A network's result sees like the MSI although eight materials cannot be told apart by four bands."""
    scene = ground(materials=8)
    model = with_network(fitted(scene.data, context), scene.data, context)
    new = scene.part(20, 30)
    found = model.apply(new.msi, new.valid)[SPECTRA]
    again = torch.einsum("cb,bij->cij", model.response, found)
    assert (again - new.msi).abs().max() < 1e-4


@pytest.mark.parametrize("preset", SIMPLE)
def test_a_saved_model_gives_the_same(ground, context, tmp_path, preset):
    scene = ground(noise=0.002)
    model = fitted(scene.data, context, preset)
    save_model(model, tmp_path / "model.safetensors", {})
    again = load_model(tmp_path / "model.safetensors", METHOD).matched(scene.data.msi_table)
    new = scene.part(12, 17)
    for role, planes in model.apply(new.msi, new.valid).items():
        assert torch.equal(planes, again.apply(new.msi, new.valid)[role])
    assert again.evidence == model.evidence
    assert again.evidence.chosen == preset
    assert not bool((again.usable(new.msi, new.valid) ^ new.valid).any())


def test_a_saved_network_gives_the_same(ground, context, tmp_path):
    scene = ground(materials=6)
    model = with_network(fitted(scene.data, context), scene.data, context)
    save_model(model, tmp_path / "model.safetensors", {})
    again = load_model(tmp_path / "model.safetensors", METHOD)
    new = scene.part(12, 17)
    assert torch.equal(model.apply(new.msi, new.valid)[SPECTRA], again.apply(new.msi, new.valid)[SPECTRA])
    assert again.halo_px == model.halo_px > 0


def test_a_damaged_model_is_refused(ground, context, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted(ground().data, context), path, {})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="damaged"):
        load_model(path, METHOD)


def test_bands_are_found_by_wavelength_whatever_their_order(ground, context):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(9, 9)
    order = [2, 0, 3, 1]
    mixed = scene.data.msi_table.subset(order)
    found = METHOD.check_model(model, mixed, context).apply(new.msi[order], new.valid)
    assert torch.equal(found[SPECTRA], model.apply(new.msi, new.valid)[SPECTRA])


def test_further_bands_of_the_image_do_not_matter(ground, context):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(9, 9)
    table = scene.data.msi_table
    more = BandTable(("Swir", *table.names), (True,) * 5, (1600.0, *table.wavelength_nm), (90.0, *table.fwhm_nm))
    image = torch.cat([torch.rand(1, 9, 9), new.msi])
    assert torch.equal(model.matched(more).apply(image, new.valid)[SPECTRA], model.apply(new.msi, new.valid)[SPECTRA])


def test_bands_are_found_by_telling_names_but_never_by_position(ground, context):
    model, table = fitted(ground().data, context), ground().data.msi_table
    named = BandTable(("NIR", "Red", "Green", "Blue"), (True,) * 4)
    assert model.matched(named).order == (3, 2, 1, 0)
    with pytest.raises(BandsError, match="which band"):
        model.matched(BandTable(("Band 1", "Band 2", "Band 3", "Band 4"), (True,) * 4))
    with pytest.raises(BandsError, match="needs 4"):
        model.matched(table.subset([0, 1]))
    with pytest.raises(BandsError, match="650 nm"):
        model.matched(replace(table, wavelength_nm=(450.0, 560.0, 720.0, 840.0)))


@pytest.mark.parametrize("kind", ["map", "network"])
def test_invalid_pixels_tell_others_nothing(ground, context, kind):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(20, 20)
    if kind == "network":
        model = with_network(model, scene.data, context)
    valid = torch.rand(20, 20, generator=torch.Generator().manual_seed(5)) > 0.3
    one, other = (model.apply(torch.where(valid, new.msi, fill), valid) for fill in (0.0, 30_000.0))
    for role in (SPECTRA, UNCERTAINTY):
        assert torch.equal(one[role][:, valid], other[role][:, valid])


def test_saturated_pixels_are_not_usable(ground, context):
    scene = ground()
    new = scene.part(6, 6)
    msi = new.msi.clone()
    msi[1, 2, 3], msi[0, 4, 4] = 1.0, 1.2
    model = fitted(scene.data, context).with_ceiling(torch.tensor([torch.inf, 1.0, torch.inf, torch.inf]))
    usable = model.usable(msi, new.valid)
    assert not usable[2, 3] and usable[4, 4]
    assert int(usable.sum()) == 35


def test_tiles_equal_the_whole(ground, context):
    scene = ground(materials=6)
    model = with_network(fitted(scene.data, context), scene.data, context)
    torch.manual_seed(0)
    for stage in model.way.network.stages:  # as trained, it looks at its surroundings
        stage.z_net.merge.weight.normal_(std=0.02)
    new, halo = scene.part(80, 90), model.halo_px
    whole = model.apply(new.msi, new.valid)[SPECTRA]
    rows, cols = slice(35, 45), slice(33, 60)
    near = slice(rows.start - halo, rows.stop + halo), slice(cols.start - halo, cols.stop + halo)
    tile = model.apply(new.msi[:, near[0], near[1]], new.valid[near])[SPECTRA]
    inner = tile[:, halo : halo + 10, halo : halo + 27]
    assert (inner - whole[:, rows, cols]).abs().max() < 1e-5


def test_a_scene_shares_one_response_within_its_bounds(ground, context):
    scene = ground(materials=6, noise=0.001)
    model = with_network(fitted(scene.data, context), scene.data, context)
    parts = [scene.part(16, 16) for _ in range(3)]
    brighter = [TrainingPart(p.hsi, 1.05 * p.msi, p.valid) for p in parts]  # a gain of which training knew nothing
    found = model.scene(lambda: (SceneTile(p.msi, p.valid) for p in brighter))
    assert model.needs_scene
    low, high = torch.tensor(model.evidence.low), torch.tensor(model.evidence.high)
    assert bool((found.response >= low - 1e-6).all() and (found.response <= high + 1e-6).all())
    assert not torch.equal(found.response, model.response)
    assert fitted(scene.data, context).scene(lambda: []).evidence is not None


def test_only_what_is_asked_for_is_computed(ground, context):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(8, 8)
    whole = model.apply(new.msi, new.valid)[SPECTRA]
    some = model.prepared((SPECTRA,), (3, 17))
    made = some.apply(new.msi, new.valid)
    assert set(made) == {SPECTRA} and some.outputs[SPECTRA].band_names == ("460 nm", "740 nm")
    assert torch.allclose(made[SPECTRA], whole[[3, 17]], atol=1e-6)
    packed = some.apply(new.msi, new.valid, packed=True)[SPECTRA]
    assert len(packed) == some.packed_planes
    assert torch.equal(some.expand(packed), made[SPECTRA])


def test_an_image_on_another_scale_is_refused_unless_it_is_meant(ground, context):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(16, 16)
    assert model.cautions([SceneTile(new.msi, new.valid)]) == ()
    numbers = [SceneTile(10_000 * new.msi, new.valid)]
    with pytest.raises(InputError, match=r"100 %.*Scale of the multispectral image"):
        model.cautions(numbers)
    (sentence,) = model.cautions(numbers, force=True)
    assert sentence.startswith("100 %") and "scale" in sentence
    half = [SceneTile(new.msi, new.valid), *numbers]
    assert model.cautions(half)[0].startswith("50 %")


def test_the_stated_uncertainty_grows_where_nothing_was_learnt(ground, context):
    """Ten times as bright as anything met is told ten times as badly, about; what was met is told as before."""
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(16, 16)
    usual, beyond = (model.apply(light * new.msi, new.valid)[UNCERTAINTY] for light in (1.0, 10.0))
    learnt = torch.cat([part.msi[:, part.valid] for part in scene.data.train], dim=1)
    within = model.deviations.of(learnt[..., None], range(30))[..., 0]
    assert within.amax(dim=1).allclose(model.deviations.table.amax(dim=0))
    assert float((beyond / usual).min()) > 2.0


def test_an_image_with_a_filled_band_is_cautioned_against(ground, context):
    scene = ground()
    model, new = fitted(scene.data, context), scene.part(16, 16)
    msi = new.msi.clone()
    msi[1] = msi[1].mean()
    halves = [SceneTile(msi, new.valid.clone().fill_(True)), SceneTile(msi[:, :0], new.valid[:0])]
    (sentence,) = model.cautions(halves)
    assert "same value everywhere" in sentence and listed(model.msi_table.subset([1])) in sentence
    # as different tiles tell
    msi2 = msi.clone()
    msi2[1] *= 1.01
    assert model.cautions([halves[0], SceneTile(msi2, halves[0].counted)]) == ()


def test_the_published_network_goes_the_same_way(ground, context, tmp_path):
    """Two steps of training: it is said that a GPU is wanted, saved, restored, and applied to a scene."""
    warnings = []
    scene = ground(materials=6)
    told = replace(context, on_warning=warnings.append)
    model = METHOD.fit(scene.data, SsrSettings(preset="paper", steps=2), told)
    assert any("GPU" in sentence for sentence in warnings)
    assert model.evidence.chosen == "paper" and model.evidence.training.steps == (0, 2)
    save_model(model, tmp_path / "model.safetensors", {})
    again, new = load_model(tmp_path / "model.safetensors", METHOD), scene.part(16, 16)
    tiles = [SceneTile(new.msi, new.valid)]
    one, other = (m.scene(lambda: tiles).apply(new.msi, new.valid)[SPECTRA] for m in (model, again))
    assert torch.equal(one, other)
    assert model.scene(lambda: tiles).response.sum(dim=1).tolist() == pytest.approx([1.0] * 4, abs=1e-3)


def test_a_sliver_of_an_image_is_enough(ground, context):
    scene = ground(materials=6)
    model = with_network(fitted(scene.data, context), scene.data, context)
    new = scene.part(3, 1)
    found = model.apply(new.msi, new.valid)[SPECTRA]
    assert found.shape == (30, 3, 1) and bool(found.isfinite().all())
