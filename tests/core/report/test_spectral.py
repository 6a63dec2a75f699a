# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves over bands: in order of wavelength, broken at gaps, and only where there is something to see."""

from __future__ import annotations

import math

import numpy as np

from hyperres.core.bands import BandTable
from hyperres.core.report.spectral import BESIDE, SpectralAxis


def table(*nm):
    return BandTable(tuple(map(str, nm)), (True,) * len(nm), tuple(map(float, nm)))


def test_bands_are_drawn_by_wavelength_whatever_their_order():
    line = SpectralAxis(table(700, 500, 600)).line("a", [7, 5, 6], [6, 4, 5], [8, 6, 7])
    assert (line.x, line.y, line.low, line.high) == ([500, 600, 700], [5, 6, 7], [4, 5, 6], [6, 7, 8])


def test_a_gap_of_the_sensor_breaks_the_line():
    line = SpectralAxis(table(500, 510, 520, 900, 910)).line("a", [1, 2, 3, 4, 5])
    assert line.x == [500, 510, 520, 710, 900, 910]
    assert math.isnan(line.y[3]) and line.y[4:] == [4, 5] and line.low == []


def test_bands_without_wavelengths_are_counted_from_one():
    axis = SpectralAxis(BandTable(("a", "b"), (True, True)))
    assert axis.title == "Band number" and axis.line("a", [3, 4]).x == [1, 2]


def test_only_the_stretch_around_what_must_be_seen_is_drawn():
    nm = np.arange(400.0, 1400.0, 10.0)
    axis = SpectralAxis(table(*nm), (nm >= 600) & (nm <= 620))
    x = axis.line("a", nm.tolist()).x
    assert (x[0], x[-1]) == (600 - 10 * BESIDE, 620 + 10 * BESIDE)
    assert len(SpectralAxis(table(*nm), nm < 0).line("a", nm.tolist()).x) == len(nm)
