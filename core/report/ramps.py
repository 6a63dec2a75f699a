# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours as data: two continuous ramps and a palette for things with names."""

from __future__ import annotations

Colour = tuple[int, int, int]

ABUNDANCE: tuple[Colour, ...] = (
    (56, 10, 90), (57, 47, 120), (52, 79, 143), (7, 114, 155), (13, 146, 152),
    (5, 177, 148), (93, 204, 122), (171, 223, 90), (248, 234, 48),
)  # fmt: skip
"""Evenly spaced anchors from violet to yellow; OKLab lightness rises evenly, so equal steps look equal."""

ERROR: tuple[Colour, ...] = (
    (252, 244, 214), (238, 213, 157), (229, 180, 98), (223, 142, 41), (211, 102, 3),
    (192, 61, 2), (157, 40, 25), (120, 25, 31), (83, 14, 28),
)  # fmt: skip
"""Evenly spaced anchors from cream to maroon, for amounts that should be small; OKLab lightness falls evenly."""

BRIGHTNESS: tuple[Colour, ...] = ((0, 0, 0), (255, 255, 255))
"""From black to white."""

CATEGORICAL: tuple[Colour, ...] = (
    (23, 104, 192), (212, 138, 10), (33, 179, 147), (178, 10, 129), (87, 186, 244), (142, 71, 25),
    (129, 94, 245), (214, 181, 27), (124, 124, 10), (241, 140, 195), (120, 131, 141), (64, 85, 92),
)  # fmt: skip
"""Twelve colours kept apart under protanopia and deuteranopia, visible on white and on near-black."""


def categorical(index: int) -> Colour:
    """Colour of the class or line with this index from 0; after twelve, the palette returns in lighter tints."""
    turn, place = divmod(index, len(CATEGORICAL))
    tint = 1 - 0.6 ** (turn % 4)
    red, green, blue = (round(part + (255 - part) * tint) for part in CATEGORICAL[place])
    return red, green, blue


def hex_colour(colour: Colour) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
