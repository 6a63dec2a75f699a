# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a simulation: one hyperspectral image in, the images of a coarse and of a multispectral instrument out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ..bands import BandTable
from ..errors import InputError
from ..grid import Grid
from ..raster.header import RasterHeader
from ..raster.spectra_files import write_csv
from ..raster.write import RasterWriter
from ..report.about_run import valid_share
from ..sensors.catalogue import load_sensor
from ..sensors.psf import mtf_of_sigma
from ..sensors.response import covered_bands, srf_of_sensor
from ..sensors.srf import Srf
from ..sensors.srf_file import read_srf
from ..simulation.report import sections
from ..simulation.settings import SimulationSettings
from ..spectra import Spectra
from . import provenance
from .job import Result
from .plan import Plan, check_disk_space, make_plan
from .record import RunRecord
from .runner import Runner
from .sampling import no_valid_pixel
from .simulate_work import CoarseWork, MsiWork, noise_for
from .source import Source
from .stream import Streamed, stream
from .summary import QuickLook

COARSE, MSI = "coarse", "msi"


@dataclass(frozen=True)
class Pass:
    """One pass over the scene.

    Attributes:
        role: of the output that it makes.
        work: how its tiles come about.
        plan: its tiles.
        snr_db: signal-to-noise ratio, or None for no noise.
        seed: of the noise.
    """

    role: str
    work: CoarseWork | MsiWork
    plan: Plan
    snr_db: float | None
    seed: int


