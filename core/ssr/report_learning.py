# SPDX-License-Identifier: GPL-3.0-or-later
"""What reports say of the learning: which way won, spectra beside their truth, responses, and what was learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..bands import BandTable, spans
from ..engine.record import InputRecord, RunRecord
from ..report import about_run, svg
from ..report.page import Figure, Section, Table
from ..report.spectral import SpectralAxis
from .evidence import Example, SsrEvidence

if TYPE_CHECKING:
    from .model import SsrModel

NOTABLE, AROUND = 0.02, 4
"""Share of its peak from which a response is shown, and bands shown beside it."""
SOURCES = {
    "overlap": "a hyperspectral image of the same ground",
    "archive": "hyperspectral images of other ground",
    "library": "a spectral library",
}


def quantity_of(run: RunRecord) -> str:
    """What the numbers of spectra mean; those of a given model are on the scale it learnt, whatever the image's is."""
    return "units of the training" if run.reuses_model and not run.is_reflectance else run.quantity


def contest(evidence: SsrEvidence, run: RunRecord) -> Section:
    """All ways side by side."""
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
        f"Each way learnt from {evidence.train_pixels:,} pixels and was judged by {aside(evidence)}, which lie in a "
        f"part of their own; the source is {SOURCES[evidence.mode]}.",
        evidence.verdict(),
    ]
    if run.reuses_model:
        words.append("The model was trained by an earlier run: this was found then, and not on the image of this run.")
    table = Table(("Way", "PSNR", "Spectral angle", f"RMSE ({quantity_of(run)})", "SSIM", "Time"), rows)
    return Section("Is it better than simpler ways?", words, [table])


def aside(evidence: SsrEvidence) -> str:
    """What judged; where the camera is only known roughly, every pixel is seen in several ways."""
    views = "" if evidence.mode == "overlap" else "views of "
    return f"{evidence.held_pixels:,} {views}pixels that nothing was learnt from"


def examples(evidence: SsrEvidence, table: BandTable, run: RunRecord) -> Section:
    """Estimates beside their truth."""
    figures = [
        Figure(_error(example), svg=_example(example, table, quantity_of(run)), width="half")
        for example in evidence.examples
    ]
    words = (
        "Spectra of pixels that nothing was learnt from, from dark to bright: the truth, and the estimate with two "
        f"standard deviations on both sides. {about_run.percent(evidence.covered)} of all true values lie within; it "
        "should be about 95 %."
    )
    earlier = ["They are from the training of the model, not of this image."] if run.reuses_model else []
    return Section("Spectra whose truth is known", [words, *earlier], figures=figures)


def _error(example: Example) -> str:
    """How far an estimate is off."""
    truth, estimate = np.array(example.truth), np.array(example.estimate)
    lengths = float(np.linalg.norm(truth) * np.linalg.norm(estimate))
    angle = np.degrees(np.arccos(np.clip(truth @ estimate / lengths, -1.0, 1.0))) if lengths > 0 else float("nan")
    return f"RMSE {np.sqrt(np.mean((estimate - truth) ** 2)):.2g}, spectral angle {angle:.1f}°."


def _example(example: Example, table: BandTable, quantity: str) -> str:
    axis = SpectralAxis(table)
    lines = [with_band("estimate", axis, example.estimate, example.deviation), axis.line("truth", example.truth)]
    return svg.line_plot(lines, axis.title, quantity.capitalize(), size=svg.HALF)


def with_band(name: str, axis: SpectralAxis, values: Sequence[float], deviation: Sequence[float]) -> svg.Line:
    """A spectrum with two standard deviations on both sides."""
    low = [value - 2 * sigma for value, sigma in zip(values, deviation)]
    high = [value + 2 * sigma for value, sigma in zip(values, deviation)]
    return axis.line(name, values, low, high)


