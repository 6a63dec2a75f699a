# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a super-resolution: before and after, whether it agrees with the input, and what it rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..bands import BandTable
from ..engine.record import OutputSummary, RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from .evidence import SisrEvidence
from .references import CITATIONS
from .settings import SuperresolveSettings
from .view import View, ViewedPixel

GAP = 4.0
"""A step between neighbouring wavelengths this many times the usual one is a gap in the sensor's coverage."""
SCALE = "Scale of the map; its top end is the 98th percentile."


def sections(
    evidence: SisrEvidence, settings: SuperresolveSettings, run: RunRecord, view: View | None, table: BandTable
) -> list[Section]:
    """Everything the report shows, warnings first.

    Args:
        evidence: how the fit came about.
        settings: as asked.
        run: what the engine measured.
        view: a close look, None when nothing could be looked at.
        table: the used bands.
    """
    parts = [*about_run.warning_sections(run, evidence.cautions()), _key_figures(evidence, settings, run, view)]
    if view is not None:
        parts += [
            _pictures(view),
            _spectra(view, table, run.quantity),
            _consistency(view, evidence.noise, run.quantity),
        ]
        parts.append(_power(view))
    if evidence.trial is not None:
        parts.append(_trial(evidence, run))
    if "uncertainty" in run.summaries:
        parts.append(_uncertainty(run.summaries["uncertainty"], run.quantity))
    parts.append(_planes(evidence, table, run.quantity))
    if evidence.training:
        parts.append(_training(evidence))
    coarse = replace(run, valid_pixels=run.valid_pixels // settings.factor**2)
    parts.append(about_run.input_section(coarse))
    parts.append(about_run.settings_section(run, _settings(evidence, settings)))
    cited = ["leaves", "posterior", *(["mcnet"] if settings.mode == "paper" else [])]
    parts.append(Section("How to cite the methods used", [CITATIONS[key] for key in cited]))
    return parts


def _key_figures(evidence: SisrEvidence, settings: SuperresolveSettings, run: RunRecord, view: View | None) -> Section:
    rows = [("Finer by", f"{settings.factor} ×", f"each pixel becomes {settings.factor} × {settings.factor}")]
    if view is not None:
        words = "PSNR of the result, blurred and decimated, against the input"
        rows.append(("Agrees with the input", f"{view.consistency_psnr:.1f} dB", words))
    if evidence.trial is not None:
        words = f"smaller error than cubic interpolation, on {_tried(run)} made coarser once more"
        rows.append(("Gain", f"{evidence.trial.gain:+.1f} dB", words))
    rows.append(("Valid pixels", about_run.percent(_valid_share(run, settings)), f"{run.valid_pixels:,} fine pixels"))
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _tried(run: RunRecord) -> str:
    """Where the trial was made."""
    return "the image that the model was fitted to," if run.reuses_model else "the image"


def _valid_share(run: RunRecord, settings: SuperresolveSettings) -> float:
    return about_run.valid_share(run) / settings.factor**2


def _pictures(view: View) -> Section:
    figures = [
        Figure("Input", png=png.encode(view.before)),
        Figure("Cubic interpolation", png=png.encode(view.cubic)),
        Figure("Result", png=png.encode(view.after)),
    ]
    words = "The same ground in true colour, all stretched alike: where the image has the most contrast."
    return Section("Before and after", [words], figures=figures)


def _spectra(view: View, table: BandTable, quantity: str) -> Section:
    figures = [
        Figure(
            f"Row {pixel.row + 1}, column {pixel.col + 1} of the part shown above, counted in input pixels.",
            svg=_spectrum(pixel, table, quantity),
            width="half",
        )
        for pixel in view.pixels
    ]
    words = (
        "Input pixels that hold the most different things, and the fine pixel in each that differs most from it. "
        "Their shape should stay plausible."
    )
    return Section("Spectra", [words], figures=figures)


def _spectrum(pixel: ViewedPixel, table: BandTable, quantity: str) -> str:
    x, curves = _in_order(table, [list(pixel.coarse), list(pixel.fine)])
    lines = [svg.Line("input pixel", x, curves[0]), svg.Line("fine pixel", x, curves[1])]
    title = "Wavelength (nm)" if table.wavelength_nm is not None else "Band number"
    return svg.line_plot(lines, title, quantity.capitalize(), size=svg.HALF)


def _in_order(table: BandTable, curves: list[list[float]]) -> tuple[list[float], list[list[float]]]:
    """Curves over rising wavelengths, broken where the sensor has a gap."""
    place = list(table.wavelength_nm or range(1, len(table) + 1))
    order = sorted(range(len(place)), key=place.__getitem__)
    x = [float(place[i]) for i in order]
    values = [[curve[i] for i in order] for curve in curves]
    steps = np.diff(x)
    for at in reversed(np.flatnonzero(steps > GAP * np.median(steps)).tolist()):
        x.insert(at + 1, (x[at] + x[at + 1]) / 2)
        for curve in values:
            curve.insert(at + 1, float("nan"))
    return x, values


def _consistency(view: View, noise: float, quantity: str) -> Section:
    finite = view.misfit[np.isfinite(view.misfit)]
    top = float(np.quantile(finite, 0.98)) if finite.size else 1.0
    enlarged = np.kron(view.misfit, np.ones((max(1, 200 // max(view.misfit.shape)),) * 2, dtype=np.float32))
    figures = [
        Figure("Where it agrees (light) and where less (dark).", png=_painted(enlarged, top), width="half"),
        Figure(SCALE, svg=_bar(top, f"RMS ({quantity})"), width="half"),
    ]
    words = (
        "The result, seen through the sensor's blur and decimated, must be the input again, up to the input's noise: "
        "whatever detail is added, it takes nothing away. This holds only as far as the blur is the true one. "
        f"Both agree to {view.consistency_psnr:.1f} dB (PSNR); if only noise as strong as the input's ({noise:.2g}) "
        f"set them apart, it would be {view.psnr_of(noise):.1f} dB."
    )
    return Section("Agreement with the input", [words], figures=figures)


def _power(view: View) -> Section:
    lines = [
        svg.Line("cubic interpolation", list(view.frequency), list(view.power_cubic)),
        svg.Line("result", list(view.frequency), list(view.power_after)),
    ]
    plot = svg.line_plot(lines, "Cycles per input pixel", "Power of the brightness (dB)")
    words = (
        "How much the brightness varies at each fineness. Up to 0.5 cycles per pixel the input knows the ground, if "
        "blurred; beyond that detail is inferred. The curve should go on falling evenly: a bump near 0.5 means that "
        "the blur is given too wide, a dip that it is given too narrow."
    )
    return Section("Power spectra", [words], figures=[Figure("Radial mean.", svg=plot, width="whole")])


def _trial(evidence: SisrEvidence, run: RunRecord) -> Section:
    trial = evidence.trial
    assert trial is not None
    rows = (
        ("Cubic interpolation", f"{trial.cubic:.4g}", f"{trial.cubic_sam:.2f}°"),
        ("This method", f"{trial.result:.4g}", f"{trial.result_sam:.2f}°"),
    )
    words = [
        f"Parts of {_tried(run)} were blurred and decimated once more and brought back, so that the truth is known: "
        "that image itself. Finer structures than its own may be easier or harder than that."
    ]
    if trial.gain < 0:
        words.append("Here interpolation does better, which is a sign that the blur is given too wide.")
    table = Table(("Way", f"RMSE ({run.quantity})", "Spectral angle"), rows)
    return Section("Is it better than interpolation?", words, [table])


def _uncertainty(summary: OutputSummary, quantity: str) -> Section:
    picture = summary.quicklook[0]
    finite = picture[np.isfinite(picture)]
    top = float(np.quantile(finite, 0.98)) if finite.size else 1.0
    bar = _bar(top, f"Standard deviation ({quantity})")
    figures = [
        Figure("Where spectra are uncertain (dark).", png=_painted(picture, top), width="half"),
        Figure(SCALE, svg=bar, width="half"),
    ]
    words = (
        "Root mean square over the bands of the estimated standard deviation: detail that the input leaves open, more "
        "of it where neighbouring pixels differ, and where the network's guesses for mirrored images disagree."
    )
    return Section("Uncertainty", [words], figures=figures)


def _planes(evidence: SisrEvidence, table: BandTable, quantity: str) -> Section:
    spectra = evidence.unmixing.endmembers
    lines = []
    for name, values in zip(spectra.names, spectra.values):
        x, curves = _in_order(table, [list(values)])
        lines.append(svg.Line(name, x, curves[0]))
    title = "Wavelength (nm)" if table.wavelength_nm is not None else "Band number"
    plot = svg.line_plot(lines, title, quantity.capitalize())
    words = [
        f"{evidence.unmixing.source} {evidence.unmixing.count_reason}",
        f"Their abundances leave {about_run.percent(evidence.unexplained)} of the image's variation unexplained; "
        f"{evidence.components} principal components of that are made finer like the abundances, and the rest, mostly "
        "noise, is interpolated.",
    ]
    return Section("What is made finer", words, figures=[Figure("Endmembers.", svg=plot, width="whole")])


def _training(evidence: SisrEvidence) -> Section:
    steps, errors = zip(*evidence.training)
    line = svg.Line("held-out pairs", [float(step) for step in steps], [float(error) for error in errors])
    plot = svg.line_plot([line], "Step", "Error (standard deviations of a plane)", size=svg.HALF)
    words = (
        "The error of pairs that the network was not trained on: leaves like the image, and parts of the image made "
        "coarser once more. The state with the least error was kept."
    )
    figures = [Figure("Error while training.", svg=plot, width="half")]
    return Section("Training", [words], figures=[*figures, *_sizes(evidence)])


def _sizes(evidence: SisrEvidence) -> list[Figure]:
    """How well the leaves that were drawn vary as the image does."""
    sizes = evidence.sizes
    if sizes is None:
        return []
    lags = [float(lag) for lag in sizes.lags]
    lines = [svg.Line("image", lags, list(sizes.image)), svg.Line("leaves", lags, list(sizes.leaves))]
    plot = svg.line_plot(lines, "Distance (input pixels)", "Variogram over variance", size=svg.HALF)
    caption = (
        f"How far apart pixels differ: the image, and the leaves chosen for it (sizes from {sizes.smallest:.3g} input "
        f"pixels on, by a power law of exponent {sizes.exponent:.3g})."
    )
    return [Figure(caption, svg=plot, width="half")]


def _settings(evidence: SisrEvidence, settings: SuperresolveSettings) -> tuple[tuple[str, str], ...]:
    mtf = np.exp(-((np.pi * settings.psf_sigma / settings.factor) ** 2) / 2)
    blur = f"Gaussian, sigma {settings.psf_sigma:.3g} output pixels, MTF {mtf:.2g} at the input's Nyquist frequency"
    if evidence.narrowed is not None:
        source = f"narrowed from {evidence.narrowed[0]:.3g} so that the image comes out again"
    elif settings.sigma is None and settings.mtf is None:
        source = "the usual one, as none was given"
    else:
        source = "as given"
    return (
        ("Mode", settings.mode),
        ("Planes made finer by", evidence.network),
        ("Blur", f"{blur}; {source}"),
        ("Noise of the input", f"{evidence.noise:.2g} (standard deviation)"),
        ("Abundances", "not negative, sum to one" if evidence.sums_hold else "not negative"),
    )


def _painted(picture: np.ndarray, top: float) -> bytes:
    return png.encode(png.colourise(picture, 0.0, top or 1.0, ramps.ERROR))


def _bar(top: float, title: str) -> str:
    return svg.colour_bar(ramps.ERROR, 0.0, top or 1.0, title)
