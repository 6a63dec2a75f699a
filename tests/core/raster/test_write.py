"""Results keep their place, names, wavelengths and provenance, and are the same bytes every time."""

import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import rasterio

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import OutputSpec
from hyperres.core.errors import InputError
from hyperres.core.grid import Grid, plan_tiles
from hyperres.core.raster.cube import CubeReader, read_header
from hyperres.core.raster.write import RasterWriter, publish

CRS = rasterio.CRS.from_proj4("+proj=tmerc +lat_0=52.4 +lon_0=13.1 +k=0.99 +x_0=1000 +y_0=2000 +ellps=bessel")
GRID = Grid(300, 280, (8.0, 3.0, 4e5, 3.0, -8.0, 5e6), CRS.to_wkt())
NAMES = ("Tile, red", "Grass <b>", "Wasser ä")
MAPS = OutputSpec("Abundances", NAMES)
SPECTRAL = OutputSpec(
    "Cube",
    ("a", "b", "c"),
    table=BandTable(("a", "b", "c"), (True, False, True), (418.24, 550.0, 2450.1), (7.0, 8.5, 9)),
)
CLASSES = OutputSpec(
    "Classes", ("Class",), "uint8", 0, class_names=("Tile, red", "Grass <b>"), class_colours=((255, 0, 0), (0, 128, 7))
)


def values(spec, grid=GRID, seed=0):
    random = np.random.default_rng(seed)
    shape = (len(spec.band_names), grid.height, grid.width)
    if spec.dtype == "uint8":
        return random.integers(0, 3, shape).astype("uint8")
    made = random.random(shape).astype("float32")
    made[:, :9] = spec.nodata
    return made


def write(path, spec, grid=GRID, tile=(256, 256), seed=0, metadata=None):
    array = values(spec, grid, seed)
    with RasterWriter(path, grid, spec, metadata or {"HYPERRES_VERSION": "1.0"}) as writer:
        for piece in plan_tiles(grid, *tile):
            writer.write(piece.core, array[:, piece.core.rows, piece.core.cols])
    return array


@pytest.mark.parametrize("extension", ["tif", "tiff", "bsq", "dat", "img", "TIF"])
def test_what_was_written_is_read_back(tmp_path, extension, stored_numbers):
    path = tmp_path / f"a.{extension}"
    array = write(path, MAPS)
    header = read_header(path)
    assert header.driver == ("GTiff" if extension.lower().startswith("tif") else "ENVI")
    assert (header.grid.width, header.grid.height) == (300, 280)
    assert header.grid.transform == pytest.approx(GRID.transform)
    assert header.nodata == (-9999.0,) * 3
    assert header.table.wavelength_nm is None
    if header.driver == "GTiff":
        assert header.table.names == NAMES
        assert rasterio.CRS.from_wkt(header.grid.crs_wkt) == CRS
    np.testing.assert_array_equal(stored_numbers(path), array)
    with rasterio.open(path) as file:
        assert file.tags()["HYPERRES_VERSION"] == "1.0"


@pytest.mark.parametrize("extension", ["tif", "bsq"])
@pytest.mark.parametrize("point", [True, False])
def test_what_a_pixel_is_stays_and_nothing_moves(tmp_path, extension, point):
    grid = Grid(300, 280, (8.0, 0.0, 4e5, 0.0, -8.0, 5e6), CRS.to_wkt(), point)
    write(tmp_path / f"a.{extension}", MAPS, grid)
    again = read_header(tmp_path / f"a.{extension}").grid
    assert again.pixel_is_point == point
    assert again.transform == pytest.approx(grid.transform)


@pytest.mark.parametrize("extension", ["tif", "bsq"])
def test_the_spectral_axis_is_read_back_from_the_file(tmp_path, extension):
    write(tmp_path / f"a.{extension}", SPECTRAL)
    header = read_header(tmp_path / f"a.{extension}")
    assert header.table.wavelength_nm == pytest.approx((418.24, 550.0, 2450.1))
    assert header.table.fwhm_nm == pytest.approx((7, 8.5, 9))
    assert header.table.good == (True, False, True)
    assert header.warnings == ()
    assert header.table.names[0].startswith("418.24 nm")


