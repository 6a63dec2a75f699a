# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a fusion method: two images of the same ground in, one fine hyperspectral image out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..bands import rgb_bands, written_bands
from ..errors import InputError
from ..fusion.model import FUSED
from ..fusion.pairing.georeference import little_to_gain
from ..fusion.reuse import check_reuse
from ..fusion.settings import FusionSettings
from ..grid import Tile
from ..raster.header import check_spectral
from ..raster.open_raster import read_header
from ..raster.spectra_files import write_csv
from ..sensors.srf import Srf
from ..sensors.srf_file import read_srf
from .fitted_run import FittedRun
from .job import Result
from .method import Context
from .pair_source import PairSource, draw_pair_sample
from .pair_view import view_pair
from .plan import Plan, check_disk_space, make_plan
from .record import InputRecord, RunRecord
from .registry import find_method
from .stream import Computed, Packing, Streamed
from .summary import QuickLook

if TYPE_CHECKING:
    from ..fusion.method import FusionMethod
    from ..fusion.model import FusionModel
    from ..fusion.pair import PairSample
    from ..fusion.view import PairView

BANDS_OF_WORK = 20
"""Planes of working memory per pixel of a tile besides inputs and outputs, mostly of the correction."""


@dataclass(frozen=True)
class Inputs:
    """The two images as they are to be read."""

    hsi: InputRecord
    msi: InputRecord


class PairRun(FittedRun):
    """A coarse hyperspectral and a fine multispectral image in, rasters on the fine grid out."""

    reading = "Reading both images"
    share_of_fit = 0.5

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        method: FusionMethod = find_method(self.job.method)
        settings = FusionSettings.from_mapping(self.job.settings)
        inputs = self._look_at_both(settings)
        self.check_roles(method.rasters)
        self.check_targets()
        hsi_table = inputs.hsi.header.table.subset(inputs.hsi.bands_used)
        msi_table = inputs.msi.header.table.subset(inputs.msi.bands_used)
        srf = read_srf(self.job.tables["srf"], hsi_table, msi_table) if "srf" in self.job.tables else None
        method.check(settings, hsi_table, msi_table, srf)
        written = written_bands(settings.output_bands, inputs.hsi.bands_used)
        expected = method.expected_outputs(hsi_table.subset(written), settings)
        check_disk_space(self.job.outputs, expected, inputs.msi.header.grid.pixels)
        with PairSource(inputs.hsi, inputs.msi) as source:
            for sentence in (*source.notes, *little_to_gain(source.placement)):
                self.reporter.warning(sentence)
            self.open_journal(self._plan(inputs, len(written), halo_px=0))
            fitted = self._model(method, settings, source, srf)
            model = fitted.prepared(self.job.outputs, written).to(self.device)
            preview = QuickLook(inputs.msi.header.grid, 3)
            streamed = self._apply(source, model, len(written), inputs, preview)
            view = view_pair(source, fitted.prepared(("fused",)).to(self.device), self.device)
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise InputError(
                "No pixel is valid in both images: check their nodata values and that they show the same ground."
            )
        main = replace(inputs.msi, is_reflectance=inputs.hsi.is_reflectance)
        summaries = streamed.summaries if streamed else {}
        valid_pixels = streamed.valid_pixels if streamed else 0
        record = self.record(main, valid_pixels, summaries, preview, {"hsi": inputs.hsi})
        return self._finish(method, model, record, view)

    def _look_at_both(self, settings: FusionSettings) -> Inputs:
        """Read both headers and find out scales and bands."""
        for role in ("hsi", "msi"):
            if role not in self.job.inputs:
                raise InputError(f"The job names no input raster {role!r}.")
        hsi, msi = read_header(self.job.inputs["hsi"]), read_header(self.job.inputs["msi"])
        check_spectral(hsi)
        check_spectral(msi, min_bands=1)
        job = self.job
        return Inputs(
            self.look(hsi, settings.hsi_scale, job.bands, job.skip_water_vapour, "Hyperspectral image"),
            self.look(msi, settings.msi_scale, None, False, "Multispectral image"),
        )

    def _model(
        self, method: FusionMethod, settings: FusionSettings, source: PairSource, srf: Srf | None
    ) -> FusionModel:
        """Take the model that the user gave, or fit one."""
        model: FusionModel | None = self.given_model(method)
        if model is not None:
            ratio = (source.placement.ratio_y, source.placement.ratio_x)
            method.check_model(model, source.hsi_table, source.msi_table, ratio, settings)
            if not settings.force:
                check_reuse(model, draw_pair_sample(source, self.job.seed, self.sampling()))
            self.reporter.message(f"The fitted model {Path(self.job.inputs['model']).name} is used as it is.")
            return model

        def draw(step: Context) -> PairSample:
            return draw_pair_sample(source, self.job.seed, step)

        return self.fitted(
            method, source.hsi_table, draw, lambda sample, step: method.fit(sample, settings, srf, step)
        )[0]

    def _plan(self, inputs: Inputs, written: int, halo_px: int) -> Plan:
        bands = len(inputs.msi.bands_used) + written + BANDS_OF_WORK
        return make_plan(inputs.msi.header, bands, halo_px, self.job.memory_mb, self.job.workers)

    def _apply(
        self, source: PairSource, model: FusionModel, written: int, inputs: Inputs, preview: QuickLook
    ) -> Streamed | None:
        """Compute the rasters, if any are wanted."""
        if self.journal is None:
            return None
        plan = self._plan(inputs, written, model.halo_px)
        self.reporter.message(
            f"Plan: {len(plan.tiles)} tiles of {plan.tile_height} x {plan.tile_width} pixels, {plan.workers} at a time."
        )
        work = PairWork(source, model, self.device)
        return self.go_over(work, plan, model, preview, work.packings)

    def _finish(self, method: FusionMethod, model: FusionModel, record: RunRecord, view: PairView | None) -> Result:
        names = Path(record.others["hsi"].header.path).name, Path(record.header.path).name
        return self.finish(
            model,
            record,
            method.numbers(model, record),
            f"{method.title} of {names[0]} and {names[1]}",
            lambda: method.report(model, record, view),
            {
                "srf": lambda path: write_csv(path, model.tables()["srf"]),
                "endmembers": lambda path: write_csv(path, method.endmembers(model)),
            },
        )


class PairWork:
    """A fusion model applied to a pair."""

    def __init__(self, source: PairSource, model: FusionModel, device: torch.device) -> None:
        self.grid = source.grid
        self.outputs = model.outputs
        self.halo_px = model.halo_px
        self.device = device
        self.packings = _packings(model)
        self._source = source
        self._model = model
        self._rgb = rgb_bands(model.msi_table)

    def compute(self, tile: Tile) -> Computed:
        """See :class:`core.engine.stream.Work`."""
        block = self._source.block(tile.halo, self._model.margin_coarse(self._source.placement))
        planes, covered = self._model.apply(block.to(self.device), tile.core.within(tile.halo), bool(self.packings))
        rows, cols = tile.core.within(tile.halo)
        outputs = {role: values.to("cpu").numpy() for role, values in planes.items()}
        return Computed(outputs, covered.to("cpu").numpy(), block.msi[self._rgb][:, rows, cols].numpy())


def _packings(model: FusionModel) -> dict[str, Packing]:
    """The fused image in fewer planes than bands, where that is what the model predicts."""
    if FUSED not in model.outputs or len(model.outputs[FUSED].band_names) <= model.packed_planes:
        return {}
    on_cpu = model.to(torch.device("cpu"))
    return {FUSED: Packing(model.packed_planes, lambda planes: on_cpu.expand(torch.tensor(planes)).numpy())}
