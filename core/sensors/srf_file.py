# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a spectral response from a text file.

Two forms, separated by comma, semicolon, tab or blanks, decimal point, with or without a line of names; lines that
begin with # are skipped:

- curves: a first column of wavelengths (nm or micrometres), then one column per MSI band. They are integrated over the
  HSI's bands, except where the wavelengths are the HSI's own: then the numbers are the weights of its bands;
- weights without wavelengths: a matrix MSI bands x HSI bands or its transpose, perhaps with a first column ``band``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..raster.dialects import MICROMETRES_BELOW, nm_per_unit
from .catalogue import Sensor, SensorBand
from .match import band_words, match_wavelengths, only_count, words_of
from .response import covered_bands, srf_of_sensor
from .srf import Srf

LARGEST_BYTES = 20_000_000
_AXIS = re.compile(r"wave|lambda|λ|(.*_)?wl|nm$|nanomet|[uµμ]m$|micro", re.IGNORECASE)
_LOWEST_NM, _HIGHEST_NM = 100.0, 20_000.0
_NOISE = 0.005
"""Negative responses down to this share of the peak are noise of the measurement."""
_SAME_NM = 0.05


@dataclass(frozen=True)
class _Table:
    """What a file holds: the names of its columns, empty when it tells none, and its numbers [rows, columns]."""

    file: str
    names: tuple[str, ...]
    numbers: np.ndarray


def read_srf(path: str | Path, hsi_table: BandTable, msi_table: BandTable | None) -> Srf:
    """Read a spectral response and bring it onto the HSI's bands and into the order of the MSI's bands.

    Columns are matched by name where the file names all of the MSI's bands, else by wavelength where both images have
    wavelengths; otherwise the file's order counts.

    Args:
        path: the file.
        hsi_table: the used bands of the HSI.
        msi_table: the used bands of the MSI, or None when there is no MSI yet, so that the file's bands all count.

    Returns:
        the response of those bands that the HSI covers; the others are named in its notes.

    Raises:
        InputError: the file cannot be read as a spectral response.
        BandsError: its bands do not fit those of the images.
    """
    table = _read(Path(path))
    count = None if msi_table is None else len(msi_table)
    if _holds_curves(table, len(hsi_table), count):
        return _of_curves(table, hsi_table, msi_table)
    return _in_order(_of_weights(table, len(hsi_table), count), hsi_table, msi_table)


def _in_order(srf: Srf, hsi_table: BandTable, msi_table: BandTable | None) -> Srf:
    """Weights in the order of the MSI's bands."""
    if msi_table is None:
        return Srf(srf.matrix, tuple(name or f"Band {i + 1}" for i, name in enumerate(srf.names)), srf.source)
    peaks = None
    if hsi_table.wavelength_nm is not None:
        spacing = np.ptp(hsi_table.wavelength_nm) / max(len(hsi_table) - 1, 1)
        peaks = srf.centres(hsi_table.wavelength_nm), [float(spacing / row.max()) for row in srf.matrix]
    order = _order(srf.source, srf.names, peaks, msi_table)
    names = srf.names if any(srf.names) else msi_table.names
    return Srf(srf.matrix[list(order)], tuple(names[i] for i in order), srf.source)


def _holds_curves(table: _Table, hsi_bands: int, msi_bands: int | None) -> bool:
    """Tell whether the first column is an axis of wavelengths: by its name, else by its numbers."""
    if table.names:
        return _AXIS.match(table.names[0]) is not None
    if msi_bands is not None and table.numbers.shape in ((hsi_bands, msi_bands), (msi_bands, hsi_bands)):
        return False
    first = table.numbers[:, 0]
    return table.numbers.shape[1] > 1 and bool(np.all(np.diff(first) > 0) and first[0] > 0.1 and np.ptp(first) > 0)


