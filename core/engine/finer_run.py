# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a method that makes rasters with smaller pixels from one image."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..bands import rgb_bands
from ..errors import InputError
from ..grid import Tile, Window
from ..raster.header import RasterHeader, check_spectral
from ..raster.open_raster import read_header
from ..raster.spectra_files import write_csv
from ..raster.write import RasterWriter
from ..report.page import render
from ..sisr.check import written_bands
from ..sisr.settings import SuperresolveSettings
from ..spectra import Spectra
from . import provenance
from .finer_source import read_block, read_blocks
from .job import Result
from .model_file import check_compatible, load_model, save_model
from .plan import Plan, check_disk_space, make_plan
from .record import RunRecord
from .registry import find_method
from .runner import Runner
from .sampling import draw_sample, no_valid_pixel
from .source import Source
from .stream import Computed, Streamed, stream
from .summary import QuickLook, stretched

if TYPE_CHECKING:
    from ..sisr.block import Block
    from ..sisr.method import Superresolve
    from ..sisr.model import SuperresolveModel
    from ..sisr.view import View

SHARE_OF_SAMPLING = 0.1
"""Share of the progress bar for drawing the sample, and for fitting after it; the rest is the pass that computes."""
SHARE_OF_FIT = 0.4
BANDS_OF_WORK = 60
"""Planes of working memory per pixel of a tile besides inputs and outputs, mostly of the network."""


