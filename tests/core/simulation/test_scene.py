# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated scene obeys the model that it declares, and looks like a place."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hyperres.core.bands import choose_bands
from hyperres.core.simulation import fields, landscape
from hyperres.core.simulation.atmosphere import REFERENCE_REFLECTANCE
from hyperres.core.simulation.scene import simulate_scene


@pytest.fixture(scope="module")
def scene():
    return simulate_scene(200, 240, seed=3)


def near(scene, nm):
    return int(np.abs(np.array(scene.table.wavelength_nm) - nm).argmin())


def test_shapes_and_types(scene):
    assert scene.cube.shape == (200, 200, 240) and scene.cube.dtype == np.float32
    assert scene.abundances.shape == (len(scene.endmembers), 200, 240) and scene.abundances.dtype == np.float32
    assert (scene.grid.height, scene.grid.width) == (200, 240)
    assert len(scene.table) == scene.endmembers.bands == 200


def test_abundances_are_shares(scene):
    assert scene.abundances.min() >= 0
    np.testing.assert_allclose(scene.abundances.sum(axis=0), 1, atol=1e-5)


def test_every_material_occurs_pure_somewhere_and_mixed_elsewhere(scene):
    inside = scene.abundances[:, scene.valid]
    assert inside.max(axis=1).min() > 0.95
    assert 0.2 < (inside.max(axis=0) < 0.95).mean() < 0.8


def test_without_variability_and_noise_the_mixing_model_is_exact():
    scene = simulate_scene(60, 60, seed=1, best_snr=1e9, variability=0.0)
    expected = np.tensordot(np.array(scene.endmembers.values).T, scene.abundances, axes=1)
    clear = [near(scene, nm) for nm in range(400, 2450, 50) if scene.table.good[near(scene, nm)]]
    np.testing.assert_allclose(scene.cube[clear][:, scene.valid], expected[clear][:, scene.valid], atol=2e-6)
    np.testing.assert_array_equal(scene.brightness, 1)


def test_brightness_multiplies_the_mixture():
    flat, lit = (simulate_scene(60, 60, seed=1, best_snr=1e9, variability=v) for v in (0.0, 1e-3))
    ratio = lit.cube[near(lit, 1650)] / flat.cube[near(flat, 1650)]
    land = lit.valid & (lit.abundances[list(lit.endmembers.names).index("water")] < 0.5)
    assert np.corrcoef(ratio[land], lit.brightness[land])[0, 1] > 0.5


def test_noise_is_as_declared():
    noisy, clean = (simulate_scene(80, 80, seed=5, best_snr=snr) for snr in (200.0, 1e9))
    residual = (noisy.cube - clean.cube)[:, noisy.valid]
    np.testing.assert_allclose(residual.std(axis=1), noisy.noise_sigma, rtol=0.06)
    assert REFERENCE_REFLECTANCE / noisy.noise_sigma.min() == pytest.approx(200, rel=0.01)
    between = np.corrcoef(residual[[10, 11]])[0, 1]
    assert abs(between) < 0.06


def test_water_vapour_bands_are_noise_and_marked_bad(scene):
    bad = ~np.array(scene.table.good)
    nm = np.array(scene.table.wavelength_nm)
    assert bad[(nm > 1360) & (nm < 1420)].all() and bad[(nm > 1820) & (nm < 1930)].all()
    assert not bad[(nm > 400) & (nm < 1300)].any() and not bad[(nm > 2000) & (nm < 2450)].any()
    core = (nm > 1360) & (nm < 1400)
    assert (REFERENCE_REFLECTANCE / scene.noise_sigma[core]).max() < 5
    used = list(choose_bands(scene.table).used)
    assert (REFERENCE_REFLECTANCE / scene.noise_sigma[used]).min() > 5


def test_plants_are_bright_in_the_infrared_and_water_dark(scene):
    red, infrared = scene.cube[near(scene, 660)], scene.cube[near(scene, 850)]
    names = list(scene.endmembers.names)
    plants = scene.valid & (scene.abundances[names.index("grass")] > 0.95)
    lake = scene.valid & (scene.abundances[names.index("water")] > 0.95)
    assert (infrared[plants] > 3 * red[plants]).mean() > 0.99
    assert infrared[lake].mean() < 0.03


def test_pixels_of_one_material_vary_in_more_than_brightness(scene):
    grass = scene.valid & (scene.abundances[list(scene.endmembers.names).index("grass")] > 0.98)
    spectra = scene.cube[[near(scene, 550), near(scene, 850), near(scene, 1650)]][:, grass]
    shares = spectra / spectra.sum(axis=0)
    assert shares.std(axis=1).max() > 0.005


def test_the_margin_is_slanted_nodata(scene):
    assert 0.85 < scene.valid.mean() < 0.98
    assert np.isnan(scene.cube[:, ~scene.valid]).all() and np.isfinite(scene.cube[:, scene.valid]).all()
    first, last = scene.valid[0].nonzero()[0], scene.valid[-1].nonzero()[0]
    assert first[0] > last[0] and first[-1] > last[-1]


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    first, again, other = (simulate_scene(40, 40, seed=seed) for seed in (2, 2, 9))
    np.testing.assert_array_equal(first.cube, again.cube)
    assert np.nanmax(np.abs(first.abundances - other.abundances)) > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_every_landscape_holds_every_material(seed):
    painted = landscape.draw(450, 450, np.random.default_rng(seed))
    shares = np.bincount(painted.ravel(), minlength=len(landscape.NUMBER)) / painted.size
    assert shares.min() > 0.001 and shares.max() < 0.6


def test_neighbours_resemble_each_other(scene):
    infrared = np.where(scene.valid, scene.cube[near(scene, 850)], 0)
    assert np.corrcoef(infrared[:, 1:].ravel(), infrared[:, :-1].ravel())[0, 1] > 0.7


def test_a_sensor_sees_a_constant_as_constant_and_keeps_the_mean():
    assert fields.blur_and_decimate(np.ones((30, 60)), 3, 0.45) == pytest.approx(1, abs=1e-6)
    fine = np.random.default_rng(0).random((300, 300))
    assert fields.blur_and_decimate(fine, 3, 0.45).mean() == pytest.approx(fine.mean(), abs=2e-3)


def test_smooth_fields_are_smooth_and_of_unit_variance():
    field = fields.smooth_field(600, 600, 20.0, np.random.default_rng(0))
    assert field.std() == pytest.approx(1, abs=0.1)
    assert np.diff(field, axis=0).std() < 0.15


def test_a_scene_of_useful_size_takes_seconds():
    start = time.process_time()
    simulate_scene(400, 400)
    assert time.process_time() - start < 15
