# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an assessment: the figures, what each means, where the errors are, and what the figures cannot tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bands import BandTable
from ..engine.record import RunRecord
from ..report import about_run, png, ramps, svg
from ..report.page import Figure, Section, Table
from .examples import Examples

if TYPE_CHECKING:
    from ..engine.assess_pass import AgainstPair, AgainstReference

_GAP = 4.0
"""Lines break where neighbouring bands are farther apart than this many usual steps."""
_HYPERSPECTRAL = 30

REFERENCES = (
    "SAM: Kruse, F. A. and others (1993), Remote Sensing of Environment 44, 145-163.",
    "ERGAS: Wald, L. (2002), Data Fusion: Definitions and Architectures, Presses des Mines.",
    "UIQI: Wang, Z. & Bovik, A. C. (2002), doi 10.1109/97.995823.",
    "SSIM: Wang, Z. and others (2004), doi 10.1109/TIP.2003.819861.",
    "Q2n: Garzelli, A. & Nencini, F. (2009), doi 10.1109/LGRS.2009.2022650.",
    "QNR: Alparone, L. and others (2008), doi 10.14358/PERS.74.2.193.",
    "HQNR: Khan, M. M. and others (2009), doi 10.1109/TGRS.2009.2029094.",
)


@dataclass(frozen=True)
class Assessment:
    """What was found.

    Attributes:
        ratio: coarse over fine pixel size, or None.
        reference: comparison with a reference, or None.
        pair: comparison with the two images behind the result, or None.
    """

    ratio: float | None
    reference: AgainstReference | None
    pair: AgainstPair | None

    def numbers(self, run: RunRecord) -> dict[str, float]:
        """Figures for models and scripts; those that could not be measured, or are infinite, are left out."""
        found: dict[str, float] = {"valid_share": about_run.valid_share(run)}
        if self.ratio is not None:
            found["ratio"] = self.ratio
        if self.reference is not None:
            scores = asdict(self.reference.scores)
            names = ("psnr", "psnr_bands", "rmse", "sam", "ssim", "ergas", "uiqi", "q2n", "cc", "black", "peak")
            found.update({name: scores[name] for name in names if scores[name] is not None})
        if self.pair is not None:
            scores = asdict(self.pair.scores)
            found.update({f"{name}_consistency_hsi": scores[f"{name}_hsi"] for name in ("psnr", "rmse", "sam")})
            found.update({f"{name}_consistency_msi": scores[f"{name}_msi"] for name in ("psnr", "rmse")})
            found.update({name: scores[name] for name in ("d_lambda", "d_s", "qnr", "d_lambda_k", "hqnr")})
            found["shift_m"] = self.pair.shift_m
        return {name: float(value) for name, value in found.items() if math.isfinite(value)}

    def details(self) -> dict[str, Any]:
        """Everything per band, JSON-ready."""
        parts = {"against_reference": self.reference, "against_inputs": self.pair}
        return {name: _finite(asdict(part.scores)) for name, part in parts.items() if part is not None}


def sections(found: Assessment, run: RunRecord) -> list[Section]:
    """Everything the report shows, warnings first."""
    parts = [*about_run.warning_sections(run, []), _key_figures(found, run)]
    if found.reference is not None:
        parts += _reference_sections(found, found.reference, run)
    if found.pair is not None:
        parts += _pair_sections(found.pair, run)
    parts += [about_run.input_section(run), about_run.settings_section(run, _settings(found, run))]
    parts.append(Section("References", REFERENCES))
    return parts


