# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs have in common that fit a model, or take a fitted one, and then go over a raster tile by tile.

A kind of run reads its inputs, says how to draw a sample and how to fit on it, gives the :class:`~.stream.Work` that
makes a tile, and adds its own sections to the report. All else is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..bands import BandTable
from ..errors import InputError
from ..raster.write import RasterWriter
from . import provenance
from .job import Result
from .method import Applicable, Context, Restorer, Savable
from .model_file import check_compatible, load_model, save_model
from .plan import Plan, check_disk_space
from .record import RunRecord
from .runner import Runner
from .stream import NO_PACKINGS, Packing, Streamed, Work, stream
from .summary import QuickLook

if TYPE_CHECKING:
    from ..report.page import Section

Drawn = TypeVar("Drawn")
Fitted = TypeVar("Fitted", bound=Savable)

END_OF_PASS = 0.97
"""Share of the progress bar at which all tiles are computed; the rest is for the report."""


class FittedRun(Runner):
    """A run that fits and applies a model.

    Attributes:
        reading: what the progress bar says while the sample is drawn.
        share_of_sampling, share_of_fit: of the progress bar; most of the rest is the pass that computes.
    """

    reading = "Reading the image"
    share_of_sampling = 0.1
    share_of_fit = 0.4

    def given_model(self, method: Restorer[Fitted]) -> Fitted | None:
        """The model that the user gave, if any."""
        return load_model(Path(self.job.inputs["model"]), method) if "model" in self.job.inputs else None

    def sampling(self) -> Context:
        """A context for drawing the sample."""
        return self.step(0.0, self.share_of_sampling, self.reading)

    def fitted(
        self,
        method: Restorer[Fitted],
        table: BandTable,
        draw: Callable[[Context], Drawn],
        fit: Callable[[Drawn, Context], Fitted],
    ) -> tuple[Fitted, Drawn | None]:
        """Fit, or take the model that an interrupted run left.

        Args:
            method: what restores its models.
            table: the bands to fit on.
            draw: draws the sample.
            fit: fits on it.

        Returns:
            the model, and the sample unless the model was there already.
        """
        kept = self._kept_model(method, table)
        if kept is not None:
            return kept, None
        started = time.perf_counter()
        drawn = draw(self.sampling())
        started = self.lap("sampling", started)
        end = self.share_of_sampling + self.share_of_fit
        model = fit(drawn, self.step(self.share_of_sampling, end, "Fitting"))
        self.lap("fitting", started)
        if self.journal is not None:
            aside = self.journal.model_path.with_suffix(".part")
            save_model(model, aside, _origin(self.job.seed))
            aside.replace(self.journal.model_path)
        return model, drawn

    def _kept_model(self, method: Restorer[Fitted], table: BandTable) -> Fitted | None:
        if self.journal is None or not self.journal.model_path.is_file():
            return None
        try:
            model = load_model(self.journal.model_path, method)
            check_compatible(model, table)
        except InputError:  # damaged, as by a power cut: the same fit follows again
            return None
        return model

    def go_over(
        self,
        work: Work,
        plan: Plan,
        model: Savable,
        preview: QuickLook,
        packings: Mapping[str, Packing] = NO_PACKINGS,
    ) -> Streamed | None:
        """Compute the rasters, if any are wanted.

        Args:
            work: makes a tile.
            plan: the tiles.
            model: what is applied, for the rasters' metadata.
            preview: is filled with the input's quick-look.
            packings: of outputs that ``work`` computes as fewer planes.
        """
        if self.journal is None:
            return None
        started = time.perf_counter()
        check_disk_space(self.job.outputs, work.outputs, work.grid.pixels)
        step = self.step(self.share_of_sampling + self.share_of_fit, END_OF_PASS, "Computing")
        with ExitStack() as stack:
            writers = {
                role: stack.enter_context(
                    RasterWriter(
                        self.workspace.aside(path),
                        work.grid,
                        work.outputs[role],
                        metadata=provenance.metadata(self.job, self.device, role, model),
                        block=plan.output_block,
                    )
                )
                for role, path in self.job.outputs.items()
                if role in work.outputs
            }
            streamed = stream(work, plan, writers, self.journal, preview, step, packings)
        self.lap("computing", started)
        return streamed

    def finish(
        self,
        model: Applicable,
        record: RunRecord,
        numbers: Mapping[str, float],
        title: str,
        sections: Callable[[], list[Section]],
        tables: Mapping[str, Callable[[Path], object]],
    ) -> Result:
        """Write report, model and tables, and give everything its final name.

        Args:
            model: what was applied.
            record: of the run.
            numbers: figures of the run.
            title: of the report.
            sections: of the report; only asked for where one is wanted.
            tables: how to write tables of spectra, by role.
        """
        files = {
            "report": lambda path: self.write_report(path, title, sections()),
            "model": lambda path: save_model(model, path, _origin(self.job.seed)),
            **tables,
        }
        return self.publish(files, model.outputs, numbers, {**record.details(), "model": model.header()})


def _origin(seed: int) -> dict[str, object]:
    return {"versions": provenance.versions(), "seed": seed}
