# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral super-resolution: from the few bands of an MSI to the many of an HSI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ..bands import BandTable
from ..engine.method import Context, OutputSpec
from ..learning import Keeper
from .camera_change import fit_for_image
from .check import check_spectral_source
from .fitting import fit
from .model import SsrModel, output_specs
from .pairs import TrainingData
from .settings import SsrSettings

if TYPE_CHECKING:
    from ..engine.record import RunRecord


class SpectralSuperResolution:
    """See :mod:`core.ssr.fitting` and :mod:`core.ssr.unfolding`."""

    name = "spectralsuperresolve"
    title = "Spectral super-resolution"

    def check(self, settings: SsrSettings, hsi: BandTable | None, msi: BandTable | None) -> None:
        """Refuse what headers already show to be impossible.

        Args:
            settings: the settings.
            hsi: the used hyperspectral bands, or those of the library; None where a model is given.
            msi: the used multispectral bands; None where only a sensor is named.

        Raises:
            InputError: with the sentence for the user.
        """
        check_spectral_source(settings, hsi, msi)

    def fit(
        self, data: TrainingData, settings: SsrSettings, context: Context, keeper: Keeper | None = None
    ) -> SsrModel:
        """Fit on training data; see :func:`core.ssr.fitting.fit`.

        Raises:
            InputError: there is too little to learn from.
        """
        return fit(data, settings, context, keeper)

    def restore(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> SsrModel:
        """Rebuild a saved model."""
        return SsrModel.restore(header, tensors, table)

    def check_model(self, model: SsrModel, msi: BandTable, context: Context) -> SsrModel:
        """The model with its bands found in an image, whatever their order; changed to another camera where need be.

        Raises:
            InputError: a band that it needs is missing, nothing tells which is which, or too little is shown.
        """
        return fit_for_image(model, msi, context)

    def expected_outputs(self, written: BandTable) -> Mapping[str, OutputSpec]:
        """The rasters of a run, so that the space for them can be checked before."""
        return output_specs(written)

    def numbers(self, model: SsrModel, run: RunRecord) -> Mapping[str, float]:
        """Figures that a model or script can use."""
        evidence, grid = model.evidence, run.header.grid
        used = evidence.of(evidence.chosen) or evidence.best
        figures = {
            "bands": float(len(model.table)),
            "blind_bands": float(sum(evidence.blind)),
            "held_out_psnr": used.psnr,
            "held_out_sam": used.sam,
            "held_out_rmse": used.rmse,
            "valid_share": run.valid_pixels / (grid.width * grid.height),
        }
        if evidence.change_db is not None:
            figures["camera_change_db"] = evidence.change_db
        return figures | {f"held_out_psnr_{score.kind}": score.psnr for score in evidence.contenders}
