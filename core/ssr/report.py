# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a spectral super-resolution or of its training: spectra, what they rest on, how far to trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..engine.record import RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from ..report.spectral import SpectralAxis
from .evidence import NETWORKS, SsrEvidence
from .report_learning import (
    SOURCES,
    aside,
    contest,
    examples,
    learnt_from,
    quantity_of,
    response,
    training,
    unseen,
    with_band,
)
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
LEAST_TOP = 0.01
"""Of the map of what is not explained, as a share of the brightest: less is nothing to look at."""
ROUNDING = 1e-4
"""Share of the brightest below which nothing is left unexplained."""


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
        parts += [_pictures(view), _spectra(view, model, quantity_of(run)), _uncertainty(view, quantity_of(run))]
        parts.append(_residual(view, quantity_of(run), evidence.peak))
    parts += [contest(evidence, run), examples(evidence, table, run), response(evidence, model, run)]
    parts += [unseen(evidence, table), learnt_from(evidence, run)]
    if evidence.training.steps:
        parts.append(training(evidence, quantity_of(run)))
    if not trained_only:
        parts.append(about_run.input_section(run))
    parts.append(about_run.settings_section(run, _settings(evidence, model)))
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
        ("PSNR", f"{used.psnr:.1f} dB", f"{_when(run)}on {aside(evidence)}, the peak being {evidence.peak:.3g}"),
        ("Spectral angle", f"{used.sam:.2f}°", "mean on the same pixels"),
        *_changed(evidence),
        (
            "Bands not seen",
            f"{sum(evidence.blind)} of {len(evidence.blind)}",
            "guessed from the others" if any(evidence.blind) else "all vary with those that are seen",
        ),
    ]
    if not trained_only:
        rows.append(("Valid pixels", about_run.percent(about_run.valid_share(run)), f"{run.valid_pixels:,} pixels"))
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _changed(evidence: SsrEvidence) -> list[tuple[str, str, str]]:
    """What to expect of the camera that a model was changed to."""
    if evidence.change_db is None:
        return []
    return [("Expected change", f"{evidence.change_db:+.1f} dB", "the above holds for the camera that was trained for")]


def _when(run: RunRecord) -> str:
    """What was found by an earlier run says nothing about the image of this one."""
    return "when it was trained, " if run.reuses_model else ""


def _pictures(view: View) -> Section:
    figures = [Figure("Spectra", png=png.encode(view.after), width="half")]
    if view.before is not None:
        figures.insert(0, Figure("Multispectral image", png=png.encode(view.before), width="half"))
    words = "The part of the image with the most contrast in true colour, each stretched by itself."
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
        "Some pixels of the result that differ much, with two standard deviations on both sides. Dots are what the "
        "multispectral image shows of them, each at the centre of its band."
    )
    return Section("Spectra", [words], figures=figures)


def _spectrum(pixel: ViewedPixel, model: SsrModel, quantity: str) -> str:
    axis = SpectralAxis(model.table)
    lines = [with_band("result", axis, pixel.spectrum, pixel.deviation)]
    if model.table.wavelength_nm is not None and model.msi_table.wavelength_nm is not None:
        lines.append(svg.Line("multispectral", model.msi_table.wavelength_nm, pixel.msi, dots=True))
    return svg.line_plot(lines, axis.title, quantity.capitalize(), size=svg.HALF)


def _residual(view: View, quantity: str, peak: float) -> Section:
    words = "Seen by the multispectral bands, the spectra should be the image again. "
    left, title = view.residual[np.isfinite(view.residual)], "Agreement with the image"
    if left.max(initial=0.0) < ROUNDING * peak:
        words += (
            "They are, everywhere in the part shown above: this way brings them into line with the image. So it does "
            "not show where the image holds what the training has not met."
        )
        return Section(title, [words])
    words += (
        "Where they are not (dark), it shows what the training has not met, such as other materials, shade or haze: do "
        "not trust the spectra there, whatever the uncertainty says."
    )
    caption = "What of the multispectral image the spectra do not explain."
    return Section(title, [words], figures=_map(view.residual, caption, quantity, LEAST_TOP * peak))


def _uncertainty(view: View, quantity: str) -> Section:
    words = (
        "Root mean square over the bands of the stated standard deviation, for the part shown above: what the "
        "multispectral bands leave open in each kind of ground, raised to the errors on pixels that nothing was learnt "
        "from. It does not know materials that the training has not met."
    )
    return Section(
        "Uncertainty", [words], figures=_map(view.deviation, "Where spectra are uncertain (dark).", quantity)
    )


def _map(picture: np.ndarray, caption: str, quantity: str, least_top: float = 0.0) -> list[Figure]:
    """A map and its scale."""
    finite = picture[np.isfinite(picture)]
    percentile = float(np.quantile(finite, 0.98)) if finite.size else 0.0
    top = max(percentile, least_top) or 1.0
    painted = png.encode(png.colourise(picture, 0.0, top, ramps.ERROR))
    bar = svg.colour_bar(ramps.ERROR, 0.0, top, f"RMS ({quantity})")
    scale = f"Scale of the map{'; its top end is the 98th percentile' if top == percentile else ''}."
    return [Figure(caption, png=painted, width="half"), Figure(scale, svg=bar, width="half")]


def _settings(evidence: SsrEvidence, model: SsrModel) -> tuple[tuple[str, str], ...]:
    table = model.msi_table
    bands = [f"{name} ({nm:.0f} nm)" for name, nm in zip(table.names, table.wavelength_nm or ())] or table.names
    used = evidence.of(evidence.chosen) or evidence.best
    return (
        ("Bands of the camera", ", ".join(bands)),
        ("Source of the spectra", f"{evidence.mode}: {SOURCES[evidence.mode]}"),
        ("Way asked for", evidence.preset),
        ("Way used", used.name),
        ("Dimensions of the spectra", str(evidence.dimensions)),
        ("Uncertainty raised by", f"a factor of {evidence.inflation:.2f} (mean over bands)"),
    )
