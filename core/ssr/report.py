# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a spectral super-resolution or of its training: spectra, what they rest on, how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..bands import BandTable, spans
from ..engine.record import RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from ..report.spectral import SpectralAxis
from .evidence import NETWORKS, Example, SsrEvidence
from .view import View, ViewedPixel

if TYPE_CHECKING:
    from .model import SsrModel

PGU_NET = (
    "Unfolded network: Li, Chen, Guo, Zhang, Zhang & Chen (2026): Physics-guided deep unfolding for blind cross-sensor "
    "spectral super-resolution via learning the spectral transformation function. arXiv:2606.05759"
)
LIBRARY_CAUTION = (
    "This was learnt from a spectral library alone, without an image of any ground: take it as a first answer only."
)
NOTABLE, AROUND = 0.02, 4
"""Share of its peak from which a response is shown, and bands shown beside it."""
SOURCES = {
    "overlap": "a hyperspectral image of the same ground",
    "archive": "hyperspectral images of other ground",
    "library": "a spectral library",
}


def sections(model: SsrModel, run: RunRecord, view: View | None) -> list[Section]:
    """Everything the report shows, warnings first.

    Args:
        model: what was fitted or applied.
        run: what the engine measured.
        view: a close look at the result; None for a training.
    """
    evidence, table = model.evidence, model.table
    trained_only = run.job.method == "trainssr"
    parts = [*about_run.warning_sections(run, _cautions(evidence, run)), _key_figures(evidence, run, trained_only)]
    if view is not None:
        parts += [_pictures(view), _spectra(view, model, run.quantity), _uncertainty(view, run.quantity)]
        parts.append(_residual(view, run.quantity))
    parts += [_contest(evidence, run), _examples(evidence, table, run.quantity), _response(evidence, model)]
    parts.append(_unseen(evidence, table))
    parts.append(Section("What it was learnt from", list(evidence.notes)))
    if evidence.training.steps:
        parts.append(_training(evidence, run.quantity))
    if not trained_only:
        parts.append(about_run.input_section(run))
    parts.append(about_run.settings_section(run, _settings(evidence)))
    if evidence.chosen in NETWORKS or any(score.kind in NETWORKS for score in evidence.contenders):
        parts.append(Section("How to cite the methods used", [PGU_NET]))
    return parts


def _cautions(evidence: SsrEvidence, run: RunRecord) -> list[str]:
    """What nobody should miss: where no ground was seen, and where choosing another way would do better."""
    found = [LIBRARY_CAUTION] if evidence.mode == "library" else []
    return [*found, *([evidence.verdict()] if evidence.chosen != evidence.best.kind and not run.reuses_model else [])]


def _key_figures(evidence: SsrEvidence, run: RunRecord, trained_only: bool) -> Section:
    used = evidence.of(evidence.chosen) or evidence.best
    rows = [
        ("PSNR", f"{used.psnr:.1f} dB", f"on {_aside(evidence)}, the peak being {evidence.peak:.3g}"),
        ("Spectral angle", f"{used.sam:.2f}°", "mean on the same pixels"),
        ("Bands not seen", f"{sum(evidence.blind)} of {len(evidence.blind)}", "guessed from the others"),
    ]
    if not trained_only:
        rows.append(("Valid pixels", about_run.percent(about_run.valid_share(run)), f"{run.valid_pixels:,} pixels"))
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _aside(evidence: SsrEvidence) -> str:
    """What judged."""
    return f"{evidence.held_pixels:,} pixels that nothing was learnt from"


def _pictures(view: View) -> Section:
    figures = [Figure("Spectra", png=png.encode(view.after), width="half")]
    if view.before is not None:
        figures.insert(0, Figure("Multispectral image", png=png.encode(view.before), width="half"))
    words = "The same ground in true colour, each stretched by itself: where the image has the most contrast."
    return Section("Before and after", [words], figures=figures)


def _spectra(view: View, model: SsrModel, quantity: str) -> Section:
    figures = [
        Figure(
            f"Row {pixel.row + 1}, column {pixel.col + 1} of the part shown above.",
            svg=_spectrum(pixel, model, quantity),
            width="half",
        )
        for pixel in view.pixels
    ]
    words = (
        "Some pixels of the result with two standard deviations on both sides, and what the multispectral image shows "
        "of them, on the same scale."
    )
    return Section("Spectra", [words], figures=figures)


