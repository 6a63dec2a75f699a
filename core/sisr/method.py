# SPDX-License-Identifier: GPL-3.0-or-later
"""Super-resolution of one hyperspectral image by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..bands import BandTable
from ..engine.method import Context, OutputSpec, Sample
from ..errors import InputError
from ..grid import Grid
from ..spectra import Spectra
from . import report as sisr_report
from .block import Block
from .check import check_superresolve
from .fitting import fit
from .mcnet import require_gpu
from .model import SuperresolveModel, output_specs
from .settings import SuperresolveSettings
from .view import View, look

if TYPE_CHECKING:
    from ..engine.record import RunRecord
    from ..report.page import Section

ROLE = "endmembers"
EXPECTED_COUNT = 8
"""Endmembers assumed for the disk-space check while their number is not known."""
MARGINS = {"fast": 32, "tuned": 32, "paper": 64}


class Superresolve:
    """See :mod:`core.sisr.reconstruct` and :mod:`core.sisr.planes`."""

    name = "superresolve"
    title = "Super-resolution"

    def check(
        self, settings: SuperresolveSettings, table: BandTable, tables: Mapping[str, Spectra], grid: Grid
    ) -> None:
        """Refuse what headers already show to be impossible.

        Args:
            settings: the settings.
            table: the used bands.
            tables: spectra given by the user, by role.
            grid: of the input.

        Raises:
            InputError: with the sentence for the user.
        """
        unknown = sorted(set(tables) - {ROLE})
        if unknown:
            raise InputError(f"Super-resolution knows no table called {unknown[0]!r}: call it {ROLE!r}.")
        check_superresolve(settings, table, tables.get(ROLE), grid)

    def check_model(self, model: SuperresolveModel, settings: SuperresolveSettings) -> None:
        """Refuse a model that was fitted for something else.

        Raises:
            InputError: another scale factor or blur.
        """
        if model.factor != settings.factor:
            raise InputError(
                f"The model was fitted for scale factor {model.factor} but {settings.factor} is asked for: choose "
                f"{model.factor}, or another model."
            )
        asked = settings.sigma is not None or settings.mtf is not None
        if asked and abs(model.settings.psf_sigma - settings.psf_sigma) > 1e-3 * settings.psf_sigma:
            raise InputError(
                f"The model was fitted for a blur of sigma {model.settings.psf_sigma:.3g} output pixels but "
                f"{settings.psf_sigma:.3g} is asked for: leave the blur empty, or fit a new model."
            )

    def check_device(self, settings: SuperresolveSettings, device: torch.device) -> None:
        """Refuse what the device cannot do in any bearable time.

        Raises:
            InputError: with the sentence for the user.
        """
        if settings.mode == "paper":
            require_gpu(device)

    def margin(self, settings: SuperresolveSettings) -> int:
        """Surroundings that blocks need, in input pixels: at least a model's halo."""
        return MARGINS[settings.mode]

    def expected_outputs(
        self, table: BandTable, settings: SuperresolveSettings, tables: Mapping[str, Spectra]
    ) -> Mapping[str, OutputSpec]:
        """Outputs for the given or assumed number of endmembers, so that the space for them can be checked before.

        Args:
            table: the bands to be written.
            settings: the settings.
            tables: spectra given by the user, by role.
        """
        count = len(tables[ROLE]) if ROLE in tables else settings.count or EXPECTED_COUNT
        return output_specs(table, tuple(str(i) for i in range(count)))

    def fit(
        self, sample: Sample, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context
    ) -> SuperresolveModel:
        """Find endmembers and planes, and how far a guess of their fine versions can be trusted.

        Args:
            sample: pixels of the whole image.
            blocks: parts spread over it.
            settings: the settings.
            context: device, seed, progress, cancel.

        Raises:
            InputError: the sample cannot be used.
        """
        return fit(sample, blocks, settings, context)

    def restore(
        self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable
    ) -> SuperresolveModel:
        """Rebuild a saved model."""
        return SuperresolveModel.restore(header, tensors, table)

    def look(self, model: SuperresolveModel, blocks: Sequence[Block]) -> View | None:
        """Look closely at the most telling part of an image."""
        return look(model, blocks)

    def numbers(self, model: SuperresolveModel, run: RunRecord, view: View | None) -> Mapping[str, float]:
        """Figures that a model or script can use."""
        grid = run.header.grid
        evidence = model.evidence
        numbers = {
            "factor": float(model.factor),
            "count": float(evidence.unmixing.count),
            "psf_sigma": model.settings.psf_sigma,
            "valid_share": run.valid_pixels / (grid.width * grid.height * model.factor**2),
        }
        if view is not None:
            numbers["psnr_consistency"] = view.consistency_psnr
        if evidence.trial is not None:
            numbers["trial_gain"] = evidence.trial.gain
        return numbers

    def report(self, model: SuperresolveModel, run: RunRecord, view: View | None) -> list[Section]:
        """Sections of the report."""
        return sisr_report.sections(model.evidence, model.settings, run, view, model.table)
