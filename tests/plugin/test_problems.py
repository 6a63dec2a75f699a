# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input gets one sentence before any work, and no output."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
from helpers import WAVELENGTH_NM, library_text, refusal, write_raster
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsRasterLayer,
    QgsVectorLayer,
)


@pytest.fixture
def refuse(provider, scene, tmp_path):
    """Run Unmix with something wrong; return the sentence, having made sure that nothing was written."""

    def run(algorithm="unmix", **parameters):
        values = {"INPUT": scene.path, "OUTPUT": str(tmp_path / "out.tif"), **parameters}
        return refusal(provider.algorithm(algorithm).create(), values, tmp_path)

    return run


def cube_of(path, bands=6, side=8, **options):
    generator = np.random.default_rng(0)
    return write_raster(path, generator.integers(1, 9000, (bands, side, side)), **options)


# The image


def test_a_file_that_is_no_raster(refuse, tmp_path):
    text = tmp_path / "notes.tif"
    text.write_text("no raster", encoding="utf-8")
    assert "GDAL" in refuse(INPUT=str(text))


def test_a_raster_that_does_not_exist(refuse, tmp_path):
    assert "absent.tif" in refuse(INPUT=str(tmp_path / "absent.tif"))


@pytest.mark.parametrize("bands", [1, 2])
def test_too_few_bands(refuse, tmp_path, bands):
    assert "at least 3" in refuse(INPUT=cube_of(tmp_path / "few.tif", bands))


def test_a_layer_that_is_computed_by_qgis_and_not_a_file(refuse, scene):
    source = QgsRasterLayer(scene.path, "source")
    uri = (
        "?crs=EPSG:32633&extent=500000,4999520,500480,5000000&width=48&height=48&formula=%22source@1%22"
        f"&source:uri={source.source()}&source:provider=gdal"
    )
    layer = QgsRasterLayer(uri, "virtual", "virtualraster")
    assert "virtualraster" in refuse(INPUT=layer)


def test_a_layer_from_a_web_service(refuse):
    layer = QgsRasterLayer("type=xyz&url=https://tiles.example/{z}/{x}/{y}.png", "tiles", "wms")
    assert "wms" in refuse(INPUT=layer)


def test_a_raster_in_memory_which_another_process_cannot_see(refuse):
    path = cube_of("/vsimem/cube.tif")
    try:
        assert "memory" in refuse(INPUT=QgsRasterLayer(path, "cube"))
    finally:
        gdal.Unlink(path)


def test_complex_numbers(refuse, tmp_path):
    path = cube_of(tmp_path / "complex.tif", kind=gdal.GDT_CFloat32)
    assert "complex" in refuse(INPUT=path)


def test_a_picture_with_a_palette(refuse, tmp_path):
    path = cube_of(tmp_path / "palette.tif", bands=1, kind=gdal.GDT_Byte)
    dataset = gdal.Open(path, gdal.GA_Update)
    colours = gdal.ColorTable()
    colours.SetColorEntry(1, (255, 0, 0, 255))
    dataset.GetRasterBand(1).SetRasterColorTable(colours)
    dataset = None
    assert "palette" in refuse(INPUT=path)


def test_a_picture_with_transparency(refuse, tmp_path):
    path = tmp_path / "rgba.tif"
    gdal.GetDriverByName("GTiff").Create(str(path), 8, 8, 4, options=["PHOTOMETRIC=RGB", "ALPHA=YES"]).FlushCache()
    assert "alpha" in refuse(INPUT=str(path))


def test_looking_at_a_header_leaves_no_file_beside_it(tmp_path):
    # QGIS itself writes statistics beside a raster when it makes a layer of it; our own look does not
    from hyperres.algorithms.raster_header import read_header

    path = cube_of(tmp_path / "cube.tif", wavelength_nm=np.linspace(500, 900, 6))
    header = read_header(path)
    assert header.table.wavelength_nm == pytest.approx((500, 580, 660, 740, 820, 900))
    assert header.dtypes == ("int16",) * 6
    assert header.grid.transform == (10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0)
    assert os.listdir(tmp_path) == ["cube.tif"]


# Numbers and words


def test_more_endmembers_than_bands(refuse, tmp_path):
    assert "6 bands" in refuse(INPUT=cube_of(tmp_path / "six.tif"), COUNT=7)


def test_a_band_that_does_not_exist(refuse):
    assert "Band 99" in refuse(BANDS=[1, 2, 3, 99])


def test_too_few_chosen_bands(refuse):
    assert "at least 3" in refuse(BANDS=[1, 2])


@pytest.mark.parametrize("word", ["best", "FCLS", 0, "0"])
def test_a_word_that_is_not_offered(refuse, word):
    assert f"{word!r} is no choice for 'Abundance model'" in refuse(MODEL=word)


# Endmembers


