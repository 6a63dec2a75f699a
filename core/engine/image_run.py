# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a method that makes rasters from one image: plan, look, fit, apply, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from ..errors import InputError
from ..raster.header import RasterHeader, check_spectral
from ..raster.open_raster import read_header
from ..raster.spectra_files import write_csv, write_sli
from ..raster.write import RasterWriter
from ..report.page import render
from ..spectra import Spectra
from . import provenance
from .job import Result
from .method import Method, Model, Sample
from .model_file import check_compatible, load_model, save_model
from .plan import Plan, check_disk_space, make_plan
from .record import RunRecord
from .registry import find_method
from .runner import Runner
from .sampling import draw_labelled, draw_sample, no_valid_pixel, sample_of_tables
from .source import Source
from .stream import ImageWork, Streamed, stream
from .summary import QuickLook, stretched

SHARE_OF_SAMPLING = 0.35
"""Share of the progress bar for drawing the sample, and for fitting after it; the rest is the pass that computes."""
SHARE_OF_FIT = 0.15


class ImageRun(Runner):
    """One image in, rasters on its grid out."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        job = self.job
        method: Method = find_method(job.method)
        if "image" not in job.inputs:
            raise InputError("The job names no input raster ('image').")
        header = read_header(job.inputs["image"])
        check_spectral(header)
        tables = self.read_tables()
        classes = len({sample["name"] for sample in job.samples})
        self.check_targets()
        scale, is_reflectance, choice = self.look(header, job.scale, job.bands, job.skip_water_vapour)
        if not header.grid.crs_wkt:
            self.reporter.warning("The raster has no coordinate reference system; the outputs have none either.")
        method.check(job.settings, header.table.subset(choice.used), tables, classes)
        expected = method.expected_outputs(job.settings, tables, classes)
        self.check_roles(expected)
        check_disk_space(job.outputs, expected, _pixels(header))
        with Source(header, choice.used, scale) as source:
            preview = QuickLook(header.grid, 3)
            plan = self.plan(header, len(choice.used), halo_px=0)
            self.open_journal(plan)
            model, sample = self._fit(method, source, plan, tables, is_reflectance, preview)
            streamed = self._apply(source, model, preview)
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(header)
        record = RunRecord(
            job=job,
            header=header,
            bands_used=choice.used,
            scale=scale,
            valid_pixels=streamed.valid_pixels if streamed else (sample.valid_pixels if sample else 0),
            summaries=streamed.summaries if streamed else {},
            messages=tuple(self.reporter.messages),
            warnings=tuple(self.reporter.warnings),
            device=self.device_line,
            versions=provenance.versions(),
            seconds=self.seconds,
            is_reflectance=is_reflectance,
            true_colour=stretched(preview.values),
        )
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
        """Fit, or take the model of the interrupted run."""
        table = source.header.table.subset(source.bands)
        if self.journal is not None and self.journal.model_path.is_file():
            with suppress(InputError):  # damaged, as by a power cut: the same fit follows again
                model = load_model(self.journal.model_path, method).to(self.device)
                check_compatible(model, table)
                return model, None
        started = time.perf_counter()
        step = self.step(0.0, SHARE_OF_SAMPLING, "Reading the image")
        labelled = draw_labelled(source, self.job.samples, plan, step) if self.job.samples else {}
        if method.needs_pixels(tables, bool(labelled)):
            sample = draw_sample(source, plan, table, tables, preview, step, method.needs_rim(self.job.settings))
        else:
            sample = sample_of_tables(table, tables, labelled, source.header.grid, is_reflectance)
        started = self.lap("sampling", started)
        step = self.step(SHARE_OF_SAMPLING, SHARE_OF_SAMPLING + SHARE_OF_FIT, "Fitting")
        model = method.fit(sample, self.job.settings, step)
        self.lap("fitting", started)
        if self.journal is not None:
            aside = self.journal.model_path.with_suffix(".part")
            save_model(model, aside, self._origin())
            aside.replace(self.journal.model_path)
        return model.to(self.device), sample

    def _apply(self, source: Source, model: Model, preview: QuickLook) -> Streamed | None:
        """Compute the rasters, if any are wanted."""
        if self.journal is None:
            return None
        started = time.perf_counter()
        header = source.header
        check_disk_space(self.job.outputs, model.outputs, _pixels(header))
        plan = make_plan(header, len(source.bands), model.halo_px, self.job.memory_mb, self.job.workers)
        step = self.step(SHARE_OF_SAMPLING + SHARE_OF_FIT, 0.98, "Computing")
        with ExitStack() as stack:
            writers = {
                role: stack.enter_context(self._writer(role, path, source, model, plan))
                for role, path in self.job.outputs.items()
                if role in model.outputs
            }
            work = ImageWork(source, model, self.device)
            streamed = stream(work, plan, writers, self.journal, preview, step)
        self.lap("computing", started)
        return streamed

    def _writer(self, role: str, path: str, source: Source, model: Model, plan: Plan) -> RasterWriter:
        return RasterWriter(
            self.workspace.aside(path),
            source.header.grid,
            model.outputs[role],
            metadata=provenance.metadata(self.job, self.device, role, model),
            block=plan.output_block,
        )

    def _finish(self, method: Method, model: Model, record: RunRecord) -> Result:
        numbers = dict(method.numbers(model, record))

        def report(path: Path) -> None:
            title = f"{method.title} of {Path(record.header.path).name}"
            footer = f"Made with HyperRes {record.versions['HyperRes']}."
            path.write_text(render(title, method.report(model, record), footer=footer), encoding="utf-8")

        files = {
            "report": report,
            "model": lambda path: save_model(model, path, self._origin()),
            "sli": lambda path: write_sli(path, model.tables()["endmembers"]),
            "endmembers": lambda path: write_csv(path, model.tables()["endmembers"]),
        }
        return self.publish(files, model.outputs, numbers, {**record.details(), "model": model.header()})

    def _origin(self) -> dict[str, object]:
        return {"versions": provenance.versions(), "seed": self.job.seed}


def _pixels(header: RasterHeader) -> int:
    return header.grid.width * header.grid.height
