"""Every way of storing numbers gives the same reflectance and the same valid pixels as GDAL's own reading."""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from hyperres.core.errors import InputError
from hyperres.core.grid import Window, plan_tiles
from hyperres.core.raster.cube import CubeReader, read_header
from hyperres.core.raster.header import check_spectral

SHAPE = (5, 70, 90)


def write(path, values, nodata=None, mask=None, **options):
    profile = {"driver": "GTiff", "crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 5e5, 0, -2, 5e6), **options}
    count, height, width = values.shape
    with rasterio.open(
        path, "w", count=count, height=height, width=width, dtype=values.dtype, nodata=nodata, **profile
    ) as file:
        file.write(values)
        if mask is not None:
            file.write_mask(mask)
    return path


def numbers(dtype="int16", seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(0.3, 0.2, SHAPE).astype(dtype)
    return random.integers(0, 200, SHAPE).astype(dtype)


def read(path, bands=None, scale=1.0, window=None):
    header = read_header(path)
    with CubeReader(header, tuple(bands if bands is not None else range(len(header.table))), scale) as reader:
        cube, valid = reader.read(window or header.grid.whole)
        return cube.copy(), valid


LAYOUTS = {
    "tiled bands": {"tiled": True, "blockxsize": 32, "blockysize": 16, "interleave": "band"},
    "tiled pixels": {"tiled": True, "blockxsize": 32, "blockysize": 16, "interleave": "pixel"},
    "strips of pixels": {"interleave": "pixel", "blockysize": 7},
    "compressed pixels": {
        "tiled": True,
        "blockxsize": 32,
        "blockysize": 32,
        "interleave": "pixel",
        "compress": "deflate",
    },
    "big endian": {"interleave": "pixel", "endianness": "big"},
    "envi bsq": {"driver": "ENVI", "interleave": "bsq"},
    "envi bil": {"driver": "ENVI", "interleave": "bil"},
    "envi bip": {"driver": "ENVI", "interleave": "bip"},
}


@pytest.mark.parametrize("bands", [(0, 1, 2, 3, 4), (0, 3), (4,)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_type_and_choice_of_bands(tmp_path, layout, dtype, bands):
    values = numbers(dtype)
    path = write(tmp_path / "a.img", values, **LAYOUTS[layout])
    with rasterio.open(path) as file:
        expected_interleave = {"pixels": "PIXEL", "endian": "PIXEL", "bip": "PIXEL", "bil": "LINE"}.get(
            layout.split()[-1], "BAND"
        )
        assert file.interleaving.value == expected_interleave
    for window in (Window(0, 0, 70, 90), Window(13, 29, 31, 44), Window(69, 89, 1, 1)):
        cube, valid = read(path, bands, window=window)
        np.testing.assert_array_equal(cube, values[list(bands)][:, window.rows, window.cols].astype(np.float32))
        assert valid.all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_osgeo_reads_the_same_numbers(tmp_path, stored_numbers, layout):
    path = write(tmp_path / "a.img", numbers(), **LAYOUTS[layout])
    np.testing.assert_array_equal(read(path)[0], stored_numbers(path))


def test_a_pixel_is_invalid_where_any_used_band_is_nodata(tmp_path):
    values = numbers()
    values[1, 5, 6] = values[3, 7, 8] = -9999
    path = write(tmp_path / "a.tif", values, nodata=-9999)
    _, valid = read(path)
    assert set(zip(*np.nonzero(~valid))) == {(5, 6), (7, 8)}
    assert set(zip(*np.nonzero(~read(path, (0, 1, 2))[1]))) == {(5, 6)}
    assert read(path, (0, 4))[1].all()


@pytest.mark.parametrize("nodata", [np.nan, -3.4028234663852886e38, -9999.0, None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_are_invalid_and_the_cube_stays_finite(tmp_path, dtype, nodata):
    values = numbers(dtype)
    values[0, 1, 1], values[1, 2, 2], values[2, 3, 3] = np.nan, np.inf, -np.inf
    bad = {(1, 1), (2, 2), (3, 3)}
    if nodata is not None:
        values[4, 4, 4] = nodata
        bad.add((4, 4))
    cube, valid = read(write(tmp_path / "a.tif", values, nodata=nodata))
    assert set(zip(*np.nonzero(~valid))) == bad
    assert np.isfinite(cube).all()


def test_numbers_too_large_for_single_precision_are_invalid(tmp_path):
    values = numbers("float64")
    values[2, 9, 9] = 1e300
    assert set(zip(*np.nonzero(~read(write(tmp_path / "a.tif", values))[1]))) == {(9, 9)}


def test_nodata_that_the_type_cannot_hold_hides_nothing(tmp_path):
    values = np.full(SHAPE, 241, "uint8")  # -9999 modulo 256
    header = replace(read_header(write(tmp_path / "a.tif", values)), nodata=(-9999.0,) * 5)
    with CubeReader(header, (0, 1, 2, 3, 4)) as reader:
        assert reader.read(header.grid.whole)[1].all()


def test_nodata_of_each_band_is_its_own(tmp_path):
    values = numbers("int16") % 7 + 10
    values[0, 1, 1], values[1, 1, 2], values[0, 1, 3] = -1, -2, -2
    path = write(tmp_path / "a.img", values, driver="ENVI")
    vrt = tmp_path / "a.vrt"
    subprocess.run(["gdal_translate", "-q", "-of", "VRT", path, vrt], check=True)
    text = vrt.read_text()
    for band, nodata in ((1, -1), (2, -2)):
        head = f'<VRTRasterBand dataType="Int16" band="{band}"'
        at = text.index(">", text.index(head)) + 1
        text = f"{text[:at]}<NoDataValue>{nodata}</NoDataValue>{text[at:]}"
    vrt.write_text(text)
    assert read_header(vrt).nodata == (-1.0, -2.0, None, None, None)
    assert set(zip(*np.nonzero(~read(vrt)[1]))) == {(1, 1), (1, 2)}


def test_scale_and_offset_of_the_file_and_of_the_user(tmp_path):
    values = numbers("uint16")
    path = write(tmp_path / "a.tif", values, nodata=7)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.1, 0.1, 0.2, 1.0, 1.0), (-3.0, 0.0, 0.0, 0.0, 5.0)
    cube, valid = read(path, scale=0.01)
    expected = values * np.array([0.1, 0.1, 0.2, 1, 1])[:, None, None] + np.array([-3.0, 0, 0, 0, 5])[:, None, None]
    np.testing.assert_allclose(cube, expected * 0.01, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(valid, (values != 7).all(axis=0))


@pytest.mark.parametrize("internal", [True, False])
def test_a_mask_of_the_whole_raster_hides_pixels(tmp_path, internal):
    mask = np.ones(SHAPE[1:], dtype=bool)
    mask[10:20, 30:50] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        path = write(tmp_path / "a.tif", numbers(), mask=mask)
    assert (tmp_path / "a.tif.msk").exists() != internal
    np.testing.assert_array_equal(read(path)[1], mask)


def test_an_alpha_band_hides_pixels_and_is_no_spectral_band(tmp_path):
    values = numbers("uint8")
    values[4] = 255
    values[4, :5] = 0
    path = write(tmp_path / "a.tif", values)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 3, ColorInterp.alpha]
    header = read_header(path)
    assert header.table.good == (True, True, True, True, False)
    assert any("Band 5" in warning for warning in header.warnings)
    np.testing.assert_array_equal(read(path, (0, 1, 2, 3))[1], values[4] > 0)


def test_threads_with_readers_of_their_own_read_the_same_as_one(tmp_path):
    values = numbers()
    path = write(tmp_path / "a.tif", values, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    header = read_header(path)
    tiles = plan_tiles(header.grid, 16, 32, 3)
    out = np.zeros(SHAPE, np.float32)

    def work(share):
        with CubeReader(header, (0, 1, 2, 3, 4)) as reader:
            for tile in tiles[share::4]:
                rows, cols = tile.core.within(tile.halo)
                out[:, tile.core.rows, tile.core.cols] = reader.read(tile.halo)[0][:, rows, cols]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(out, values)


def test_header_keeps_rotation_custom_crs_and_what_a_pixel_is(tmp_path):
    turned = rasterio.Affine(8, 3, 4e5, 3, -8, 5e6)
    crs = rasterio.CRS.from_proj4("+proj=tmerc +lat_0=52.4 +lon_0=13.1 +k=0.99 +x_0=1000 +y_0=2000 +ellps=bessel")
    path = write(tmp_path / "a.tif", numbers(), transform=turned, crs=crs)
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    grid = read_header(path).grid
    assert (grid.width, grid.height) == (90, 70)
    assert grid.transform == pytest.approx((8, 3, 4e5, 3, -8, 5e6))
    assert rasterio.CRS.from_wkt(grid.crs_wkt) == crs
    assert grid.pixel_is_point
    assert grid.xy(0, 0) == pytest.approx((4e5, 5e6))


def test_palette_and_complex_numbers_are_visible_before_reading(tmp_path):
    path = write(tmp_path / "p.tif", numbers("uint8")[:1])
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255)})
    assert read_header(path).has_palette
    path = write(tmp_path / "c.tif", numbers("float32").astype("complex64"))
    header = read_header(path)
    assert header.dtypes == ("complex64",) * 5
    assert not header.has_palette
    with pytest.raises(InputError, match="complex"):
        CubeReader(header, (0, 1))


def refused(match, path):
    with pytest.raises(InputError, match=match) as caught:
        read_header(path)
    assert str(caught.value).endswith(".")


def test_what_is_no_raster_is_refused_in_words(tmp_path):
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "empty.tif").touch()
    refused("no raster that GDAL opens", tmp_path / "text.tif")
    refused("no raster that GDAL opens", tmp_path / "empty.tif")
    refused("no raster that GDAL opens", tmp_path)
    refused("does not exist", tmp_path / "none.tif")


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if not name.startswith("envi")])
def test_a_truncated_geotiff_is_refused_where_it_ends(tmp_path, layout):
    path = write(tmp_path / "a.tif", numbers(), **LAYOUTS[layout])
    os.truncate(path, path.stat().st_size - 10000)
    header = read_header(path)
    with CubeReader(header, (0, 1, 2, 3, 4)) as reader, pytest.raises(InputError, match="damaged"):
        reader.read(header.grid.whole)