def _key_figures(found: Assessment, run: RunRecord) -> Section:
    rows = []
    if found.reference is not None:
        scores = found.reference.scores
        rows += [
            ("PSNR", f"{_text(scores.psnr, 2)} dB", "size of the errors: higher is better"),
            ("SAM", f"{_text(scores.sam, 2)} °", "angle between spectra: lower is better"),
            ("SSIM", _text(scores.ssim, 4), "structure: 1 is best"),
        ]
    if found.pair is not None:
        pair = found.pair.scores
        rows += [
            ("Agreement, coarse", f"{_text(pair.psnr_hsi, 2)} dB", "with the hyperspectral input: higher is better"),
            ("Agreement, fine", f"{_text(pair.psnr_msi, 2)} dB", "with the multispectral input: higher is better"),
            ("QNR", _text(pair.qnr, 3), "without reference: 1 is best"),
        ]
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _reference_sections(found: Assessment, against: AgainstReference, run: RunRecord) -> list[Section]:
    s, unit = against.scores, run.quantity
    peak = f"the largest possible value is taken as {s.peak:g}"
    ratio = "" if found.ratio is None else f" at the true ratio {found.ratio:.3g}"
    rows = [
        ("PSNR", f"{_text(s.psnr, 3)} dB", "higher", f"Signal over error of all values; {peak}."),
        ("PSNR, mean of bands", f"{_text(s.psnr_bands, 3)} dB", "higher", "The same band by band, then averaged."),
        ("RMSE", _text(s.rmse, 5), "lower", f"Root mean square error, {unit}."),
        ("SAM", f"{_text(s.sam, 3)} °", "lower", f"Mean angle between spectra, blind to brightness;{_black(s.black)}"),
        ("ERGAS", "-" if s.ergas is None else _text(s.ergas, 3), "lower", f"Relative error of the bands{ratio}."),
        ("SSIM", _text(s.ssim, 4), "up to 1", "Likeness of structure in Gaussian windows of 11 x 11 pixels."),
        (
            "UIQI",
            _text(s.uiqi, 4),
            "up to 1",
            "Likeness of mean, contrast and pattern in blocks of 32 x 32 pixels.",
        ),
        ("Q2n", _text(s.q2n, 4), "up to 1", "UIQI of all bands at once, which also sees turned spectra."),
        ("CC", _text(s.cc, 4), "up to 1", "Correlation with the reference, mean of the bands."),
    ]
    words = (
        f"Every valid pixel ({s.pixels:,}) was compared with the reference. The figures are as true as the reference "
        "is: an image of another day or sensor differs from the result for reasons of its own."
    )
    table = Table(("Metric", "Value", "Better", "What it means"), tuple(rows))
    axis = _axis(against.table)
    return [
        Section("Against the reference", [words], [table]),
        _error_maps(against.maps, unit),
        _band_curves(against, axis, unit),
        _spectra(against.examples, axis, "reference", unit, "Pixel"),
    ]


def _black(count: int) -> str:
    return f" {count:,} black pixels have no angle and do not count." if count else " no pixel is black."


def _error_maps(maps: np.ndarray, unit: str) -> Section:
    pictures, scales = [], []
    for plane, name, title in zip(maps, ("RMSE", "Spectral angle"), (f"RMSE ({unit})", "Spectral angle (degrees)")):
        shown = plane[np.isfinite(plane)]
        top = (float(np.percentile(shown, 98)) if shown.size else 0.0) or 1.0
        painted = png.encode(png.colourise(plane, 0.0, top, ramps.ERROR))
        pictures.append(Figure(f"{name}: light is good, dark is bad.", png=painted, width="half"))
        bar = svg.colour_bar(ramps.ERROR, 0.0, top, title)
        scales.append(Figure("Scale of the map; its top end is the 98th percentile.", svg=bar, width="half"))
    return Section("Where the errors are", figures=[*pictures, *scales])


def _band_curves(against: AgainstReference, axis: Axis, unit: str) -> Section:
    s = against.scores
    factor, small = _small_unit(unit)
    errors = [("RMSE", [factor * v for v in s.band_rmse]), ("Bias", [factor * v for v in s.band_bias])]
    likeness = [("SSIM", s.band_ssim), ("UIQI", s.band_uiqi), ("CC", s.band_cc)]
    curves = (
        ("PSNR (dB)", "PSNR by band: higher is better.", [("PSNR", s.band_psnr)], svg.HALF, "half"),
        (small, "Error by band; the bias is the mean of result minus reference.", errors, svg.HALF, "half"),
        ("Likeness", "Likeness by band: 1 is best.", likeness, svg.WIDE, "whole"),
    )
    figures = []
    for title, caption, lines, size, width in curves:
        plot = svg.line_plot([axis.line(*one) for one in lines], axis.title, title, size=size)
        figures.append(Figure(caption, svg=plot, width=width))
    return Section("Band by band", figures=figures)


def _small_unit(unit: str) -> tuple[float, str]:
    """Factor and title for errors, which are small numbers where reflectance is meant."""
    return (1000.0, "Error (reflectance × 1000)") if unit == "reflectance" else (1.0, f"Error ({unit})")


