# SPDX-License-Identifier: GPL-3.0-or-later
"""The run that estimates the function between two sensors: two images in, curves, tables and a report out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..fusion.relation import Relation
from ..grid import Grid
from ..raster.header import check_spectral
from ..raster.open_raster import read_header
from ..raster.spectra_files import write_csv
from ..ssr.stf_check import check_stf, seen_bands
from ..ssr.stf_method import StfFindings, find_stf, register
from ..ssr.stf_report import sections
from ..ssr.stf_settings import StfSettings
from .class_labels import check_classes, labels_of_raster, labels_of_samples
from .job import Result
from .pair_source import COARSE_PIXELS, FINE_PIXELS, PairSource, draw_pair_sample
from .record import InputRecord
from .runner import Runner

CLASS_PIXELS, CLASS_FINE_PIXELS = 100_000, 8_000_000
"""Most pixels of a sample in which every class is to have enough."""
STF, STF_BANDS = "stf", "stf_bands"
"""Output tables: the function, and the function with its bands of confidence and those of the classes."""


class StfRun(Runner):
    """A hyperspectral and a multispectral image of the same ground in; no rasters out."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        settings = StfSettings.from_mapping(self.job.settings)
        self.check_roles(())
        self.check_targets()
        self._check_land_cover()
        hsi, msi = self._look_at_both(settings)
        with PairSource(hsi, msi) as source:
            for sentence in source.notes:
                self.reporter.warning(sentence)
            grid = source.grid
            limits = (CLASS_PIXELS, CLASS_FINE_PIXELS) if self._wants_classes() else (COARSE_PIXELS, FINE_PIXELS)
            sample = draw_pair_sample(source, self.job.seed, self.step(0.0, 0.2, "Reading both images"), *limits)
        now = self.lap("reading", started)
        relation = register(sample, settings, self.step(0.2, 0.3, "Laying the images on each other"))
        labels, names = self._labels(relation, grid)
        now = self.lap("registration", now)
        step = self.step(0.3, 0.97, "Estimating")
        found = find_stf(relation, sample, labels, names, settings, msi.is_reflectance, step)
        for sentence in found.left_out:
            self.reporter.message(sentence)
        self.lap("estimating", now)
        self.lap("total", started)
        return self._finish(hsi, msi, found)

    def _look_at_both(self, settings: StfSettings) -> tuple[InputRecord, InputRecord]:
        """Read both headers and find out scales and bands."""
        for role in ("hsi", "msi"):
            if role not in self.job.inputs:
                raise InputError(f"The job names no input raster {role!r}.")
        headers = [read_header(self.job.inputs[role]) for role in ("hsi", "msi")]
        check_spectral(headers[0])
        check_spectral(headers[1], min_bands=1)
        job = self.job
        hsi = self.look(headers[0], settings.hsi_scale, job.bands, job.skip_water_vapour, "Hyperspectral image")
        msi = self.look(headers[1], settings.msi_scale, None, False, "Multispectral image")
        tables = [image.header.table.subset(image.bands_used) for image in (hsi, msi)]
        check_stf(settings, *tables)
        kept, sentences = seen_bands(*tables)
        for sentence in sentences:
            self.reporter.message(sentence)
        return hsi, replace(msi, bands_used=tuple(msi.bands_used[i] for i in kept))

    def _check_land_cover(self) -> None:
        if "classes" in self.job.inputs:
            check_classes(self.job.inputs["classes"])
            if self.job.samples:
                raise InputError("Give either a raster of classes or labelled polygons, not both.")

    def _wants_classes(self) -> bool:
        return "classes" in self.job.inputs or bool(self.job.samples)

    def _labels(self, relation: Relation, grid: Grid) -> tuple[tuple[np.ndarray, ...], Mapping[int, str]]:
        """The classes of land cover of the HSI's pixels, none where they are of no interest."""
        if "classes" in self.job.inputs:
            return labels_of_raster(self.job.inputs["classes"], relation.blocks, grid)
        if self.job.samples:
            return labels_of_samples(self.job.samples, relation.blocks, grid)
        return tuple(np.zeros(block.coarse_shape, dtype=np.int32) for block in relation.blocks), {}

    def _finish(self, hsi: InputRecord, msi: InputRecord, found: StfFindings) -> Result:
        record = self.record(hsi, found.pixels, {}, None, {"msi": msi})
        names = Path(hsi.header.path).name, Path(msi.header.path).name

        def report(path: Path) -> None:
            self.write_report(path, f"Spectral response of {names[1]}, from {names[0]}", sections(found, record))

        files = {
            "report": report,
            STF: lambda path: write_csv(path, found.response()),
            STF_BANDS: lambda path: write_csv(path, found.bands()),
        }
        return self.publish(files, (), found.numbers(), {**record.details(), **found.details()})
