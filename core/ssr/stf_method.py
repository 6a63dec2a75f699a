# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is found out about the function between two sensors, from a sampled pair to figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..bands import BandTable
from ..engine.method import Context
from ..errors import InputError
from ..fusion.pair import PairSample
from ..fusion.relation import Relation, relate
from ..fusion.response import settle_response
from ..fusion.settings import FusionSettings
from ..spectra import Spectra
from .stf import StfEstimate, estimate_stf
from .stf_classes import ClassStf, estimate_classes
from .stf_pixels import StfPixels, make_pixels
from .stf_settings import NO_SENSOR, StfSettings

MOST_PIXELS = 20_000
"""Pixels that the estimate for the whole scene sees."""
PEAK = 99.9
"""Percentile of the MSI that stands for its largest value where that is not known to be 1."""


@dataclass(frozen=True)
class Nominal:
    """A published response, to show beside the estimate.

    Attributes:
        title: of the sensor.
        matrix: float32 [msi_bands, hsi_bands], rows sum to 1, or are NaN where the HSI does not cover a band.
        difference: norm of estimated minus published response over that of the published one, [msi_bands].
    """

    title: str
    matrix: np.ndarray
    difference: np.ndarray


@dataclass(frozen=True)
class StfFindings:
    """What was found.

    Attributes:
        tables: the used bands of the HSI and of the MSI.
        stf: the function of the whole scene.
        pixels: pixels of the HSI that are valid in both images and were used.
        psnr: of the MSI computed from the HSI against the MSI, both smoothed, in dB; ``peak`` is its largest value.
        rmse: the same as an error of each MSI band, [msi_bands].
        residuals: root mean square over bands of what is left, in units of each band's spread, [rows, columns] of the
            HSI; NaN where nothing is known.
        nominal: a published response, or None.
        shift, shift_m: displacement of the HSI that was corrected, rows and columns of the MSI, and in metres.
        classes: functions of classes of land cover.
        left_out: why other classes have none.
    """

    tables: tuple[BandTable, BandTable]
    stf: StfEstimate
    pixels: int
    psnr: float
    peak: float
    rmse: np.ndarray
    residuals: np.ndarray
    nominal: Nominal | None
    shift: tuple[float, float]
    shift_m: float
    classes: tuple[ClassStf, ...]
    left_out: tuple[str, ...]

    def response(self) -> Spectra:
        """The response of each MSI band times its gain, as a table."""
        return Spectra(self.tables[1].names, _rows(self.stf.matrix), self.tables[0].wavelength_nm)

    def bands(self) -> Spectra:
        """The same with both ends of its 95 % band, then likewise for every class, as a table."""
        names, rows = [], []
        for prefix, stf in [("", self.stf), *((f"{one.name}: ", one.stf) for one in self.classes)]:
            for i, name in enumerate(self.tables[1].names):
                names += [f"{prefix}{name}{ending}" for ending in ("", " low", " high")]
                rows += [part[i] for part in (stf.matrix, stf.low, stf.high)]
        return Spectra(tuple(names), _rows(np.array(rows)), self.tables[0].wavelength_nm)

    def numbers(self) -> dict[str, float]:
        """Figures for models and scripts."""
        found = {
            "effective_rank": self.stf.effective_rank,
            "fit_error": float(np.mean(self.stf.estimate.fit_error)),
            "psnr": self.psnr,
            "pixels": float(self.pixels),
            "shift_m": self.shift_m,
            "classes": float(len(self.classes)),
            "classes_distinguishable": float(sum(one.distinguishable for one in self.classes)),
        }
        if self.nominal is not None:
            found["difference"] = float(np.nanmean(self.nominal.difference))
        return found

    def details(self) -> dict[str, Any]:
        """Everything per band and class, JSON-ready."""
        bands = [
            {"name": name, "rmse": float(self.rmse[i]), **_band(self.stf, i)}
            for i, name in enumerate(self.tables[1].names)
        ]
        if self.nominal is not None:
            for band, difference in zip(bands, self.nominal.difference):
                band["difference"] = float(difference) if np.isfinite(difference) else None
        return {"bands": bands, "classes": list(map(self._class, self.classes)), "left_out": list(self.left_out)}

    def _class(self, one: ClassStf) -> dict[str, Any]:
        trial = {} if one.trial is None else {**vars(one.trial), "distinguishable": one.trial.distinguishable}
        bands = [{"name": name, **_band(one.stf, i)} for i, name in enumerate(self.tables[1].names)]
        rank = one.stf.effective_rank
        return {"name": one.name, "pixels": one.pixels, "effective_rank": rank, "trial": trial, "bands": bands}


