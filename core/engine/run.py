# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a job from the first header to the last rename: plan, look, fit, apply, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import torch

from ..bands import BandChoice, choose_bands
from ..errors import InputError
from ..raster.cube import read_header
from ..raster.header import RasterHeader, check_spectral
from ..raster.scale import REFLECTANCE_HIGH, detect_scale
from ..raster.spectra_files import read_spectra, write_csv, write_sli
from ..raster.target import check_distinct, check_target
from ..raster.write import RasterWriter
from ..report.page import render
from ..spectra import Spectra
from . import provenance
from .device import choose_device
from .glance import glance
from .job import Job, Result
from .journal import Journal, fingerprint
from .method import Context, Method, Model, Sample
from .model_file import check_compatible, load_model, save_model
from .plan import Plan, check_disk_space, make_plan
from .protocol import Reporter
from .record import RunRecord
from .registry import find_method
from .sampling import draw_labelled, draw_sample, no_valid_pixel, sample_of_tables
from .source import Source
from .stream import Streamed, apply_model
from .summary import QuickLook, stretched
from .workspace import Workspace

SHARE_OF_SAMPLING = 0.35
"""Share of the progress bar for drawing the sample, and for fitting after it; the rest is the pass that computes."""
SHARE_OF_FIT = 0.15


def run(job: Job, reporter: Reporter, is_cancelled: Callable[[], bool]) -> Result:
    """Run one job.

    Raises:
        HyperResError: with a sentence for the user; nothing is left behind.
    """
    return _Run(job, reporter, is_cancelled).whole()


