# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a table of a camera's bands: one row per band in the order of the image's bands; standard library only.

CSV with a header, comma or semicolon, decimal point, UTF-8:

    name,centre_nm,width_nm
    Blue,475,32
    Green,560,27

``width_nm`` is the full width at half maximum. The first column may be missing.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from ..bands import BandTable
from ..errors import InputError

CENTRES = ("centre_nm", "center_nm", "wavelength_nm")
WIDTHS = ("width_nm", "fwhm_nm")
_LOWEST_NM, _HIGHEST_NM = 100.0, 20_000.0
_EXAMPLE = "write a line 'name,centre_nm,width_nm' and below it one line per band, such as 'Blue,475,32'"


def read_bands(path: str | Path) -> BandTable:
    """Read a table of bands.

    Raises:
        InputError: says what is wrong with the file, and where.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"The table of bands {file} does not exist: check the path.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is no text in UTF-8: save the table as CSV in UTF-8.") from error
    first = next(iter(text.splitlines()), "")
    reader = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    rows = [[cell.strip() for cell in row] for row in reader if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise InputError(f"{file.name} holds no table of bands: {_EXAMPLE}.")
    header = [cell.lower() for cell in rows[0]]
    centre, width = _column(file, header, CENTRES), _column(file, header, WIDTHS)
    name = header.index("name") if "name" in header else None
    bands = []
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise InputError(f"Band {number} of {file.name} has {len(row)} columns instead of {len(header)}.")
        bands.append((_positive(file, number, row[centre]), _positive(file, number, row[width])))
    centres, widths = zip(*bands)
    if not (_LOWEST_NM <= min(centres) and max(centres) <= _HIGHEST_NM):
        raise InputError(f"The centres in {file.name} lie at {min(centres):g}-{max(centres):g} nm: give them in nm.")
    names = tuple(f"Band {i + 1}" if name is None else rows[i + 1][name] for i in range(len(bands)))
    return BandTable(names, (True,) * len(bands), centres, widths)


def _column(file: Path, header: Sequence[str], names: Sequence[str]) -> int:
    found = next((name for name in names if name in header), None)
    if found is None:
        raise InputError(f"{file.name} has no column {names[0]!r}: {_EXAMPLE}.")
    return header.index(found)


def _positive(file: Path, band: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"Band {band} of {file.name} holds {text!r} where a number of nanometres belongs: correct it.")
    return value
