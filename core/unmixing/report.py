# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an unmixing: what was found, how well it fits, and why to believe it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from ..bands import BandTable
from ..engine.record import OutputSummary, RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from .evidence import UnmixEvidence
from .references import CITATIONS, EXTRACTION_NAMES, MODEL_NAMES, NORMALIZE_NAMES


def sections(evidence: UnmixEvidence, run: RunRecord) -> list[Section]:
    """Everything the report shows, warnings first.

    Args:
        evidence: how endmembers and their count came about.
        run: what the engine measured; ``summaries`` may lack outputs that were not computed.
    """
    summaries = run.summaries
    parts = [*about_run.warning_sections(run, evidence.cautions()), _key_figures(evidence, run)]
    parts.append(_spectra_section(evidence, run))
    if "abundances" in summaries:
        parts.append(_abundance_section(evidence, summaries["abundances"]))
    if "class" in summaries:
        parts.append(_class_section(evidence, summaries["class"]))
    if "rmse" in summaries:
        parts.append(_rmse_section(summaries["rmse"], run.quantity))
    if evidence.errors_by_count or evidence.eigenvalues:
        parts.append(_count_section(evidence, run.quantity))
    parts.append(about_run.input_section(run))
    parts.append(about_run.settings_section(run, _settings(evidence)))
    parts.append(Section("How to cite the methods used", [CITATIONS[key] for key in _cited(evidence)]))
    return parts


def _key_figures(evidence: UnmixEvidence, run: RunRecord) -> Section:
    rows = [("Endmembers", str(evidence.count), evidence.source)]
    if "rmse" in run.summaries:
        mean = float(run.summaries["rmse"].mean[0])
        rows.append(("Mean RMSE", f"{mean:.4g}", f"{run.quantity} left unexplained, per band"))
    rows.append(("Valid pixels", about_run.percent(about_run.valid_share(run)), f"{run.valid_pixels:,} pixels"))
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _spectra_section(evidence: UnmixEvidence, run: RunRecord) -> Section:
    order, position, breaks = _spectral_axis(run.header.table)
    used = {band: i for i, band in enumerate(run.bands_used)}
    lines = []
    for name, values in zip(evidence.endmembers.names, evidence.endmembers.values):
        y = [values[used[band]] if band in used else float("nan") for band in order]
        x = [position[band] for band in order]
        for place in reversed(breaks):
            x.insert(place, (x[place - 1] + x[place]) / 2)
            y.insert(place, float("nan"))
        lines.append(svg.Line(name, x, y))
    title = "Wavelength (nm)" if run.header.table.wavelength_nm is not None else "Band number"
    plot = svg.line_plot(lines, title, run.quantity.capitalize(), _left_out(order, position, used), "bands left out")
    caption = "Endmember spectra: the pure materials that every pixel is explained by."
    return Section(
        "Endmember spectra",
        [f"{evidence.source} {evidence.count_reason}"],
        figures=[Figure(caption, svg=plot, width="whole")],
    )


def _spectral_axis(table: BandTable) -> tuple[list[int], list[float], list[int]]:
    """Bands in spectral order, the place of each band on the axis, and where in that order the sensor has a gap."""
    if table.wavelength_nm is None:
        return list(range(len(table))), [float(i + 1) for i in range(len(table))], []
    position = list(table.wavelength_nm)
    order = sorted(range(len(table)), key=position.__getitem__)
    steps = [position[b] - position[a] for a, b in zip(order, order[1:])]
    if len(order) < 30:  # a multispectral sensor: its bands are far apart by design
        return order, position, []
    wide = 4 * statistics.median(steps)
    return order, position, [i + 1 for i, step in enumerate(steps) if step > wide]


def _left_out(order: Sequence[int], position: Sequence[float], used: dict[int, int]) -> list[tuple[float, float]]:
    """Ranges along the axis of neighbouring bands that are not used, each widened half-way to the next used ones."""
    ranges: list[tuple[float, float]] = []
    for i, band in enumerate(order):
        if band in used:
            continue
        before, after = order[max(i - 1, 0)], order[min(i + 1, len(order) - 1)]
        low, high = ((position[band] + position[other]) / 2 for other in (before, after))
        if ranges and low <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    return ranges


def _abundance_section(evidence: UnmixEvidence, summary: OutputSummary) -> Section:
    bar = svg.colour_bar(ramps.ABUNDANCE, 0, 1, "Abundance (share of the pixel)")
    figures = [Figure("All maps share this scale; transparent is nodata.", svg=bar, width="whole")]
    for name, picture, mean in zip(evidence.endmembers.names, summary.quicklook, summary.mean):
        painted = png.encode(png.colourise(picture, 0.0, 1.0, ramps.ABUNDANCE))
        figures.append(Figure(f"{name}: {about_run.percent(float(mean))} mean cover", png=painted))
    if len(summary.quicklook) > evidence.count:
        figures.append(_brightness_figure(summary))
    words = "How much of each pixel each endmember covers."
    if evidence.model in ("nnls", "ucls", "sunsal"):
        words += f" {evidence.model.upper()} does not make abundances sum to one, so shares can add up to less or more."
    return Section("Abundances", [words], figures=figures)