def test_a_truncated_envi_file_is_refused_at_once(tmp_path):
    path = write(tmp_path / "a.img", numbers(), driver="ENVI")
    os.truncate(path, path.stat().st_size - 1)
    refused("incomplete", path)


def stack(folder, planes):
    """A virtual raster of single bands, each of its own type."""
    kinds = {"uint8": "Byte", "int16": "Int16", "float32": "Float32", "float64": "Float64"}
    bands = ""
    for i, plane in enumerate(planes, 1):
        write(folder / f"{i}.tif", plane[None])
        bands += (
            f'<VRTRasterBand dataType="{kinds[plane.dtype.name]}" band="{i}"><NoDataValue>{i}</NoDataValue>'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{i}.tif</SourceFilename></SimpleSource></VRTRasterBand>'
        )
    height, width = planes[0].shape
    path = folder / "stack.vrt"
    path.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>', encoding="ascii")
    return path


def test_bands_of_different_types_and_nodata_values_are_read_together(tmp_path):
    random = np.random.default_rng(0)
    planes = [random.integers(0, 20, SHAPE[1:]).astype(dtype) for dtype in ("uint8", "int16", "float32", "float64")]
    cube, valid = read(stack(tmp_path, planes))
    np.testing.assert_array_equal(cube, planes)
    np.testing.assert_array_equal(valid, np.all([plane != i for i, plane in enumerate(planes, 1)], axis=0))


