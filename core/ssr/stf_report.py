# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a function between two sensors: the curves, how sure they are, and what the scene cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..engine.record import InputRecord, RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from ..report.spectral import SpectralAxis
from .stf_classes import LEAST_BETTER, LEVEL, PERMUTATIONS, ClassStf
from .stf_method import StfFindings

FEW_WAYS = 3.0
"""Effective rank below which curves are mostly smoothness."""
ENLARGED_PX = 240
LEAST_SHIFT = 0.005
"""Pixels of the MSI by which a shift is worth telling."""
VISIBLE = 0.02
"""Share of the largest weight from which a weight is drawn."""
MOST_BANDS_DRAWN = 3
"""Classes up to which bands of confidence can be told apart in one picture."""

REFERENCES = (
    "Bands of confidence: Künsch, H. R. (1989), doi 10.1214/aos/1176347265.",
    "Effective rank: Roy, O. & Vetterli, M. (2007), 15th European Signal Processing Conference, 606-610.",
    "Tests by exchange: Good, P. (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, Springer.",
    "The idea of a function between sensors that depends on land cover: Li and others (2026), arXiv 2606.05759.",
)


def sections(found: StfFindings, run: RunRecord) -> list[Section]:
    """Everything the report shows, warnings first."""
    parts = [*about_run.warning_sections(run, _cautions(found)), _key_figures(found, run), _curves(found), _rank(found)]
    parts += [_fit(found), _residuals(found)]
    if found.classes or found.left_out:
        parts.append(_classes(found))
    parts += [_inputs(found, run), about_run.settings_section(run, _settings(found))]
    parts.append(Section("References", REFERENCES))
    return parts


def _cautions(found: StfFindings) -> list[str]:
    cautions = []
    if found.stf.effective_rank < FEW_WAYS:
        cautions.append(
            "This ground shows too little variety to fix the curves: most of their shape is the assumption that "
            "responses are smooth. Use images of more varied ground, or the published response."
        )
    poor = [name for name, error in zip(found.tables[1].names, found.stf.estimate.fit_error) if error > 0.3]
    if poor:
        cautions.append(
            f"The hyperspectral image explains the multispectral one badly in {', '.join(poor)}: another time of day, "
            "clouds, a shift, or bands that it does not cover may be why."
        )
    return cautions