def response(evidence: SsrEvidence, model: SsrModel, run: RunRecord) -> Section:
    """The function between the sensors; one curve where nothing but the data sheet is known."""
    found = [[float(value) for value in row] for row in model.response.cpu()]
    nominal = evidence.nominal
    is_nominal = nominal is not None and np.allclose(found, nominal, atol=1e-6)
    figures = []
    for at, name in enumerate(model.msi_table.names):
        curves = [found[at], evidence.low[at], evidence.high[at]]
        curves += [] if nominal is None or is_nominal else [nominal[at]]
        shown = _significant(model.table, curves)
        axis = SpectralAxis(model.table.subset(shown))
        curves = [[curve[band] for band in shown] for curve in curves]
        lines = [axis.line("nominal" if is_nominal else "found", *curves[:3])]
        lines += [axis.line("nominal", curve) for curve in curves[3:]]
        plot = svg.line_plot(lines, axis.title, "Share of each band", size=svg.HALF)
        figures.append(Figure(f"{name}.", svg=plot, width="half"))
    words = "What each multispectral band sees of each band of the spectra (spectral transformation function). "
    if evidence.mode == "overlap":
        words += (
            "The shaded range is the 95 % band of the estimate; where it is wide, the form of the curve is a guess."
        )
    else:
        words += "The shaded range is what the data sheet leaves open: in training, curves were drawn from it."
    return Section("Between the two sensors", [words], [_response_table(evidence, model, found, run)], figures)


def _response_table(evidence: SsrEvidence, model: SsrModel, found: Sequence[Sequence[float]], run: RunRecord) -> Table:
    """Figures by band; gain and offset only where the image needed any."""
    names, left = model.msi_table.names, f"Left unexplained (RMS, {quantity_of(run)})"
    sums = [f"{sum(row):.3f}" for row in found]
    unexplained = [f"{residual:.2g}" for residual in evidence.residual]
    if set(evidence.gain) <= {1.0} and set(evidence.offset) <= {0.0}:
        return Table(("Band", "Sum of the curve", left), tuple(zip(names, sums, unexplained)))
    scales = [f"{gain:#.4g}" for gain in evidence.gain], [f"{offset:.2g}" for offset in evidence.offset]
    header = ("Band", "Sum of the curve", "Image's gain", "Image's offset", left)
    return Table(header, tuple(zip(names, sums, *scales, unexplained)))


def _significant(table: BandTable, curves: Sequence[Sequence[float]]) -> list[int]:
    """The stretch of bands outside which no curve has a notable weight, with some around."""
    place = table.wavelength_nm or tuple(range(len(table)))
    order = sorted(range(len(table)), key=place.__getitem__)
    weights = np.abs(np.array(curves)).max(axis=0)[order]
    above = np.flatnonzero(weights > NOTABLE * weights.max())
    if not len(above):
        return order
    return order[max(0, above[0] - AROUND) : above[-1] + AROUND + 1]


def unseen(evidence: SsrEvidence, table: BandTable) -> Section:
    """What the MSI leaves open, by band."""
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
    else:
        words.append("Of no band more than half is left open.")
    return Section("What the image cannot tell", words, figures=[Figure("By band.", svg=plot, width="whole")])


def learnt_from(evidence: SsrEvidence, run: RunRecord) -> Section:
    """Files and notes."""
    rows: list[tuple[str, str]] = []
    if run.reuses_model:
        rows.append(("Trained model", Path(run.job.inputs["model"]).name))
    for image in run.others.values():
        rows += _image("Hyperspectral image", image)
    if "library" in run.job.tables:
        rows.append(("Spectral library", Path(run.job.tables["library"]).name))
    elif evidence.mode == "overlap" and run.job.method == "trainssr":
        rows += _image("Multispectral image", InputRecord(run.header, run.bands_used, run.scale, run.is_reflectance))
    return Section("What it was learnt from", list(evidence.notes), [Table((), tuple(rows))])


def _image(title: str, image: InputRecord) -> list[tuple[str, str]]:
    header = image.header
    size = f"{header.grid.width} × {header.grid.height} pixels of {about_run.pixel_size(header.grid)}"
    return [
        (title, f"{Path(header.path).name}, {size}, stored numbers × {image.scale:g}"),
        ("Bands used", about_run.bands_text(header.table, image.bands_used)),
    ]


def training(evidence: SsrEvidence, quantity: str) -> Section:
    """How the network did on its way."""
    done = evidence.training
    steps = [float(step) for step in done.steps]
    figures = [
        Figure(
            "Error while training.",
            svg=svg.line_plot(
                [svg.Line("validation part", steps, list(done.errors))],
                "Step",
                f"RMSE ({quantity})",
                from_zero=False,
            ),
            width="whole",
        )
    ]
    words = (
        f"The network was trained for {int(steps[-1]):,} steps in {about_run.duration(done.seconds)}. The state "
        "with the least error on the validation part was kept. Step 0 is what it starts from."
    )
    return Section("Training", [words], figures=figures)
