# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections that every report shares: warnings, the input, and how the run went."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ..bands import BandTable, spans
from ..engine.record import RunRecord
from ..grid import Grid
from . import png
from .page import Figure, Section, Table


def warning_sections(run: RunRecord, cautions: list[str]) -> list[Section]:
    """One section with everything the user should not miss, or none."""
    sentences = list(dict.fromkeys([*cautions, *run.warnings]))
    return [Section("Please note", sentences, kind="warning")] if sentences else []


def input_section(run: RunRecord) -> Section:
    """What was read: file, place, bands, scale, valid pixels, and a true-colour picture."""
    header = run.header
    rows = [
        ("File", Path(header.path).name),
        ("Format", f"{header.driver}, {', '.join(dict.fromkeys(header.dtypes))}"),
        ("Size", f"{header.grid.width} × {header.grid.height} pixels, {len(header.table)} bands"),
        ("Pixel size", pixel_size(header.grid)),
        ("Coordinate system", crs_name(header.grid.crs_wkt)),
        ("Bands used", bands_text(header.table, run.bands_used)),
        ("Scale", f"stored numbers × {run.scale:g}, taken as {run.quantity}"),
        ("Valid pixels", f"{run.valid_pixels:,} ({percent(valid_share(run))}); the rest is nodata in every output"),
    ]
    pictures = []
    if run.true_colour is not None:
        pictures.append(Figure("The input in true colour", png=png.encode(run.true_colour), width="half"))
    left_out = [message for message in run.messages if "left out" in message]
    return Section("Input", left_out, [Table((), tuple(rows))], pictures)


def settings_section(run: RunRecord, named: tuple[tuple[str, str], ...]) -> Section:
    """How the run was set up and how long it took.

    Args:
        run: the finished run.
        named: settings in words.
    """
    rows = [
        *named,
        ("Seed", str(run.job.seed)),
        ("Device", run.device.removeprefix("Device: ")),
        ("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    steps = [(step.capitalize(), duration(seconds)) for step, seconds in run.seconds.items()]
    tables = [Table((), tuple(rows))]
    if steps:
        tables.append(Table(("Step", "Time"), tuple(steps)))
    return Section("Settings and timings", tables=tables)


def valid_share(run: RunRecord) -> float:
    """Share of the raster's pixels that are valid, 0-1."""
    return run.valid_pixels / max(run.header.grid.width * run.header.grid.height, 1)


def total_seconds(run: RunRecord) -> float:
    """Duration of the run."""
    return run.seconds.get("total", sum(run.seconds.values()))


def short_device(run: RunRecord) -> str:
    """What computed, without why."""
    return run.device.removeprefix("Device: ").partition(", because")[0]


def percent(share: float) -> str:
    """Write a share as per cent."""
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Write a time span for people."""
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def pixel_size(grid: Grid) -> str:
    """Ground sampling distance along columns and rows, with its unit where the CRS tells it."""
    a, b, _, d, e, _ = grid.transform
    across, down = math.hypot(a, d), math.hypot(b, e)
    if not grid.crs_wkt:
        return "unknown, the raster has no coordinate system"
    if grid.crs_wkt.lstrip().upper().startswith(("GEOGCS", "GEOGCRS")):
        unit = "°"
    else:
        units = re.findall(r'(?:LENGTHUNIT|UNIT)\["([^"]+)"', grid.crs_wkt)
        unit = {"metre": "m", "meter": "m"}.get(units[-1].lower(), units[-1]) if units else "units"
    size = f"{across:.6g}" if math.isclose(across, down, rel_tol=1e-6) else f"{across:.6g} × {down:.6g}"
    return f"{size} {unit}"


def crs_name(wkt: str) -> str:
    """Name of a coordinate system, the first quoted text of its WKT."""
    match = re.search(r'"([^"]+)"', wkt)
    return match.group(1) if match else "none"


def bands_text(table: BandTable, used: tuple[int, ...]) -> str:
    """Say how many bands are used, which, and over which wavelengths."""
    text = f"{len(used)} of {len(table)} ({spans(used)})"
    if table.wavelength_nm is None:
        return f"{text}; the raster names no wavelengths"
    low, high = (f(table.wavelength_nm[i] for i in used) for f in (min, max))
    return f"{text}, {low:.0f}-{high:.0f} nm"
