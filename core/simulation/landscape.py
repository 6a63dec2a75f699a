# SPDX-License-Identifier: GPL-3.0-or-later
"""A map of an invented place: a river with sand bars, fields in parcels, forest, a village, halls and greenhouses.

The map is drawn in layers, each a short function that paints material numbers over the layers below. Places are given
in shares of the longer side, so that a small map shows the same landscape as a large one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import rough_field, smooth_field
from .materials import TYPICAL

NUMBER = {name: number for number, name in enumerate(TYPICAL)}
_VILLAGE = (0.30, 0.29)
_LEVELS = 7


@dataclass(frozen=True)
class _Canvas:
    """What all layers share.

    Attributes:
        paint: material numbers, uint8 [rows, cols].
        x, y: place from the left and the top in shares of the longer side, [rows, cols].
        cell: pixels per longer side, to scale detail.
        rng: source of chance.
    """

    paint: np.ndarray
    x: np.ndarray
    y: np.ndarray
    cell: float
    rng: np.random.Generator

    def put(self, where: np.ndarray, material: str) -> None:
        self.paint[where] = NUMBER[material]

    def smooth(self, size: float) -> np.ndarray:
        rows, cols = self.paint.shape
        return smooth_field(rows, cols, max(size * self.cell, 2.0), self.rng)

    def rough(self, size: float) -> np.ndarray:
        rows, cols = self.paint.shape
        return rough_field(rows, cols, size * self.cell, self.rng)


def draw(rows: int, cols: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a landscape.

    Args:
        rows: height in fine pixels.
        cols: width in fine pixels.
        rng: source of chance.

    Returns:
        index into ``materials.TYPICAL`` of each fine pixel, uint8 [rows, cols].
    """
    cell = float(max(rows, cols))
    y, x = np.mgrid[:rows, :cols].astype(np.float32) / np.float32(cell)
    canvas = _Canvas(np.zeros((rows, cols), dtype=np.uint8), x, y, cell, rng)
    _fields(canvas)
    _forest(canvas)
    road = np.abs(x - _road_course(y))
    river, width = _river(canvas)
    _village(canvas, river > 3 * width)
    _yard(canvas, (0.60, 0.13), "metal roof", "asphalt", "concrete")
    _yard(canvas, (0.14, 0.47), "plastic film", "loam", "grass")
    canvas.put(road < 0.0042, "asphalt")
    canvas.put((road < 0.0062) & (river < 1.4 * width), "concrete")
    return canvas.paint


