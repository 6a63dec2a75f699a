# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a method that makes rasters from one image: plan, look, fit, apply, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ..raster.spectra_files import write_csv, write_sli
from ..spectra import Spectra
from .fitted_run import FittedRun
from .job import Result
from .method import Context, Method, Model, Sample
from .plan import Plan, check_disk_space, make_plan
from .record import RunRecord
from .registry import find_method
from .sampling import draw_labelled, draw_sample, no_valid_pixel, sample_of_tables
from .source import Source
from .stream import ImageWork, Streamed
from .summary import QuickLook


class ImageRun(FittedRun):
    """One image in, rasters on its grid out."""

    share_of_sampling = 0.35
    share_of_fit = 0.15

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        job = self.job
        method: Method = find_method(job.method)
        header = self.read_image()
        tables = self.read_tables()
        classes = len({sample["name"] for sample in job.samples})
        self.check_targets()
        image = self.look(header, job.scale, job.bands, job.skip_water_vapour)
        if not header.grid.crs_wkt:
            self.reporter.warning("The raster has no coordinate reference system; the outputs have none either.")
        method.check(job.settings, header.table.subset(image.bands_used), tables, classes)
        expected = method.expected_outputs(job.settings, tables, classes)
        self.check_roles(expected)
        check_disk_space(job.outputs, expected, header.grid.pixels)
        with Source(header, image.bands_used, image.scale) as source:
            preview = QuickLook(header.grid, 3)
            plan = self.plan(header, len(source.bands), halo_px=0)
            self.open_journal(plan)
            model, sample = self._fit(method, source, plan, tables, image.is_reflectance, preview)
            streamed = self._apply(source, model, preview)
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(header)
        valid_pixels = streamed.valid_pixels if streamed else (sample.valid_pixels if sample else 0)
        record = self.record(image, valid_pixels, streamed.summaries if streamed else {}, preview)
        return self._finish(method, model, record)

    def _fit(
        self,
        method: Method,
        source: Source,
        plan: Plan,
        tables: Mapping[str, Spectra],
        is_reflectance: bool,
        preview: QuickLook,
    ) -> tuple[Model, Sample | None]:
        table = source.header.table.subset(source.bands)
        settings = self.job.settings

        def draw(step: Context) -> Sample:
            labelled = draw_labelled(source, self.job.samples, plan, step) if self.job.samples else {}
            if method.needs_pixels(tables, bool(labelled)):
                return draw_sample(source, plan, table, tables, preview, step, method.needs_rim(settings))
            return sample_of_tables(table, tables, labelled, source.header.grid, is_reflectance)

        fitted = self.fitted(method, table, draw, lambda sample, step: method.fit(sample, settings, step))
        return fitted[0].to(self.device), fitted[1]

    def _apply(self, source: Source, model: Model, preview: QuickLook) -> Streamed | None:
        plan = make_plan(source.header, len(source.bands), model.halo_px, self.job.memory_mb, self.job.workers)
        return self.go_over(ImageWork(source, model, self.device), plan, model, preview)

    def _finish(self, method: Method, model: Model, record: RunRecord) -> Result:
        return self.finish(
            model,
            record,
            method.numbers(model, record),
            f"{method.title} of {Path(record.header.path).name}",
            lambda: method.report(model, record),
            {
                "sli": lambda path: write_sli(path, model.tables()["endmembers"]),
                "endmembers": lambda path: write_csv(path, model.tables()["endmembers"]),
            },
        )
