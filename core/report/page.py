# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-contained HTML pages made of sections; every text that comes from outside is escaped here.

Pages hold no script and load nothing. Pictures are data URIs, because Qt's text browser shows no inline SVG.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

_NUMBER = re.compile(r"[-−+]?[\d.,\u2009]+(e[-+]?\d+)?( ?(%|°|s|nm|px|m|MB|GB))?")


@dataclass(frozen=True)
class Table:
    """A table; all cells are plain text and are escaped when written. Without header, first cells name their rows."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture: SVG text or PNG bytes, with a plain-text caption; ``width`` is ``third``, ``half`` or ``whole``."""

    caption: str
    svg: str = ""
    png: bytes = b""
    width: str = "third"


@dataclass(frozen=True)
class Section:
    """A heading with plain-text paragraphs, tables and figures, shown in this order.

    ``kind`` is empty, ``warning`` (set off so that nobody misses it) or ``key`` (tables shown as large figures).
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    kind: str = ""


def render(title: str, sections: Sequence[Section], subtitle: str = "", footer: str = "") -> str:
    """Write a page.

    Args:
        title: heading and window title.
        sections: the body, in order.
        subtitle: a line under the heading.
        footer: a line at the end.

    Returns:
        HTML5 text without script and without anything loaded from elsewhere.
    """
    body = "\n".join(_section(section) for section in sections)
    under = f'<p class="subtitle">{_text(subtitle)}</p>' if subtitle else ""
    end = f'<footer><p class="small">{_text(footer)}</p></footer>' if footer else ""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header><h1>{_text(title)}</h1>{under}</header>
{body}
{end}
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>"]
    parts += [f"<p>{_text(paragraph)}</p>" for paragraph in section.paragraphs]
    parts += [_table(table) for table in section.tables]
    if section.figures:
        parts.append(f'<div class="figures">{"".join(_figure(figure) for figure in section.figures)}</div>')
    kind = f' class="{_text(section.kind)}"' if section.kind else ""
    return f"<section{kind}>{''.join(parts)}</section>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in table.header)
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    rows = "".join(f"<tr>{_cells(row, named=not table.header)}</tr>" for row in table.rows)
    kind = ' class="facts"' if not table.header else ""
    return f'<div class="scroll"><table{kind} cellspacing="0" cellpadding="4">{head}<tbody>{rows}</tbody></table></div>'


def _cells(row: Sequence[str], named: bool) -> str:
    parts = []
    for i, cell in enumerate(row):
        tag, kind = ("th", ' align="left"') if named and i == 0 else ("td", "")
        if tag == "td" and not named and _NUMBER.fullmatch(cell):
            kind = ' class="number" align="right"'
        parts.append(f"<{tag}{kind}>{_text(cell)}</{tag}>")
    return "".join(parts)


def _figure(figure: Figure) -> str:
    if figure.svg:
        kind, data = "image/svg+xml", figure.svg.encode()
    else:
        kind, data = "image/png", figure.png
    uri = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    look = "plot" if figure.svg else "map"
    picture = f'<div><img class="{look}" alt="{_text(figure.caption)}" src="{uri}"></div>'
    caption = f"<figcaption><p>{_text(figure.caption)}</p></figcaption>" if figure.caption else ""
    return f'<figure class="{_text(figure.width)}">{picture}{caption}</figure>'


def _text(words: str) -> str:
    return escape(words, quote=True)
