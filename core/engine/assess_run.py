# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of an assessment: an image against a reference, against the pair it was made of, or both."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from ..bands import rgb_bands
from ..errors import InputError
from ..fusion.settings import FusionSettings
from ..quality.alike import check_same_grid, same_bands
from ..quality.reference import HALO_PX
from ..quality.report import Assessment, sections
from ..quality.settings import AssessSettings
from ..raster.header import check_spectral
from ..raster.open_raster import read_header
from ..raster.warp import same_crs
from ..raster.write import RasterWriter
from ..sensors.srf_file import read_srf
from . import provenance
from .assess_pass import AgainstPair, AgainstReference, go_over_pair, go_over_reference
from .glance import glance
from .job import Result
from .method import OutputSpec
from .pair_source import PairSource
from .plan import check_disk_space, make_plan
from .record import InputRecord
from .runner import Runner
from .source import Source
from .summary import QuickLook

ERRORS = "errors"
COPIES = 5
"""Planes in double and single precision per band that are alive at once, in units of twelve bytes a pixel."""
TITLES = {
    "result": "Image to assess",
    "reference": "Reference image",
    "hsi": "Hyperspectral image",
    "msi": "Multispectral image",
}


class AssessRun(Runner):
    """Figures, maps and a report on the quality of an image."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        if self.device.type == "mps":  # it has no double precision
            self.device, self.device_line = (
                torch.device("cpu"),
                "Device: cpu, because the figures need double precision.",
            )
        settings = AssessSettings.from_mapping(self.job.settings)
        self._check_roles()
        images = {role: self._look(role) for role in TITLES if role in self.job.inputs}
        result = images["result"]
        preview = QuickLook(result.header.grid, 3)
        reference, pair = None, None
        ratio = settings.ratio
        if "hsi" in images:
            pair = self._over_pair(images, settings)
            ratio = ratio or (pair.ratio if pair else None)
        if "reference" in images:
            reference = self._over_reference(result, images["reference"], ratio, preview, "hsi" in images)
        if reference is None and pair is None:
            raise InputError(
                "No pixel is valid in all images that are compared: check their nodata values and that they show the "
                "same ground."
            )
        self.lap("total", started)
        return self._finish(images, Assessment(ratio, reference, pair), preview)

    def _check_roles(self) -> None:
        given = set(self.job.inputs)
        if "result" not in given:
            raise InputError("The job names no input raster ('result').")
        if len(given & {"hsi", "msi"}) == 1:
            raise InputError(
                "Only one of the two images is given: give both the hyperspectral and the multispectral one."
            )
        if "reference" not in given and "hsi" not in given:
            raise InputError(
                "There is nothing to compare the image with: give a reference, or the hyperspectral and the "
                "multispectral image it was made of."
            )
        if ERRORS in self.job.outputs and "reference" not in given:
            raise InputError("Maps of errors need a reference image: give one, or leave that output out.")
        self.check_roles((ERRORS,))
        self.check_targets()

    def _look(self, role: str) -> InputRecord:
        header = read_header(self.job.inputs[role])
        check_spectral(header, 1)
        return self.look(header, None, None, False, TITLES[role])

    def _same_bands(self, result: InputRecord, other: InputRecord, name: str) -> tuple[InputRecord, InputRecord]:
        """Both with the bands that they share."""
        tables = (result.header.table.subset(result.bands_used), other.header.table.subset(other.bands_used))
        mine, theirs = same_bands(*tables, name)
        if len(mine) < len(tables[0]):
            self.reporter.warning(
                f"{len(tables[0]) - len(mine)} of the {len(tables[0])} bands of the image to assess are not judged: "
                f"the {name} has no band of their wavelength."
            )
        if result.is_reflectance != other.is_reflectance:
            self.reporter.warning(
                f"The image to assess and the {name} seem to be in different units: the figures mean little unless "
                "they are brought to the same one."
            )
        return _with_bands(result, mine), _with_bands(other, theirs)

    def _peak(self, record: InputRecord) -> float:
        """The largest value that counts as possible: 1 for reflectance, else about the largest there is."""
        return 1.0 if record.is_reflectance else glance(record.header, record.bands_used).high * record.scale

    def _over_reference(
        self, result: InputRecord, reference: InputRecord, ratio: float | None, preview: QuickLook, after_pair: bool
    ) -> AgainstReference | None:
        started = time.perf_counter()
        check_same_grid(result.header.grid, reference.header.grid, "reference", same_crs)
        result, reference = self._same_bands(result, reference, "reference")
        if ratio is None:
            self.reporter.warning("The ratio of the pixel sizes is not known, so ERGAS is left out.")
        header, bands = result.header, COPIES * len(result.bands_used)
        plan = make_plan(header, bands, HALO_PX, self.job.memory_mb, self.job.workers)
        spec = OutputSpec("Errors", ("RMSE", "Spectral angle (degrees)"))
        check_disk_space(self.job.outputs, {ERRORS: spec}, header.grid.width * header.grid.height)
        rgb = rgb_bands(header.table.subset(result.bands_used))
        step = self.step(0.5 if after_pair else 0.0, 0.97, "Comparing with the reference")
        with ExitStack() as stack:
            sources = (
                stack.enter_context(Source(result.header, result.bands_used, result.scale)),
                stack.enter_context(Source(reference.header, reference.bands_used, reference.scale)),
            )
            writer = None
            if ERRORS in self.job.outputs:
                metadata = provenance.metadata(self.job, self.device, ERRORS)
                target = self.workspace.aside(self.job.outputs[ERRORS])
                writer = stack.enter_context(
                    RasterWriter(target, header.grid, spec, metadata=metadata, block=plan.output_block)
                )
            peak = self._peak(reference)
            found = go_over_reference(sources, plan, ratio, peak, preview, rgb, writer, step)
        self.lap("comparing with the reference", started)
        return found

    def _over_pair(self, images: dict[str, InputRecord], settings: AssessSettings) -> AgainstPair | None:
        started = time.perf_counter()
        check_spectral(images["hsi"].header)
        check_same_grid(images["result"].header.grid, images["msi"].header.grid, "multispectral image", same_crs)
        result, hsi = self._same_bands(images["result"], images["hsi"], "hyperspectral image")
        msi = images["msi"]
        hsi_table, msi_table = hsi.header.table.subset(hsi.bands_used), msi.header.table.subset(msi.bands_used)
        srf = read_srf(self.job.tables["srf"], hsi_table, msi_table) if "srf" in self.job.tables else None
        step = self.step(0.0, 0.5 if "reference" in images else 0.97, "Comparing with both inputs")
        with PairSource(hsi, msi) as pair, Source(result.header, result.bands_used, result.scale) as source:
            for sentence in pair.notes:
                self.reporter.warning(sentence)
            how = FusionSettings(sensor=settings.sensor)
            found = go_over_pair(source, pair, how, srf, self.job.workers, self.job.memory_mb, step)
        self.lap("comparing with both inputs", started)
        return found

    def _finish(self, images: dict[str, InputRecord], found: Assessment, preview: QuickLook) -> Result:
        result = images["result"]
        if found.reference is None:
            self._preview(result, preview)
        scores = found.reference.scores if found.reference else None
        pixels = scores.pixels if scores else found.pair.scores.fine_pixels if found.pair else 0
        others = {role: image for role, image in images.items() if role != "result"}
        record = self.record(result, pixels, {}, preview, others)

        def report(path: Path) -> None:
            self.write_report(path, f"Quality of {Path(record.header.path).name}", sections(found, record))

        return self.publish(
            {"report": report}, (ERRORS,), found.numbers(record), {**record.details(), **found.details()}
        )

    def _preview(self, result: InputRecord, preview: QuickLook) -> None:
        """True colours of an image that no pass has gone over."""
        colours = [result.bands_used[i] for i in rgb_bands(result.header.table.subset(result.bands_used))]
        plan = make_plan(result.header, 3, 0, self.job.memory_mb, 1)
        bands = sorted(set(colours))
        with Source(result.header, bands, result.scale) as source:
            for tile in plan.tiles:
                cube, valid = source.read(tile.core)
                preview.put(tile, preview.part(tile, cube[[bands.index(i) for i in colours]], valid))


def _with_bands(record: InputRecord, positions: Sequence[int]) -> InputRecord:
    return replace(record, bands_used=tuple(record.bands_used[i] for i in positions))