def _spectrum(pixel: ViewedPixel, model: SsrModel, quantity: str) -> str:
    axis = SpectralAxis(model.table)
    lines = [_with_band("result", axis, pixel.spectrum, pixel.deviation)]
    if model.table.wavelength_nm is not None and model.msi_table.wavelength_nm is not None:
        places = sorted(zip(model.msi_table.wavelength_nm, pixel.msi))
        lines.append(svg.Line("multispectral", *zip(*places)))
    return svg.line_plot(lines, axis.title, quantity.capitalize(), size=svg.HALF)


def _with_band(name: str, axis: SpectralAxis, values: Sequence[float], deviation: Sequence[float]) -> svg.Line:
    low = [value - 2 * sigma for value, sigma in zip(values, deviation)]
    high = [value + 2 * sigma for value, sigma in zip(values, deviation)]
    return axis.line(name, values, low, high)


def _residual(view: View, quantity: str) -> Section:
    words = (
        "Seen by the multispectral bands, the spectra should be the image again. They are not where the image shows "
        "what the training has not met, such as other materials, shade or haze."
    )
    caption = "What of the multispectral image the spectra do not explain."
    return Section("Agreement with the image", [words], figures=_map(view.residual, caption, quantity))


def _contest(evidence: SsrEvidence, run: RunRecord) -> Section:
    rows = tuple(
        (
            f"{score.name}{' (used)' if score.kind == evidence.chosen else ''}",
            f"{score.psnr:.2f} dB",
            f"{score.sam:.2f}°",
            f"{score.rmse:.4g}",
            "–" if score.ssim is None else f"{score.ssim:.4f}",
            about_run.duration(score.seconds),
        )
        for score in evidence.contenders
    )
    words = [
        f"Each way learnt from {evidence.train_pixels:,} pixels and was judged by {_aside(evidence)}, which lie in a "
        f"part of their own; the source is {SOURCES[evidence.mode]}.",
        evidence.verdict(),
    ]
    if run.reuses_model:
        words.append("The model was trained by an earlier run: this was found then, and not on the image of this run.")
    table = Table(("Way", "PSNR", "Spectral angle", f"RMSE ({run.quantity})", "SSIM", "Time"), rows)
    return Section("Is it better than simpler ways?", words, [table])


def _examples(evidence: SsrEvidence, table: BandTable, quantity: str) -> Section:
    figures = [
        Figure(f"Example {number}.", svg=_example(example, table, quantity), width="half")
        for number, example in enumerate(evidence.examples, 1)
    ]
    words = (
        "Spectra of pixels that nothing was learnt from, from dark to bright: the truth, and the estimate with two "
        f"standard deviations on both sides. {about_run.percent(evidence.covered)} of all true values lie within; it "
        "should be about 95 %."
    )
    return Section("Spectra whose truth is known", [words], figures=figures)


def _example(example: Example, table: BandTable, quantity: str) -> str:
    axis = SpectralAxis(table)
    lines = [_with_band("estimate", axis, example.estimate, example.deviation), axis.line("truth", example.truth)]
    return svg.line_plot(lines, axis.title, quantity.capitalize(), size=svg.HALF)


def _response(evidence: SsrEvidence, model: SsrModel) -> Section:
    figures = []
    found = [[float(value) for value in row] for row in model.response.cpu()]
    for at, name in enumerate(model.msi_table.names):
        curves = [found[at], evidence.low[at], evidence.high[at]]
        curves += [] if evidence.nominal is None else [evidence.nominal[at]]
        shown = _significant(model.table, curves)
        axis = SpectralAxis(model.table.subset(shown))
        curves = [[curve[band] for band in shown] for curve in curves]
        lines = [axis.line("found", *curves[:3]), *(axis.line("nominal", curve) for curve in curves[3:])]
        plot = svg.line_plot(lines, axis.title, "Share of each band", size=svg.HALF)
        figures.append(Figure(name, svg=plot, width="half"))
    rows = tuple(
        (name, f"{sum(row):.3g}", f"{gain:.4g}", f"{offset:.3g}", f"{residual:.2g}")
        for name, row, gain, offset, residual in zip(
            model.msi_table.names, found, evidence.gain, evidence.offset, evidence.residual
        )
    )
    words = [
        "What each multispectral band sees of each band of the spectra (spectral transformation function). The shaded "
        "range is what the data or the data sheet leave open; where it is wide, the form of the curve is a guess."
    ]
    header = ("Band", "Sum of the curve", "Gain of the image", "Offset of the image", "Left unexplained (RMS)")
    return Section("Between the two sensors", words, [Table(header, rows)], figures)