def _of_curves(table: _Table, hsi_table: BandTable, msi_table: BandTable | None) -> Srf:
    nm = _in_nm(table)
    if table.numbers.shape[1] < 2:
        raise InputError(f"{table.file} holds wavelengths but no responses: add one column per multispectral band.")
    if len(nm) < 2:
        raise InputError(f"{table.file} holds a single wavelength: add one line per wavelength.")
    curves = table.numbers[:, 1:].T
    names = table.names[1:] or tuple(f"Band {i + 1}" for i in range(len(curves)))
    hsi_nm = hsi_table.wavelength_nm
    if hsi_nm is not None and len(hsi_nm) == len(nm) and np.allclose(nm, hsi_nm, rtol=0, atol=_SAME_NM):
        return _in_order(_scaled(table.file, curves, names), hsi_table, msi_table)
    sensor = _sensor(table.file, names, nm, curves)
    order: Sequence[int] = range(len(names))
    if msi_table is not None:
        peaks = None
        if hsi_nm is not None:
            peaks = [band.centre_nm for band in sensor.bands], [band.width_nm for band in sensor.bands]
        order = _order(table.file, names, peaks, msi_table)
    kept, left_out = covered_bands(sensor, order, hsi_table)
    srf, notes = srf_of_sensor(sensor, [order[i] for i in kept], hsi_table)
    return Srf(srf.matrix, srf.names, srf.source, kept, (*left_out, *notes))


def _sensor(file: str, names: Sequence[str], nm: np.ndarray, curves: np.ndarray) -> Sensor:
    """The sensor that the curves [bands, wavelengths] describe."""
    order = np.argsort(nm)
    sorted_nm = nm[order]
    if np.any(np.diff(sorted_nm) <= 0):
        raise InputError(f"{file} holds the same wavelength twice: keep one line of each.")
    fine = np.arange(sorted_nm[0], sorted_nm[-1] + 0.5, 1.0)
    bands = tuple(
        SensorBand(name, (), tuple(fine.tolist()), tuple(np.interp(fine, sorted_nm, row[order]).tolist()))
        for name, row in zip(names, _checked(file, curves, names))
    )
    return Sensor("", file, bands, "")


def _in_nm(table: _Table) -> np.ndarray:
    """The axis of wavelengths in nanometres, by the unit that its name tells or else by its size."""
    header = table.names[0] if table.names else ""
    values = table.numbers[:, 0]
    unit = [part for part in re.split(r"[\s_()\[\],]+", header.lower()) if part][-1:]
    if not unit or re.match("wave|lambda|λ|wl", unit[0]):
        factor: float | None = 1000.0 if values.max() < MICROMETRES_BELOW else 1.0
    else:
        factor = nm_per_unit(unit[0])
    if factor is None:
        raise InputError(f"The column {header!r} of {table.file} has an unknown unit: give wavelengths in nm or um.")
    nm = values * factor
    if not (_LOWEST_NM <= nm.min() and nm.max() <= _HIGHEST_NM):
        raise InputError(
            f"The wavelengths of {table.file} reach from {nm.min():g} to {nm.max():g} nm: correct their unit, nm or um."
        )
    return nm


def _of_weights(table: _Table, hsi_bands: int, msi_bands: int | None) -> Srf:
    numbers, names = table.numbers, table.names
    if names and names[0].lower() == "band":
        numbers, names = numbers[:, 1:], names[1:]
    rows, columns = numbers.shape
    if columns == hsi_bands and (rows == msi_bands or rows != hsi_bands):
        matrix, names = numbers, ()
    elif rows == hsi_bands:
        matrix = numbers.T
    else:
        wanted = "" if msi_bands is None else f"{msi_bands} multispectral and "
        raise BandsError(
            f"{table.file} holds {rows} x {columns} numbers, but {wanted}{hsi_bands} hyperspectral bands are in use: "
            "give one weight for each pair of them, or curves with a column of wavelengths."
        )
    return _scaled(table.file, matrix, names or ("",) * len(matrix))


def _scaled(file: str, matrix: np.ndarray, names: Sequence[str]) -> Srf:
    """Weights whose rows sum to 1."""
    checked = _checked(file, matrix, names)
    return Srf((checked / checked.sum(1, keepdims=True)).astype(np.float32), tuple(names), file)


