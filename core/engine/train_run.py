# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of a training: images or a library in, a model for one multispectral camera out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..grid import Grid
from ..raster.header import RasterHeader
from ..ssr.report import sections
from ..ssr.settings import SsrSettings
from .job import Result
from .journal import Journal, fingerprint
from .learning_run import LearningRun, Materials, write_stf
from .provenance import versions
from .record import InputRecord
from .registry import find_method

if TYPE_CHECKING:
    from ..ssr.method import SpectralSuperResolution

ROLES = ("model", "stf", "report", "result")
OF_RASTERS = ("valid_share",)
"""Figures that only make sense where a raster was made."""


class TrainRun(LearningRun):
    """Learns, and keeps what was learnt."""

    share_of_sampling = 0.05
    share_of_fit = 0.92

    def steps(self) -> Result:
        """See :class:`Runner`."""
        started = time.perf_counter()
        method: SpectralSuperResolution = find_method("spectralsuperresolve")
        settings = SsrSettings.from_mapping(self.job.settings)
        self._check_outputs()
        materials = self.materials(settings)
        method.check(settings, materials.table, materials.camera)
        self._keep_state()
        model = self.learnt(method, settings, materials)
        self.lap("total", started)
        main, others = self._inputs(materials)
        record = self.record(main, 0, {}, None, others)
        numbers = {name: value for name, value in method.numbers(model, record).items() if name not in OF_RASTERS}
        return self.finish(
            model.prepared(()),
            record,
            numbers,
            f"Training of spectral super-resolution ({settings.mode})",
            lambda: sections(model, record, None),
            {"stf": lambda path: write_stf(path, model)},
        )

    def _check_outputs(self) -> None:
        self.check_targets()
        self.check_roles(())
        unknown = next((role for role in self.job.outputs if role not in ROLES), None)
        if unknown is not None:
            raise InputError(f"A training makes no {unknown!r}: choose from {', '.join(ROLES)}.")

    def _keep_state(self) -> None:
        """Open a journal beside the first output, so that a training that was killed can go on."""
        if not self.job.outputs:
            return
        target = self.job.outputs.get("model") or next(iter(self.job.outputs.values()))
        self.journal = Journal(Path(target), fingerprint(self.job, [str(versions()), str(self.device)]))
        self.reporter.scratch(str(self.journal.folder))

    def _inputs(self, materials: Materials) -> tuple[InputRecord, dict[str, InputRecord]]:
        """The main input and the others, for the record."""
        others = {f"hsi{i + 1}": image for i, image in enumerate(materials.images)}
        if materials.msi is not None:
            return materials.msi, others
        if materials.images:
            return materials.images[0], others
        table = materials.table
        count = len(table)
        header = RasterHeader(
            path=self.job.tables["library"],
            driver="table of spectra",
            grid=Grid(1, 1),
            table=table,
            dtypes=("float32",) * count,
            nodata=(None,) * count,
            scale=(1.0,) * count,
            offset=(0.0,) * count,
            block=(1, 1),
        )
        return InputRecord(header, tuple(range(count)), 1.0), others
