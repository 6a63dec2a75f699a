# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs that cannot be fused, simulated or judged get one sentence before any work, and no output."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import read_raster, refusal, write_raster
from osgeo import gdal
from pairs import NM, response_text

FUSIONS = ("fuse", "spectralift", "spectramorph")


@pytest.fixture
def refuse(provider, pair, tmp_path):
    def run(algorithm="fuse", **parameters):
        target = {"OUTPUT": str(tmp_path / "out.tif")}
        values = {"HSI": pair.hsi, "MSI": pair.msi, **target, **parameters}
        return refusal(provider.algorithm(algorithm).create(), values, tmp_path)

    return run


def copy_of(path, target, wavelength_nm=None, bands=None, **options):
    cube = read_raster(path)
    return write_raster(target, cube if bands is None else cube[bands], -9999, wavelength_nm, **options)


# The two images


@pytest.mark.parametrize("algorithm", FUSIONS)
def test_swapped_images(refuse, pair, algorithm):
    assert "swapped" in refuse(algorithm, HSI=pair.msi, MSI=pair.hsi)


def test_the_same_image_twice(refuse, pair):
    assert "both images" in refuse(MSI=pair.hsi)


def test_an_image_that_does_not_exist(refuse, tmp_path):
    assert "absent.tif" in refuse(MSI=str(tmp_path / "absent.tif"))


def test_a_fine_image_of_palette_colours(refuse, tmp_path):
    path = write_raster(tmp_path / "palette.tif", np.ones((1, 96, 96)), kind=gdal.GDT_Byte, pixel_m=5)
    dataset = gdal.Open(path, gdal.GA_Update)
    colours = gdal.ColorTable()
    colours.SetColorEntry(1, (255, 0, 0, 255))
    dataset.GetRasterBand(1).SetRasterColorTable(colours)
    dataset = None
    assert "palette" in refuse(MSI=path)


def test_fine_bands_outside_the_spectral_range(refuse, pair, tmp_path):
    thermal = copy_of(pair.msi, tmp_path / "thermal.tif", (9000, 10000, 11000, 12000), pixel_m=5)
    assert "9000" in refuse(MSI=thermal)


def test_images_of_different_places(refuse, pair, tmp_path):
    elsewhere = copy_of(pair.msi, tmp_path / "elsewhere.tif", pixel_m=5, corner=(600000, 5000000))
    assert "do not overlap" in refuse(MSI=elsewhere)


def test_an_overlap_of_a_few_pixels(refuse, pair, tmp_path):
    # the coarse image reaches 480 m east, this one begins 420 m east: three coarse pixels are common
    aside = copy_of(pair.msi, tmp_path / "aside.tif", pixel_m=5, corner=(500420, 5000000))
    assert "only 24 x 3" in refuse(MSI=aside)


def test_a_fine_image_that_is_coarser(refuse, pair, tmp_path):
    coarser = copy_of(pair.msi, tmp_path / "coarser.tif", pixel_m=40)
    assert "coarser" in refuse(MSI=coarser)


def test_one_image_without_a_georeference(refuse, pair, tmp_path):
    bare = str(tmp_path / "bare.tif")
    dataset = gdal.Translate(bare, pair.msi, noData=-9999)
    dataset.SetGeoTransform((0, 1, 0, 0, 0, 1))
    dataset = None
    assert "georeference" in refuse(MSI=bare)


def test_another_flavour_of_the_same_coordinate_system(provider, pair, tmp_path):
    from qgis.core import QgsProcessingContext

    proj = str(tmp_path / "proj.tif")
    gdal.Translate(proj, pair.msi, outputSRS="+proj=utm +zone=33 +datum=WGS84")
    values = {"HSI": pair.hsi, "MSI": proj, "OUTPUT": str(tmp_path / "out.tif")}
    fine, sentence = provider.algorithm("fuse").create().checkParameterValues(values, QgsProcessingContext())
    assert fine, sentence


# The response


def test_a_sensor_for_bands_without_wavelengths(refuse, pair, tmp_path):
    nameless = copy_of(pair.hsi, tmp_path / "nameless.tif", pixel_m=20)
    assert "wavelengths" in refuse(HSI=nameless, SENSOR="sentinel-2a")