class FinerRun(Runner):
    """One image in, rasters on a grid that is a whole number of times finer out."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        job = self.job
        method: Superresolve = find_method(job.method)
        settings = SuperresolveSettings.from_mapping(job.settings)
        method.check_device(settings, self.device)
        if "image" not in job.inputs:
            raise InputError("The job names no input raster ('image').")
        header = read_header(job.inputs["image"])
        check_spectral(header)
        tables = self.read_tables()
        self.check_targets()
        scale, is_reflectance, choice = self.look(header, job.scale, job.bands, job.skip_water_vapour)
        table = header.table.subset(choice.used)
        method.check(settings, table, tables, header.grid)
        written = written_bands(settings, choice.used)
        expected = method.expected_outputs(table.subset(written), settings, tables)
        self.check_roles(expected)
        check_disk_space(job.outputs, expected, _pixels(header) * settings.factor**2)
        with Source(header, choice.used, scale) as source:
            preview = QuickLook(header.grid.finer(settings.factor), 3)
            self.open_journal(self._plan(header, settings.factor, len(written)))
            blocks = read_blocks(source, method.margin(settings))
            fitted = self._model(method, settings, source, blocks, tables)
            model = fitted.prepared(job.outputs, written).to(self.device)
            streamed = self._apply(source, model, len(written), preview)
            view = method.look(fitted.to(self.device), [block.to(self.device) for block in blocks])
        for sentence in view.cautions() if view else ():
            self.reporter.warning(sentence)
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(header)
        record = RunRecord(
            job=job,
            header=header,
            bands_used=choice.used,
            scale=scale,
            valid_pixels=streamed.valid_pixels if streamed else 0,
            summaries=streamed.summaries if streamed else {},
            messages=tuple(self.reporter.messages),
            warnings=tuple(self.reporter.warnings),
            device=self.device_line,
            versions=provenance.versions(),
            seconds=self.seconds,
            is_reflectance=is_reflectance,
            true_colour=stretched(preview.values),
        )
        return self._finish(method, model, record, view)

    def _model(
        self,
        method: Superresolve,
        settings: SuperresolveSettings,
        source: Source,
        blocks: Sequence[Block],
        tables: Mapping[str, Spectra],
    ) -> SuperresolveModel:
        """Fit, or take the model that the user gave or that an interrupted run left."""
        table = source.header.table.subset(source.bands)
        if "model" in self.job.inputs:
            path = Path(self.job.inputs["model"])
            model = load_model(path, method)
            check_compatible(model, table)
            method.check_model(model, settings)
            self.reporter.message(
                f"The fitted model {path.name} is used as it is, with the endmembers, the blur and the mode "
                f"({model.settings.mode}) that it was fitted with."
            )
            return model
        if self.journal is not None and self.journal.model_path.is_file():
            with suppress(InputError):  # damaged, as by a power cut: the same fit follows again
                return load_model(self.journal.model_path, method)
        started = time.perf_counter()
        step = self.step(0.0, SHARE_OF_SAMPLING, "Reading the image")
        plan = make_plan(source.header, len(table), 0, self.job.memory_mb, self.job.workers)
        sample = draw_sample(source, plan, table, tables, QuickLook(source.header.grid, 3), step)
        started = self.lap("sampling", started)
        step = self.step(SHARE_OF_SAMPLING, SHARE_OF_SAMPLING + SHARE_OF_FIT, "Fitting")
        model = method.fit(sample, blocks, settings, step)
        self.lap("fitting", started)
        if self.journal is not None:
            aside = self.journal.model_path.with_suffix(".part")
            save_model(model, aside, self._origin())
            aside.replace(self.journal.model_path)
        return model

    def _plan(self, header: RasterHeader, factor: int, written: int) -> Plan:
        """Divide the finer grid into tiles."""
        finer = replace(header, grid=header.grid.finer(factor))
        return self.plan(finer, written + BANDS_OF_WORK, halo_px=0)

    def _apply(self, source: Source, model: SuperresolveModel, written: int, preview: QuickLook) -> Streamed | None:
        """Compute the rasters, if any are wanted."""
        if self.journal is None:
            return None
        started = time.perf_counter()
        work = FinerWork(source, model, self.device)
        check_disk_space(self.job.outputs, model.outputs, work.grid.width * work.grid.height)
        finer = replace(source.header, grid=work.grid)
        plan = make_plan(finer, written + BANDS_OF_WORK, 0, self.job.memory_mb, self.job.workers)
        step = self.step(SHARE_OF_SAMPLING + SHARE_OF_FIT, 0.97, "Computing")
        with ExitStack() as stack:
            writers = {
                role: stack.enter_context(
                    RasterWriter(
                        self.workspace.aside(path),
                        work.grid,
                        model.outputs[role],
                        metadata=provenance.metadata(self.job, self.device, role, model),
                        block=plan.output_block,
                    )
                )
                for role, path in self.job.outputs.items()
                if role in model.outputs
            }
            streamed = stream(work, plan, writers, self.journal, preview, step)
        self.lap("computing", started)
        return streamed

    def _finish(self, method: Superresolve, model: SuperresolveModel, record: RunRecord, view: View | None) -> Result:
        def report(path: Path) -> None:
            title = f"{method.title} of {Path(record.header.path).name}"
            footer = f"Made with HyperRes {record.versions['HyperRes']}."
            path.write_text(render(title, method.report(model, record, view), footer=footer), encoding="utf-8")

        files = {
            "report": report,
            "model": lambda path: save_model(model, path, self._origin()),
            "endmembers": lambda path: write_csv(path, model.tables()["endmembers"]),
        }
        details = {**record.details(), "model": model.header()}
        return self.publish(files, model.outputs, method.numbers(model, record, view), details)

    def _origin(self) -> Mapping[str, Any]:
        return {"versions": provenance.versions(), "seed": self.job.seed}


class FinerWork:
    """A super-resolution applied to an image; tiles are counted on the finer grid."""

    halo_px = 0  # surroundings are read on the input's grid

    def __init__(self, source: Source, model: SuperresolveModel, device: torch.device) -> None:
        self.grid = source.header.grid.finer(model.factor)
        self.outputs = model.outputs
        self.device = device
        self._source = source
        self._model = model
        self._rgb = rgb_bands(model.table)

    def compute(self, tile: Tile) -> Computed:
        """See :class:`core.engine.stream.Work`; a fine pixel is valid where the input pixel over it is."""
        factor = self._model.factor
        coarse = _covering(tile.core, factor)
        block = read_block(self._source, coarse, self._model.halo_px)
        planes = self._model.apply(block.to(self.device))
        fine = Window(factor * coarse.row, factor * coarse.col, factor * coarse.height, factor * coarse.width)
        rows, cols = tile.core.within(fine)
        outputs = {role: values[:, rows, cols].to("cpu").numpy() for role, values in planes.items()}
        down, across = block.core
        valid = block.valid[down, across].numpy()[None]
        rgb = block.cube[self._rgb, down, across].numpy()
        seen = [plane.repeat(factor, axis=1).repeat(factor, axis=2)[:, rows, cols] for plane in (valid, rgb)]
        return Computed(outputs, np.ascontiguousarray(seen[0][0]), seen[1])


def _covering(fine: Window, factor: int) -> Window:
    """The input pixels over a window of the finer grid."""
    row, col = fine.row // factor, fine.col // factor
    bottom, right = -(-(fine.row + fine.height) // factor), -(-(fine.col + fine.width) // factor)
    return Window(row, col, bottom - row, right - col)


def _pixels(header: RasterHeader) -> int:
    return header.grid.width * header.grid.height
