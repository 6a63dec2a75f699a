# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs whose pixels carry their own coordinates, read together."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from rasterio.crs import CRS

from hyperres.core.engine.method import Context
from hyperres.core.engine.pair_source import PairSource, draw_pair_sample
from hyperres.core.engine.record import InputRecord
from hyperres.core.errors import Cancelled, InputError
from hyperres.core.fusion.pairing.averaging import area_average
from hyperres.core.fusion.pairing.registration import find_shift
from hyperres.core.grid import Window
from hyperres.core.raster.open_raster import read_header

torch.set_num_threads(1)
UTM = CRS.from_epsg(32633)
STEP = Context(torch.device("cpu"))


def write(path, height, width, size, x=0.0, y=0.0, crs=UTM, bands=1, hole=None):
    """A raster whose bands are x, y and their sum in metres, at the pixels' centres."""
    across = x + size * (np.arange(width) + 0.5)
    down = y - size * (np.arange(height) + 0.5)
    planes = [np.broadcast_to(across, (height, width)), np.broadcast_to(down[:, None], (height, width))]
    planes = np.stack([planes[0], planes[1], planes[0] + planes[1]])[:bands].astype(np.float32)
    if hole is not None:
        planes[0][hole] = -1e6
    profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": "float32"}
    transform = rasterio.Affine(size, 0.0, x, 0.0, -size, y)
    with rasterio.open(path, "w", **profile, nodata=-1e6, crs=crs, transform=transform) as dataset:
        dataset.write(planes)
    header = read_header(path)
    return InputRecord(header, tuple(range(bands)), 1.0)


@pytest.fixture
def pair(tmp_path):
    """30 m and 3.6 m, offset by 2.4 m and 1.2 m."""
    hsi = write(tmp_path / "hsi.tif", 40, 30, 30.0, 2.4, -1.2, bands=3)
    return hsi, write(tmp_path / "msi.tif", 340, 260, 3.6, bands=2)


def check_ground(block):
    """Where coarse pixels are covered, averaged fine coordinates are theirs."""
    shape = (block.hsi.shape[1], block.hsi.shape[2])
    averages, coverage = area_average(block.msi, block.msi_valid, block.placement, shape)
    inside = block.hsi_valid & (coverage > 0.999)
    assert inside.any()
    assert (averages - block.hsi[:2])[:, inside].abs().max() < 0.05


def test_a_block_shows_the_same_ground_in_both_images(pair):
    with PairSource(*pair) as source:
        block = source.block(Window(50, 60, 100, 90), margin_coarse=1)
        assert block.msi.shape == (2, 100, 90)
        assert block.edges == (False, False, False, False)
        assert block.placement.row == pytest.approx(1 / 3 + 25 / 3 * 4 - 50)
        check_ground(block)
        assert source.pixel_m == (3.6, 3.6)


def test_a_block_outside_the_hyperspectral_image_has_none_of_its_pixels(tmp_path):
    hsi = write(tmp_path / "hsi.tif", 10, 10, 30.0, bands=3)
    msi = write(tmp_path / "msi.tif", 400, 40, 10.0)
    with PairSource(hsi, msi) as source:
        block = source.block(Window(300, 0, 100, 40))
        assert block.hsi.shape[1] == 0
        assert block.edges == (False, True, True, True)
        assert block.msi_valid.all()


def test_arrays_outlive_the_next_read(pair):
    with PairSource(*pair) as source:
        first = source.block(Window(0, 0, 50, 50))
        kept = first.msi.clone(), first.hsi.clone()
        source.block(Window(200, 100, 50, 50))
        assert torch.equal(first.msi, kept[0])
        assert torch.equal(first.hsi, kept[1])


def test_threads_read_at_the_same_time(pair):
    windows = [Window(row, 0, 60, 260) for row in range(0, 240, 30)]
    with PairSource(*pair) as source:
        alone = [source.block(window) for window in windows]
        found = {}

        def work(i):
            for _ in range(5):
                found[i] = source.block(windows[i])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(windows))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(torch.equal(found[i].msi, alone[i].msi) for i in range(len(windows)))
    assert all(torch.equal(found[i].hsi, alone[i].hsi) for i in range(len(windows)))


def test_another_crs_is_warped_and_said(tmp_path):
    """Zone 32 beside zone 33: coordinates are those of each one's own zone, so only shapes and validity are checked."""
    (x,), (y,) = rasterio.warp.transform(UTM, CRS.from_epsg(32632), [290_000.0], [5_820_000.0])
    hsi = write(tmp_path / "hsi.tif", 40, 40, 30.0, x, y, CRS.from_epsg(32632), bands=3)
    msi = write(tmp_path / "msi.tif", 130, 130, 10.0, 290_000.0, 5_820_000.0)
    with PairSource(hsi, msi) as source:
        assert source.placement.ratio_y == pytest.approx(3, rel=0.01)
        assert any("resampled" in note for note in source.notes)
        block = source.block(source.grid.whole)
        assert block.hsi_valid.float().mean() > 0.8


