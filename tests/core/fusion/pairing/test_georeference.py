# SPDX-License-Identifier: GPL-3.0-or-later
"""How pairs lie on each other, worked out by hand."""

import math

import pytest

from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import Placement
from hyperres.core.fusion.pairing.georeference import little_to_gain, place, same_text
from hyperres.core.grid import Grid, Window

UTM33 = 'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],AUTHORITY["EPSG","32633"]]'
UTM33_LATER = 'PROJCRS["WGS 84 / UTM zone 33N", BASEGEOGCRS["WGS 84", ID["EPSG",4326]],\n  ID["EPSG",32633]]'
UTM32 = UTM33.replace("33", "32")


def grid(width, height, size, x=0.0, y=0.0, crs=UTM33, **other):
    return Grid(width, height, (size, 0.0, x, 0.0, -size, y), crs, **other)


def turned(width, height, size, degrees, crs=UTM33):
    c, s = size * math.cos(math.radians(degrees)), size * math.sin(math.radians(degrees))
    return Grid(width, height, (c, s, 0.0, s, -c, 0.0), crs)


def test_a_quarter_of_the_pixel_size_from_the_same_corner():
    placed = place(grid(20, 30, 40), grid(80, 120, 10))
    assert placed.placement == Placement(4, 4, 0, 0)
    assert placed.hsi_window == Window(0, 0, 30, 20)
    assert placed.overlap == Window(0, 0, 120, 80)
    assert placed.notes == ()


def test_offset_grids_of_an_uneven_ratio():
    """Pixels of 30 m whose corner lies 2.4 m east and 1.2 m south of that of pixels of 3.6 m."""
    placed = place(grid(80, 60, 30, 2.4, -1.2), grid(660, 494, 3.6))
    assert placed.placement.ratio_x == pytest.approx(30 / 3.6)
    assert (placed.placement.row, placed.placement.col) == (pytest.approx(1.2 / 3.6), pytest.approx(2.4 / 3.6))
    assert placed.overlap == Window(0, 0, 494, 660)
    assert placed.hsi_window == Window(0, 0, 60, 80)


def test_the_common_part_of_images_that_overlap_by_half():
    placed = place(grid(40, 40, 40), grid(160, 160, 10, x=800, y=-1200))
    assert placed.hsi_window == Window(30, 20, 10, 20)
    assert placed.overlap == Window(0, 0, 40, 80)
    assert placed.placement == Placement(4, 4, -120, -80)


def test_equal_pixels_are_allowed_and_said():
    placed = place(grid(72, 72, 30), grid(72, 72, 30))
    assert placed.placement == Placement(1, 1)
    assert "hardly finer" in little_to_gain(placed.placement)[0]
    assert little_to_gain(Placement(2, 2)) == ()


def test_grids_that_are_turned_alike_need_no_warping():
    placed = place(turned(20, 20, 40, 17), turned(80, 80, 10, 17))
    assert placed.placement.ratio_y == pytest.approx(4)
    assert (placed.placement.row, placed.placement.col) == (pytest.approx(0), pytest.approx(0))


def test_both_from_south_to_north_need_no_warping():
    south_up = [Grid(n, n, (size, 0.0, 0.0, 0.0, size, 0.0), UTM33) for n, size in ((20, 40.0), (80, 10.0))]
    assert place(*south_up).placement == Placement(4, 4)


@pytest.mark.parametrize(
    "hsi",
    [
        turned(20, 20, 40, 17),
        Grid(20, 20, (40.0, 0.0, 0.0, 0.0, 40.0, -800.0), UTM33),
        Grid(20, 20, (0.0, 40.0, 0.0, -40.0, 0.0, 0.0), UTM33),
        grid(20, 20, 40, crs=UTM32),
    ],
    ids=["turned", "south up", "sideways", "another zone"],
)
def test_other_grids_must_be_warped(hsi):
    placed = place(hsi, grid(80, 80, 10))
    assert placed.needs_warp
    assert placed.notes


def test_pixel_is_point_changes_nothing_because_transforms_are_of_corners():
    point = grid(20, 30, 40, pixel_is_point=True)
    assert place(point, grid(80, 120, 10)) == place(grid(20, 30, 40), grid(80, 120, 10))


@pytest.mark.parametrize(("first", "second", "said"), [("", UTM33, "hyperspectral"), (UTM33, "", "multispectral")])
def test_one_missing_crs_is_taken_from_the_other(first, second, said):
    placed = place(grid(20, 30, 40, crs=first), grid(80, 120, 10, crs=second))
    assert placed.placement == Placement(4, 4)
    assert said in placed.notes[0]


def test_two_missing_crs_are_assumed_equal():
    placed = place(grid(20, 30, 40, crs=""), grid(80, 120, 10, crs='LOCAL_CS["unnamed"]'))
    assert placed.placement == Placement(4, 4)
    assert "Neither image names" in placed.notes[0]


def test_without_any_georeference_sizes_decide():
    placed = place(Grid(9, 40), Grid(307, 1280))
    assert placed.placement == Placement(32, 307 / 9)
    assert "corner to corner" in placed.notes[0]


def test_flavours_of_wkt_with_one_code_are_the_same_crs():
    assert same_text(UTM33, UTM33_LATER)
    assert not same_text(UTM33, UTM32)
    assert same_text('LOCAL["a", 1]', 'LOCAL["a",\n 1]')


@pytest.mark.parametrize(
    ("hsi", "msi", "words"),
    [
        (grid(20, 20, 40, x=5000), grid(80, 80, 10), "do not overlap .*x 5000 to 5800"),
        (grid(20, 20, 40, x=500), grid(80, 80, 10), "only 20 x 7.5 hyperspectral pixels"),
        (grid(80, 80, 10), grid(20, 20, 40), "coarser .* 4 times.*exchange"),
        (grid(6, 20, 40), grid(80, 80, 10), "only 20 x 6 "),
        (Grid(20, 20, (0.0, 0.0, 1.0, 0.0, -40.0, 0.0), UTM33), grid(80, 80, 10), "hyperspectral image is unusable"),
        (grid(20, 20, 40), grid(80, 80, float("nan")), "multispectral image is unusable"),
        (Grid(20, 20), grid(80, 80, 10), "hyperspectral image has no georeference"),
        (Grid(20, 20), Grid(80, 160), "shapes differ"),
        (Grid(80, 80), Grid(20, 20), "coarser"),
    ],
)
def test_what_cannot_be_paired_is_refused_in_one_sentence(hsi, msi, words):
    with pytest.raises(InputError, match=words) as refused:
        place(hsi, msi)
    assert str(refused.value).endswith(".")
    assert ". " not in str(refused.value)