def _pair_sections(against: AgainstPair, run: RunRecord) -> list[Section]:
    s, unit = against.scores, run.quantity
    rows = [
        (
            "PSNR, coarse",
            f"{_text(s.psnr_hsi, 2)} dB",
            "higher",
            "The result as the coarse instrument would see it, against the hyperspectral image.",
        ),
        ("RMSE, coarse", _text(s.rmse_hsi, 5), "lower", f"The same as an error, {unit}."),
        ("SAM, coarse", f"{_text(s.sam_hsi, 3)} °", "lower", "The same as an angle between spectra."),
        (
            "PSNR, fine",
            f"{_text(s.psnr_msi, 2)} dB",
            "higher",
            "The result as the multispectral sensor would see it, against that image.",
        ),
        ("RMSE, fine", _text(s.rmse_msi, 5), "lower", f"The same as an error, {unit}."),
        ("D_lambda", _text(s.d_lambda, 4), "lower", "How far relations between bands differ at the two scales."),
        ("D_s", _text(s.d_s, 4), "lower", "How far relations to the multispectral bands differ at the two scales."),
        ("QNR", _text(s.qnr, 4), "up to 1", "(1 - D_lambda) (1 - D_s)."),
        (
            "D_lambda, Khan",
            _text(s.d_lambda_k, 4),
            "lower",
            "1 - Q2n of the degraded result and the hyperspectral image.",
        ),
        ("HQNR", _text(s.hqnr, 4), "up to 1", "(1 - D_lambda of Khan) (1 - D_s)."),
    ]
    peaks = f"Peaks of the PSNR: {s.peak_hsi:.3g} and {s.peak_msi:.3g}, the inputs' 99.9th percentiles."
    words = [
        "Agreement with both inputs is necessary, but it does not prove that the fine spectra are right: many images "
        "agree with the same inputs, and a method that enforces agreement scores high here by its construction. "
        "D_lambda, D_s and QNR assume that relations between bands are the same at both scales, which holds only "
        "roughly; even the truth does not score 1. Compare results of the same pair by them, not of different pairs.",
        f"{against.optics.note} Spectral response: {against.relation.response_source} What the inputs disagree about "
        f"by noise, misregistration or the estimated response counts against the result as well. {peaks}",
    ]
    table = Table(("Index", "Value", "Better", "What it means"), tuple(rows))
    axis = _axis(against.relation.hsi_table)
    factor, small = _small_unit(unit)
    plot = svg.line_plot([axis.line("RMSE", [factor * v for v in s.band_rmse_hsi])], axis.title, small)
    curve = Figure("Disagreement with the hyperspectral image by band.", svg=plot, width="whole")
    return [
        Section("Against the two inputs", words, [table], [curve]),
        _spectra(against.examples, axis, "hyperspectral image", unit, "Coarse pixel"),
    ]


@dataclass(frozen=True)
class Axis:
    """Where bands lie along the foot of a plot."""

    place: list[float]
    title: str

    def line(self, name: str, values: Sequence[float]) -> svg.Line:
        """A line over the bands, by wavelength whatever their order in the file, broken where the sensor has a gap."""
        ascending = sorted(range(len(self.place)), key=self.place.__getitem__)
        x = [self.place[i] for i in ascending]
        y = [values[i] if math.isfinite(values[i]) else math.nan for i in ascending]
        for gap in reversed(_gaps(x)):
            x.insert(gap, (x[gap - 1] + x[gap]) / 2)
            y.insert(gap, math.nan)
        return svg.Line(name, x, y)


def _gaps(rising: Sequence[float]) -> list[int]:
    """Positions of the bands before which the sensor has a gap; a multispectral sensor's bands are apart by design."""
    if len(rising) < _HYPERSPECTRAL:
        return []
    steps = np.diff(rising)
    return (np.flatnonzero(steps > _GAP * np.median(steps)) + 1).tolist()


def _axis(table: BandTable) -> Axis:
    if table.wavelength_nm is None:
        return Axis([float(i + 1) for i in range(len(table))], "Band number")
    return Axis(list(table.wavelength_nm), "Wavelength (nm)")


def _spectra(examples: Examples, axis: Axis, other: str, unit: str, pixel: str) -> Section:
    figures = []
    last = len(examples.angle) - 1
    for name, i in (("Best", 0), ("Median", last // 2), ("Worst", last)):
        row, col = examples.place[i].tolist()
        lines = [
            axis.line("Result", examples.result[i].tolist()),
            axis.line(other.capitalize(), examples.other[i].tolist()),
        ]
        caption = (
            f"{name}: {pixel.lower()} in row {row + 1}, column {col + 1}; angle {float(examples.angle[i]):.2f} degrees."
        )
        figures.append(
            Figure(caption, svg=svg.line_plot(lines, axis.title, unit.capitalize(), size=svg.HALF), width="half")
        )
    words = (
        f"{pixel}s with the smallest, the median and the largest spectral angle to the {other}; the median is that of "
        "pixels drawn evenly from every tile."
    )
    return Section(f"Spectra beside the {other}", [words], figures=figures)


def _settings(found: Assessment, run: RunRecord) -> tuple[tuple[str, str], ...]:
    names = {"reference": "Reference", "hsi": "Hyperspectral image", "msi": "Multispectral image"}
    rows = [
        (names[role], f"{other.header.path.rpartition('/')[2]}, stored numbers × {other.scale:g}")
        for role, other in run.others.items()
    ]
    rows.append(("Ratio", "not known" if found.ratio is None else f"{found.ratio:.4g}"))
    return tuple(rows)


def _text(value: float, digits: int) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


def _finite(scores: dict[str, Any]) -> dict[str, Any]:
    """JSON knows neither NaN nor infinity."""

    def clean(value: Any) -> Any:
        if isinstance(value, list):
            return [clean(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: clean(value) for name, value in scores.items()}
