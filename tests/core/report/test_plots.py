# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots are well-formed, escaped, and put numbers where they belong."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperres.core.report import ramps, svg
from hyperres.core.report.axes import fitted_axis, log_axis, nice_step

NAN = float("nan")


def parse(picture):
    return ElementTree.fromstring(picture)


def texts(picture):
    return [element.text for element in parse(picture).iter("{http://www.w3.org/2000/svg}text")]


def paths(picture):
    return [element.get("d") for element in parse(picture).iter("{http://www.w3.org/2000/svg}path")]


def test_names_are_escaped_and_control_characters_dropped():
    picture = svg.line_plot([svg.Line("<b>&\x00 ü", [0, 1], [0, 1])], "x", "y")
    assert "<b>&  ü" in texts(picture)


def test_a_band_around_a_line_is_one_area_per_unbroken_run_and_fits_the_axis():
    line = svg.Line("a", range(6), [1, 2, NAN, 3, 4, 2], [0, 1, NAN, 2, 3, -5], [2, 3, NAN, 4, 9, 3])
    picture = svg.line_plot([line], "x", "y")
    areas = [path for path in paths(picture) if path.endswith("Z")]
    assert [area.count("L") + 1 for area in areas] == [4, 6]
    heights = [float(y) for area in areas for y in re.findall(r" ([-\d.]+)", area)]
    assert min(heights) >= 0 and max(heights) <= svg.WIDE[1]


def test_lines_break_at_gaps_and_lonely_points_become_dots():
    picture = svg.line_plot([svg.Line("a", range(6), [1, 2, NAN, 3, NAN, 2])], "x", "y")
    assert len(paths(picture)) == 1
    assert len(list(parse(picture).iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_points_can_be_drawn_without_a_line():
    picture = svg.line_plot([svg.Line("a", range(4), [1, 2, NAN, 3], dots=True)], "x", "y")
    assert paths(picture) == []
    assert len(list(parse(picture).iter("{http://www.w3.org/2000/svg}circle"))) == 3 + 1  # and one in the legend


def test_small_changes_can_be_seen_where_zero_is_far():
    line = svg.Line("a", [0, 1], [0.98, 1.0])
    assert "0" in texts(svg.line_plot([line], "x", "y"))
    heights = [float(y) for y in re.findall(r" ([\d.]+)", paths(svg.line_plot([line], "x", "y", from_zero=False))[0])]
    assert heights[0] - heights[1] > 0.5 * svg.WIDE[1]


@pytest.mark.parametrize("largest", [0.9, 0.0125, 1.25e-5, 1234.5])
def test_labels_leave_room_for_the_title(largest):
    picture = svg.line_plot([svg.Line("a", [0, 1], [0, largest])], "x", "a title")
    labels = [e for e in parse(picture).iter("{http://www.w3.org/2000/svg}text") if e.get("text-anchor") == "end"]
    assert min(float(e.get("x")) - 7.0 * len(e.text) for e in labels) > 18


def test_higher_numbers_stand_higher():
    picture = svg.line_plot([svg.Line("a", [0, 1, 2], [0.1, 0.5, 0.2])], "x", "y")
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", paths(picture)[0])]
    assert points[1][1] < points[2][1] < points[0][1]
    assert points[0][0] < points[1][0] < points[2][0]


def test_long_spectra_are_thinned():
    lines = [svg.Line(str(i), range(20_000), [math.sin(j / 900) for j in range(20_000)]) for i in range(12)]
    assert len(svg.line_plot(lines, "x", "y")) < 150_000


def test_long_names_are_cut_in_their_middle():
    short = svg.shorten("Endmember of a long name 12", 14)
    assert len(short) <= 14 and short.startswith("Endmem") and short.endswith("12")
    assert svg.shorten("soil", 14) == "soil"


def test_the_chosen_count_is_pointed_out():
    said = texts(svg.count_plot([2, 3, 4], [0.1, 0.02, 0.019], "n", "e", 3, [(4, "HySime 4")]))
    assert "3 used" in said and "HySime 4" in said


def test_zero_errors_do_not_break_a_logarithmic_plot():
    parse(svg.count_plot([1, 2, 3], [0.1, 0.0, 0.0], "n", "e", 2))
    parse(svg.count_plot([1], [0.0], "n", "e", 1))


def test_bars_have_the_heights_of_their_counts():
    picture = svg.histogram([0, 1, 2, 3], [10, 20, 5], "x", "y")
    bars = [e for e in parse(picture).iter("{http://www.w3.org/2000/svg}rect")]
    heights = [float(bar.get("height")) for bar in bars]
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.01)
    assert heights[0] / heights[2] == pytest.approx(2, rel=0.01)


def test_an_empty_histogram_is_drawn():
    parse(svg.histogram([0, 1, 2], [0, 0], "x", "y"))


def test_a_colour_bar_runs_from_first_to_last_colour():
    stops = list(parse(svg.colour_bar(ramps.ERROR, 0, 0.02, "RMSE")).iter("{http://www.w3.org/2000/svg}stop"))
    assert [stops[0].get("stop-color"), stops[-1].get("stop-color")] == [
        ramps.hex_colour(ramps.ERROR[0]),
        ramps.hex_colour(ramps.ERROR[-1]),
    ]


def test_plots_carry_a_dark_variant():
    assert "prefers-color-scheme: dark" in svg.legend([("a", (1, 2, 3))])


@given(st.floats(1e-9, 1e9))
def test_steps_are_nice_and_never_below_what_is_asked(rough):
    step = nice_step(rough)
    assert rough * (1 - 1e-6) <= step <= 2.5 * rough
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 2.5, 5)


NUMBERS = st.one_of(st.just(0.0), st.floats(1e-9, 1e6), st.floats(-1e6, -1e-9))


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_axes_cover_their_numbers_and_label_each_tick_differently(values):
    axis = fitted_axis(values, "x")
    assert axis.share(min(values)) >= -1e-9 and axis.share(max(values)) <= 1 + 1e-9
    assert all(-1e-9 <= axis.share(tick) <= 1 + 1e-9 for tick in axis.ticks)
    labels = axis.labels()
    assert len(set(labels)) == len(labels)


def test_equal_factors_take_equal_room_on_a_logarithmic_axis():
    axis = log_axis([0.003, 7.0], "e")
    assert axis.share(0.1) - axis.share(0.01) == pytest.approx(axis.share(1) - axis.share(0.1))
    assert axis.share(0.0) == 0.0


@pytest.mark.parametrize("values", [[], [NAN], [3.0, 3.0], [0.0], [math.inf, 1.0]])
def test_odd_numbers_still_give_an_axis(values):
    axis = fitted_axis(values, "x")
    assert axis.high > axis.low and math.isfinite(axis.high - axis.low)
