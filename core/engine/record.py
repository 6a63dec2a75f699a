# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine measured during a run, for reports and result files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..raster.header import RasterHeader
from .job import Job

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class OutputSummary:
    """Streaming summary of one output raster.

    Attributes:
        mean, low, high: per band over valid pixels (low and high are the extremes); of outputs with a spectral axis
            only red, green and blue are summarised, here and below.
        histogram_edges: [bins + 1], common to all bands.
        histogram: counts, [bands, bins].
        quicklook: float32 [bands, rows, columns], every n-th pixel, NaN where invalid; at most 320 pixels a side.
    """

    mean: numpy.ndarray
    low: numpy.ndarray
    high: numpy.ndarray
    histogram_edges: numpy.ndarray
    histogram: numpy.ndarray
    quicklook: numpy.ndarray


@dataclass(frozen=True)
class InputRecord:
    """A further input raster of a run.

    Attributes:
        header: its header.
        bands_used: indices from 0.
        scale: factor applied to stored numbers.
        is_reflectance: False when scaled numbers are in some other unit.
    """

    header: RasterHeader
    bands_used: tuple[int, ...]
    scale: float
    is_reflectance: bool = True


@dataclass(frozen=True)
class RunRecord:
    """One finished run.

    Attributes:
        job: what was asked.
        header: the main input raster.
        bands_used: indices from 0.
        scale: factor applied to stored numbers.
        valid_pixels: pixels with all used bands valid.
        summaries: by output role; empty when nothing was applied.
        messages, warnings: sentences in the order they were said.
        device: the line that says what computed and why.
        versions: package name to version.
        seconds: duration per step.
        true_colour: uint8 [rows, columns, 4] RGBA quick-look of the input, or None.
        is_reflectance: False when scaled numbers are in some other unit, such as radiance, that is not known.
        others: further input rasters by role.
    """

    job: Job
    header: RasterHeader
    bands_used: tuple[int, ...]
    scale: float
    valid_pixels: int
    summaries: Mapping[str, OutputSummary] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    true_colour: numpy.ndarray | None = None
    is_reflectance: bool = True
    others: Mapping[str, InputRecord] = field(default_factory=dict)

    @property
    def quantity(self) -> str:
        """What scaled numbers mean, for axes and captions."""
        return "reflectance" if self.is_reflectance else "stored units"

    @property
    def reuses_model(self) -> bool:
        """True when the model was fitted by another run."""
        return "model" in self.job.inputs

    def details(self) -> dict[str, Any]:
        """JSON-ready account of the run for result files."""
        return {
            "method": self.job.method,
            "inputs": dict(self.job.inputs),
            "settings": dict(self.job.settings),
            "seed": self.job.seed,
            "device": self.device,
            "versions": dict(self.versions),
            "bands_used": [i + 1 for i in self.bands_used],
            "scale": self.scale,
            "valid_pixels": self.valid_pixels,
            "seconds": {step: round(value, 3) for step, value in self.seconds.items()},
            "messages": list(self.messages),
            "warnings": list(self.warnings),
        }