@pytest.mark.parametrize("extension", ["tif", "bsq"])
def test_gdal_knows_the_classes_by_name_and_colour(tmp_path, extension, gdal_tool):
    path = tmp_path / f"a.{extension}"
    write(path, CLASSES)
    report = gdal_tool("gdalinfo", path)
    assert "0: 0,0,0," in report
    assert "1: 255,0,0,255" in report
    assert "2: 0,128,7,255" in report
    assert "2: Grass <b>" in report
    assert ("1: Tile, red" if extension == "tif" else "1: Tile red") in report
    assert "NoData Value=0" in report


def test_rasters_without_georeference_stay_without(tmp_path):
    write(tmp_path / "a.tif", MAPS, Grid(300, 280))
    assert read_header(tmp_path / "a.tif").grid == Grid(300, 280)


@pytest.mark.parametrize("extension", ["tif", "bsq"])
def test_the_same_run_gives_the_same_bytes_whatever_is_read_meanwhile(tmp_path, extension):
    grid = Grid(1100, 1050)
    busy = tmp_path / "busy.tif"
    write(busy, MAPS, grid)
    header, stop = read_header(busy), threading.Event()

    def read_all_the_time():
        with CubeReader(header, (0, 1, 2)) as reader:
            while not stop.is_set():
                for tile in plan_tiles(header.grid, 300, 300):
                    reader.read(tile.core)

    digests = set()
    for attempt in range(3):
        readers = [threading.Thread(target=read_all_the_time) for _ in range(attempt)]
        for thread in readers:
            thread.start()
        path = tmp_path / f"{attempt}" / f"a.{extension}"
        path.parent.mkdir()
        array = write(path, SPECTRAL, grid)
        stop.set()
        for thread in readers:
            thread.join()
        stop.clear()
        files = sorted(path.parent.iterdir())
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(file.read(), array)
        digests.add(tuple((file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files))
    assert len(digests) == 1


def test_publishing_moves_all_files_and_leaves_no_stale_ones(tmp_path):
    final = tmp_path / "map.bsq"
    write(final, SPECTRAL, seed=1)
    (tmp_path / "map.bsq.ovr").write_text("old")
    array = write(tmp_path / ".map.part.bsq", MAPS)
    publish(tmp_path / ".map.part.bsq", final)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.bsq", "map.bsq.aux.xml", "map.hdr"]
    assert read_header(final).table.wavelength_nm is None
    assert "part" not in (tmp_path / "map.hdr").read_text()
    with rasterio.open(final) as file:
        np.testing.assert_array_equal(file.read(), array)


def test_publishing_over_a_classified_map_forgets_its_class_names(tmp_path):
    write(tmp_path / "map.tif", CLASSES)
    assert (tmp_path / "map.tif.aux.xml").exists()
    write(tmp_path / ".map.part.tif", MAPS)
    publish(tmp_path / ".map.part.tif", tmp_path / "map.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_a_header_of_another_raster_with_the_same_stem_survives(tmp_path):
    (tmp_path / "map.hdr").write_text("ENVI of map.bsq")
    write(tmp_path / ".map.part.tif", MAPS)
    publish(tmp_path / ".map.part.tif", tmp_path / "map.tif")
    assert (tmp_path / "map.hdr").read_text() == "ENVI of map.bsq"


def test_what_cannot_be_created_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="cannot be created"):
        RasterWriter(tmp_path / "nowhere" / "a.tif", GRID, MAPS)


@pytest.mark.skipif(sys.platform == "win32", reason="the system has no limit on file sizes")
@pytest.mark.parametrize("limit", [100, 500_000, 8_000_000])
@pytest.mark.parametrize("extension", ["tif", "bsq"])
def test_a_full_disk_is_said_in_words(tmp_path, extension, limit):
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from hyperres.core.errors import InputError\n"
        "from hyperres.core.engine.method import OutputSpec\n"
        "from hyperres.core.grid import Grid, plan_tiles\n"
        "from hyperres.core.raster.write import RasterWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "grid = Grid(1000, 1000)\n"
        "values = np.random.default_rng(0).random((3, 256, 256)).astype('float32')\n"
        "try:\n"
        "    with RasterWriter(sys.argv[1], grid, OutputSpec('x', ('a', 'b', 'c'))) as writer:\n"
        "        for tile in plan_tiles(grid, 256, 256):\n"
        "            writer.write(tile.core, values[:, : tile.core.height, : tile.core.width])\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / f"a.{extension}"), str(limit)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "disk" in done.stdout or "cannot be created" in done.stdout
