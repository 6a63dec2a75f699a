"""Real rasters with the traps that users have."""

import shutil

import numpy as np
import pytest
import rasterio

from hyperres.core.bands import choose_bands
from hyperres.core.raster.cube import CubeReader, read_header
from hyperres.core.raster.scale import detect_scale


@pytest.fixture
def berlin(data, tmp_path):
    """A copy, so that nothing is written beside the original."""
    for path in (data / "georeferenced/enmap_berlin_2017").glob("*UrbanGradient.[bh][sd][qr]"):
        shutil.copy(path, tmp_path)
    return tmp_path / "EnMAP_BerlinUrbanGradient.bsq"


def scale_of(path_or_values, header=None):
    values = path_or_values
    if header is None:
        header = read_header(path_or_values)
        with rasterio.open(path_or_values) as file:
            values = file.read(masked=True).compressed()
    return detect_scale(float(np.percentile(values, 99)), header.dtypes[0], declared=False)[0]


def test_gzip_compressed_enmap_of_berlin(berlin, gdal_tool):
    before = sorted(p.name for p in berlin.parent.iterdir())
    header = read_header(berlin)
    assert header.driver == "ENVI"
    assert len(header.table) == 177
    assert header.table.wavelength_nm[:3] == pytest.approx((460, 465, 470))
    assert header.table.wavelength_nm[-1] == pytest.approx(2409, abs=1)
    assert header.table.fwhm_nm[0] == pytest.approx(5.8)
    assert header.table.is_monotonic()
    assert header.warnings == ()
    assert set(header.nodata) == {-99.0}
    assert header.grid.transform == pytest.approx((30, 0, 383472.37, 0, -30, 5818302.35))
    with CubeReader(header, tuple(range(177)), 1e-4) as reader:
        cube, valid = reader.read(header.grid.whole)
    assert sorted(p.name for p in berlin.parent.iterdir()) == before
    assert valid.all()
    assert 0 <= cube.min() < cube.max() <= 1
    assert scale_of(berlin) == 1e-4
    place = gdal_tool("gdallocationinfo", "-valonly", berlin, 17, 23).split()
    assert [round(float(v) * 1e4) for v in cube[:, 23, 17]] == [int(v) for v in place]


def test_high_resolution_image_of_berlin(berlin):
    header = read_header(berlin.with_name("HighResolution_BerlinUrbanGradient.bsq"))
    assert header.table.wavelength_nm == pytest.approx((484.3, 558.4, 646.5, 804.6))


def test_potsdam_tile_with_empty_water_vapour_bands(data):
    header = read_header(data / "georeferenced/enmap_potsdam_tiles/enmap_potsdam_tile_128_128.tif")
    assert len(header.table) == 224
    assert header.table.wavelength_nm[0] == pytest.approx(418.24)
    assert header.table.fwhm_nm[0] == pytest.approx(6.99561)
    assert header.warnings == ()
    empty = tuple(range(129, 135))
    with CubeReader(header, tuple(range(224))) as reader:
        assert not reader.read(header.grid.whole)[1].any()
    choice = choose_bands(header.table, all_nodata=empty)
    assert not set(empty) & set(choice.used)
    with CubeReader(header, choice.used) as reader:
        assert reader.read(header.grid.whole)[1].all()
    assert scale_of(header.path) == 1e-4


def test_rapideye_hides_a_third_of_its_pixels(data):
    header = read_header(data / "georeferenced/rapideye/rapideye.2014-06-25.tif")
    with CubeReader(header, (0, 1, 2, 3, 4)) as reader:
        cube, valid = reader.read(header.grid.whole)
    assert 0.25 < 1 - valid.mean() < 0.35
    assert cube[:, valid].max() < 65535
    assert header.table.wavelength_nm is None


def test_emit_without_unit_and_georeference(data, tmp_path):
    for path in (data / "georeferenced/emit").iterdir():
        shutil.copy(path, tmp_path)
    header = read_header(tmp_path / "emit20250324t221005_jpl_unmix_ex")
    assert header.table.wavelength_nm[0] == pytest.approx(381.0055927)
    assert len(header.warnings) == 1
    assert "nanometres" in header.warnings[0]
    assert header.grid.crs_wkt == ""
    assert set(header.nodata) == {-9999.0}
    assert scale_of(header.path) == 1.0


def test_netcdf_band_without_crs(data):
    header = read_header(data / "georeferenced/sentinel2_xrspatial/red_band.nc")
    assert header.grid.transform == pytest.approx((10, 0, 600000, 0, -10, 4700020))
    assert header.table.wavelength_nm is None


def test_cave_scene_without_georeference(data):
    header = read_header(next((data / "spectral_sr/cave_half").glob("*.tif")))
    assert header.table.wavelength_nm == pytest.approx(range(400, 701, 10))
    assert header.warnings == ()
    assert scale_of(header.path) == 1.0


def test_wavelengths_that_do_not_increase_are_kept_as_they_are(data, tmp_path):
    io = pytest.importorskip("scipy.io")
    scene = io.loadmat(data / "fusion/muufl_gatorsense/a_hsi_img_for_VI_demo.mat")
    nm = scene["wavelengths"].ravel().astype(float)
    values = np.moveaxis(scene["hsi_img"], 2, 0).astype("int16")
    path = tmp_path / "muufl.tif"
    with rasterio.open(path, "w", driver="GTiff", count=224, height=90, width=90, dtype="int16") as file:
        file.write(values)
        for i in range(224):
            file.update_tags(i + 1, wavelength=nm[i], wavelength_units="nm")
    table = read_header(path).table
    assert table.wavelength_nm == pytest.approx(nm)
    assert not table.is_monotonic()
    choice = choose_bands(table)
    assert all(not 1350 <= table.wavelength_nm[i] <= 1450 for i in choice.used)


def test_units_of_scenes_without_georeference(data):
    io = pytest.importorskip("scipy.io")
    jasper = io.loadmat(data / "unmixing/jasper/jasperRidge2_R198_Mei.mat")["Y"]
    hydice = io.loadmat(data / "fusion/abu/HYDICE_data.mat")["data"]
    pavia = io.loadmat(data / "fusion/abu/abu-beach-4.mat")["data"]
    for values, dtype, expected in ((jasper, "uint16", 1e-4), (hydice, "uint16", 1.0), (pavia, "float32", 1.0)):
        high = float(np.percentile(values, 99))
        scale, sentence = detect_scale(high, dtype, declared=False)
        assert scale == expected
        assert "Scale" in sentence


@pytest.mark.parametrize(
    ("high", "dtype", "declared", "expected"),
    [
        (0.6, "float32", False, 1.0),
        (3122, "int16", False, 1e-4),
        (4078, "float32", False, 1e-4),
        (0.31, "int16", True, 1.0),
        (62, "float32", False, 1.0),
        (40000, "uint16", False, 1.0),
        (1, "uint8", False, 1.0),
        (240, "uint8", False, 1.0),
        (3122, "int16", True, 1.0),
    ],
)
def test_scale_is_detected_said_and_can_be_overridden(high, dtype, declared, expected):
    scale, sentence = detect_scale(high, dtype, declared)
    assert scale == expected
    assert "'Scale'" in sentence
    assert sentence.endswith(".")
