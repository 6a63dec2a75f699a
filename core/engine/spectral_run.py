# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a spectral super-resolution: an image with few bands in, one with many bands on its grid out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..bands import BandTable, rgb_bands, written_bands
from ..errors import InputError
from ..grid import Grid, Tile, Window
from ..ssr.model import ROLES, SPECTRA
from ..ssr.report import sections
from ..ssr.saturation import find_ceiling
from ..ssr.scene import SceneTile
from ..ssr.settings import SsrSettings
from ..ssr.shipped import CAUTION, is_shipped
from ..ssr.view import View, look
from .job import Result
from .learning_run import LearningRun, write_stf
from .plan import Plan, check_disk_space, make_plan, with_larger_tiles
from .record import InputRecord, RunRecord
from .registry import find_method
from .sampling import no_valid_pixel
from .source import Source
from .stream import Computed, Packing
from .summary import QuickLook

if TYPE_CHECKING:
    from ..ssr.method import SpectralSuperResolution
    from ..ssr.model import SsrModel

BANDS_OF_WORK = 40
"""Planes of working memory per pixel of a tile besides inputs and outputs: features of regressions, or channels."""
SCENE_TILES, SCENE_SIDE = 25, 64
"""Tiles that tell the response of a scene, and the pixels along their sides."""
VIEW_PX, VIEWS_A_SIDE = 200, 4


