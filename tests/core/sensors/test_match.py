# SPDX-License-Identifier: GPL-3.0-or-later
"""Matching of bands: by wavelength, name or content, never by position."""

from __future__ import annotations

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.match import match_bands, match_by_correlation
from hyperres.core.sensors.response import srf_of_sensor


def msi(names=None, nm=None):
    names = tuple(names or (f"Band {i + 1}" for i in range(len(nm))))
    return BandTable(names, (True,) * len(names), None if nm is None else tuple(map(float, nm)))


def test_a_drone_camera_with_near_infrared_before_red_edge_is_matched_by_wavelength():
    sensor = load_sensor("altum")  # listed with red edge first
    assert [band.name for band in sensor.bands][3:] == ["Red edge", "NIR"]
    assert match_bands(sensor, msi(nm=(475, 560, 668, 842, 717))) == (0, 1, 2, 4, 3)


@pytest.mark.parametrize(
    ("sensor_id", "nm", "names"),
    [
        ("sentinel-2a", (490, 560, 665, 842), ("B2", "B3", "B4", "B8")),
        ("sentinel-2b", (842, 865, 705, 1610), ("B8", "B8A", "B5", "B11")),
        ("landsat-8", (655, 561, 483), ("B4", "B3", "B2")),
        ("landsat-8", (592,), ("B8",)),
        ("worldview-2", (480, 545, 660, 833), ("Blue", "Green", "Red", "NIR1")),
        ("worldview-2", (425, 480, 545, 605, 660, 725, 833, 950), None),
        ("quickbird", (484, 558, 646, 805), ("Blue", "Green", "Red", "NIR")),
        ("planetscope-superdove", (443, 490, 531, 565, 610, 665, 705, 865), None),
        ("ikonos", (480, 551, 665, 805), ("Blue", "Green", "Red", "NIR")),
        ("rgb", (650, 550, 450), ("Red", "Green", "Blue")),
    ],
)
def test_nominal_wavelengths_find_their_bands(sensor_id, nm, names):
    sensor = load_sensor(sensor_id)
    found = match_bands(sensor, msi(nm=nm))
    wanted = names or [band.name for band in sensor.bands if not band.is_pan]
    assert [sensor.bands[i].name for i in found] == list(wanted)


@pytest.mark.parametrize(
    ("sensor_id", "names", "wanted"),
    [
        ("sentinel-2a", ("B02", "B03", "B04", "B08"), ("B2", "B3", "B4", "B8")),
        ("sentinel-2a", ("T32UQD_20200101_B8A", "T32UQD_20200101_B05"), ("B8A", "B5")),
        ("sentinel-2a", ("red", "green", "blue", "nir"), ("B4", "B3", "B2", "B8")),
        ("sentinel-2c", ("Red Edge 2", "Red Edge 1", "Red"), ("B6", "B5", "B4")),
        ("mavic-3m", ("NIR", "RedEdge", "Red", "Green"), ("NIR", "Red edge", "Red", "Green")),
        ("p4-multispectral", ("DJI_0010_RedEdge", "DJI_0010_Red"), ("Red edge", "Red")),
        ("worldview-3", ("Coastal Blue", "Blue", "NIR-2", "SWIR 3"), ("Coastal", "Blue", "NIR2", "SWIR3")),
        ("landsat-7", ("Pan",), ("B8",)),
        ("rgb", ("Blue", "Green", "Red"), ("Blue", "Green", "Red")),
    ],
)
def test_names_find_their_bands(sensor_id, names, wanted):
    sensor = load_sensor(sensor_id)
    assert [sensor.bands[i].name for i in match_bands(sensor, msi(names))] == list(wanted)


@pytest.mark.parametrize(
    ("sensor_id", "names"),
    [
        ("sentinel-2a", ("Band 1", "Band 2", "Band 3", "Band 4")),
        ("landsat-8", ("B1", "B2", "B3")),
        ("rgb", ("Red edge", "Green", "Blue")),
        ("mavic-3m", ("red", "red", "nir")),
        ("sentinel-2a", ("blue", "something")),
    ],
)
def test_names_that_tell_nothing_leave_it_to_the_pixels(sensor_id, names):
    assert match_bands(load_sensor(sensor_id), msi(names)) is None


@pytest.mark.parametrize(
    ("sensor_id", "names", "nm", "wanted"),
    [
        ("pleiades-1a", ("Pan",), (650,), "Pan"),
        ("pleiades-1a", ("Band 1",), (650,), "Pan"),
        ("pleiades-1a", ("Red",), (650,), "Red"),
        ("landsat-8", ("Band 1",), (483,), "B2"),
        ("sentinel-2a", ("NIR",), (865,), "B8A"),
    ],
)
def test_a_name_decides_where_wavelengths_hardly_tell_and_no_more(sensor_id, names, nm, wanted):
    sensor = load_sensor(sensor_id)
    (found,) = match_bands(sensor, msi(names, nm))
    assert sensor.bands[found].name == wanted


def test_wavelengths_that_contradict_the_sensor_are_refused_with_the_bands_name():
    with pytest.raises(BandsError, match=r"Band 2 \('thermal', 1000 nm\) of the multispectral image fits no free band"):
        match_bands(load_sensor("rededge-mx"), msi(("blue", "thermal"), (475, 1000)))


def test_two_bands_never_share_one_of_the_sensor():
    with pytest.raises(BandsError, match="fits no free band of Parrot Sequoia"):
        match_bands(load_sensor("sequoia"), msi(nm=(660, 662)))


def test_more_bands_than_the_sensor_has_are_refused():
    with pytest.raises(BandsError, match="has 4 bands, but RGB camera"):
        match_bands(load_sensor("rgb"), msi(nm=(450, 550, 600, 650)))


def test_pixels_find_shuffled_bands():
    rng = np.random.default_rng(0)
    nm = np.arange(400, 1000, 10.0)
    sensor = load_sensor("sentinel-2a")
    table = BandTable(tuple(map(str, nm)), (True,) * len(nm), tuple(nm))
    srf, _ = srf_of_sensor(sensor, (1, 2, 3, 4, 5, 6, 7), table)
    smooth = np.exp(-0.5 * ((nm[:, None] - nm[None, :]) / 40) ** 2)
    pixels = rng.random((400, 8)) @ (rng.standard_normal((8, len(nm))) @ smooth)
    order = [6, 0, 3, 1]
    gain, offset = np.array([3.0, 0.5, 2.0, 1.0]), np.array([0.1, 0.0, -0.2, 5.0])
    seen = (pixels @ srf.matrix.T)[:, order] * gain + offset
    seen += 0.02 * seen.std(0) * rng.standard_normal(seen.shape)
    found, worst = match_by_correlation(srf.matrix, pixels, seen)
    assert list(found) == order
    assert worst > 0.99


def test_another_scene_has_a_low_correlation_and_constant_bands_none():
    rng = np.random.default_rng(0)
    pixels = rng.random((500, 3))
    _, worst = match_by_correlation(np.eye(3), pixels, rng.random((500, 2)))
    assert worst < 0.2
    _, constant = match_by_correlation(np.eye(3), pixels, np.ones((500, 1)))
    assert constant == 0
