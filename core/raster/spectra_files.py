# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes tables of spectra: CSV, and ENVI spectral libraries; standard library only.

CSV: a first column ``wavelength_nm`` (or ``wavelength_um``, or ``band``), then one column per spectrum; comma or
semicolon, decimal point, UTF-8. ENVI: ``name.sli`` with the numbers and ``name.hdr`` with names and wavelengths.
"""

from __future__ import annotations

import csv
import io
import math
import re
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..spectra import Spectra
from .dialects import MICROMETRES_BELOW, nm_per_unit
from .envi import listed, parse_envi_header

_ENVI_TYPES = {1: "B", 2: "h", 3: "i", 4: "f", 5: "d", 12: "H", 13: "I"}
_AXES = {"wavelength_nm": 1.0, "wavelength_um": 1000.0, "wavelength": None, "band": None}
BEYOND_NM = 1e6


def read_spectra(path: str | Path) -> tuple[Spectra, tuple[str, ...]]:
    """Read a table of spectra, CSV or ENVI (by the extensions ``.sli`` and ``.hdr``).

    Returns:
        the table, and sentences about what had to be guessed.

    Raises:
        InputError: says what is wrong with the file, and where.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"The spectra file {file} does not exist: check the path.")
    if file.suffix.lower() in (".sli", ".hdr"):
        return _read_sli(file)
    return _read_csv(file)


def write_csv(path: str | Path, spectra: Spectra) -> None:
    """Write a table as CSV with full float32 precision."""
    nm = spectra.wavelength_nm
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["band" if nm is None else "wavelength_nm", *spectra.names])
        for band in range(spectra.bands):
            axis = str(band + 1) if nm is None else f"{nm[band]:.10g}"
            writer.writerow([axis, *(f"{row[band]:.9g}" for row in spectra.values)])


def write_sli(path: str | Path, spectra: Spectra) -> None:
    """Write a table as ENVI spectral library, float32, with its header beside it."""
    file = Path(path)
    numbers = array("f", (value for row in spectra.values for value in row))
    if sys.byteorder == "big":
        numbers.byteswap()
    names = ", ".join(" ".join(name.translate(str.maketrans("{},", "();")).split()) for name in spectra.names)
    lines = [
        "ENVI",
        "description = {Spectral library written by HyperRes}",
        f"samples = {spectra.bands}",
        f"lines = {len(spectra)}",
        "bands = 1",
        "header offset = 0",
        "file type = ENVI Spectral Library",
        "data type = 4",
        "interleave = bsq",
        "byte order = 0",
        f"spectra names = {{{names}}}",
    ]
    if spectra.wavelength_nm is not None:
        lines.append("wavelength units = Nanometers")
        lines.append(f"wavelength = {{{', '.join(f'{nm:.10g}' for nm in spectra.wavelength_nm)}}}")
    file.write_bytes(numbers.tobytes())
    file.with_suffix(".hdr").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read_csv(file: Path) -> tuple[Spectra, tuple[str, ...]]:
    rows = _csv_rows(file)
    header = [name.strip() for name in rows[0][1]]
    axis = header[0].lower()
    if axis not in _AXES:
        raise InputError(
            f"The first column of {file.name} is called {header[0]!r}: it must be 'wavelength_nm' or 'band', with one "
            "column per spectrum after it."
        )
    _check_names(file, header[1:])
    if len(rows) == 1:
        raise InputError(f"{file.name} holds column names but no numbers: add one row per band.")
    table = []
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise InputError(
                f"Line {line} of {file.name} has {len(row)} columns instead of {len(header)}: write numbers with a "
                "decimal point, and one number per column."
            )
        table.append([_csv_number(file, line, name, text) for name, text in zip(header, row)])
    columns = list(zip(*table))
    warnings: list[str] = []
    wavelength_nm = None
    if axis == "band":
        if list(columns[0]) != list(range(1, len(table) + 1)):
            raise InputError(f"The column 'band' of {file.name} must count 1, 2, 3, ... without gaps.")
    else:
        wavelength_nm = _to_nm(file, columns[0], _AXES[axis], warnings)
    return Spectra(tuple(header[1:]), tuple(columns[1:]), wavelength_nm), tuple(warnings)