def _brightness_figure(summary: OutputSummary) -> Figure:
    """The last plane of a scaled unmixing, on a scale of its own."""
    picture, top = summary.quicklook[-1], float(summary.high[-1])
    painted = png.encode(png.colourise(picture, 0.0, top, ramps.BRIGHTNESS))
    caption = f"Brightness, split off the abundances: black is 0, white {top:.2f}, mean {float(summary.mean[-1]):.2f}"
    return Figure(caption, png=painted)


def _class_section(evidence: UnmixEvidence, summary: OutputSummary) -> Section:
    classes = summary.quicklook[0]
    names = evidence.endmembers.names
    colours = [ramps.categorical(i) for i in range(len(names))]
    numbers = classes[np.isfinite(classes)].astype(np.intp)
    counts = np.bincount(numbers[numbers > 0], minlength=len(names) + 1)[1 : len(names) + 1]
    shares = counts / max(int(counts.sum()), 1)
    entries = [(f"{name} · {about_run.percent(float(share))}", c) for name, share, c in zip(names, shares, colours)]
    picture = png.encode(png.paint_classes(classes, colours))
    figures = [
        Figure("The endmember that covers most of each pixel.", png=picture, width="half"),
        Figure("Share of the valid area where each endmember dominates.", svg=svg.legend(entries), width="half"),
    ]
    return Section("Dominant material", figures=figures)


def _rmse_section(summary: OutputSummary, quantity: str) -> Section:
    picture = summary.quicklook[0]
    finite = picture[np.isfinite(picture)]
    top = float(np.quantile(finite, 0.98)) if finite.size else 0.0
    top = top if top > 0 else 1.0
    mean = float(summary.mean[0])
    painted = png.encode(png.colourise(picture, 0.0, top, ramps.ERROR))
    bars = svg.histogram(
        [float(edge) for edge in summary.histogram_edges],
        [float(count) for count in summary.histogram[0]],
        f"RMSE ({quantity})",
        "Pixels",
        mark=(mean, f"mean {mean:.4g}"),
    )
    scale = svg.colour_bar(ramps.ERROR, 0.0, top, f"RMSE ({quantity})")
    figures = [
        Figure("Where the model fits well (light) and badly (dark).", png=painted, width="half"),
        Figure("How the error spreads over the pixels.", svg=bars, width="half"),
        Figure("Scale of the map; its top end is the 98th percentile.", svg=scale, width="half"),
    ]
    words = (
        f"RMSE is what the endmembers cannot explain, in {quantity}, root mean square over the used bands. Dark "
        "patches often show a material that has no endmember of its own."
    )
    return Section("How well it fits", [words], figures=figures)


def _count_section(evidence: UnmixEvidence, quantity: str) -> Section:
    figures = []
    if evidence.errors_by_count:
        counts, errors = zip(*evidence.errors_by_count)
        curve = svg.count_plot(counts, errors, "Number of endmembers", f"Error ({quantity})", evidence.count)
        figures.append(Figure("Reconstruction error by number of endmembers.", svg=curve, width="half"))
    if evidence.eigenvalues:
        shown = evidence.eigenvalues[:60]
        found = [("HySime", evidence.hysime), ("NWHFC", evidence.nwhfc)]
        marks = [(count, f"{name} {count}") for name, count in found if count and count <= len(shown)]
        numbers = range(1, len(shown) + 1)
        curve = svg.count_plot(numbers, shown, "Number", "Eigenvalue", evidence.count, marks)
        figures.append(Figure("Eigenvalues of the image's correlation matrix.", svg=curve, width="half"))
    return Section("How many endmembers", [evidence.count_reason, *_other_counts(evidence)], figures=figures)


def _other_counts(evidence: UnmixEvidence) -> list[str]:
    counts = []
    if evidence.hysime is not None:
        counts.append(f"HySime says {evidence.hysime}")
    if evidence.nwhfc is not None:
        chance = "" if evidence.false_alarm is None else f" (false-alarm probability {evidence.false_alarm:g})"
        counts.append(f"NWHFC says {evidence.nwhfc}{chance}")
    if not counts:
        return []
    return [
        f"For comparison, {' and '.join(counts)}. Both count everything that differs from noise, variation within a "
        "material included, so take them as an upper limit."
    ]


def _settings(evidence: UnmixEvidence) -> tuple[tuple[str, str], ...]:
    found = EXTRACTION_NAMES[evidence.extraction] if evidence.extraction else "given by the user"
    return (
        ("Endmembers", found),
        ("Abundances", MODEL_NAMES[evidence.model]),
        ("Normalisation", NORMALIZE_NAMES[evidence.normalize]),
    )


def _cited(evidence: UnmixEvidence) -> list[str]:
    keys = [evidence.extraction, evidence.model]
    keys += ["hysime"] if evidence.hysime is not None else []
    keys += ["nwhfc"] if evidence.nwhfc is not None else []
    return [key for key in keys if key is not None]
