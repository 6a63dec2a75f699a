# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data without an image of the ground: simulated from other images, or from spectra alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError, InputError
from hyperres.core.spectra import Spectra
from hyperres.core.ssr import mixtures
from hyperres.core.ssr.archive import Scene, from_archive
from hyperres.core.ssr.check import check_spectral_source
from hyperres.core.ssr.fitting import fit
from hyperres.core.ssr.mixtures import draw_mixtures, draw_scenes, from_library, library_table, resampled
from hyperres.core.ssr.overlap import GAP
from hyperres.core.ssr.pairs import lesson
from hyperres.core.ssr.settings import SsrSettings

ARCHIVE = SsrSettings(mode="archive", preset="ridge", sensor="p4-multispectral")
LIBRARY = SsrSettings(mode="library", preset="ridge", sensor="p4-multispectral")
FINE_NM = tuple(float(nm) for nm in range(380, 1001, 4))


def make_spectra(count=24, seed=0):
    """Smooth reflectances from 0 to 1."""
    random = np.random.default_rng(seed)
    nm = np.array(FINE_NM)
    shapes = [
        0.05 + 0.8 * random.random() / (1 + np.exp(-(nm - random.uniform(450, 850)) / random.uniform(15, 90)))
        for _ in range(count)
    ]
    return Spectra(tuple(f"m{i}" for i in range(count)), tuple(map(tuple, shapes)), FINE_NM)


@pytest.fixture()
def small(monkeypatch):
    monkeypatch.setattr(mixtures, "PICTURES", 6)
    monkeypatch.setattr(mixtures, "HELD_PICTURES", 4)


def test_parts_to_learn_from_and_to_judge_by_are_apart(ground, context):
    scene = ground(materials=6)
    part = scene.part(20, 100)
    cube = part.hsi.clone()
    cube[0] = torch.arange(100.0) / 1000  # tells each column
    data = from_archive([Scene(cube, part.valid)], scene.data.hsi_table, None, ARCHIVE, context)
    learnt = max(float(part.hsi[0][part.valid].max()) for part in data.train)
    judged = min(float(part.hsi[0][part.valid].min()) for part in data.held)
    assert judged - learnt == pytest.approx((GAP + 1) / 1000, abs=1e-6)
    assert len(data.held) >= 16


def test_of_many_scenes_whole_ones_judge(ground, context):
    scene = ground(materials=6)
    scenes = []
    for number in range(10):
        part = scene.part(12, 12)
        part.hsi[0] = number / 1000  # tells each scene
        scenes.append(Scene(part.hsi, part.valid))
    data = from_archive(scenes, scene.data.hsi_table, None, ARCHIVE, context)
    learnt, judged = ({round(1000 * float(part.hsi[0, 0, 0])) for part in parts} for parts in (data.train, data.held))
    assert len(judged) == 3 and learnt | judged == set(range(10)) and not learnt & judged


def test_msi_bands_are_simulated_in_the_order_of_the_image(ground, context):
    scene = ground(materials=6)
    image = BandTable(("NIR", "Red"), (True, True), (842.0, 655.0))
    data = from_archive(
        [Scene(scene.part(30, 30).hsi, torch.ones(30, 30, dtype=torch.bool))],
        scene.data.hsi_table,
        image,
        ARCHIVE,
        context,
    )
    assert data.msi_table.names == ("NIR", "Red") and data.kept == (0, 1)
    assert data.msi_table.wavelength_nm == pytest.approx((840.0, 650.0), abs=0.5)
    nm = torch.tensor(data.hsi_table.wavelength_nm)
    assert (data.response @ nm).tolist() == pytest.approx([840.0, 650.0], abs=6.0)


def test_pixels_are_seen_by_many_cameras_however_few_there_are(ground, context):
    scene = ground(materials=6)
    data = from_archive(
        [Scene(scene.part(16, 24).hsi, torch.ones(16, 24, dtype=torch.bool))],
        scene.data.hsi_table,
        None,
        ARCHIVE,
        context,
    )
    pixels = lesson(data, 5000, context.generator())
    assert pixels.msi.shape[1] == pixels.hsi.shape[1] == len(pixels.folds) >= 4900
    nominal = data.response @ pixels.hsi
    ratio = (pixels.msi / nominal).reshape(5, -1, 64).median(dim=2).values  # gains, group by group
    assert 0.02 < float(ratio.std(dim=1).mean()) < 0.1


def test_a_model_of_other_ground_serves_a_camera_it_never_met(ground, context):
    """What was learnt with drawn responses predicts what a camera sees that is off by 4 nm and 10 % in width."""
    scene = ground(materials=4)
    other = scene.part(64, 64)
    model = fit(
        from_archive([Scene(other.hsi, other.valid)], scene.data.hsi_table, None, ARCHIVE, context), ARCHIVE, context
    )
    nm = torch.tensor(scene.data.hsi_table.wavelength_nm)
    centres = torch.tensor([450.0, 560.0, 650.0, 730.0, 840.0]) + 4.0
    response = torch.exp(-0.5 * ((nm - centres[:, None]) / (1.1 * 18.0)) ** 2)
    response = response / response.sum(dim=1, keepdim=True)
    new = scene.part(40, 40)
    found = model.apply(torch.einsum("cb,bij->cij", response, new.hsi), new.valid)["spectra"]
    rmse = (found - new.hsi).square().mean().sqrt()
    plain = (new.hsi - other.hsi.mean(dim=(1, 2))[:, None, None]).square().mean().sqrt()
    assert float(rmse) < 0.35 * float(plain)


