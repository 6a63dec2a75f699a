# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines over the bands in reports of quality."""

from __future__ import annotations

import math

from hyperres.core.quality.report import Axis

PLACE = [400.0 + 10 * i for i in range(30)] + [1400.0 + 10 * i for i in range(30)]


def test_no_line_crosses_a_gap_of_the_sensor():
    line = Axis(PLACE[::-1], "Wavelength (nm)").line("Result", PLACE[::-1])
    assert [x for x in line.x if x not in PLACE] == [(690 + 1400) / 2]
    assert [x for x, y in zip(line.x, line.y) if math.isnan(y)] == [(690 + 1400) / 2]
    assert [y for y in line.y if not math.isnan(y)] == PLACE


def test_the_bands_of_a_multispectral_sensor_stay_connected():
    place = [490.0, 560.0, 665.0, 705.0, 740.0, 783.0, 842.0, 1610.0, 2190.0]
    line = Axis(place, "Wavelength (nm)").line("Result", [1.0] * 9)
    assert list(line.x) == place and not any(map(math.isnan, line.y))