def test_a_virtual_raster_that_lost_a_source_is_refused(tmp_path):
    path = stack(tmp_path, numbers()[:4])
    (tmp_path / "3.tif").unlink()
    header = read_header(path)
    with CubeReader(header, (0, 1, 2, 3)) as reader, pytest.raises(InputError, match="refers to"):
        reader.read(header.grid.whole)


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_invalid_without_a_word(tmp_path):
    values = numbers("float64")
    values[2, :5] = -1.7976931348623157e308
    _, valid = read(write(tmp_path / "a.tif", values, nodata=-1.7976931348623157e308))
    assert not valid[:5].any() and valid[5:].all()


def test_blocks_that_a_sparse_geotiff_leaves_out_are_nodata(tmp_path):
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=5, height=70, width=90, dtype="int16", nodata=-1, sparse_ok=True, tiled=True,
        blockxsize=32, blockysize=32
    ) as file:  # fmt: skip
        file.write(np.ones((5, 32, 32), "int16"), window=rasterio.windows.Window(32, 32, 32, 32))
    _, valid = read(path)
    assert valid[32:64, 32:64].all()
    assert valid.sum() == 32 * 32


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_a_scale_that_wipes_out_a_band_is_refused(tmp_path, factor):
    path = write(tmp_path / "a.tif", numbers())
    with rasterio.open(path, "r+") as file:
        file.scales = (1.0, 1.0, factor, 1.0, 1.0)
    with pytest.raises(InputError, match="for band 3"):
        check_spectral(read_header(path))


def test_a_container_names_its_rasters(tmp_path):
    netcdf = tmp_path / "two.nc"
    for name in ("a", "b"):
        write(tmp_path / f"{name}.tif", numbers("float32")[:1])
    code = (
        "import sys, numpy; from scipy.io import netcdf_file\n"
        "f = netcdf_file(sys.argv[1], 'w'); f.createDimension('y', 4); f.createDimension('x', 5)\n"
        "for n in 'red', 'nir':\n    v = f.createVariable(n, 'f4', ('y', 'x')); v[:] = numpy.ones((4, 5), 'f4')\n"
        "f.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(netcdf)], check=True)
    refused(r"sub-datasets \(.*red.*nir", netcdf)


def test_reading_leaves_the_folder_and_the_error_stream_clean(tmp_path):
    write(tmp_path / "a.tif", numbers(), crs=None, transform=None)
    write(tmp_path / "b.img", numbers(), driver="ENVI", crs=None, transform=None)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code = (
        "import sys\n"
        "from hyperres.core.raster.cube import CubeReader, read_header\n"
        "for path in sys.argv[1:]:\n"
        "    header = read_header(path)\n"
        "    with CubeReader(header, (0, 1)) as reader:\n"
        "        reader.read(header.grid.whole)\n"
    )
    rasters = [str(tmp_path / "a.tif"), str(tmp_path / "b.img")]
    done = subprocess.run([sys.executable, "-c", code, *rasters], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