def test_a_sensor_with_fewer_bands(refuse):
    assert "4 bands" in refuse(SENSOR="pan")


def test_a_sensor_and_a_table(refuse, tmp_path):
    table = tmp_path / "response.csv"
    table.write_text(response_text(), encoding="utf-8")
    assert "not both" in refuse(SENSOR="sentinel-2a", SRF=str(table))


@pytest.mark.parametrize("name", ["SRF", "MODEL"])
def test_an_absent_file(refuse, tmp_path, name):
    assert "absent.csv" in refuse(**{name: str(tmp_path / "absent.csv")})


# Words and numbers


@pytest.mark.parametrize("word", ["best", "Refined", 0])
def test_a_mode_that_is_not_offered(refuse, word):
    assert f"{word!r} is no choice for 'Mode'" in refuse("spectralift", MODE=word)


def test_a_sensor_that_is_not_known(refuse):
    assert "'sentinel'" in refuse(SENSOR="sentinel")


def test_a_band_to_write_that_does_not_exist(refuse):
    assert "Band 99" in refuse(OUTPUT_BANDS=[1, 99])


def test_two_outputs_in_one_file(refuse, tmp_path):
    assert "overwrite each other" in refuse(OUTPUT_UNCERTAINTY=str(tmp_path / "out.tif"))


@pytest.mark.parametrize("name", ["HSI", "MSI"])
def test_an_output_over_an_input(refuse, pair, name):
    assert "input" in refuse(OUTPUT=getattr(pair, name.lower()))


# Simulation


@pytest.fixture
def refuse_simulation(provider, pair, tmp_path):
    def run(**parameters):
        values = {"INPUT": pair.truth, "OUTPUT_COARSE": str(tmp_path / "out.tif"), **parameters}
        return refusal(provider.algorithm("simulate").create(), values, tmp_path)

    return run


def test_a_multispectral_image_of_no_sensor(refuse_simulation, tmp_path):
    assert "no sensor" in refuse_simulation(OUTPUT_MSI=str(tmp_path / "msi.tif"))


def test_two_blurs(refuse_simulation):
    assert "not both" in refuse_simulation(PSF_SIGMA=2, MTF=0.3)


def test_nothing_to_simulate(refuse_simulation):
    assert "No output" in refuse_simulation(OUTPUT_COARSE=None)


def test_a_simulated_sensor_without_wavelengths(refuse_simulation, pair, tmp_path):
    nameless = copy_of(pair.truth, tmp_path / "nameless.tif", pixel_m=5)
    assert "wavelengths" in refuse_simulation(INPUT=nameless, SENSOR="sentinel-2a")


# Assessment


@pytest.fixture
def refuse_assessment(provider, pair, tmp_path):
    def run(**parameters):
        values = {"INPUT": pair.truth, "REPORT": str(tmp_path / "report.html"), **parameters}
        return refusal(provider.algorithm("assess").create(), values, tmp_path)

    return run


def test_nothing_to_compare_with(refuse_assessment):
    assert "nothing to compare" in refuse_assessment()


@pytest.mark.parametrize("name", ["HSI", "MSI"])
def test_half_a_pair(refuse_assessment, pair, name):
    assert "both" in refuse_assessment(REFERENCE=pair.truth, **{name: getattr(pair, name.lower())})


def test_error_maps_without_a_reference(refuse_assessment, pair, tmp_path):
    maps = str(tmp_path / "errors.tif")
    assert "reference" in refuse_assessment(HSI=pair.hsi, MSI=pair.msi, OUTPUT_ERRORS=maps)


def test_one_band_is_no_hyperspectral_image(refuse, pair, tmp_path):
    two = copy_of(pair.hsi, tmp_path / "two.tif", NM[:2], [0, 1], pixel_m=20)
    assert "at least 3" in refuse(HSI=two)


def test_a_reference_of_other_pixels(refuse_assessment, pair):
    assert "24 x 24" in refuse_assessment(REFERENCE=pair.hsi)
