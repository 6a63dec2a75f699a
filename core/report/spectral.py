# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves over the bands of a sensor, by wavelength where that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..bands import BandTable
from .svg import Line

GAP = 4.0
"""A step between neighbouring wavelengths this many times the usual one is a gap in the sensor's coverage."""

BESIDE = 4
"""Bands that are shown beside those that must be seen, at least."""


class SpectralAxis:
    """Where bands lie along the foot of a plot.

    Args:
        table: the bands.
        shown: bands that must be seen, bool [bands]; others are left out but for some beside them. None shows all.

    Attributes:
        title: of the axis.
    """

    def __init__(self, table: BandTable, shown: np.ndarray | None = None) -> None:
        place = np.asarray(table.wavelength_nm or range(1, len(table) + 1), dtype=np.float64)
        self.title = "Band number" if table.wavelength_nm is None else "Wavelength (nm)"
        self._order = np.argsort(place, kind="stable")
        if shown is not None:
            self._order = self._order[_around(shown[self._order])]
        rising = place[self._order]
        steps = np.diff(rising)
        self._gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1 if len(steps) else np.empty(0, np.int64)
        self._x = np.insert(rising, self._gaps, (rising[self._gaps - 1] + rising[self._gaps]) / 2).tolist()

    def line(self, name: str, values: Sequence[float], low: Sequence[float] = (), high: Sequence[float] = ()) -> Line:
        """A line over rising wavelengths, broken where the sensor has a gap, with a band around it if given."""
        return Line(name, self._x, self._along(values), self._along(low), self._along(high))

    def _along(self, values: Sequence[float]) -> list[float]:
        if len(values) == 0:
            return []
        ordered = np.asarray(values, dtype=np.float64)[self._order]
        return [float(value) for value in np.insert(ordered, self._gaps, math.nan)]


def _around(shown: np.ndarray) -> slice:
    """The stretch of bands that holds all shown ones and some beside them."""
    places = np.flatnonzero(shown)
    if len(places) == 0:
        return slice(None)
    margin = BESIDE + (places[-1] - places[0]) // 4
    return slice(max(0, int(places[0] - margin)), int(places[-1] + margin) + 1)
