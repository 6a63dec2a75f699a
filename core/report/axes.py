# SPDX-License-Identifier: GPL-3.0-or-later
"""Axes of plots: where the ticks go, what they say, and where a number lands on the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        low, high: numbers at the two ends; both above 0 when ``log``.
        ticks: numbers that get a mark and a label.
        title: quantity and unit.
        log: equal factors take equal space.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    title: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Position of a number along the axis, 0 at ``low`` and 1 at ``high``."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(max(value, self.low)) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def labels(self) -> tuple[str, ...]:
        """Texts of the ticks."""
        if self.log:
            return tuple(tick_text(t, t) for t in self.ticks)
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else self.high - self.low
        return tuple(tick_text(t, step) for t in self.ticks)


def fitted_axis(values: Iterable[float], title: str, count: int = 6, snap: bool = True) -> Axis:
    """An axis over all finite values.

    Args:
        values: what must fit.
        title: quantity and unit.
        count: about how many ticks.
        snap: widen the ends to the next ticks.
    """
    finite = [v for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low <= 1e-12 * max(1.0, abs(high)):
        low, high = low - (abs(low) or 1.0) * 0.05, high + (abs(high) or 1.0) * 0.05
    step = nice_step((high - low) / count)
    if snap:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(i * step for i in range(first, last + 1)), title)


def log_axis(values: Iterable[float], title: str) -> Axis:
    """A logarithmic axis over all positive values, from one power of ten to another."""
    positive = [v for v in values if math.isfinite(v) and v > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive)) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
    high = max(high, low + 1)
    stride = -(-(high - low) // 6)
    factors = (1, 2, 5) if high - low <= 2 else (1,)
    ticks = tuple(f * 10.0**i for i in range(low, high + 1, stride) for f in factors if f * 10.0**i <= 10.0**high)
    return Axis(10.0**low, 10.0**high, ticks, title, log=True)


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))


def tick_text(value: float, step: float) -> str:
    """Write a tick with as many digits as its step needs."""
    if abs(value) < 1e-9 * abs(step):
        return "0"
    size = max(abs(value), abs(step))
    if size >= 1e6 or 0 < size < 1e-4:
        digits = max(math.floor(math.log10(size)) - math.floor(math.log10(abs(step))), 0) + 1
        mantissa, _, power = f"{value:.{digits}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    digits = 0
    while digits < 6 and abs(round(step, digits) - step) > 1e-6 * abs(step):
        digits += 1
    return f"{value:.{digits}f}"


@dataclass(frozen=True)
class Frame:
    """The rectangle of a plot inside its picture, in picture units, with an axis along its foot and its left side."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def px(self, value: float) -> float:
        """Horizontal place of a number."""
        return self.left + self.width * self.x.share(value)

    def py(self, value: float) -> float:
        """Vertical place of a number."""
        return self.top + self.height * (1 - self.y.share(value))

    @property
    def foot(self) -> float:
        """Vertical place of the horizontal axis."""
        return self.top + self.height

    def draw(self) -> list[str]:
        """Grid lines, tick labels and titles as SVG elements."""
        right = self.left + self.width
        parts = []
        for tick, label in zip(self.y.ticks, self.y.labels()):
            y = self.py(tick)
            parts.append(line(self.left, y, right, y, "g"))
            parts.append(text(self.left - 7, y + 4, label, "end"))
        for tick, label in zip(self.x.ticks, self.x.labels()):
            x = self.px(tick)
            parts.append(line(x, self.foot, x, self.foot + 5, "a"))
            parts.append(text(x, self.foot + 19, label, "middle"))
        parts.append(line(self.left, self.foot, right, self.foot, "a"))
        parts.append(text(self.left + self.width / 2, self.foot + 38, self.x.title, "middle"))
        middle = self.top + self.height / 2
        turned = f' transform="rotate(-90 15 {middle:.1f})"'
        parts.append(text(15, middle, self.y.title, "middle", turned))
        return parts


_STROKES = {"g": "#dfe3e8", "a": "#8a939c", "m": "#59636e"}


def line(x1: float, y1: float, x2: float, y2: float, kind: str, extra: str = "") -> str:
    """A straight line; ``kind`` is ``g`` (grid), ``a`` (axis) or ``m`` (mark)."""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{kind}" {place} stroke="{_STROKES[kind]}" stroke-width="1"{extra}/>'


def text(x: float, y: float, words: str, anchor: str = "start", extra: str = "") -> str:
    """A line of text, escaped."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="t" {place} fill="#3d4650"{extra}>{escape(printable(words))}</text>'


def printable(words: str) -> str:
    """Replace control characters, which XML forbids."""
    return "".join(c if c.isprintable() else " " for c in words)
