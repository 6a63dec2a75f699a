# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a fusion method: two images of the same ground in, one fine hyperspectral image out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..bands import rgb_bands
from ..errors import InputError
from ..fusion.model import FUSED
from ..fusion.reuse import check_reuse
from ..fusion.settings import FusionSettings
from ..grid import Tile
from ..raster.header import RasterHeader, check_spectral
from ..raster.open_raster import read_header
from ..raster.spectra_files import write_csv
from ..raster.write import RasterWriter
from ..report.page import render
from ..sensors.srf import Srf
from ..sensors.srf_file import read_srf
from . import provenance
from .job import Result
from .method import Context
from .model_file import load_model, save_model
from .pair_source import PairSource, draw_pair_sample
from .pair_view import view_pair
from .plan import Plan, check_disk_space, make_plan
from .record import InputRecord, RunRecord
from .registry import find_method
from .runner import Runner
from .stream import Computed, Packing, Streamed, stream
from .summary import QuickLook, stretched

if TYPE_CHECKING:
    from ..fusion.method import FusionMethod
    from ..fusion.model import FusionModel
    from ..fusion.pair import PairSample
    from ..fusion.view import PairView

SHARE_OF_SAMPLING = 0.1
"""Share of the progress bar for drawing the sample, and for fitting after it; the rest is the pass that computes."""
SHARE_OF_FIT = 0.5
BANDS_OF_WORK = 20
"""Planes of working memory per pixel of a tile besides inputs and outputs, mostly of the correction."""


@dataclass(frozen=True)
class Inputs:
    """The two images as they are to be read."""

    hsi: InputRecord
    msi: InputRecord