class _Run:
    def __init__(self, job: Job, reporter: Reporter, is_cancelled: Callable[[], bool]) -> None:
        self._job = job
        self._reporter = reporter
        self._is_cancelled = is_cancelled
        self._seconds: dict[str, float] = {}
        self._workspace = Workspace(reporter.scratch)
        self._journal: Journal | None = None
        self._classes = len({sample["name"] for sample in job.samples})

    def whole(self) -> Result:
        """Go through all steps; tidy up whatever happens."""
        # One thread per tile worker beats threads inside operations, and gives the same sums on every machine.
        torch.set_num_threads(1)
        try:
            return self._steps()
        except BaseException:
            self._workspace.discard()
            if self._journal is not None:
                self._journal.remove()
            raise

    def _steps(self) -> Result:
        started = time.perf_counter()
        job = self._job
        method = find_method(job.method)
        device, self._device_line = choose_device(job.device)
        self._reporter.message(", ".join(f"{name} {version}" for name, version in provenance.versions().items()) + ".")
        self._reporter.message(self._device_line)
        if "image" not in job.inputs:
            raise InputError("The job names no input raster ('image').")
        header = read_header(job.inputs["image"])
        check_spectral(header)
        tables = self._read_tables()
        self._check_targets()
        scale, is_reflectance, choice = self._look(header)
        table = header.table.subset(choice.used)
        method.check(job.settings, table, tables, self._classes)
        expected = method.expected_outputs(job.settings, tables, self._classes)
        _check_roles(job, expected)
        check_disk_space(job.outputs, expected, _pixels(header))
        context = self._context(device)
        with Source(header, choice.used, scale) as source:
            preview = QuickLook(header.grid, 3)
            plan = self._plan(header, len(choice.used), halo_px=0)
            self._open_journal(device, plan)
            model, sample = self._fit(method, source, plan, tables, is_reflectance, preview, context)
            streamed = self._apply(method, source, model, preview, context)
        self._lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(header)
        valid_pixels = streamed.valid_pixels if streamed else (sample.valid_pixels if sample else 0)
        record = RunRecord(
            job=job,
            header=header,
            bands_used=choice.used,
            scale=scale,
            valid_pixels=valid_pixels,
            summaries=streamed.summaries if streamed else {},
            messages=tuple(self._reporter.messages),
            warnings=tuple(self._reporter.warnings),
            device=self._device_line,
            versions=provenance.versions(),
            seconds=self._seconds,
            is_reflectance=is_reflectance,
            true_colour=stretched(preview.values),
        )
        return self._finish(method, model, record)

    def _read_tables(self) -> dict[str, Spectra]:
        tables = {}
        for role, path in self._job.tables.items():
            tables[role], warnings = read_spectra(path)
            for warning in warnings:
                self._reporter.warning(warning)
        return tables

    def _check_targets(self) -> None:
        inputs = [*self._job.inputs.values(), *self._job.tables.values()]
        for role, path in self._job.outputs.items():
            check_target(path, inputs, raster=role not in FILE_ROLES)
        check_distinct(self._job.outputs.values())

    def _look(self, header: RasterHeader) -> tuple[float, bool, BandChoice]:
        """Find out the scale, whether it gives reflectance, and the bands to use; say all of it."""
        job = self._job
        seen = glance(header, job.bands)
        if job.scale is not None:
            scale = job.scale
            self._reporter.message(f"Stored numbers are multiplied by {scale:g}, as chosen.")
        else:
            scale, sentence = detect_scale(seen.high, header.dtypes[0], any(s != 1.0 for s in header.scale))
            self._reporter.message(sentence)
        choice = choose_bands(header.table, job.bands, job.skip_water_vapour, seen.empty)
        for warning in header.warnings:
            self._reporter.warning(warning)
        if not header.grid.crs_wkt:
            self._reporter.warning("The raster has no coordinate reference system; the outputs have none either.")
        for reason in choice.reasons:
            self._reporter.message(reason)
        grid = header.grid
        self._reporter.message(
            f"Input: {Path(header.path).name}, {grid.width} x {grid.height} pixels, {len(choice.used)} of "
            f"{len(header.table)} bands used, {header.dtypes[0]}, {header.driver}."
        )
        return scale, seen.high * scale <= REFLECTANCE_HIGH, choice

    def _plan(self, header: RasterHeader, bands: int, halo_px: int) -> Plan:
        plan = make_plan(header, bands, halo_px, self._job.memory_mb, self._job.workers)
        self._reporter.message(
            f"Plan: {len(plan.tiles)} tiles of {plan.tile_height} x {plan.tile_width} pixels, "
            f"{plan.workers} at a time, about {plan.workers * 2 * plan.tile_bytes / 2**20:.0f} MB."
        )
        return plan

    def _context(self, device: torch.device) -> Context:
        return Context(
            device=device,
            seed=self._job.seed,
            on_message=self._reporter.message,
            on_warning=self._reporter.warning,
            is_cancelled=self._is_cancelled,
        )

    def _open_journal(self, device: torch.device, plan: Plan) -> None:
        """Open the journal beside the first raster output; runs that write no raster need none."""
        rasters = [path for role, path in self._job.outputs.items() if role not in FILE_ROLES]
        if rasters:
            facts = [json.dumps(provenance.versions()), str(device), f"{plan.tile_height}x{plan.tile_width}"]
            self._journal = Journal(Path(rasters[0]), fingerprint(self._job, facts))
            self._reporter.scratch(str(self._journal.folder))

    def _fit(
        self,
        method: Method,
        source: Source,
        plan: Plan,
        tables: Mapping[str, Spectra],
        is_reflectance: bool,
        preview: QuickLook,
        context: Context,
    ) -> tuple[Model, Sample | None]:
        """Fit, or take the model of the interrupted run."""
        table = source.header.table.subset(source.bands)
        if self._journal is not None and self._journal.model_path.is_file():
            with suppress(InputError):  # damaged, as by a power cut: the same fit follows again
                model = load_model(self._journal.model_path, method).to(context.device)
                check_compatible(model, table)
                return model, None
        started = time.perf_counter()
        labelled = draw_labelled(source, self._job.samples, plan, context) if self._job.samples else {}
        if method.needs_pixels(tables, bool(labelled)):
            step = self._step(context, 0.0, SHARE_OF_SAMPLING, "Reading the image")
            sample = draw_sample(source, plan, table, tables, preview, step, method.needs_rim(self._job.settings))
        else:
            sample = sample_of_tables(table, tables, labelled, source.header.grid, is_reflectance)
        started = self._lap("sampling", started)
        step = self._step(context, SHARE_OF_SAMPLING, SHARE_OF_SAMPLING + SHARE_OF_FIT, "Fitting")
        model = method.fit(sample, self._job.settings, step)
        self._lap("fitting", started)
        if self._journal is not None:
            aside = self._journal.model_path.with_suffix(".part")
            save_model(model, aside, {"versions": provenance.versions(), "seed": self._job.seed})
            aside.replace(self._journal.model_path)
        return model.to(context.device), sample

    def _apply(
        self, method: Method, source: Source, model: Model, preview: QuickLook, context: Context
    ) -> Streamed | None:
        """Compute the rasters, if any are wanted."""
        if self._journal is None:
            return None
        started = time.perf_counter()
        check_disk_space(self._job.outputs, model.outputs, _pixels(source.header))
        plan = make_plan(source.header, len(source.bands), model.halo_px, self._job.memory_mb, self._job.workers)
        step = self._step(context, SHARE_OF_SAMPLING + SHARE_OF_FIT, 0.98, "Computing")
        with ExitStack() as stack:
            writers = {
                role: stack.enter_context(self._writer(role, path, source, model, plan, context.device))
                for role, path in self._job.outputs.items()
                if role in model.outputs
            }
            streamed = apply_model(source, plan, model, writers, self._journal, preview, step)
        self._lap("computing", started)
        return streamed

    def _writer(
        self, role: str, path: str, source: Source, model: Model, plan: Plan, device: torch.device
    ) -> RasterWriter:
        spec = model.outputs[role]
        return RasterWriter(
            self._workspace.aside(path),
            source.header.grid,
            spec,
            metadata=provenance.metadata(self._job, model, device, role),
            block=plan.output_block,
        )

    def _finish(self, method: Method, model: Model, record: RunRecord) -> Result:
        """Write tables, report and result, then give everything its final name."""
        job = self._job
        numbers = dict(method.numbers(model, record))
        details = {**record.details(), "numbers": numbers, "model": model.header()}
        for role, path in job.outputs.items():
            if role in model.outputs:
                continue
            aside = self._workspace.aside(path)
            if role == "report":
                title = f"{method.title} of {Path(record.header.path).name}"
                footer = f"Made with HyperRes {record.versions['HyperRes']}."
                aside.write_text(render(title, method.report(model, record), footer=footer), encoding="utf-8")
            elif role == "result":
                aside.write_text(json.dumps(details, indent=1), encoding="utf-8")
            elif role == "model":
                save_model(model, aside, {"versions": record.versions, "seed": job.seed})
            else:
                self._write_table(role, aside, model)
        self._workspace.publish()
        if self._journal is not None:
            self._journal.remove()
        self._reporter.progress(100.0, "Done")
        self._reporter.message(f"Done in {record.seconds['total']:.1f} s.")
        return Result(dict(job.outputs), numbers, details)

    @staticmethod
    def _write_table(role: str, path: Path, model: Model) -> None:
        spectra = model.tables()["endmembers"]
        if role == "sli":
            write_sli(path, spectra)
        else:
            write_csv(path, spectra)

    def _step(self, context: Context, low: float, high: float, name: str) -> Context:
        """The same context with progress that runs from one share of the whole to another."""

        def on_progress(share: float) -> None:
            self._reporter.progress(100.0 * (low + (high - low) * share), name)

        return Context(
            context.device, context.seed, on_progress, context.on_message, context.on_warning, context.is_cancelled
        )

    def _lap(self, step: str, started: float) -> float:
        now = time.perf_counter()
        self._seconds[step] = now - started
        return now


FILE_ROLES = frozenset({"endmembers", "sli", "report", "result", "model"})
"""Outputs that are no rasters."""


def _check_roles(job: Job, rasters: Iterable[str]) -> None:
    known = [*rasters, *sorted(FILE_ROLES)]
    unknown = next((role for role in job.outputs if role not in known), None)
    if unknown is not None:
        raise InputError(f"The job asks for an output {unknown!r} that there is not: choose from {', '.join(known)}.")


def _pixels(header: RasterHeader) -> int:
    return header.grid.width * header.grid.height
