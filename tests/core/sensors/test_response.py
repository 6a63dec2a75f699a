# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses on hyperspectral bands: what a sensor would measure of a spectrum, whatever way the HSI samples it."""

from __future__ import annotations

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import coverage, covered_bands, spectral_cells, srf_of_sensor

VNIR = (1, 2, 3, 4, 5, 6, 7, 8)
FINE = np.arange(350.0, 2500.0, 0.5)


def table_of(nm, fwhm=None):
    return BandTable(
        tuple(f"Band {i + 1}" for i in range(len(nm))),
        (True,) * len(nm),
        tuple(map(float, nm)),
        None if fwhm is None else tuple(map(float, fwhm)),
    )


def vegetation():
    """A spectrum with a green peak and a red edge, on FINE."""
    edge = 0.4 / (1 + np.exp(-(FINE - 715) / 12))
    return 0.05 + edge + 0.05 * np.exp(-(((FINE - 550) / 30) ** 2)) - 0.03 * np.exp(-(((FINE - 670) / 12) ** 2))


def hyperspectral(spectrum, nm, fwhm):
    """What Gaussian band-passes measure."""
    sigma = np.broadcast_to(fwhm, len(nm))[:, None] / 2.3548
    passes = np.exp(-0.5 * ((FINE - np.asarray(nm)[:, None]) / sigma) ** 2)
    return passes @ spectrum / passes.sum(1)


def multispectral(spectrum, sensor, bands):
    """What the sensor measures, from the curves themselves."""
    curves = [np.interp(FINE, sensor.bands[i].wavelength_nm, sensor.bands[i].response, left=0, right=0) for i in bands]
    return np.array([curve @ spectrum / curve.sum() for curve in curves])


@pytest.mark.parametrize(("fwhm", "step"), [(6.5, 6.5), (10, 10), (4, 5), (5, 2.5)])
def test_the_response_predicts_what_sentinel_2_measures_of_vegetation(fwhm, step):
    sensor = load_sensor("sentinel-2a")
    nm = np.arange(400, 1000, step)
    srf, sentences = srf_of_sensor(sensor, VNIR, table_of(nm, [fwhm] * len(nm)))
    measured = hyperspectral(vegetation(), nm, fwhm)
    assert srf.matrix @ measured == pytest.approx(multispectral(vegetation(), sensor, VNIR), abs=0.004)
    assert sentences == ()


def test_rows_are_weights():
    srf, _ = srf_of_sensor(load_sensor("landsat-8"), range(5), table_of(np.arange(400, 1000, 7)))
    assert srf.matrix.dtype == np.float32
    assert np.all(srf.matrix >= 0)
    assert srf.matrix.sum(1) == pytest.approx(1, abs=1e-6)
    assert srf.names == ("B1", "B2", "B3", "B4", "B5")


def test_a_matrix_is_the_integral_of_response_times_band_pass():
    sensor = load_sensor("rededge-mx")
    nm = np.arange(420, 950, 10.0)
    srf, _ = srf_of_sensor(sensor, [0], table_of(nm, [12.0] * len(nm)))
    curve = np.interp(FINE, sensor.bands[0].wavelength_nm, sensor.bands[0].response, left=0, right=0)
    sigma = 12 / 2.3548
    expected = np.array([(curve * np.exp(-0.5 * ((FINE - x) / sigma) ** 2)).sum() for x in nm])
    assert srf.matrix[0] == pytest.approx(expected / expected.sum(), abs=2e-4)


def test_the_order_of_the_hyperspectral_bands_does_not_matter():
    sensor = load_sensor("sentinel-2a")
    nm = np.arange(400, 1000, 8.0)
    order = np.random.default_rng(1).permutation(len(nm))
    sorted_srf, _ = srf_of_sensor(sensor, VNIR, table_of(nm, [9.0] * len(nm)))
    mixed, _ = srf_of_sensor(sensor, VNIR, table_of(nm[order], [9.0] * len(nm)))
    assert mixed.matrix == pytest.approx(sorted_srf.matrix[:, order], abs=1e-7)