def _checked(file: str, rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Rows of responses without the noise below zero."""
    for i, row in enumerate(rows):
        band = f"Band {i + 1}" + (f" ({names[i]!r})" if names[i] not in ("", f"Band {i + 1}") else "")
        peak = row.max()
        if row.min() < -_NOISE * max(peak, 0.0):
            raise InputError(f"{band} of {file} holds the negative response {row.min():g}: responses must be positive.")
        if peak <= 0:
            raise InputError(f"{band} of {file} responds to nothing, for all its numbers are 0: correct or remove it.")
    return np.clip(rows, 0.0, None)


def _order(
    file: str,
    names: Sequence[str],
    peaks: tuple[Sequence[float], Sequence[float]] | None,
    msi_table: BandTable,
) -> tuple[int, ...]:
    """The file's band that each MSI band is; peaks are the centres and widths of the file's bands, nm."""
    named = _by_name(names, msi_table.names)
    if named is not None:
        return named
    known, wanted = len(names), len(msi_table)
    if known != wanted:
        raise BandsError(
            f"{file} describes {known} bands, but the multispectral image has {wanted} bands in use: give one column "
            "per band, in the order of the image's bands."
        )
    if peaks is None or msi_table.wavelength_nm is None:
        return tuple(range(known))
    found, worst = match_wavelengths(msi_table.wavelength_nm, *peaks)
    if worst is not None:
        raise BandsError(
            f"{band_words(msi_table, worst)} of the multispectral image fits no band of {file}: give the response of "
            "the sensor that took the image, or correct the image's wavelengths."
        )
    return found


def _by_name(known: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...] | None:
    """The file's band that each MSI band is, by the words that its name ends with; None where these do not tell."""
    if only_count(wanted):
        return None
    texts = [f" {words_of(name)} " for name in known]
    found = []
    for name in wanted:
        hits = sorted((len(text), i) for i, text in enumerate(texts) if text.endswith(f" {words_of(name)} "))
        found.append(-1 if not hits or (len(hits) > 1 and hits[0][0] == hits[1][0]) else hits[0][1])
    return tuple(found) if -1 not in found and len(set(found)) == len(found) else None


def _read(file: Path) -> _Table:
    rows = _cells(file)
    names: tuple[str, ...] = ()
    if not all(map(_is_number, rows[0][1])):
        names = tuple(rows.pop(0)[1])
    if not rows:
        raise InputError(f"{file.name} holds names but no numbers: add the responses.")
    width = len(names) or len(rows[0][1])
    numbers = []
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(
                f"Line {line} of {file.name} has {len(cells)} columns instead of {width}: write one number per column, "
                "with a decimal point."
            )
        numbers.append([_number(file.name, line, cell) for cell in cells])
    return _Table(file.name, names, np.array(numbers))


def _cells(file: Path) -> list[tuple[int, list[str]]]:
    """Cells of the lines that hold any, with their line numbers."""
    lines = [
        (number, line.strip("\r\n"))
        for number, line in enumerate(_text(file).splitlines(), start=1)
        if line.strip(" \t,;") and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputError(f"{file.name} is empty: it must hold a spectral response.")
    separator = next((sign for sign in "\t;," if sign in lines[0][1]), None)
    return [(number, [cell.strip().strip('"').strip() for cell in line.split(separator)]) for number, line in lines]


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise InputError(f"The response file {file} does not exist: check the path.")
        if file.stat().st_size > LARGEST_BYTES:
            raise InputError(
                f"{file.name} has {file.stat().st_size / 1e6:.0f} MB, too much for a spectral response: choose a "
                "text file with one column per multispectral band."
            )
        raw = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"The response file {file} cannot be read ({error.strerror}): check its permissions."
        ) from error
    if b"\0" in raw:
        raise InputError(f"{file.name} is no text: save the spectral response as CSV in UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(file: str, line: int, text: str) -> float:
    if not _is_number(text):
        hint = "write decimals with a point" if re.fullmatch(r"-?\d+,\d+", text) else "replace it by a number"
        raise InputError(f"Line {line} of {file} holds {text!r} where a number belongs: {hint}.")
    value = float(text)
    if not math.isfinite(value):
        raise InputError(f"Line {line} of {file} holds {text!r}: replace it by a finite number.")
    return value