def _key_figures(found: StfFindings, run: RunRecord) -> Section:
    rows = [
        ("Effective rank", f"{found.stf.effective_rank:.1f}", "independent ways in which the spectra here vary"),
        ("Fit", f"{found.psnr:.1f} dB", "PSNR of the MSI computed from the HSI: higher is better"),
        ("Unexplained", about_run.percent(float(np.mean(found.stf.estimate.fit_error))), "of the MSI's spread"),
        ("Pixels", f"{found.pixels:,}", "of the hyperspectral image, valid in both"),
        ("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)),
    ]
    if found.nominal is not None:
        mean = float(np.nanmean(found.nominal.difference))
        rows.insert(3, ("Differs by", about_run.percent(mean), f"from the published response of {found.nominal.title}"))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _curves(found: StfFindings) -> Section:
    stf, figures = found.stf, []
    for i, name in enumerate(found.tables[1].names):
        axis = SpectralAxis(found.tables[0], _seen(stf.high[i]))
        lines = [axis.line("estimated, with its 95 % band", stf.matrix[i], stf.low[i], stf.high[i])]
        caption = f"{name}."
        if found.nominal is not None and np.isfinite(found.nominal.matrix[i]).all():
            lines.append(axis.line("published", found.nominal.matrix[i] * stf.estimate.gain[i]))
            caption = f"{name}; differs from the published response by {100 * found.nominal.difference[i]:.0f} %."
        plot = svg.line_plot(lines, axis.title, "Weight of each band", size=svg.HALF)
        figures.append(Figure(caption, svg=plot, width="half"))
    words = [
        "Each multispectral band is this weighted sum of the hyperspectral bands, plus an offset. The weights hold the "
        "gain between the two images as well, so that they need not sum to 1. The bands hold the true curve in about "
        "nineteen of twenty places where responses are smooth and the two images agree; beside sharp edges they are "
        "too narrow, and noise of the hyperspectral image, a remaining shift or change between dates is not in them."
    ]
    if found.nominal is not None:
        words.append(
            f"The published response of {found.nominal.title} is drawn with the estimated gain. The estimate "
            "describes these two images: atmosphere, viewing angles and calibration of both are part of it."
        )
    return Section("Curves", words, figures=figures)


def _seen(weights: np.ndarray) -> np.ndarray:
    """Bands whose weights can be seen in a plot, bool [hsi_bands]."""
    return np.asarray(weights > VISIBLE * weights.max())


def _rank(found: StfFindings) -> Section:
    rank, bands = found.stf.effective_rank, len(found.tables[0])
    words = (
        f"The spectra of this ground vary about their mean in {rank:.1f} independent ways (effective rank; noise adds "
        f"to it), although the hyperspectral image has {bands} bands. Only sums of bands that these ways make differ "
        "can be told from one another. A curve may be changed in all other ways without any pixel showing it: there, "
        "it is as smooth as the pixels allow, and its band is wide. A good fit does not prove that the curve is right."
    )
    return Section("What the rank means", [words])


def _fit(found: StfFindings) -> Section:
    estimate = found.stf.estimate
    rows = tuple(
        (name, centre, f"{gain:.4g}", f"{offset:.3g}", f"{100 * error:.2f} %", f"{rmse:.3g}")
        for name, centre, gain, offset, error, rmse in zip(
            found.tables[1].names, _centres(found), estimate.gain, estimate.offset, estimate.fit_error, found.rmse
        )
    )
    words = (
        "MSI = gain × (response applied to the HSI) + offset. Unexplained: root mean square of what is left over the "
        "band's standard deviation, without the 5 % of the pixels that fit worst; RMSE: of all pixels, in the MSI's "
        f"units. The largest value of the PSNR above is {found.peak:.3g}."
    )
    table = Table(("MSI band", "Centre", "Gain", "Offset", "Unexplained", "RMSE"), rows)
    return Section("Gain, offset and fit", [words], [table])


def _centres(found: StfFindings) -> list[str]:
    """Centres of the estimated curves."""
    nm = found.tables[0].wavelength_nm
    if nm is None:
        return ["-"] * len(found.tables[1])
    return [f"{centre:.0f} nm" for centre in found.stf.estimate.srf.centres(nm)]


def _residuals(found: StfFindings) -> Section:
    picture = found.residuals
    top = float(np.nanpercentile(picture, 98)) or 1.0
    times = max(1, ENLARGED_PX // max(picture.shape))
    painted = png.encode(png.colourise(np.kron(picture, np.ones((times, times))), 0.0, top, ramps.ERROR))
    bar = svg.colour_bar(ramps.ERROR, 0.0, top, "RMS over bands (standard deviations)")
    words = (
        "What the function leaves unexplained at each hyperspectral pixel that was used. Outlines of things point to a "
        "shift or to unlike sharpness, whole patches to change between the two dates or to land cover of its own."
    )
    figures = [
        Figure("Light: explained well; dark: badly.", png=painted, width="half"),
        Figure("Scale of the map; its top end is the 98th percentile.", svg=bar, width="half"),
    ]
    return Section("Where it does not fit", [words], figures=figures)


def _classes(found: StfFindings) -> Section:
    rows = tuple(map(_class_row, found.classes))
    figures = []
    for i, name in enumerate(found.tables[1].names if found.classes else ()):
        axis = SpectralAxis(found.tables[0], _seen(np.max([one.stf.matrix[i] for one in found.classes], axis=0)))
        lines = [_class_line(axis, one, i, len(found.classes) <= MOST_BANDS_DRAWN) for one in found.classes]
        lines.append(axis.line("all", found.stf.matrix[i]))
        plot = svg.line_plot(lines, axis.title, "Weight of each band", size=svg.HALF)
        figures.append(Figure(f"{name}, by class.", svg=plot, width="half"))
    words = [
        "Curves of single classes look different even where the function is the same, because one class shows fewer "
        "kinds of spectra: compare the ranks. What counts is whether a class's own function predicts pixels of the "
        f"class that were held out better than the function of all classes, beyond what {PERMUTATIONS} exchanges of "
        f"the labels of whole patches of ground give by chance (p at most {LEVEL}, corrected for the number of "
        f"classes), and by {100 * LEAST_BETTER:.0f} % at least. Otherwise the class is not distinguishable, and its "
        "curve is no evidence of anything.",
        "A class that is distinguishable need not differ by its spectra: anything that goes with its place, such as "
        "haze, slope or viewing angle, has the same effect. So has noise of the hyperspectral image, which weighs more "
        "in classes of little contrast: an error smaller by a few per cent says little.",
        *found.left_out,
    ]
    table = Table(("Class", "Pixels", "Effective rank", "Error smaller by", "By chance", "p", "Verdict"), rows)
    return Section("Land cover", words, [table] if rows else [], figures)


def _class_row(one: ClassStf) -> tuple[str, ...]:
    facts = (one.name, f"{one.pixels:,}", f"{one.stf.effective_rank:.1f}")
    if one.trial is None:
        return (*facts, "-", "-", "-", "no other class to compare with")
    verdict = "distinguishable" if one.distinguishable else "not distinguishable"
    shares = about_run.percent(one.trial.better), f"up to {about_run.percent(max(one.trial.by_chance, 0.0))}"
    return (*facts, *shares, f"{one.trial.p_value:.3f}", verdict)


def _class_line(axis: SpectralAxis, one: ClassStf, band: int, with_band: bool) -> svg.Line:
    ends = (one.stf.low[band], one.stf.high[band]) if with_band else ((), ())
    return axis.line(one.name, one.stf.matrix[band], *ends)


def _inputs(found: StfFindings, run: RunRecord) -> Section:
    images = (
        ("Hyperspectral image", InputRecord(run.header, run.bands_used, run.scale, run.is_reflectance)),
        ("Multispectral image", run.others["msi"]),
    )
    rows = []
    for title, image in images:
        header = image.header
        rows.append((title, f"{Path(header.path).name}, stored numbers × {image.scale:g}"))
        rows.append(("Bands", about_run.bands_text(header.table, image.bands_used)))
        rows.append(("Pixel size", about_run.pixel_size(header.grid)))
    left_out = [message for message in run.messages if "left out" in message and message not in found.left_out]
    return Section("Inputs", left_out, [Table((), tuple(rows))])


def _settings(found: StfFindings) -> tuple[tuple[str, str], ...]:
    rows, cols = found.shift
    moved = f"{rows:+.2f} rows and {cols:+.2f} columns of the MSI, {found.shift_m:.3g} m; corrected"
    nominal = "none" if found.nominal is None else found.nominal.title
    none = max(abs(rows), abs(cols)) < LEAST_SHIFT
    return (("Shift of the HSI", "none found" if none else moved), ("Sensor shown for comparison", nominal))
