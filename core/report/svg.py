# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots as SVG text: spectra, histograms, curves over a count, colour bars.

A plot carries its own dark variant, because a picture inside a page does not see the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .axes import Axis, Frame, fitted_axis, line, log_axis, printable, text
from .ramps import CATEGORICAL, Colour, categorical, hex_colour

WIDE = (880.0, 360.0)
HALF = (430.0, 270.0)
_DASHES = ("", "7 4", "2 3", "10 3 2 3")
_MOST_POINTS = 700
_DOT = 3.5
_LETTER, _BESIDE_LABELS = 7.2, 30.0
"""Width of a digit, and room for the title beside the labels."""
_DARK = ".t{fill:#c8cfd6}.g{stroke:#30363d}.a{stroke:#6b747d}.m{stroke:#aab3bc}.s{fill:#3a424b;fill-opacity:.55}"


@dataclass(frozen=True)
class Line:
    """One named line; it breaks where y is NaN. Between ``low`` and ``high``, if given, lies a band around it.

    ``dots`` draws the points alone, where nothing is known between them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    dots: bool = False


def line_plot(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    shaded: Sequence[tuple[float, float]] = (),
    shaded_name: str = "",
    size: tuple[float, float] = WIDE,
    from_zero: bool = True,
) -> str:
    """Draw named lines over a common axis, with a legend.

    Args:
        lines: what to draw; the first six differ by colour even to colour-blind eyes, further ones also by dashes.
        x_title: quantity and unit along the foot.
        y_title: quantity and unit along the side.
        shaded: ranges along x to grey out.
        shaded_name: what the grey means, for the legend.
        size: width and height of the picture without its legend.
        from_zero: whether the axis along the side shows 0 however far away that is.
    """
    x = fitted_axis([v for one in lines for v in one.x] + [v for pair in shaded for v in pair], x_title, 10, snap=False)
    values = [v for one in lines for part in (one.y, one.low, one.high) for v in part]
    y = fitted_axis([0.0, *values] if from_zero else values, y_title)
    left = max(62.0, _BESIDE_LABELS + _LETTER * max(map(len, y.labels()), default=0))
    frame = Frame(left, 12, size[0] - left - 18, size[1] - 64, x, y)
    parts = [_shade(frame, low, high) for low, high in shaded]
    parts += frame.draw()
    parts += [element for i, one in enumerate(lines) for element in _band(frame, one, i)]
    parts += [element for i, one in enumerate(lines) for element in _curve(frame, one, i)]
    entries = [(one.name, _sample(i, one.dots)) for i, one in enumerate(lines)]
    if shaded and shaded_name:
        entries.append((shaded_name, '<rect class="s" width="24" height="11" y="-10" fill="#e4e7eb"/>'))
    legend, height = _legend(entries, frame.left, size[1], frame.width)
    return _picture(size[0], size[1] + height, parts + legend)


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    x_title: str,
    y_title: str,
    size: tuple[float, float] = HALF,
    mark: tuple[float, str] | None = None,
) -> str:
    """Draw bars over bins.

    Args:
        edges: bin borders, one more than counts.
        counts: height of each bar.
        x_title: quantity and unit along the foot.
        y_title: quantity and unit along the side.
        size: width and height.
        mark: a place along x to mark with a word.
    """
    used = [i for i, count in enumerate(counts) if count > 0] or [0]
    x = fitted_axis([edges[0] if edges[0] == 0 else edges[used[0]], edges[used[-1] + 1]], x_title, 5, snap=False)
    frame = Frame(62, 22, size[0] - 80, size[1] - 74, x, fitted_axis([0.0, *counts], y_title, 4))
    parts = frame.draw()
    for i in range(used[0], used[-1] + 1):
        left, right, top = frame.px(edges[i]), frame.px(edges[i + 1]), frame.py(counts[i])
        box = f'x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 0.6, 0.4):.1f}" height="{frame.foot - top:.1f}"'
        parts.append(f'<rect {box} fill="{hex_colour(CATEGORICAL[0])}"/>')
    if mark is not None and x.low <= mark[0] <= x.high:
        parts += _mark(frame, *mark)
    return _picture(size[0], size[1], parts)


def count_plot(
    counts: Sequence[int],
    values: Sequence[float],
    x_title: str,
    y_title: str,
    chosen: int | None = None,
    marks: Sequence[tuple[int, str]] = (),
    size: tuple[float, float] = HALF,
) -> str:
    """Draw a quantity over a count on a logarithmic scale, with markers.

    Args:
        counts: whole numbers along x.
        values: one positive number per count.
        x_title: quantity and unit along the foot.
        y_title: quantity and unit along the side.
        chosen: the count to point out.
        marks: further counts to name.
        size: width and height.
    """
    top = 22 + 15 * max(len(marks) - 1, 0)
    frame = Frame(62, top, size[0] - 80, size[1] - 52 - top, _whole_axis(counts, x_title), log_axis(values, y_title))
    parts = frame.draw()
    for row, (place, word) in enumerate(marks):
        parts += _mark(frame, place, word, 15.0 * (len(marks) - 1 - row))
    parts += _curve(frame, Line("", counts, values), 0)
    for count, value in zip(counts, values):
        if value > 0:
            parts.append(_dot(frame.px(count), frame.py(value), 3.0, CATEGORICAL[0]))
    if chosen is not None and chosen in counts:
        x, y = frame.px(chosen), frame.py(values[list(counts).index(chosen)])
        parts.append(_dot(x, y, 6.5, CATEGORICAL[1]))
        anchor, shift, lift = ("end", 0, 16) if x > frame.left + 0.82 * frame.width else ("start", 9, 8)
        parts.append(text(x + shift, y - lift, f"{chosen} used", anchor, ' font-weight="600"'))
    return _picture(size[0], size[1], parts)


def colour_bar(ramp: Sequence[Colour], low: float, high: float, title: str, width: float = 300.0) -> str:
    """Draw a ramp with its scale."""
    axis = fitted_axis([low, high], title, 5, snap=False)
    stops = "".join(
        f'<stop offset="{i / (len(ramp) - 1):.4f}" stop-color="{hex_colour(colour)}"/>' for i, colour in enumerate(ramp)
    )
    left, span = 24.0, width - 48
    parts = [
        f'<defs><linearGradient id="r">{stops}</linearGradient></defs>',
        text(width / 2, 13, title, "middle"),
        f'<rect x="{left}" y="20" width="{span}" height="12" fill="url(#r)"/>',
    ]
    for tick, label in zip(axis.ticks, axis.labels()):
        x = left + span * axis.share(tick)
        parts += [line(x, 32, x, 36, "a"), text(x, 50, label, "middle")]
    return _picture(width, 56, parts)


def legend(entries: Sequence[tuple[str, Colour]], width: float = 430.0) -> str:
    """Draw coloured boxes with names."""
    boxes = [
        (name, f'<rect width="14" height="14" y="-11" x="5" rx="2" fill="{hex_colour(colour)}"/>')
        for name, colour in entries
    ]
    parts, height = _legend(boxes, 4, 0, width - 8, most_columns=1 if len(entries) <= 14 else 2)
    return _picture(width, height + 4, parts)


def _picture(width: float, height: float, parts: Sequence[str]) -> str:
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
    font = 'font-family="system-ui, -apple-system, Segoe UI, Noto Sans, DejaVu Sans, sans-serif" font-size="12.5"'
    style = f"<style>@media (prefers-color-scheme: dark){{{_DARK}}}</style>"
    return f'{start} viewBox="0 0 {width:.0f} {height:.0f}" {font}>{style}{"".join(parts)}</svg>'


def _stroke(index: int) -> str:
    dash = _DASHES[(index // 6) % len(_DASHES)]
    look = f'stroke="{hex_colour(categorical(index))}" stroke-width="1.8" stroke-linejoin="round"'
    return f'{look} stroke-dasharray="{dash}"' if dash else look


def _sample(index: int, dots: bool) -> str:
    if dots:
        return _dot(12, -4, _DOT, categorical(index))
    return f'<line x1="0" y1="-4" x2="24" y2="-4" {_stroke(index)}/>'


def _band(frame: Frame, one: Line, index: int) -> list[str]:
    """The band around a line as one area per unbroken run."""
    areas: list[list[tuple[float, float, float]]] = [[]]
    for x, low, high in zip(one.x, one.low, one.high):
        if math.isfinite(low) and math.isfinite(high):
            areas[-1].append((frame.px(x), frame.py(low), frame.py(high)))
        elif areas[-1]:
            areas.append([])
    parts = []
    for area in areas:
        corners = [(x, high) for x, _, high in area] + [(x, low) for x, low, _ in reversed(area)]
        if len(area) > 1:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
            parts.append(f'<path d="{path}Z" fill="{hex_colour(categorical(index))}" fill-opacity="0.2"/>')
    return parts


def _curve(frame: Frame, one: Line, index: int) -> list[str]:
    """A line as one path per unbroken run; a lonely point becomes a dot."""
    step = -(-len(one.x) // _MOST_POINTS)
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(one.x[::step], one.y[::step]):
        if math.isfinite(x) and math.isfinite(y):
            runs[-1].append((frame.px(x), frame.py(y)))
        elif runs[-1]:
            runs.append([])
    parts = []
    for run in runs:
        if len(run) == 1 or one.dots:
            parts += [_dot(*point, _DOT if one.dots else 2.5, categorical(index)) for point in run]
        elif run:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)
            parts.append(f'<path d="{path}" fill="none" {_stroke(index)}/>')
    return parts


def _dot(x: float, y: float, radius: float, colour: Colour) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{hex_colour(colour)}"/>'


def _shade(frame: Frame, low: float, high: float) -> str:
    left, right = frame.px(low), frame.px(high)
    box = f'x="{left:.1f}" y="{frame.top}" width="{max(right - left, 1):.1f}" height="{frame.height}"'
    return f'<rect class="s" {box} fill="#e4e7eb"/>'


def _mark(frame: Frame, place: float, word: str, lift: float = 0.0) -> list[str]:
    x, top = frame.px(place), frame.top - lift
    anchor, shift = ("end", -4) if x > frame.left + 0.6 * frame.width else ("start", 4)
    dashes = ' stroke-dasharray="3 3"'
    return [line(x, top - 12, x, frame.foot, "m", dashes), text(x + shift, top - 3, word, anchor)]


def _whole_axis(counts: Sequence[int], title: str) -> Axis:
    low, high = min(counts), max(counts)
    stride = next(s for s in (1, 2, 5, 10, 20, 50, 100, high) if (high - low) / s <= 12)
    ticks = [low, *range((low // stride + 1) * stride, high + 1, stride)] if stride > 1 else range(low, high + 1)
    return Axis(low - 0.5, high + 0.5, tuple(float(t) for t in ticks), title)


def _legend(
    entries: Sequence[tuple[str, str]], left: float, top: float, width: float, most_columns: int = 4
) -> tuple[list[str], float]:
    """Arrange names and their signs in columns; returns the elements and the height they take."""
    widest = max((len(name) for name, _ in entries), default=1)
    columns = max(1, min(len(entries), most_columns, int(width // (min(widest, 46) * 7.2 + 46))))
    room = int((width / columns - 42) / 7.2)
    parts = []
    for i, (name, sign) in enumerate(entries):
        x, y = left + (i % columns) * width / columns, top + 16 + (i // columns) * 20
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{sign}{text(32, 0, shorten(name, room))}</g>')
    return parts, 20.0 * -(-len(entries) // columns) + 8


def shorten(name: str, room: int) -> str:
    """Cut a long name in its middle, so that numbered endings stay readable."""
    name = printable(name)
    if len(name) <= room:
        return name
    tail = max(room // 3, 1)
    return f"{name[: max(room - tail - 1, 1)]}…{name[-tail:]}"