def _turned(canvas: _Canvas, degrees: float, wobble: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates turned by an angle and bent a little, so that nothing is ruler-straight."""
    angle = np.deg2rad(degrees)
    x, y = canvas.x + wobble * canvas.smooth(0.25), canvas.y + wobble * canvas.smooth(0.25)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _parcels(canvas: _Canvas, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Number of the parcel at each pixel: land divided in two again and again, as inheritance does."""
    node = np.zeros(u.shape, dtype=np.intp)
    low = np.array([[u.min(), v.min()]])
    high = np.array([[u.max(), v.max()]])
    for _ in range(_LEVELS):
        axis = np.argmax((high - low) * [1.0, 1.6], axis=1)
        which = np.arange(len(axis))
        cut = low[which, axis] + (high - low)[which, axis] * canvas.rng.uniform(0.34, 0.66, len(axis))
        beyond = np.where(axis[node] == 0, u, v) > cut[node]
        low, high = np.repeat(low, 2, axis=0), np.repeat(high, 2, axis=0)
        high[2 * which, axis] = cut
        low[2 * which + 1, axis] = cut
        node = 2 * node + beyond
    return node


def _fields(canvas: _Canvas) -> None:
    u, v = _turned(canvas, 24.0, 0.006)
    node = _parcels(canvas, u, v)
    parcels, rng = 2**_LEVELS, canvas.rng
    clayey = canvas.smooth(0.45) + 1.2 * (canvas.x - 0.55) + 0.25 * rng.standard_normal(parcels)[node] > 0.25
    canvas.put(~clayey, "loam")
    canvas.put(clayey, "red clay")
    crop = rng.choice(3, parcels, p=[0.42, 0.30, 0.28])[node]  # green, stubble, bare
    cover = rng.uniform(0.45, 1.05, parcels)[node]
    period = rng.uniform(4.0, 8.0, parcels)[node] / canvas.cell  # rows narrower than a sensor pixel or two
    in_row = np.mod(u, period) / period < cover - 0.16 * np.clip(canvas.rough(0.04), 0, 3)
    canvas.put((crop == 0) & in_row, "grass")
    canvas.put((crop == 1) & in_row, "dry grass")
    _edges(canvas, node)


def _edges(canvas: _Canvas, node: np.ndarray) -> None:
    """Grass margins between parcels; some grow into hedges."""
    reach = max(round(0.0022 * canvas.cell), 1)
    edge = np.zeros(node.shape, dtype=bool)
    edge[reach:] |= node[reach:] != node[:-reach]
    edge[:, reach:] |= node[:, reach:] != node[:, :-reach]
    canvas.put(edge, "grass")
    canvas.put(edge & (canvas.smooth(0.06) > 0.7), "tree")


def _forest(canvas: _Canvas) -> None:
    height = canvas.rough(0.22) + 2.6 * (canvas.x - 0.72) + 1.6 * (0.42 - canvas.y)
    stand = height > 0.55
    gaps = canvas.rough(0.012)
    canvas.put(stand, "tree")
    canvas.put(stand & (gaps > 1.75), "grass")
    canvas.put(stand & (gaps > 2.4), "dry grass")
    canvas.put((height > 0.38) & (height <= 0.55) & (gaps > 0.2), "tree")


def _river_course(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre line of the river with its slope and its bend."""
    turns = ((0.095, 1.35, 0.4), (0.026, 3.2, 2.1))
    y, slope, bend = 0.70 - 0.10 * x, np.full_like(x, -0.10), np.zeros_like(x)
    for swing, times, phase in turns:
        angle = 2 * np.pi * times * x + phase
        y = y + swing * np.sin(angle)
        slope = slope + swing * 2 * np.pi * times * np.cos(angle)
        bend = bend - swing * (2 * np.pi * times) ** 2 * np.sin(angle)
    return y, slope, bend


def _river(canvas: _Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Paint river, sand bars, meadows and bank trees; returns distance from the middle and half the width."""
    course, slope, bend = _river_course(canvas.x)
    offset = (canvas.y - course) / np.sqrt(1 + slope * slope)
    distance = np.abs(offset + 0.004 * canvas.smooth(0.05))
    width = 0.019 * (1 + 0.18 * canvas.smooth(0.2).clip(-1.5, 1.5))
    patchy = canvas.rough(0.035)
    canvas.put(distance < 2.6 * width + 0.006 * patchy, "grass")
    canvas.put((distance < 2.4 * width) & (patchy > 0.55), "tree")
    inner = np.sign(offset) == np.sign(bend)
    reach = 1.0 + 0.55 * np.clip(np.abs(bend) / 5, 0, 1) * (1 + 0.3 * patchy)
    canvas.put(inner & (distance < reach * width), "sand")
    canvas.put(distance < width, "water")
    pond = np.hypot(canvas.x - 0.86, 1.5 * (canvas.y - 0.86)) + 0.010 * canvas.smooth(0.06)
    canvas.put(pond < 0.062, "sand")
    canvas.put(pond < 0.054, "water")
    return distance, width


def _road_course(y: np.ndarray) -> np.ndarray:
    course: np.ndarray = 0.36 + 0.10 * y + 0.035 * np.sin(2 * np.pi * (0.9 * y + 0.15))
    return course


def _village(canvas: _Canvas, dry: np.ndarray) -> None:
    """Streets, houses on plots, gardens; denser towards the middle."""
    s, t = _turned(canvas, -12.0, 0.004)
    away = np.hypot(canvas.x - _VILLAGE[0], canvas.y - _VILLAGE[1]) + 0.028 * canvas.rough(0.09)
    town = (away < 0.155) & dry
    green = canvas.rough(0.014)
    canvas.put(town, "grass")
    canvas.put(town & (green > 0.8), "tree")
    canvas.put(town & (green < -1.7), "loam")
    block, depth = 0.021, 0.025
    column, row = np.floor(s / block).astype(int), np.floor(t / depth).astype(int)
    column, row = column - column.min(), row - row.min()
    plots = (int(column.max()) + 1, int(row.max()) + 1)

    def chance(low: float, high: float) -> np.ndarray:
        return canvas.rng.uniform(low, high, plots)[column, row]

    ds = np.abs(np.mod(s, block) / block - chance(0.42, 0.62))
    dt = np.abs(np.mod(t, depth) / depth - chance(0.42, 0.58))
    house = town & (ds < chance(0.17, 0.30)) & (dt < chance(0.15, 0.27)) & (chance(0, 1) > 4.2 * away)
    roof = chance(0, 1)
    canvas.put(town & ~house & (ds < 0.4) & (dt < 0.34) & (chance(0, 1) > 0.78), "concrete")
    canvas.put(house, "red tiles")
    canvas.put(house & (roof > 0.72), "concrete")
    canvas.put(house & (roof > 0.88), "metal roof")
    street = (np.mod(s, 2 * block) < 0.0036) | (np.mod(t, 2 * depth) < 0.0042)
    canvas.put(town & street, "asphalt")


def _yard(canvas: _Canvas, place: tuple[float, float], roof: str, ground: str, rim: str) -> None:
    """A yard with long halls side by side, as of a factory or a market garden."""
    s, t = _turned(canvas, 17.0, 0.0)
    angle = np.deg2rad(17.0)
    s = s - (place[0] * np.cos(angle) + place[1] * np.sin(angle))
    t = t - (place[1] * np.cos(angle) - place[0] * np.sin(angle))
    yard = (np.abs(s) < 0.052) & (np.abs(t) < 0.044)
    canvas.put((np.abs(s) < 0.057) & (np.abs(t) < 0.049), rim)
    canvas.put(yard, ground)
    canvas.put(yard & (np.mod(s + 0.003, 0.026) < 0.019) & (np.mod(t, 0.042) < 0.036), roof)
