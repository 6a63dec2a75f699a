import pytest

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import OutputSpec
from hyperres.core.engine.plan import check_disk_space, make_plan, with_larger_tiles
from hyperres.core.errors import MemoryBudgetError
from hyperres.core.grid import Grid
from hyperres.core.raster.header import RasterHeader


def _header(width, height, bands=200, block=(256, 256), dtype="int16"):
    names = tuple(str(i) for i in range(bands))
    table = BandTable(names, (True,) * bands)
    per_band = (1.0,) * bands
    return RasterHeader(
        "x.tif", "GTiff", Grid(width, height), table, (dtype,) * bands, (None,) * bands, per_band, per_band, block
    )


@pytest.mark.parametrize(
    ("width", "height", "block"),
    [
        (2500, 2500, (256, 256)),
        (2500, 2500, (1, 2500)),
        (60000, 40000, (1, 60000)),
        (17, 9, (1, 17)),
        (3, 5000, (8, 3)),
    ],
)
def test_tiles_are_cut_along_output_blocks_and_fit_the_budget(width, height, block):
    plan = make_plan(_header(width, height, block=block), 200, memory_mb=512)
    rows, cols = plan.output_block
    for tile in plan.tiles:
        assert tile.core.row % rows == 0
        assert tile.core.col % cols == 0
        assert tile.core.height % rows == 0 or tile.core.row + tile.core.height == height
        assert tile.core.width % cols == 0 or tile.core.col + tile.core.width == width
    assert plan.workers * plan.tile_bytes <= 512 * 2**20
    assert rows % 16 == 0 and cols % 16 == 0  # a rule of tiled TIFF


def test_the_division_does_not_depend_on_the_number_of_workers():
    one, many = (make_plan(_header(3000, 2000), 200, workers=n) for n in (1, 2))
    assert one.tiles == many.tiles


def test_tiles_get_lower_before_a_wide_margin_is_refused():
    plan = make_plan(_header(2000, 2000, dtype="float32"), 1720, halo_px=31, memory_mb=768)
    assert 16 <= plan.tile_height < 64
    assert plan.tile_bytes <= 768 * 2**20


def test_a_tile_beyond_the_memory_limit_is_refused_in_words():
    with pytest.raises(MemoryBudgetError, match="raise the limit"):
        make_plan(_header(5000, 5000, bands=20000), 20000, memory_mb=16)


def test_tiles_grow_as_far_as_two_fit_the_budget():
    header = _header(4000, 4000)
    small = make_plan(header, 30, memory_mb=512, workers=2)
    large = with_larger_tiles(small, header.grid, lambda height, width: 500 * height * width, memory_mb=512)
    assert (large.tile_height, large.tile_width) == (512, 1024)
    assert sum(tile.core.height * tile.core.width for tile in large.tiles) == 4000 * 4000
    assert large.workers * 500 * large.tile_height * large.tile_width <= 512 * 2**20
    assert with_larger_tiles(small, header.grid, lambda height, width: 2**30, memory_mb=512) == small


def test_outputs_beyond_the_free_disk_are_refused_in_words(tmp_path):
    spec = OutputSpec("Abundances", ("a", "b"))
    check_disk_space({"abundances": str(tmp_path / "a.tif")}, {"abundances": spec}, 1000)
    with pytest.raises(MemoryBudgetError, match="free"):
        check_disk_space({"abundances": str(tmp_path / "a.tif")}, {"abundances": spec}, 10**15)