class PairRun(Runner):
    """A coarse hyperspectral and a fine multispectral image in, rasters on the fine grid out."""

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
        written = _written(settings, inputs.hsi.bands_used)
        expected = method.expected_outputs(hsi_table.subset(written), settings)
        check_disk_space(self.job.outputs, expected, _pixels(inputs.msi.header))
        with PairSource(inputs.hsi, inputs.msi) as source:
            for sentence in source.notes:
                self.reporter.warning(sentence)
            plan = self._plan(inputs, len(written), halo_px=0)
            self.open_journal(plan)
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
        record = self._record(inputs, streamed, preview)
        return self._finish(method, model, record, view)

    def _look_at_both(self, settings: FusionSettings) -> Inputs:
        """Read both headers and find out scales and bands."""
        for role in ("hsi", "msi"):
            if role not in self.job.inputs:
                raise InputError(f"The job names no input raster {role!r}.")
        hsi, msi = read_header(self.job.inputs["hsi"]), read_header(self.job.inputs["msi"])
        check_spectral(hsi)
        check_spectral(msi, min_bands=1)
        records = []
        for header, scale, bands, skip, title in (
            (hsi, settings.hsi_scale, self.job.bands, self.job.skip_water_vapour, "Hyperspectral image"),
            (msi, settings.msi_scale, None, False, "Multispectral image"),
        ):
            found, is_reflectance, choice = self.look(header, scale, bands, skip, title)
            records.append(InputRecord(header, choice.used, found, is_reflectance))
        return Inputs(*records)

    def _model(
        self, method: FusionMethod, settings: FusionSettings, source: PairSource, srf: Srf | None
    ) -> FusionModel:
        """Fit, or take the model that the user gave or that an interrupted run left."""
        if "model" in self.job.inputs:
            model = load_model(Path(self.job.inputs["model"]), method)
            ratio = (source.placement.ratio_y, source.placement.ratio_x)
            method.check_model(model, source.hsi_table, source.msi_table, ratio, settings)
            if not settings.force:
                check_reuse(model, self._sample(source))
            self.reporter.message(f"The fitted model {Path(self.job.inputs['model']).name} is used as it is.")
            return model
        if self.journal is not None and self.journal.model_path.is_file():
            with suppress(InputError):  # damaged, as by a power cut: the same fit follows again
                return load_model(self.journal.model_path, method)
        started = time.perf_counter()
        sample = self._sample(source)
        started = self.lap("sampling", started)
        step = self.step(SHARE_OF_SAMPLING, SHARE_OF_SAMPLING + SHARE_OF_FIT, "Fitting")
        model = method.fit(sample, settings, srf, step)
        self.lap("fitting", started)
        if self.journal is not None:
            aside = self.journal.model_path.with_suffix(".part")
            save_model(model, aside, self._origin())
            aside.replace(self.journal.model_path)
        return model

    def _sample(self, source: PairSource) -> PairSample:
        step = self.step(0.0, SHARE_OF_SAMPLING, "Reading both images")
        return draw_pair_sample(source, self.job.seed, step)

    def _plan(self, inputs: Inputs, written: int, halo_px: int) -> Plan:
        bands = len(inputs.msi.bands_used) + written + BANDS_OF_WORK
        return make_plan(inputs.msi.header, bands, halo_px, self.job.memory_mb, self.job.workers)

    def _apply(
        self, source: PairSource, model: FusionModel, written: int, inputs: Inputs, preview: QuickLook
    ) -> Streamed | None:
        """Compute the rasters, if any are wanted."""
        if self.journal is None:
            return None
        started = time.perf_counter()
        plan = self._plan(inputs, written, model.halo_px)
        self.reporter.message(
            f"Plan: {len(plan.tiles)} tiles of {plan.tile_height} x {plan.tile_width} pixels, {plan.workers} at a time."
        )
        step: Context = self.step(SHARE_OF_SAMPLING + SHARE_OF_FIT, 0.97, "Computing")
        with ExitStack() as stack:
            writers = {
                role: stack.enter_context(
                    RasterWriter(
                        self.workspace.aside(path),
                        inputs.msi.header.grid,
                        model.outputs[role],
                        metadata=provenance.metadata(self.job, self.device, role, model),
                        block=plan.output_block,
                    )
                )
                for role, path in self.job.outputs.items()
                if role in model.outputs
            }
            work = PairWork(source, model, self.device)
            streamed = stream(work, plan, writers, self.journal, preview, step, work.packings)
        self.lap("computing", started)
        return streamed

    def _record(self, inputs: Inputs, streamed: Streamed | None, preview: QuickLook) -> RunRecord:
        return RunRecord(
            job=self.job,
            header=inputs.msi.header,
            bands_used=inputs.msi.bands_used,
            scale=inputs.msi.scale,
            valid_pixels=streamed.valid_pixels if streamed else 0,
            summaries=streamed.summaries if streamed else {},
            messages=tuple(self.reporter.messages),
            warnings=tuple(self.reporter.warnings),
            device=self.device_line,
            versions=provenance.versions(),
            seconds=self.seconds,
            is_reflectance=inputs.hsi.is_reflectance,
            true_colour=stretched(preview.values),
            others={"hsi": inputs.hsi},
        )

    def _finish(self, method: FusionMethod, model: FusionModel, record: RunRecord, view: PairView | None) -> Result:
        names = Path(record.others["hsi"].header.path).name, Path(record.header.path).name

        def report(path: Path) -> None:
            sections = method.report(model, record, view)
            footer = f"Made with HyperRes {record.versions['HyperRes']}."
            path.write_text(render(f"{method.title} of {names[0]} and {names[1]}", sections, footer=footer), "utf-8")

        files = {
            "report": report,
            "model": lambda path: save_model(model, path, self._origin()),
            "srf": lambda path: write_csv(path, model.tables()["srf"]),
            "endmembers": lambda path: write_csv(path, method.endmembers(model)),
        }
        details = {**record.details(), "model": model.header()}
        return self.publish(files, model.outputs, method.numbers(model, record), details)

    def _origin(self) -> Mapping[str, Any]:
        return {"versions": provenance.versions(), "seed": self.job.seed}


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


def _written(settings: FusionSettings, used: tuple[int, ...]) -> tuple[int, ...]:
    """Which of the used bands to write, counted from 0 among them.

    Raises:
        InputError: a band is wanted that is not used.
    """
    if settings.output_bands is None:
        return tuple(range(len(used)))
    absent = [band for band in settings.output_bands if band not in used]
    if absent:
        raise InputError(
            f"Band {absent[0] + 1} cannot be written: it does not exist, is bad, empty or in a water-vapour window. "
            "Choose other bands."
        )
    return tuple(used.index(band) for band in sorted(set(settings.output_bands)))


def _pixels(header: RasterHeader) -> int:
    return header.grid.width * header.grid.height
