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


class SpectralAxis:
    """Where bands lie along the foot of a plot.

    Attributes:
        title: of the axis.
    """

    def __init__(self, table: BandTable) -> None:
        place = np.asarray(table.wavelength_nm or range(1, len(table) + 1), dtype=np.float64)
        self.title = "Band number" if table.wavelength_nm is None else "Wavelength (nm)"
        self._order = np.argsort(place, kind="stable")
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