def _csv_rows(file: Path) -> list[tuple[int, list[str]]]:
    """Non-empty rows with their line numbers."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is no text in UTF-8: save the table as CSV in UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{file.name} is no text: save the table as CSV in UTF-8.")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise InputError(f"{file.name} is empty: it must hold a table of spectra.")
    semicolon = re.match(r'\s*"?[^",;]*"?\s*;', first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if semicolon else ",", strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"Line {reader.line_num} of {file.name} is no valid CSV: {error}.") from error


def _csv_number(file: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        hint = "write decimals with a point" if "," in text else "replace it by a number"
        where = f"Line {line}, column {column!r} of {file.name}"
        raise InputError(f"{where} holds {text.strip()!r} where a number belongs: {hint}.") from error
    if not math.isfinite(value):
        raise InputError(
            f"Line {line}, column {column!r} of {file.name} holds {text.strip()!r}: replace it by a finite number, or "
            "leave the whole band out."
        )
    return value


def _check_names(file: Path, names: Sequence[str]) -> None:
    if not names:
        raise InputError(f"{file.name} holds no spectrum: add one column per spectrum after the first column.")
    for i, name in enumerate(names):
        if not name:
            raise InputError(f"Spectrum {i + 1} of {file.name} has no name: give every spectrum one.")
        if name in names[:i]:
            raise InputError(f"{file.name} holds two spectra called {name!r}: give every spectrum its own name.")


def _to_nm(file: Path, values: Sequence[float], nm_per_unit: float | None, warnings: list[str]) -> tuple[float, ...]:
    """Wavelengths in nanometres, of a unit that is guessed when it is not known."""
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise InputError(f"{file.name} holds a wavelength that is not positive: correct or remove that band.")
    if any(b <= a for a, b in zip(values, values[1:])):
        band = next(i for i, (a, b) in enumerate(zip(values, values[1:])) if b <= a)
        raise InputError(
            f"The wavelengths of {file.name} must increase from band to band, but {values[band + 1]:g} follows "
            f"{values[band]:g}: sort the bands by wavelength."
        )
    if nm_per_unit is None:
        micrometres = values[-1] < MICROMETRES_BELOW
        nm_per_unit = 1000.0 if micrometres else 1.0
        warnings.append(
            f"The wavelengths of {file.name} have no unit and are taken as "
            f"{'micrometres' if micrometres else 'nanometres'}."
        )
    nm = tuple(round(value * nm_per_unit, 6) for value in values)
    if nm[-1] < MICROMETRES_BELOW or nm[-1] > BEYOND_NM:
        raise InputError(f"The wavelengths of {file.name} end at {nm[-1]:g} nm: check their unit.")
    return nm


def _read_sli(file: Path) -> tuple[Spectra, tuple[str, ...]]:
    header_file, data_file = _sli_pair(file)
    header = parse_envi_header(header_file.read_text(encoding="utf-8", errors="replace"))
    if not header:
        raise InputError(f"{header_file.name} is no ENVI header: its first line must be 'ENVI'.")
    bands, count = _whole(header_file, header, "samples"), _whole(header_file, header, "lines")
    numbers = _sli_numbers(header_file, data_file, header, bands * count)
    names = [name.strip() for name in header.get("spectra names", "").split(",")]
    if names == [""]:
        names = [f"spectrum {i + 1}" for i in range(count)]
    if len(names) != count:
        raise InputError(f"{header_file.name} names {len(names)} spectra but announces {count}: correct the header.")
    _check_names(header_file, names)
    warnings: list[str] = []
    wavelength_nm = None
    if "wavelength" in header:
        listed_nm = [_sli_number(header_file, text) for text in listed(header["wavelength"])]
        if len(listed_nm) != bands:
            raise InputError(
                f"{header_file.name} lists {len(listed_nm)} wavelengths for {bands} bands: correct the header."
            )
        unit = nm_per_unit(header.get("wavelength units", ""))
        wavelength_nm = _to_nm(header_file, listed_nm, unit, warnings)
    factor = _sli_number(header_file, header.get("reflectance scale factor", "1"))
    if not factor > 0:
        raise InputError(f"{header_file.name} has a reflectance scale factor that is not positive: correct it.")
    values = tuple(tuple(value / factor for value in numbers[row * bands : (row + 1) * bands]) for row in range(count))
    for name, row in zip(names, values):
        if not all(math.isfinite(value) for value in row):
            raise InputError(f"The spectrum {name!r} of {data_file.name} holds NaN or infinite numbers: remove it.")
    return Spectra(tuple(names), values, wavelength_nm), tuple(warnings)


def _sli_pair(file: Path) -> tuple[Path, Path]:
    """The header and the data file of a library of which one is given."""
    if file.suffix.lower() == ".hdr":
        data = next((p for p in (file.with_suffix(".sli"), file.with_suffix("")) if p.is_file()), None)
        if data is None:
            raise InputError(f"The data file {file.stem}.sli does not lie beside {file.name}: keep both together.")
        return file, data
    header = next((p for p in (file.with_suffix(".hdr"), Path(f"{file}.hdr")) if p.is_file()), None)
    if header is None:
        raise InputError(f"The header file {file.stem}.hdr does not lie beside {file.name}: keep both together.")
    return header, file


def _sli_numbers(header_file: Path, data_file: Path, header: dict[str, str], size: int) -> Sequence[float]:
    code = _ENVI_TYPES.get(_whole(header_file, header, "data type"))
    interleave, layers = header.get("interleave", "bsq").lower(), header.get("bands", "1")
    if code is None or interleave != "bsq" or layers != "1":
        raise InputError(
            f"{header_file.name} is no spectral library that can be read: it needs 'bands = 1', 'interleave = bsq' "
            "and a data type of real numbers."
        )
    numbers = array(code)
    offset = _whole(header_file, {"header offset": "0", **header}, "header offset")
    raw = data_file.read_bytes()[offset:]
    if len(raw) != size * numbers.itemsize:
        raise InputError(
            f"{data_file.name} has {len(raw)} bytes where {header_file.name} announces {size * numbers.itemsize}: the "
            "two files do not belong together."
        )
    numbers.frombytes(raw)
    if header.get("byte order", "0") != ("0" if sys.byteorder == "little" else "1"):
        numbers.byteswap()
    return numbers


def _whole(file: Path, header: dict[str, str], key: str) -> int:
    text = header.get(key, "")
    if not text.isdigit():
        raise InputError(f"The header {file.name} has no valid '{key}': correct or re-export it.")
    return int(text)


def _sli_number(file: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"The header {file.name} holds {text!r} where a number belongs: correct it.") from error