def test_uneven_sampling_does_not_shift_a_band():
    # dense below 840 nm, sparse above: unweighted sums would lean to the dense side
    nm = np.concatenate([np.arange(700, 840, 2.0), np.arange(840, 960, 10.0)])
    sensor = load_sensor("sentinel-2a")
    srf, _ = srf_of_sensor(sensor, [7], table_of(nm, [10.0] * len(nm)))
    assert srf.centres(tuple(nm))[0] == pytest.approx(sensor.bands[7].centre_nm, abs=0.5)


def test_bands_measured_twice_share_their_weight():
    nm = np.arange(400, 1000, 10.0)
    sensor = load_sensor("sentinel-2a")
    once, _ = srf_of_sensor(sensor, [7], table_of(nm))
    twice, _ = srf_of_sensor(sensor, [7], table_of(np.concatenate([nm, nm[40:50]])))
    assert twice.matrix[0, :40] == pytest.approx(once.matrix[0, :40], abs=1e-3)
    pairs = twice.matrix[0, 41:49] + twice.matrix[0, 61:69]
    assert pairs == pytest.approx(once.matrix[0, 41:49], abs=2e-3)


def test_coverage_counts_gaps_and_ends():
    sensor = load_sensor("sentinel-2a")
    whole = table_of(np.arange(400, 2500, 10.0))
    assert coverage(sensor, range(13), whole) == pytest.approx([1.0] * 13, abs=1e-3)
    no_water = table_of([x for x in np.arange(400, 2500, 10.0) if not 1340 < x < 1460])
    assert coverage(sensor, [10], no_water)[0] < 0.05
    half = table_of(np.arange(400, 833, 10.0))
    assert coverage(sensor, [7], half)[0] == pytest.approx(0.5, abs=0.06)


def test_a_single_missing_band_is_no_gap():
    nm = [x for x in np.arange(400, 1000, 10.0) if x != 840]
    assert coverage(load_sensor("sentinel-2a"), [7], table_of(nm))[0] == pytest.approx(1, abs=1e-6)


def test_a_band_that_is_not_covered_is_refused_or_left_out_by_name():
    sensor = load_sensor("sentinel-2a")
    cave = table_of(np.arange(400, 701, 10.0))
    with pytest.raises(BandsError, match=r"does not cover the response of Sentinel-2A B8 \(around 833 nm\)"):
        srf_of_sensor(sensor, (1, 2, 3, 7), cave)
    with pytest.raises(BandsError, match=r"covers only \d+% of the response of Sentinel-2A B5 \(around 704 nm\)"):
        srf_of_sensor(sensor, (1, 4), cave)
    kept, sentences = covered_bands(sensor, (7, 1, 2, 3), cave)
    assert kept == (1, 2, 3)
    assert len(sentences) == 1 and "Sentinel-2A B8 " in sentences[0] and "left out" in sentences[0]
    with pytest.raises(BandsError, match="covers none of the bands of Sentinel-2A"):
        covered_bands(sensor, (10, 11, 12), cave)


def test_an_hsi_without_wavelengths_is_refused():
    table = BandTable(("a", "b"), (True, True))
    with pytest.raises(BandsError, match="has no wavelengths"):
        srf_of_sensor(load_sensor("rgb"), range(3), table)


def test_assumed_widths_are_told():
    _, sentences = srf_of_sensor(load_sensor("rgb"), range(3), table_of(np.arange(400, 701, 10.0)))
    assert any("taken as their spacing" in sentence for sentence in sentences)


def test_cells_tile_the_axis_and_stop_at_gaps():
    cells = spectral_cells([500, 510, 520, 530, 700, 710, 720, 730])
    assert cells[1].tolist() == [505, 515]
    assert cells[3].tolist() == [525, 540]
    assert cells[4].tolist() == [690, 705]
    assert cells[-1].tolist() == [725, 735]


def test_a_band_that_is_covered_in_part_is_told():
    sensor = load_sensor("rededge-mx")
    nm = np.arange(458, 700, 8.0)
    _, sentences = srf_of_sensor(sensor, [0, 1], table_of(nm, [8.0] * len(nm)))
    assert len(sentences) == 1 and "% of the response of MicaSense RedEdge-MX Blue;" in sentences[0]
