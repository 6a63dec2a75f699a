# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a fusion: what came out, whether it agrees with both inputs, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..bands import BandTable
from ..engine.record import InputRecord, OutputSummary, RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from .evidence import FusionEvidence
from .references import CITATIONS
from .view import PairView, ViewedPixel

GAP = 4.0
"""A step between neighbouring wavelengths this many times the usual one is a gap in the sensor's coverage."""


def sections(
    evidence: FusionEvidence,
    run: RunRecord,
    view: PairView | None,
    tables: tuple[BandTable, BandTable],
    cited: Sequence[str],
) -> list[Section]:
    """Everything the report shows, warnings first.

    Args:
        evidence: how the fit came about.
        run: what the engine measured; its main input is the MSI, the HSI is another one.
        view: a close look, or None when nothing could be looked at.
        tables: the used bands of HSI and MSI.
        cited: keys of ``CITATIONS``.
    """
    parts = [*about_run.warning_sections(run, evidence.cautions(tables[1].names)), _key_figures(evidence, run)]
    if view is not None:
        parts += [_pictures(view), _spectra(view, tables)]
    parts += [_contest(evidence), _response(evidence, tables), _geometry(evidence)]
    if "uncertainty" in run.summaries:
        parts.append(_uncertainty(run.summaries["uncertainty"]))
    parts.append(_inputs(run))
    parts.append(about_run.settings_section(run, _settings(evidence, run)))
    parts.append(Section("How to cite the methods used", [CITATIONS[key] for key in cited]))
    return parts