@pytest.fixture
def table(tmp_path):
    def write(text, name="library.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_an_empty_endmember_file(refuse, table):
    assert "empty" in refuse(ENDMEMBERS=table(""))


def test_an_absent_endmember_file(refuse, tmp_path):
    assert "absent.csv" in refuse(ENDMEMBERS=str(tmp_path / "absent.csv"))


def test_text_where_numbers_belong(refuse, table):
    assert "dark" in refuse(ENDMEMBERS=table("wavelength_nm,soil,water\n450,0.1,0.2\n550,dark,0.2\n"))


def test_wrong_columns(refuse, table):
    assert "wavelength_nm" in refuse(ENDMEMBERS=table("soil,water\n0.1,0.2\n0.3,0.2\n"))


def test_rows_of_different_length(refuse, table):
    assert re.search("column|values", refuse(ENDMEMBERS=table("wavelength_nm,a,b\n450,0.1,0.2\n550,0.3\n")))


def test_duplicate_names(refuse, scene, table):
    assert "soil" in refuse(ENDMEMBERS=table(library_text(scene).replace("meadow", "soil", 1)))


def test_other_wavelengths(refuse, scene, table):
    sentence = refuse(ENDMEMBERS=table(library_text(scene, WAVELENGTH_NM + 7000)))
    assert "7450" in sentence


# Samples


@pytest.fixture
def samples(tmp_path):
    """Make a layer of points: (x, y, class)."""

    def make(points, crs="EPSG:32633", kind="Point"):
        layer = QgsVectorLayer(f"{kind}?field=class:string", "samples", "memory")
        layer.setCrs(QgsCoordinateReferenceSystem(crs))
        for x, y, name in points:
            feature = QgsFeature(layer.fields())
            feature.setAttribute("class", name)
            if x is not None:
                feature.setGeometry(QgsGeometry.fromWkt(f"Point ({x} {y})"))
            assert layer.dataProvider().addFeatures([feature])[0]
        return layer

    return make


INSIDE = ((500045, 4999945, "meadow"), (500055, 4999865, "soil"))


def test_samples_outside_the_raster(refuse, samples):
    layer = samples([(x + 90_000, y, name) for x, y, name in INSIDE])
    assert "outside" in refuse(SAMPLES=layer, SAMPLES_FIELD="class")


def test_one_class_outside_the_raster(refuse, samples):
    layer = samples([*INSIDE, (900_000, 4999865, "water")])
    assert "'water'" in refuse(SAMPLES=layer, SAMPLES_FIELD="class")


def test_samples_in_an_unreachable_coordinate_system(refuse, samples):
    layer = samples(INSIDE)
    layer.setCrs(QgsCoordinateReferenceSystem())
    assert "coordinate system" in refuse(SAMPLES=layer, SAMPLES_FIELD="class")


def test_samples_whose_transformation_fails(refuse, samples):
    # degrees far beyond the globe cannot be projected
    layer = samples([(1e6, 1e6, "meadow"), (2e6, 1e6, "soil")], crs="EPSG:4326")
    assert re.search("coordinate system|outside", refuse(SAMPLES=layer, SAMPLES_FIELD="class"))


def test_no_samples(refuse, samples):
    assert "empty" in refuse(SAMPLES=samples([]), SAMPLES_FIELD="class")


def test_a_sample_without_a_class(refuse, samples):
    assert "no class" in refuse(SAMPLES=samples([*INSIDE, (500045, 4999945, None)]), SAMPLES_FIELD="class")


def test_a_sample_without_a_geometry(refuse, samples):
    assert "no geometry" in refuse(SAMPLES=samples([*INSIDE, (None, None, "soil")]), SAMPLES_FIELD="class")


def test_no_field(refuse, samples):
    assert "Field with class names" in refuse(SAMPLES=samples(INSIDE))


def test_a_field_that_does_not_exist(refuse, samples):
    assert "'kind'" in refuse(SAMPLES=samples(INSIDE), SAMPLES_FIELD="kind")


def test_too_many_samples(refuse, samples, monkeypatch):
    monkeypatch.setattr("hyperres.algorithms.samples.MAX_SAMPLES", 1)
    assert "2 samples" in refuse(SAMPLES=samples(INSIDE), SAMPLES_FIELD="class")


def test_samples_and_endmembers_together(refuse, samples, library):
    assert "not both" in refuse(SAMPLES=samples(INSIDE), SAMPLES_FIELD="class", ENDMEMBERS=library)


# Targets


def test_a_target_in_a_folder_that_does_not_exist(refuse, tmp_path):
    assert "nowhere" in refuse(OUTPUT=str(tmp_path / "nowhere" / "out.tif"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_target_that_cannot_be_written(refuse, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    assert "locked" in refuse(OUTPUT=str(folder / "out.tif"))


def test_a_target_equal_to_the_input(refuse, scene):
    assert "input" in refuse(OUTPUT=scene.path)


def test_a_table_equal_to_the_given_endmembers(refuse, library):
    assert "input" in refuse(ENDMEMBERS=library, OUTPUT_ENDMEMBERS=library)


def test_an_unknown_extension(refuse, tmp_path):
    assert ".xyz" in refuse(OUTPUT=str(tmp_path / "out.xyz"))


def test_two_outputs_in_one_file(refuse, tmp_path):
    path = str(tmp_path / "same.tif")
    assert "overwrite each other" in refuse(OUTPUT=path, OUTPUT_RMSE=path)


# The engine


def test_no_engine(refuse, monkeypatch):
    monkeypatch.delenv("HYPERRES_PYTHON")
    monkeypatch.setattr("hyperres.core.engine.interpreter.candidates", lambda *_: [])
    assert "Settings > Options > HyperRes" in refuse()


def test_an_engine_that_is_no_python(refuse, monkeypatch):
    monkeypatch.setenv("HYPERRES_PYTHON", __file__)
    assert "HYPERRES_PYTHON" in refuse()


def test_without_an_engine_everything_is_still_listed(provider, monkeypatch):
    monkeypatch.setenv("HYPERRES_PYTHON", "/absent/python")
    provider.refreshAlgorithms()
    assert {"unmix", "fuse", "assess", "status"} <= {a.name() for a in provider.algorithms()}
    assert provider.algorithm("unmix").canExecute()[0]