def register(sample: PairSample, settings: StfSettings, context: Context) -> Relation:
    """Lay the images on each other and make sure that they show the same ground.

    Raises:
        InputError: they do not, or share too little of it.
    """
    how = FusionSettings(radiometry="none", registration="correct", force=settings.force)
    return relate(sample, how, None, context)


def find_stf(
    relation: Relation,
    sample: PairSample,
    labels: Sequence[np.ndarray],
    names: Mapping[int, str],
    settings: StfSettings,
    is_reflectance: bool,
    context: Context,
) -> StfFindings:
    """Find out everything.

    Args:
        relation: of the pair, from :func:`register`.
        sample: what that was made of.
        labels: class of each HSI pixel of every block, int [rows, columns]; 0 where none is known.
        names: of the classes, by label; empty where classes are of no interest.
        settings: what was chosen.
        is_reflectance: whether the MSI's numbers are reflectance, so that 1 is their largest value.
        context: for progress, messages and cancelling.

    Raises:
        InputError: nothing can be estimated.
        Cancelled: the user asked to stop.
    """
    tables = sample.hsi_table, sample.msi_table
    pixels = make_pixels(relation.blocks, relation.response, labels)
    part = pixels.chosen(np.arange(0, len(pixels), -(-len(pixels) // MOST_PIXELS)))
    share = 1.0 / (1 + len(names))
    step = replace(context, on_progress=lambda done: context.on_progress(share * done))
    rest = replace(context, on_progress=lambda done: context.on_progress(share + (1.0 - share) * done))
    stf = estimate_stf(part.hsi, part.msi, tables, step, context.seed, settings.force)
    for sentence in stf.estimate.sentences:
        context.on_warning(sentence)
    classes, left_out = estimate_classes(pixels, names, tables, rest)
    left = pixels.msi - (pixels.hsi @ stf.matrix.T + stf.offset)
    peak = 1.0 if is_reflectance else float(np.percentile(pixels.msi, PEAK))
    error = float(np.sqrt(np.mean(np.square(left, dtype=np.float64))))
    return StfFindings(
        tables,
        stf,
        len(pixels),
        float(20 * np.log10(abs(peak) / max(error, 1e-12))),
        peak,
        np.sqrt(np.mean(np.square(left, dtype=np.float64), axis=0)),
        _map(pixels, np.sqrt(np.mean(np.square(left / pixels.msi.std(0)), axis=1))),
        _nominal(settings, tables, part, stf, context),
        relation.harmony.shift,
        float(np.hypot(*np.multiply(relation.harmony.shift, sample.pixel_m))),
        classes,
        left_out,
    )


def _nominal(
    settings: StfSettings, tables: tuple[BandTable, BandTable], pixels: StfPixels, stf: StfEstimate, context: Context
) -> Nominal | None:
    """The published response of the chosen sensor; without it the estimate stands alone, and the reason is told."""
    if settings.sensor == NO_SENSOR:
        return None
    try:
        known = settle_response(None, settings.sensor, *tables, pixels.hsi, pixels.msi, context.seed)
    except InputError as error:
        context.on_warning(f"No published response is shown: {error}")
        return None
    for sentence in known.warnings:
        context.on_warning(sentence)
    matrix = np.full_like(stf.matrix, np.nan)
    matrix[list(known.kept)] = known.srf.matrix
    apart = np.linalg.norm(stf.estimate.srf.matrix - matrix, axis=1) / np.linalg.norm(matrix, axis=1)
    return Nominal(known.srf.source, matrix, apart)


def _map(pixels: StfPixels, values: np.ndarray) -> np.ndarray:
    """Values of the pixels in their places, NaN elsewhere, [rows, columns]."""
    picture = np.full((int(pixels.row.max()) + 1, int(pixels.col.max()) + 1), np.nan, dtype=np.float32)
    picture[pixels.row, pixels.col] = values
    return picture


def _rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))


def _band(stf: StfEstimate, band: int) -> dict[str, float]:
    found = stf.estimate
    return {"gain": found.gain[band], "offset": found.offset[band], "fit_error": found.fit_error[band]}
