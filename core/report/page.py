# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-contained HTML pages made of sections; every text that comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table; all cells are plain text and are escaped when written."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture: SVG text or PNG bytes, with a plain-text caption."""

    caption: str
    svg: str = ""
    png: bytes = b""


@dataclass(frozen=True)
class Section:
    """A heading with plain-text paragraphs, tables and figures, shown in this order."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
