# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a method that makes rasters with smaller pixels from one image."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..bands import BandTable, rgb_bands, written_bands
from ..grid import Tile, Window
from ..raster.spectra_files import write_csv
from ..sisr.settings import SuperresolveSettings
from ..spectra import Spectra
from .finer_source import read_block, read_blocks
from .fitted_run import FittedRun
from .job import Result
from .method import Context, Sample
from .model_file import check_compatible
from .plan import OUTPUT_BLOCK, Plan, check_disk_space, make_plan, with_larger_tiles
from .record import InputRecord, RunRecord
from .registry import find_method
from .sampling import draw_sample, no_valid_pixel
from .source import Source
from .stream import Computed
from .summary import QuickLook

if TYPE_CHECKING:
    from ..sisr.block import Block
    from ..sisr.method import Superresolve
    from ..sisr.model import SuperresolveModel
    from ..sisr.view import View

BANDS_OF_WORK = 60
"""Planes of working memory per pixel of a small tile besides inputs and outputs, mostly of the network."""
NETWORK_BYTES, SOLVER_BYTES = 6400, 240
"""Memory for an input pixel in the network, and for a pixel of the result in the correction, margins included."""


class FinerRun(FittedRun):
    """One image in, rasters on a grid that is a whole number of times finer out."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        job = self.job
        method: Superresolve = find_method(job.method)
        settings = SuperresolveSettings.from_mapping(job.settings)
        method.check_device(settings, self.device)
        header = self.read_image()
        tables = self.read_tables()
        self.check_targets()
        image = self.look(header, job.scale, job.bands, job.skip_water_vapour)
        table = header.table.subset(image.bands_used)
        method.check(settings, table, tables, header.grid)
        written = written_bands(settings.output_bands, image.bands_used)
        expected = method.expected_outputs(table.subset(written), settings, tables)
        self.check_roles(expected)
        finer = header.grid.finer(settings.factor)
        check_disk_space(job.outputs, expected, finer.pixels)
        with Source(header, image.bands_used, image.scale) as source:
            preview = QuickLook(finer, 3)
            given = self._given(method, settings, table)
            margin = method.margin(given.settings if given else settings)
            plan = self._plan(image, settings.factor, len(written), margin)
            self.open_journal(plan)
            blocks = read_blocks(source, margin)
            fitted = given or self._fit(method, settings, source, blocks, tables)
            model = fitted.prepared(job.outputs, written).to(self.device)
            streamed = self.go_over(FinerWork(source, model, self.device), plan, model, preview)
            view = method.look(fitted.to(self.device), [block.to(self.device) for block in blocks])
        for sentence in view.cautions() if view else ():
            self.reporter.warning(sentence)
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(header)
        summaries = streamed.summaries if streamed else {}
        record = self.record(image, streamed.valid_pixels if streamed else 0, summaries, preview)
        return self._finish(method, model, record, view)

    def _given(
        self, method: Superresolve, settings: SuperresolveSettings, table: BandTable
    ) -> SuperresolveModel | None:
        """The model that the user gave, if it was fitted for what is asked."""
        model: SuperresolveModel | None = self.given_model(method)
        if model is not None:
            check_compatible(model, table)
            method.check_model(model, settings)
            self.reporter.message(
                f"The fitted model {Path(self.job.inputs['model']).name} is used as it is, with the endmembers, the "
                f"blur and the mode ({model.settings.mode}) that it was fitted with."
            )
        return model

    def _fit(
        self,
        method: Superresolve,
        settings: SuperresolveSettings,
        source: Source,
        blocks: Sequence[Block],
        tables: Mapping[str, Spectra],
    ) -> SuperresolveModel:
        table = source.header.table.subset(source.bands)

        def draw(step: Context) -> Sample:
            plan = make_plan(source.header, len(table), 0, self.job.memory_mb, self.job.workers)
            return draw_sample(source, plan, table, tables, QuickLook(source.header.grid, 3), step)

        return self.fitted(method, table, draw, lambda sample, step: method.fit(sample, blocks, settings, step))[0]

    def _plan(self, image: InputRecord, factor: int, written: int, margin: int) -> Plan:
        """Divide the finer grid into squares, whatever the blocks of the input: each is read with a wide margin."""
        grid = image.header.grid.finer(factor)
        finer = replace(image.header, grid=grid, block=(OUTPUT_BLOCK, OUTPUT_BLOCK))
        plan = make_plan(finer, written + BANDS_OF_WORK, 0, self.job.memory_mb, self.job.workers)

        def cost(height: int, width: int) -> int:
            seen = (height // factor + 2 * margin) * (width // factor + 2 * margin)
            network = seen * (8 * len(image.bands_used) + NETWORK_BYTES)
            result = 4 * written * height * width
            # after the network; the result while it is made, and what of the residual is added to it
            rest = 2 * result + seen * factor**2 * SOLVER_BYTES
            return max(network, rest) + 2 * result

        plan = with_larger_tiles(plan, grid, cost, self.job.memory_mb)
        self.say(plan)
        return plan

    def _finish(self, method: Superresolve, model: SuperresolveModel, record: RunRecord, view: View | None) -> Result:
        return self.finish(
            model,
            record,
            method.numbers(model, record, view),
            f"{method.title} of {Path(record.header.path).name}",
            lambda: method.report(model, record, view),
            {"endmembers": lambda path: write_csv(path, model.tables()["endmembers"])},
        )


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