class SpectralRun(LearningRun):
    """Applies a model that was given, or one that is fitted first."""

    share_of_fit = 0.3

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        method: SpectralSuperResolution = find_method(self.job.method)
        settings = SsrSettings.from_mapping(self.job.settings)
        if "msi" not in self.job.inputs:
            raise InputError("The job names no multispectral image ('msi').")
        self.check_roles(ROLES)
        self.check_targets()
        msi, fitted, others = self._model(method, settings)
        with Source(msi.header, msi.bands_used, msi.scale) as source:
            preview = QuickLook(msi.header.grid, 3)
            fitted = self._of_scene(fitted.to(self.device), source, msi, settings.force)
            written = written_bands(settings.output_bands, range(len(fitted.table)))
            model = fitted.prepared([role for role in ROLES if role in self.job.outputs], written)
            plan = self._plan(msi, len(written), model.halo_px)
            self.say(plan)
            work = SpectralWork(source, model, self.device)
            streamed = self.go_over(work, plan, model, preview, work.packings)
            view = look(fitted.prepared(ROLES), [_read(source, w, self.device) for w in _views(msi.header.grid)])
        self.lap("total", started)
        if streamed and not streamed.valid_pixels:
            raise no_valid_pixel(msi.header)
        summaries = streamed.summaries if streamed else {}
        record = self.record(msi, streamed.valid_pixels if streamed else 0, summaries, preview, others)
        return self._finish(method, model, record, view)

    def _model(
        self, method: SpectralSuperResolution, settings: SsrSettings
    ) -> tuple[InputRecord, SsrModel, dict[str, InputRecord]]:
        """The image, a model with its bands found in it, and what it was learnt from in this run."""
        given = self.given_model(method)
        if given is not None:
            image = self.read_msi(settings, strict=False)
            path = Path(self.job.inputs["model"])
            self.reporter.message(f"The trained model {path.name} is used.")
            model = method.check_model(given, image.header.table.subset(image.bands_used), self.sampling())
            if is_shipped(path):
                self.reporter.warning(CAUTION)
            self._start(method, settings, model.table, image)
            return image, model, {}
        materials = self.materials(settings)
        assert materials.msi is not None
        method.check(settings, materials.table, materials.camera)
        self._start(method, settings, materials.table, materials.msi)
        model = self.learnt(method, settings, materials)
        used = materials.msi.header.table.subset(materials.msi.bands_used)
        if used.wavelength_nm is not None:  # otherwise it was learnt from this very image, band by band
            model = model.matched(used)
        return materials.msi, model, {f"hsi{i + 1}": image for i, image in enumerate(materials.images)}

    def _start(
        self, method: SpectralSuperResolution, settings: SsrSettings, table: BandTable, msi: InputRecord
    ) -> None:
        """Check what will be written and open the journal."""
        written = written_bands(settings.output_bands, range(len(table)))
        check_disk_space(self.job.outputs, method.expected_outputs(table.subset(written)), msi.header.grid.pixels)
        self.open_journal(self._plan(msi, len(written), 0))

    def _of_scene(self, model: SsrModel, source: Source, msi: InputRecord, force: bool) -> SsrModel:
        """The model with what the scene tells: where it is saturated, and the response where the model finds it."""
        windows = _spread(msi.header.grid, SCENE_SIDE, SCENE_TILES)
        tiles = [_scene_tile(source, window, model.halo_px, self.device) for window in windows]
        seen = torch.cat([tile.msi[:, tile.counted] for tile in tiles], dim=1)
        if not seen.shape[1]:
            raise no_valid_pixel(msi.header)
        model = model.with_ceiling(torch.minimum(find_ceiling(seen), _largest(msi).to(self.device)))

        for sentence in model.cautions(tiles, force):
            self.reporter.warning(sentence)

        def again() -> Iterable[SceneTile]:
            return tiles

        return model.scene(again) if model.needs_scene else model

    def _plan(self, msi: InputRecord, written: int, halo_px: int) -> Plan:
        bands = len(msi.bands_used) + written * max(1, len(set(ROLES) & set(self.job.outputs))) + BANDS_OF_WORK
        plan = make_plan(msi.header, bands, halo_px, self.job.memory_mb, self.job.workers)
        margins = 2 * halo_px

        def cost(rows: int, cols: int) -> int:
            return (rows + margins) * (cols + margins) * (plan.tile_bytes // tile_pixels)

        tile_pixels = (plan.tile_height + margins) * (plan.tile_width + margins)
        return with_larger_tiles(plan, msi.header.grid, cost, self.job.memory_mb) if halo_px else plan

    def _finish(self, method: SpectralSuperResolution, model: SsrModel, record: RunRecord, view: View | None) -> Result:
        return self.finish(
            model,
            record,
            method.numbers(model, record),
            f"Spectra for {Path(record.header.path).name}",
            lambda: sections(model, record, view),
            {"stf": lambda path: write_stf(path, model)},
        )


class SpectralWork:
    """A model applied to a multispectral image."""

    def __init__(self, source: Source, model: SsrModel, device: torch.device) -> None:
        self.grid = source.header.grid
        self.outputs = model.outputs
        self.halo_px = model.halo_px
        self.device = device
        self.packings = _packings(model)
        self._source = source
        self._model = model
        self._rgb = rgb_bands(source.header.table.subset(source.bands))

    def compute(self, tile: Tile) -> Computed:
        """See :class:`core.engine.stream.Work`."""
        cube, valid = self._source.read(tile.halo)
        msi = torch.from_numpy(cube).to(self.device)
        usable = self._model.usable(msi, torch.from_numpy(valid).to(self.device))
        planes = self._model.apply(msi, usable, bool(self.packings))
        rows, cols = tile.core.within(tile.halo)
        outputs = {role: values[:, rows, cols].to("cpu").numpy() for role, values in planes.items()}
        return Computed(outputs, usable[rows, cols].to("cpu").numpy().copy(), cube[self._rgb][:, rows, cols])


def _packings(model: SsrModel) -> dict[str, Packing]:
    """The spectra in fewer planes than bands, where that is what the model finds."""
    if SPECTRA not in model.outputs or len(model.written) <= model.packed_planes:
        return {}
    on_cpu = model.to(torch.device("cpu"))
    return {SPECTRA: Packing(model.packed_planes, lambda planes: on_cpu.expand(torch.tensor(planes)).numpy())}


def _largest(msi: InputRecord) -> torch.Tensor:
    """Numbers above which the used bands cannot be stored, float32 [bands]; none would be reached unsaturated."""
    header, found = msi.header, []
    for band in msi.bands_used:
        kind = np.dtype(header.dtypes[band])
        top = float(np.iinfo(kind).max) if kind.kind in "iu" else float("inf")
        # computed as the reader does, so that the largest number is the ceiling to the last digit
        found.append(
            np.float32(top) * np.float32(header.scale[band] * msi.scale) + np.float32(header.offset[band] * msi.scale)
        )
    return torch.tensor(np.array(found, dtype=np.float32))


def _read(source: Source, window: Window, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    cube, valid = source.read(window)
    return torch.from_numpy(cube.copy()).to(device), torch.from_numpy(valid).to(device)


def _scene_tile(source: Source, core: Window, halo_px: int, device: torch.device) -> SceneTile:
    grid = source.header.grid
    halo = core.padded(halo_px, grid.height, grid.width)
    msi, valid = _read(source, halo, device)
    rows, cols = core.within(halo)
    counted = torch.zeros_like(valid)
    counted[rows, cols] = valid[rows, cols]
    return SceneTile(msi, counted)


def _spread(grid: Grid, side: int, most: int) -> list[Window]:
    """At most so many square windows without common pixels, evenly over a grid."""
    each = int(np.sqrt(most))
    rows, cols = (_starts(size, side, each) for size in (grid.height, grid.width))
    return [Window(row, col, min(side, grid.height - row), min(side, grid.width - col)) for row in rows for col in cols]


def _starts(size: int, side: int, most: int) -> list[int]:
    count = max(1, min(most, -(-size // side)))
    if count * side >= size:
        return list(range(0, size, side))
    return [int(start) for start in np.linspace(0, size - side, count)]


def _views(grid: Grid) -> list[Window]:
    """Places that may be worth a closer look."""
    height, width = min(VIEW_PX, grid.height), min(VIEW_PX, grid.width)
    rows = sorted({int(r) for r in np.linspace(0, grid.height - height, VIEWS_A_SIDE)})
    cols = sorted({int(c) for c in np.linspace(0, grid.width - width, VIEWS_A_SIDE)})
    return [Window(row, col, height, width) for row in rows for col in cols]