def _significant(table: BandTable, curves: Sequence[Sequence[float]]) -> list[int]:
    """The stretch of bands outside which no curve has a notable weight, with some around."""
    place = table.wavelength_nm or tuple(range(len(table)))
    order = sorted(range(len(table)), key=place.__getitem__)
    weights = np.abs(np.array(curves)).max(axis=0)[order]
    above = np.flatnonzero(weights > NOTABLE * weights.max())
    if not len(above):
        return order
    return order[max(0, above[0] - AROUND) : above[-1] + AROUND + 1]


def _unseen(evidence: SsrEvidence, table: BandTable) -> Section:
    axis = SpectralAxis(table)
    blind = [band for band, is_blind in enumerate(evidence.blind) if is_blind]
    plot = svg.line_plot(
        [axis.line("left open", [100.0 * share for share in evidence.unseen])], axis.title, "Variance left open (%)"
    )
    words = [
        "How much of each band's variation the multispectral bands leave open, whatever the method: 0 % where they "
        "tell it, 100 % where they tell nothing."
    ]
    if blind:
        words.append(f"The multispectral image cannot see these bands (more than half is left open): {spans(blind)}.")
    return Section("What the image cannot tell", words, figures=[Figure("By band.", svg=plot, width="whole")])


def _uncertainty(view: View, quantity: str) -> Section:
    words = (
        "Root mean square over the bands of the stated standard deviation, for the part shown above: what the "
        "multispectral bands leave open in each kind of ground, raised to the errors on pixels that nothing was learnt "
        "from. It does not know materials that the training has not met."
    )
    return Section(
        "Uncertainty", [words], figures=_map(view.deviation, "Where spectra are uncertain (dark).", quantity)
    )


def _map(picture: np.ndarray, caption: str, quantity: str) -> list[Figure]:
    """A map and its scale."""
    finite = picture[np.isfinite(picture)]
    top = float(np.quantile(finite, 0.98)) if finite.size else 0.0
    painted = png.encode(png.colourise(picture, 0.0, top or 1.0, ramps.ERROR))
    bar = svg.colour_bar(ramps.ERROR, 0.0, top or 1.0, f"RMS ({quantity})")
    scale = "Scale of the map; its top end is the 98th percentile."
    return [Figure(caption, png=painted, width="half"), Figure(scale, svg=bar, width="half")]


def _training(evidence: SsrEvidence, quantity: str) -> Section:
    training = evidence.training
    steps = [float(step) for step in training.steps]
    figures = [
        Figure(
            "Error while training.",
            svg=svg.line_plot(
                [svg.Line("validation part", steps, list(training.errors))], "Step", f"RMSE ({quantity})"
            ),
            width="whole",
        )
    ]
    words = (
        f"The network was trained for {int(steps[-1])} steps in {about_run.duration(training.seconds)}. The state with "
        "the least error on the validation part was kept."
    )
    return Section("Training", [words], figures=figures)


def _settings(evidence: SsrEvidence) -> tuple[tuple[str, str], ...]:
    used = evidence.of(evidence.chosen) or evidence.best
    return (
        ("Source of the spectra", f"{evidence.mode}: {SOURCES[evidence.mode]}"),
        ("Way asked for", evidence.preset),
        ("Way used", used.name),
        ("Dimensions of the spectra", str(evidence.dimensions)),
        ("Uncertainty raised by", f"a factor of {evidence.inflation:.2f} (mean over bands)"),
    )