def _key_figures(evidence: FusionEvidence, run: RunRecord) -> Section:
    words = []
    if run.reuses_model:
        words = [
            "The model was fitted by an earlier run: what this report says of agreement, held-out pixels, response, "
            "blur and shift was found then, on the images of that run. 'Assess a fused image' judges this result."
        ]
    rows = [
        ("Sharper by", f"{evidence.ratio[0]:.3g} ×", "ground sampling distance of the HSI over that of the MSI"),
        ("Agrees with the HSI", f"{evidence.consistency_hsi:.1f} dB", "PSNR of the result, coarsened, against it"),
        (
            "Agrees with the MSI",
            f"{evidence.consistency_msi:.1f} dB",
            "PSNR of the result, seen by its bands, against it",
        ),
        ("Valid pixels", about_run.percent(about_run.valid_share(run)), f"{run.valid_pixels:,} pixels"),
        ("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)),
    ]
    return Section("Key figures", words, tables=[Table((), tuple(rows))], kind="key")


def _pictures(view: PairView) -> Section:
    figures = [
        Figure("Hyperspectral input", png=png.encode(view.hsi)),
        Figure("Multispectral input", png=png.encode(view.msi)),
        Figure("Fused image", png=png.encode(view.fused)),
    ]
    words = "The same ground in true colour, all three stretched alike, at the resolution of the multispectral image."
    return Section("Side by side", [words], figures=figures)


def _spectra(view: PairView, tables: tuple[BandTable, BandTable]) -> Section:
    figures = [
        Figure(f"Row {pixel.row + 1}, column {pixel.col + 1}.", svg=_spectrum(pixel, tables), width="half")
        for pixel in view.pixels
    ]
    words = (
        "Each fused pixel beside the coarse pixel that covers it. They differ where a coarse pixel mixes several "
        "materials; the shape within a material should stay plausible."
    )
    return Section("Spectra", [words], figures=figures)


def _spectrum(pixel: ViewedPixel, tables: tuple[BandTable, BandTable]) -> str:
    hsi, msi = tables
    x, values = _in_order(hsi, [pixel.fused, pixel.hsi])
    lines = [svg.Line("fused", x, values[0]), svg.Line("coarse pixel", x, values[1])]
    if hsi.wavelength_nm is not None and msi.wavelength_nm is not None:
        places, bands = _in_order(msi, [pixel.msi], gaps=False)
        lines.append(svg.Line("multispectral", places, bands[0]))
    title = "Wavelength (nm)" if hsi.wavelength_nm is not None else "Band number"
    return svg.line_plot(lines, title, "Reflectance", size=svg.HALF)


def _in_order(
    table: BandTable, curves: Sequence[Sequence[float]], gaps: bool = True
) -> tuple[list[float], list[list[float]]]:
    """Curves over rising wavelengths, broken where the sensor has a gap."""
    place = list(table.wavelength_nm or range(1, len(table) + 1))
    order = sorted(range(len(place)), key=place.__getitem__)
    x = [float(place[i]) for i in order]
    values = [[float(curve[i]) for i in order] for curve in curves]
    steps = np.diff(x)
    if gaps and len(steps):
        for at in reversed(np.flatnonzero(steps > GAP * np.median(steps)).tolist()):
            x.insert(at + 1, (x[at] + x[at + 1]) / 2)
            for curve in values:
                curve.insert(at + 1, float("nan"))
    return x, values


def _contest(evidence: FusionEvidence) -> Section:
    rows = tuple((c.name, f"{c.rmse:.4g}", f"{c.sam:.2f}°") for c in evidence.contenders)
    words = [
        "Some coarse pixels were kept aside while each way was fitted, and then predicted. Smaller is better. This "
        "judges the spectra at the coarse scale; detail finer than that can only be judged with a reference."
    ]
    chosen, winner = (evidence.contenders[0] if evidence.contenders else None), evidence.winner
    if chosen is not None and winner is not None and winner is not chosen:
        words.append(f"Here “{winner.name}” predicts better than “{chosen.name}”: consider using it instead.")
    return Section("Is it better than simpler ways?", words, [Table(("Way", "RMSE", "Spectral angle"), rows)])


def _response(evidence: FusionEvidence, tables: tuple[BandTable, BandTable]) -> Section:
    hsi, msi = tables
    x, curves = _in_order(hsi, evidence.response)
    lines = [svg.Line(name, x, curve) for name, curve in zip(msi.names, curves)]
    title = "Wavelength (nm)" if hsi.wavelength_nm is not None else "Band number"
    plot = svg.line_plot(lines, title, "Share of each band")
    rows = tuple(
        (name, f"{gain:.4g}", f"{offset:.3g}", f"{correlation:.3f}")
        for name, gain, offset, correlation in zip(msi.names, evidence.gain, evidence.offset, evidence.correlation)
    )
    applied = "They were brought onto one scale by these." if evidence.rescaled else "They were used as they are."
    words = [
        evidence.response_source,
        f"MSI = gain × (HSI seen by the MSI's bands) + offset, fitted robustly over coarse pixels. {applied}",
    ]
    table = Table(("MSI band", "Gain", "Offset", "Correlation"), rows)
    return Section(
        "Spectral response and scale", words, [table], [Figure("Response of each MSI band.", svg=plot, width="whole")]
    )


def _geometry(evidence: FusionEvidence) -> Section:
    shift = (
        f"{evidence.shift_px[0]:+.2f} rows and {evidence.shift_px[1]:+.2f} columns of the MSI, {evidence.shift_m:.3g} "
        f"m{'; corrected' if evidence.shift_corrected else '; not corrected'}"
    )
    rows = (
        ("Ratio", f"{evidence.ratio[0]:.4g} along rows, {evidence.ratio[1]:.4g} along columns"),
        ("Shift of the HSI", shift),
        ("Confidence in the PSF", about_run.percent(evidence.psf_confidence)),
        ("Noise, HSI and MSI", f"{evidence.noise_hsi:.2g} and {evidence.noise_msi:.2g} (standard deviation)"),
    )
    figures = []
    if evidence.kernel:
        kernel = np.asarray(evidence.kernel)
        enlarged = np.kron(kernel, np.ones((max(1, 160 // max(kernel.shape)),) * 2))
        painted = png.encode(png.colourise(enlarged, 0.0, float(kernel.max()), ramps.ABUNDANCE))
        figures.append(Figure("What a coarse pixel sees of the fine grid (its point spread function).", png=painted))
    words = [evidence.psf_note, evidence.correction_note]
    return Section("Geometry, blur and noise", [word for word in words if word], [Table((), rows)], figures)


def _uncertainty(summary: OutputSummary) -> Section:
    picture = summary.quicklook[0]
    finite = picture[np.isfinite(picture)]
    top = float(np.quantile(finite, 0.98)) if finite.size else 1.0
    painted = png.encode(png.colourise(picture, 0.0, top or 1.0, ramps.ERROR))
    bar = svg.colour_bar(ramps.ERROR, 0.0, top or 1.0, "Standard deviation (reflectance)")
    figures = [
        Figure("Where the fused spectra are uncertain (dark).", png=painted, width="half"),
        Figure("Scale of the map; its top end is the 98th percentile.", svg=bar, width="half"),
    ]
    words = (
        "Root mean square over the bands of the estimated standard deviation. It covers what both images leave open "
        "under the model, not errors of registration or change between the two dates."
    )
    return Section("Uncertainty", [words], figures=figures)


def _inputs(run: RunRecord) -> Section:
    msi = InputRecord(run.header, run.bands_used, run.scale, run.is_reflectance)
    figures = []
    if run.true_colour is not None:
        figures.append(Figure("The multispectral image", png=png.encode(run.true_colour), width="half"))
    left_out = [message for message in run.messages if "left out" in message]
    return Section("Inputs", left_out, [_input(run.others["hsi"]), _input(msi)], figures)


def _input(record: InputRecord) -> Table:
    header = record.header
    rows = (
        ("File", Path(header.path).name),
        ("Format", f"{header.driver}, {', '.join(dict.fromkeys(header.dtypes))}"),
        ("Size", f"{header.grid.width} × {header.grid.height} pixels, {len(header.table)} bands"),
        ("Pixel size", about_run.pixel_size(header.grid)),
        ("Coordinate system", about_run.crs_name(header.grid.crs_wkt)),
        ("Bands used", about_run.bands_text(header.table, record.bands_used)),
        ("Scale", f"stored numbers × {record.scale:g}"),
    )
    return Table((), rows)


def _settings(evidence: FusionEvidence, run: RunRecord) -> tuple[tuple[str, str], ...]:
    rows = [("Mode", str(run.job.settings.get("mode", "refined"))), ("Response", evidence.response_source)]
    if evidence.components:
        rows.append(("Spectral subspace", f"{evidence.components} components"))
    if evidence.parameters:
        rows.append(("Trained parameters", f"{evidence.parameters:,}"))
    return tuple(rows)
