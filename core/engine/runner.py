# SPDX-License-Identifier: GPL-3.0-or-later
"""What every run has in common: where it writes, what it says, how it is cancelled, resumed and published."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..bands import choose_bands
from ..errors import InputError
from ..raster.header import RasterHeader, check_spectral
from ..raster.open_raster import read_header
from ..raster.scale import REFLECTANCE_HIGH, detect_scale
from ..raster.spectra_files import read_spectra
from ..raster.target import check_distinct, check_target
from ..report.page import render
from ..spectra import Spectra
from . import provenance
from .device import choose_device
from .glance import glance
from .job import Job, Result
from .journal import Journal, fingerprint
from .method import Context
from .plan import Plan, make_plan
from .protocol import Reporter
from .record import InputRecord, OutputSummary, RunRecord
from .summary import QuickLook, stretched
from .workspace import Workspace

if TYPE_CHECKING:
    from ..report.page import Section

FILE_ROLES = frozenset({"endmembers", "sli", "srf", "stf", "stf_bands", "report", "result", "model"})
"""Outputs that are no rasters."""


class Runner:
    """One run of one job; a kind of run overrides :meth:`steps`.

    Attributes:
        job: what is asked.
        reporter: where news goes.
        workspace: where files lie until they are complete.
        journal: of the finished tiles; None while no raster is written.
        seconds: duration per step, filled by :meth:`lap`.
        device: what computes; ``device_line`` says why.
    """

    def __init__(self, job: Job, reporter: Reporter, is_cancelled: Callable[[], bool]) -> None:
        self.job = job
        self.reporter = reporter
        self.is_cancelled = is_cancelled
        self.workspace = Workspace(reporter.scratch)
        self.journal: Journal | None = None
        self.seconds: dict[str, float] = {}
        self.device = torch.device("cpu")
        self.device_line = ""

    def whole(self) -> Result:
        """Go through all steps; tidy up whatever happens."""
        # One thread per tile worker beats threads inside operations, and gives the same sums on every machine.
        torch.set_num_threads(1)
        try:
            self.device, self.device_line = choose_device(self.job.device)
            self.reporter.message(
                ", ".join(f"{name} {version}" for name, version in provenance.versions().items()) + "."
            )
            self.reporter.message(self.device_line)
            return self.steps()
        except BaseException:
            self.workspace.discard()
            if self.journal is not None:
                self.journal.remove()
            raise

    def steps(self) -> Result:
        """Do the work, from the first header to :meth:`publish`."""
        raise NotImplementedError

    def check_targets(self) -> None:
        """Refuse outputs that cannot be written or would overwrite an input or one another."""
        inputs = [*self.job.inputs.values(), *self.job.tables.values()]
        for role, path in self.job.outputs.items():
            check_target(path, inputs, raster=role not in FILE_ROLES)
        check_distinct(self.job.outputs.values())

    def check_roles(self, rasters: Iterable[str]) -> None:
        """Refuse outputs that this run cannot make."""
        known = [*rasters, *sorted(FILE_ROLES)]
        unknown = next((role for role in self.job.outputs if role not in known), None)
        if unknown is not None:
            raise InputError(
                f"The job asks for an output {unknown!r} that there is not: choose from {', '.join(known)}."
            )

    def read_tables(self) -> dict[str, Spectra]:
        """Spectra that the user gave, by role."""
        tables = {}
        for role, path in self.job.tables.items():
            tables[role], warnings = read_spectra(path)
            for warning in warnings:
                self.reporter.warning(warning)
        return tables

    def read_image(self) -> RasterHeader:
        """The header of the one input of runs that have one.

        Raises:
            InputError: none is named, or it is no spectral image.
        """
        if "image" not in self.job.inputs:
            raise InputError("The job names no input raster ('image').")
        header = read_header(self.job.inputs["image"])
        check_spectral(header)
        return header

    def look(
        self,
        header: RasterHeader,
        scale: float | None,
        bands: Sequence[int] | None = None,
        skip_water_vapour: bool = True,
        title: str = "Input",
    ) -> InputRecord:
        """Find out a raster's scale, whether that gives reflectance, and the bands to use; say all of it.

        Args:
            header: the raster.
            scale: factor chosen by the user, or None to find it out.
            bands: bands (from 0) chosen by the user, None for all good ones.
            skip_water_vapour: leave out water-vapour bands when ``bands`` is None.
            title: what to call the raster in sentences.
        """
        seen = glance(header, bands)
        if scale is not None:
            self.reporter.message(f"Stored numbers are multiplied by {scale:g}, as chosen.")
        else:
            scale, sentence = detect_scale(seen.high, header.dtypes[0], any(s != 1.0 for s in header.scale))
            self.reporter.message(sentence)
        choice = choose_bands(header.table, bands, skip_water_vapour, seen.empty)
        for warning in header.warnings:
            self.reporter.warning(warning)
        for reason in choice.reasons:
            self.reporter.message(reason)
        grid = header.grid
        self.reporter.message(
            f"{title}: {Path(header.path).name}, {grid.width} x {grid.height} pixels, {len(choice.used)} of "
            f"{len(header.table)} bands used, {header.dtypes[0]}, {header.driver}."
        )
        return InputRecord(header, choice.used, scale, seen.high * scale <= REFLECTANCE_HIGH)

    def plan(self, header: RasterHeader, bands: int, halo_px: int) -> Plan:
        """Divide a raster into tiles and say how."""
        plan = make_plan(header, bands, halo_px, self.job.memory_mb, self.job.workers)
        self.say(plan)
        return plan

    def say(self, plan: Plan) -> None:
        """Say how a raster is divided into tiles."""
        self.reporter.message(
            f"Plan: {len(plan.tiles)} tiles of {plan.tile_height} x {plan.tile_width} pixels, "
            f"{plan.workers} at a time, about {plan.workers * 2 * plan.tile_bytes / 2**20:.0f} MB."
        )

    def step(self, low: float, high: float, name: str) -> Context:
        """A context for a method, whose progress runs from one share of the whole run to another."""

        def on_progress(share: float) -> None:
            self.reporter.progress(100.0 * (low + (high - low) * share), name)

        return Context(
            device=self.device,
            seed=self.job.seed,
            on_progress=on_progress,
            on_message=self.reporter.message,
            on_warning=self.reporter.warning,
            is_cancelled=self.is_cancelled,
        )

    def open_journal(self, plan: Plan) -> None:
        """Open the journal beside the first raster output; runs that write no raster need none."""
        rasters = [path for role, path in self.job.outputs.items() if role not in FILE_ROLES]
        if rasters:
            self.journal = self.journal_of(rasters[0], plan)

    def journal_of(self, path: str, plan: Plan) -> Journal:
        """The journal beside one raster output."""
        facts = [json.dumps(provenance.versions()), str(self.device), f"{plan.tile_height}x{plan.tile_width}"]
        journal = Journal(Path(path), fingerprint(self.job, facts))
        self.reporter.scratch(str(journal.folder))
        return journal

    def lap(self, step: str, started: float) -> float:
        """Note how long a step took; return the time now."""
        now = time.perf_counter()
        self.seconds[step] = now - started
        return now

    def record(
        self,
        image: InputRecord,
        valid_pixels: int,
        summaries: Mapping[str, OutputSummary],
        preview: QuickLook | None,
        others: Mapping[str, InputRecord] | None = None,
    ) -> RunRecord:
        """What was measured and said so far.

        Args:
            image: the main input.
            valid_pixels: pixels with all used bands valid.
            summaries: of the outputs, by role.
            preview: the input's quick-look, None where no pass went over it.
            others: further inputs by role.
        """
        return RunRecord(
            job=self.job,
            header=image.header,
            bands_used=image.bands_used,
            scale=image.scale,
            valid_pixels=valid_pixels,
            summaries=summaries,
            messages=tuple(self.reporter.messages),
            warnings=tuple(self.reporter.warnings),
            device=self.device_line,
            versions=provenance.versions(),
            seconds=self.seconds,
            true_colour=None if preview is None else stretched(preview.values),
            is_reflectance=image.is_reflectance,
            others=others or {},
        )

    def write_report(self, path: Path, title: str, sections: Sequence[Section]) -> None:
        """Write the report."""
        footer = f"Made with HyperRes {provenance.versions()['HyperRes']}."
        path.write_text(render(title, sections, footer=footer), encoding="utf-8")

    def publish(
        self,
        files: Mapping[str, Callable[[Path], object]],
        rasters: Iterable[str],
        numbers: Mapping[str, float],
        details: Mapping[str, Any],
    ) -> Result:
        """Write the outputs that are no rasters, then give everything its final name.

        Args:
            files: how to write each of them, by role; ``result`` is written here.
            rasters: roles that are written already.
            numbers: figures of the run.
            details: everything worth keeping, JSON-ready.
        """
        whole = {**details, "numbers": dict(numbers)}
        writers = {**files, "result": lambda path: path.write_text(json.dumps(whole, indent=1), encoding="utf-8")}
        for role, path in self.job.outputs.items():
            if role in rasters:
                continue
            if role not in writers:
                raise InputError(f"This run makes no {role!r}: leave that output out.")
            writers[role](self.workspace.aside(path))
        self.workspace.publish()
        if self.journal is not None:
            self.journal.remove()
        self.reporter.progress(100.0, "Done")
        self.reporter.message(f"Done in {self.seconds.get('total', 0.0):.1f} s.")
        return Result(dict(self.job.outputs), dict(numbers), whole)
