# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated materials show the features by which people know them."""

from __future__ import annotations

import numpy as np
import pytest

from hyperres.core.simulation import absorption, atmosphere, materials

NM = np.arange(400.0, 2501.0, 2.0)
SPECTRA = dict(zip(materials.TYPICAL, materials.spectra_of(materials.TYPICAL, NM)))


def at(spectrum, nm):
    return float(np.interp(nm, NM, spectrum))


def band_depth(spectrum, left, centre, right):
    """Depth below the straight line between two shoulders (Clark & Roush 1984)."""
    share = (centre - left) / (right - left)
    continuum = (1 - share) * at(spectrum, left) + share * at(spectrum, right)
    return 1 - at(spectrum, centre) / continuum


@pytest.mark.parametrize("models", [materials.TYPICAL, materials.VARIED])
def test_reflectance_lies_between_nothing_and_all(models):
    spectra = materials.spectra_of(models, NM)
    assert spectra.min() > 0 and spectra.max() < 0.9
    assert list(models) == list(materials.TYPICAL)


@pytest.mark.parametrize("name", ["tree", "grass"])
def test_green_plants_have_a_green_peak_a_red_edge_and_water_bands(name):
    leaf = SPECTRA[name]
    assert at(leaf, 550) > 1.5 * at(leaf, 670) and at(leaf, 550) > 1.5 * at(leaf, 450)
    ndvi = (at(leaf, 800) - at(leaf, 670)) / (at(leaf, 800) + at(leaf, 670))
    assert ndvi > 0.7
    edge = NM[np.argmax(np.where((NM > 650) & (NM < 780), np.gradient(leaf), 0))]
    assert 690 <= edge <= 735
    assert band_depth(leaf, 1090, 1200, 1270) > 0.01
    assert at(leaf, 1450) < 0.7 * at(leaf, 1650) and at(leaf, 1940) < 0.6 * at(leaf, 1650)


def test_more_chlorophyll_darkens_red_and_moves_the_red_edge_to_longer_waves():
    pale, deep = (materials.vegetation(NM, amount, 0.3, 0.01, 0.1) for amount in (0.3, 2.0))
    assert at(deep, 670) < at(pale, 670)
    near = (NM > 660) & (NM < 780)
    assert NM[near][np.gradient(deep)[near].argmax()] > NM[near][np.gradient(pale)[near].argmax()]


def test_straw_shows_cellulose_and_no_red_edge():
    straw, grass = SPECTRA["dry grass"], SPECTRA["grass"]
    assert band_depth(straw, 2030, 2100, 2190) > band_depth(grass, 2030, 2100, 2190) + 0.05
    assert at(straw, 750) / at(straw, 650) < 1.8


def test_clay_absorbs_at_2200_nm_more_than_sand():
    depth = {name: band_depth(SPECTRA[name], 2130, 2207, 2270) for name in ("red clay", "loam", "sand")}
    assert depth["red clay"] > 0.2 > depth["loam"] > depth["sand"]


def test_moisture_darkens_soil_everywhere_and_most_at_1940_nm():
    dry, wet = (materials.soil(NM, 0.5, 0.3, 0.5, moisture) for moisture in (0.0, 0.8))
    assert (wet < dry).all()
    ratio = wet / dry
    assert NM[ratio.argmin()] > 1900
    assert at(ratio, 1940) < 0.8 * at(ratio, 1650)


def test_iron_reddens_soil_and_absorbs_near_900_nm():
    poor, rich = (materials.soil(NM, 0.5, iron, 0.5, 0.0) for iron in (0.0, 1.5))
    assert at(rich, 650) / at(rich, 450) > 1.5 * at(poor, 650) / at(poor, 450)
    assert band_depth(rich, 760, 890, 1150) > band_depth(poor, 760, 890, 1150) + 0.05


def test_water_is_dark_in_the_infrared_and_sediment_brightens_it():
    assert SPECTRA["water"][NM > 900].max() < 0.01
    assert 540 <= NM[SPECTRA["water"].argmax()] <= 600  # nutrient-rich water is green
    clear, muddy = (materials.water(NM, sediment, 2.0) for sediment in (0.5, 20.0))
    assert at(muddy, 600) > 2 * at(clear, 600)
    assert NM[muddy.argmax()] > NM[clear.argmax()]


def test_plastic_and_bitumen_show_their_hydrocarbon_bands():
    assert band_depth(SPECTRA["plastic film"], 1670, 1730, 1810) > 0.2
    assert band_depth(SPECTRA["plastic film"], 2260, 2310, 2480) > 0.2
    assert band_depth(SPECTRA["concrete"], 2260, 2338, 2430) > 0.1  # carbonate


def test_fired_tiles_are_red_with_iron_but_without_clays_hydroxyl():
    tiles = SPECTRA["red tiles"]
    assert at(tiles, 650) > 2 * at(tiles, 500)
    assert band_depth(tiles, 760, 870, 1100) > 0.1
    assert abs(band_depth(tiles, 2130, 2207, 2270)) < 0.01


def test_materials_can_be_told_apart():
    clear = atmosphere.transmittance(NM) > 0.5
    unit = np.stack([s[clear] / np.linalg.norm(s[clear]) for s in SPECTRA.values()])
    angle = np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1))) + 90 * np.eye(len(unit))
    assert angle.min() > 3.0


def test_kubelka_munk_is_its_own_inverse():
    reflectance = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(absorption.thick_layer(absorption.absorption_ratio(reflectance)), reflectance)


def test_pure_water_absorbs_as_measured():
    """A centimetre of water passes most red light and almost none at 1940 nm; 970, 1200 and 1450 nm are peaks."""
    passed = np.exp(-absorption.water_absorption(NM))
    assert at(passed, 650) > 0.99 and at(passed, 1940) < 1e-20
    per_cm = absorption.water_absorption(NM)
    for peak, left, right in ((970, 900, 1060), (1200, 1100, 1270), (1450, 1380, 1600), (1940, 1850, 2150)):
        near = (NM > left) & (NM < right)
        assert abs(NM[near][per_cm[near].argmax()] - peak) < 25


def test_air_is_opaque_in_the_water_vapour_windows_and_clear_beside_them():
    passed = atmosphere.transmittance(NM)
    assert at(passed, 1380) < 0.01 and at(passed, 1870) < 0.01
    assert at(passed, 1650) > 0.9 and at(passed, 2200) > 0.9
    assert at(passed, 762) < at(passed, 750) and at(passed, 400) < at(passed, 550)


def test_sunlight_peaks_in_the_green():
    assert 490 < NM[atmosphere.solar_irradiance(NM).argmax()] < 515