def test_unknown_cameras_are_refused(ground, context):
    scene = ground()
    cube = [Scene(scene.part(20, 20).hsi, torch.ones(20, 20, dtype=torch.bool))]
    nameless = BandTable(("Band 1", "Band 2"), (True, True))
    with pytest.raises(BandsError, match="Sensor"):
        from_archive(cube, scene.data.hsi_table, nameless, replace(ARCHIVE, sensor="bands"), context)
    with pytest.raises(BandsError, match="Neither wavelengths nor names"):
        from_archive(cube, scene.data.hsi_table, nameless, ARCHIVE, context)


def test_mixtures_lie_in_the_hull_of_the_library():
    """With brightness taken off, each is a convex mixture of at most four spectra."""
    materials = resampled(make_spectra(8), library_table(make_spectra(8), None, LIBRARY)).double()
    drawn = draw_mixtures(materials.float(), 200, torch.Generator().manual_seed(0)).double()
    for spectrum in drawn[:60]:
        shares, error = nnls(materials.T.numpy(), spectrum.numpy())
        assert error < 1e-5
        assert 0.5 - 1e-3 <= shares.sum() <= 1.2 + 1e-3


def test_pictures_stay_in_the_cone_of_the_library():
    materials = resampled(make_spectra(8), library_table(make_spectra(8), None, LIBRARY))
    (scene,) = draw_scenes(materials, 1, torch.Generator().manual_seed(1))
    pixels = scene.cube.flatten(1).T.double().numpy()
    for spectrum in pixels[::40]:
        shares, error = nnls(materials.double().T.numpy(), spectrum)
        assert error < 1e-5
        assert 0.4 < shares.sum() < 1.4  # brightness and light
    # leaves make edges: neighbours are mostly alike, and at times very different
    steps = scene.cube.diff(dim=2).norm(dim=0).flatten()
    assert float(steps.quantile(0.3)) < 0.1 * float(steps.quantile(0.99))


def test_library_bands_reach_a_little_beyond_the_camera():
    table = library_table(make_spectra(), None, LIBRARY)
    assert table.wavelength_nm[0] == 400.0 and table.wavelength_nm[-1] == 890.0
    assert table.fwhm_nm == (10.0,) * 50


def test_a_library_is_resampled_as_means_over_bands():
    """A ramp keeps its values, and a spectrum that lacks a part is left out."""
    nm = np.array(FINE_NM)
    rows = [tuple(nm / 1000.0)] * 5 + [tuple(np.where(nm < 500, -1.23e34, 0.3))]
    spectra = Spectra(tuple("abcdef"), tuple(rows), FINE_NM)
    table = library_table(spectra, None, LIBRARY)
    found = resampled(spectra, table)
    assert found.shape == (5, 50)
    assert found[0].numpy() == pytest.approx(np.array(table.wavelength_nm) / 1000.0, abs=1e-5)


def test_learning_from_a_library_predicts_unseen_mixtures(context, small):
    data = from_library(make_spectra(), None, LIBRARY, context)
    model = fit(data, LIBRARY, context)
    assert model.evidence.of("ridge").psnr > 28
    assert any("first answer" in note for note in model.evidence.notes)
    assert model.msi_table.names == ("Blue", "Green", "Red", "Red edge", "NIR")


def test_bands_that_a_library_does_not_reach_are_left_out_in_its_name(context, small):
    warnings = []
    settings = replace(LIBRARY, sensor="landsat-9")
    data = from_library(make_spectra(), None, settings, replace(context, on_warning=warnings.append))
    assert data.msi_table.names == ("B1", "B2", "B3", "B4", "B5")
    assert len(warnings) == 3 and all(words.startswith("The spectral library does not cover") for words in warnings)
    assert not any("hyperspectral image" in note for note in data.notes)


def test_poor_libraries_are_refused(context):
    spectra = make_spectra()
    with pytest.raises(BandsError, match="no wavelengths"):
        from_library(replace(spectra, wavelength_nm=None), None, LIBRARY, context)
    with pytest.raises(InputError, match="at least 5"):
        from_library(make_spectra(3), None, LIBRARY, context)
    percent = replace(spectra, values=tuple(tuple(100 * v for v in row) for row in spectra.values))
    with pytest.raises(InputError, match="0 to 1"):
        from_library(percent, None, LIBRARY, context)
    far = replace(spectra, wavelength_nm=tuple(nm + 2000 for nm in FINE_NM))
    with pytest.raises(BandsError, match="cover"):
        from_library(far, None, LIBRARY, context)


def test_an_msi_alone_is_refused(ground):
    msi, hsi = ground().data.msi_table, ground().data.hsi_table
    with pytest.raises(InputError, match="alone does not tell"):
        check_spectral_source(SsrSettings(), None, msi)
    with pytest.raises(InputError, match="swapped"):
        check_spectral_source(SsrSettings(), msi, hsi)
    with pytest.raises(BandsError, match="lies outside"):
        check_spectral_source(SsrSettings(), hsi, replace(msi, wavelength_nm=(450.0, 560.0, 650.0, 1610.0)))
    with pytest.raises(InputError, match="no known preset"):
        SsrSettings(preset="best")
    with pytest.raises(InputError, match="no setting 'colour'"):
        SsrSettings.from_mapping({"colour": 1})
    chosen = SsrSettings(mode="library", preset="network", output_bands=(1, 2), steps=10)
    assert SsrSettings.from_mapping(chosen.to_mapping()) == chosen
    check_spectral_source(SsrSettings(), hsi, msi)