class SimulateRun(Runner):
    """One image in; on request its coarse version on a coarse grid and its multispectral version on its own."""

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        settings = SimulationSettings.from_mapping(self.job.settings)
        header = self.read_image()
        self._check_outputs(settings)
        grid = settings.coarse_grid(header.grid)
        # every band that is there: a simulated sensor may have one in the water-vapour windows
        image = self.look(header, self.job.scale, self.job.bands, skip_water_vapour=False)
        table = header.table.subset(image.bands_used)
        srf, msi_table = self._response(settings, table)
        preview = QuickLook(header.grid, 3)
        with ExitStack() as stack:
            source = stack.enter_context(Source(header, image.bands_used, image.scale))
            passes = self._passes(source, settings, grid, srf, msi_table)
            streamed = {
                one.role: self._go(stack, one, number / len(passes), 1 / len(passes), preview)
                for number, one in enumerate(passes)
            }
            self.lap("total", started)
            if not any(result.valid_pixels for result in streamed.values()):
                raise no_valid_pixel(header)
            summaries = {role: result.summaries[role] for role, result in streamed.items()}
            valid_pixels = _valid_pixels(header, streamed, settings.ratio)
            record = self.record(image, valid_pixels, summaries, preview if MSI in streamed else None)
            # the journals go only after this, so that a run killed before can go on
            return self._finish(settings, record, grid, srf, table)

    def _check_outputs(self, settings: SimulationSettings) -> None:
        self.check_roles((COARSE, MSI))
        self.check_targets()
        if not {COARSE, MSI} & set(self.job.outputs):
            raise InputError("No output is chosen: ask for the coarse image, the multispectral image, or both.")
        given = "srf" in self.job.tables, settings.sensor is not None
        if MSI in self.job.outputs and not any(given):
            raise InputError(
                "A multispectral image is wanted but no sensor is chosen: choose one, or give its spectral response."
            )
        if all(given):
            raise InputError("Choose either a sensor or a table of its spectral response, not both.")

    def _response(self, settings: SimulationSettings, table: BandTable) -> tuple[Srf | None, BandTable | None]:
        """The multispectral instrument, if one is wanted: its response and its bands."""
        if MSI not in self.job.outputs:
            return None, None
        if settings.sensor is None:
            srf = read_srf(self.job.tables["srf"], table, None)
            for sentence in srf.notes:
                self.reporter.warning(sentence)
            centres = None if table.wavelength_nm is None else srf.centres(table.wavelength_nm)
            return srf, BandTable(srf.names, (True,) * len(srf.names), centres)
        sensor = load_sensor(settings.sensor)
        # nobody takes the panchromatic band in the pixels of the others
        bands = [i for i, band in enumerate(sensor.bands) if not band.is_pan or len(sensor.bands) == 1]
        kept, left_out = covered_bands(sensor, bands, table)
        seen = [bands[i] for i in kept]
        srf, notes = srf_of_sensor(sensor, seen, table)
        for sentence in (*left_out, *notes):
            self.reporter.warning(sentence)
        return srf, BandTable(
            srf.names,
            (True,) * len(seen),
            tuple(round(sensor.bands[i].centre_nm, 2) for i in seen),
            tuple(round(sensor.bands[i].width_nm, 2) for i in seen),
        )

    def _passes(
        self, source: Source, settings: SimulationSettings, grid: Grid, srf: Srf | None, msi_table: BandTable | None
    ) -> list[Pass]:
        works: list[tuple[str, CoarseWork | MsiWork, float | None]] = []
        if COARSE in self.job.outputs:
            works.append((COARSE, CoarseWork(source, settings, grid, self.device), settings.hsi_snr_db))
        if srf is not None and msi_table is not None:
            works.append((MSI, MsiWork(source, srf.matrix, msi_table, self.device), settings.msi_snr_db))
        passes = []
        for role, work, snr_db in works:
            check_disk_space({role: self.job.outputs[role]}, work.outputs, work.grid.pixels)
            header = replace(source.header, grid=work.grid)
            plan = make_plan(header, 2 * len(source.bands), 0, self.job.memory_mb, self.job.workers)
            self.reporter.message(
                f"Plan for {work.outputs[role].title.lower()}: {work.grid.width} x {work.grid.height} pixels, "
                f"{len(plan.tiles)} tiles, {plan.workers} at a time."
            )
            passes.append(Pass(role, work, plan, snr_db, 2 * self.job.seed + (role == MSI)))
        return passes

    def _go(self, stack: ExitStack, one: Pass, low: float, span: float, preview: QuickLook) -> Streamed:
        """Measure the noise that is wanted, then make the image."""
        started = time.perf_counter()
        title = one.work.outputs[one.role].title
        journal = self.journal_of(self.job.outputs[one.role], one.plan)
        stack.callback(journal.remove)
        if one.snr_db is not None:
            step = self.step(low, low + 0.2 * span, "Measuring the signal")
            one.work.noise = noise_for(one.work, one.plan, one.snr_db, one.seed, step)
        with RasterWriter(
            self.workspace.aside(self.job.outputs[one.role]),
            one.work.grid,
            one.work.outputs[one.role],
            metadata=provenance.metadata(self.job, self.device, one.role),
            block=one.plan.output_block,
        ) as writer:
            step = self.step(low + 0.2 * span, low + 0.98 * span, f"Making the {title.lower()}")
            seen = preview if one.role == MSI else QuickLook(one.work.grid, 3)
            streamed = stream(one.work, one.plan, {one.role: writer}, journal, seen, step)
        self.lap(title.lower(), started)
        return streamed

    def _finish(
        self, settings: SimulationSettings, record: RunRecord, grid: Grid, srf: Srf | None, table: BandTable
    ) -> Result:
        numbers = {
            "ratio": settings.ratio,
            "psf_sigma": settings.sigma,
            "mtf": mtf_of_sigma(settings.sigma, settings.ratio),
            "coarse_width": grid.width,
            "coarse_height": grid.height,
            "bands_hsi": len(table),
            "bands_msi": 0 if srf is None else len(srf.names),
            "valid_share": valid_share(record),
        }

        def report(path: Path) -> None:
            parts = sections(settings, record, grid, srf, table)
            self.write_report(path, f"Simulation from {Path(record.header.path).name}", parts)

        files = {"report": report}
        if srf is not None:
            spectra = Spectra(srf.names, tuple(map(tuple, srf.matrix.tolist())), table.wavelength_nm)
            files["srf"] = lambda path: write_csv(path, spectra)
        return self.publish(files, record.summaries, numbers, record.details())


def _valid_pixels(header: RasterHeader, streamed: Mapping[str, Streamed], ratio: float) -> int:
    """Valid pixels of the scene, as far as the passes saw them."""
    if MSI in streamed:
        return streamed[MSI].valid_pixels
    return min(header.grid.pixels, round(streamed[COARSE].valid_pixels * ratio**2))