def test_another_crs_elsewhere_is_no_overlap(tmp_path):
    hsi = write(tmp_path / "hsi.tif", 40, 40, 30.0, 300_000.0, 5_000_000.0, CRS.from_epsg(32632), bands=3)
    msi = write(tmp_path / "msi.tif", 130, 130, 10.0, 290_000.0, 5_820_000.0)
    with pytest.raises(InputError, match="do not overlap"):
        PairSource(hsi, msi)


def test_a_constant_hyperspectral_image_is_no_crash_in_registration(pair):
    with PairSource(*pair) as source:
        block = source.block(source.grid.whole)
    assert not find_shift([replace(block, hsi=torch.zeros_like(block.hsi))]).confident


def test_a_small_pair_is_taken_whole(pair):
    with PairSource(*pair) as source:
        sample = draw_pair_sample(source, 0, STEP)
    assert sample.complete
    (block,) = sample.blocks
    assert block.hsi.shape == (3, 40, 30)
    assert block.msi.shape == (2, 340, 260)
    assert all(block.edges)
    check_ground(block)


def test_of_a_large_pair_separate_blocks_are_drawn_within_bounds(pair):
    with PairSource(*pair) as source:
        sample = draw_pair_sample(source, 3, STEP, coarse_pixels=500, fine_pixels=60_000)
        again = draw_pair_sample(source, 3, STEP, coarse_pixels=500, fine_pixels=60_000)
        other = draw_pair_sample(source, 4, STEP, coarse_pixels=500, fine_pixels=60_000)
    assert not sample.complete
    assert len(sample.blocks) >= 4
    assert sum(block.hsi[0].numel() for block in sample.blocks) <= 500
    assert sum(block.msi[0].numel() for block in sample.blocks) <= 66_000
    for block in sample.blocks:
        check_ground(block)
    centres = torch.cat([block.hsi.flatten(1) for block in sample.blocks], 1).T
    assert len(torch.unique(centres, dim=0)) == len(centres)  # no pixel twice
    corners = [[tuple(block.hsi[:, 0, 0].tolist()) for block in drawn.blocks] for drawn in (sample, again, other)]
    assert corners[0] == corners[1] != corners[2]


def test_blocks_are_spread_over_the_whole_image(tmp_path):
    hsi = write(tmp_path / "hsi.tif", 120, 120, 30.0, bands=3)
    msi = write(tmp_path / "msi.tif", 240, 240, 15.0)
    with PairSource(hsi, msi) as source:
        sample = draw_pair_sample(source, 0, STEP, coarse_pixels=28 * 28 * 4)
    quarters = {(block.hsi[0].mean() > 1800, block.hsi[1].mean() > -1800) for block in sample.blocks}
    assert len(sample.blocks) == 4
    assert len(quarters) == 4


def test_blocks_are_looked_for_where_pixels_are_valid(tmp_path):
    """Only a strip of the image holds data, a tenth of it."""
    empty = np.ones((200, 200), dtype=bool)
    empty[150:170] = False
    hsi = write(tmp_path / "hsi.tif", 200, 200, 30.0, bands=3, hole=empty)
    msi = write(tmp_path / "msi.tif", 400, 400, 15.0)
    with PairSource(hsi, msi) as source:
        sample = draw_pair_sample(source, 0, STEP, coarse_pixels=10_000)
    assert sum(int(block.hsi_valid.sum()) for block in sample.blocks) > 0.5 * 20 * 200


@pytest.mark.parametrize("limit", [20_000, 500])
def test_nothing_valid_in_common_is_refused(tmp_path, limit):
    left, right = np.zeros((40, 40), dtype=bool), np.zeros((160, 160), dtype=bool)
    left[:, :20], right[:, 80:] = True, True
    hsi = write(tmp_path / "hsi.tif", 40, 40, 40.0, bands=3, hole=left)
    msi = write(tmp_path / "msi.tif", 160, 160, 10.0, hole=right)
    with PairSource(hsi, msi) as source, pytest.raises(InputError, match="nodata values of both"):
        draw_pair_sample(source, 0, STEP, coarse_pixels=limit)


def test_drawing_can_be_cancelled(pair):
    with PairSource(*pair) as source, pytest.raises(Cancelled):
        draw_pair_sample(source, 0, replace(STEP, is_cancelled=lambda: True), coarse_pixels=500)
