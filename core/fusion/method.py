# SPDX-License-Identifier: GPL-3.0-or-later
"""The fusion methods: settle how the two images relate, then fit a guess and its correction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ..bands import BandTable
from ..engine.method import Context, OutputSpec
from ..errors import BandsError, InputError
from ..sensors.srf import Srf
from ..spectra import Spectra
from . import report as fusion_report
from .check import check_fusion
from .estimator import restore_estimator
from .evidence import FusionEvidence
from .fitting import Fitted, fit_paper, fit_refined
from .latent import LatentMaps
from .model import FUSED, LATENT, UNCERTAINTY, FusionModel, Harmony, output_specs
from .relation import Relation, relate
from .settings import ESTIMATE, FusionSettings

if TYPE_CHECKING:
    from ..engine.record import RunRecord
    from ..report.page import Section
    from .pair import PairSample
    from .view import PairView

TOLERANCE_NM = 1.0
TOLERANCE_RATIO = 0.02
"""Share by which a pair's ratio may differ from the one a model was fitted at: pixel sizes are rounded."""
EXPECTED_COUNT = 10
"""Endmembers assumed for the disk-space check while their number is not known."""


class FusionMethod:
    """What the three methods share; a method differs in how it guesses.

    Attributes:
        name: what jobs call it.
        title: what reports call it.
        rasters: roles of the rasters it can make.
        has_endmembers: True when it also makes endmembers and their maps.
    """

    name = ""
    title = ""
    rasters: tuple[str, ...] = (FUSED, UNCERTAINTY)
    has_endmembers = False

    def check(self, settings: FusionSettings, hsi: BandTable, msi: BandTable, srf: Srf | None) -> None:
        """Refuse what cannot work before any pixel is read."""
        check_fusion(settings, hsi, msi, srf is not None)

    def expected_outputs(self, written: BandTable, settings: FusionSettings) -> Mapping[str, OutputSpec]:
        """The rasters that a run will probably make."""
        count = (settings.count or EXPECTED_COUNT) if self.has_endmembers else 0
        return output_specs(written, count, self.rasters)

    def fit(self, sample: PairSample, settings: FusionSettings, srf: Srf | None, context: Context) -> FusionModel:
        """Fit on a sample of the pair.

        Raises:
            InputError: the two images do not fit together.
        """
        relation = relate(sample, settings, srf, context)
        fitted = self.guess(relation, settings, context)
        evidence = _evidence(sample, relation, fitted)
        for sentence in evidence.cautions(sample.msi_table.names):
            context.on_warning(sentence)
        return FusionModel(
            self.name,
            sample.hsi_table,
            sample.msi_table,
            settings.sensor if srf is None else "table",
            relation.srf,
            relation.harmony,
            fitted.estimator,
            evidence,
            None if fitted.endmembers is None else LatentMaps(fitted.endmembers),
        )

    def guess(self, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
        """Fit the way from MSI pixels to spectra."""
        raise NotImplementedError

    def restore(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> FusionModel:
        """Rebuild a saved model."""
        inner = {name[len("estimator.") :]: t for name, t in tensors.items() if name.startswith("estimator.")}
        bands: dict[str, Any] = {
            name: None if value is None else tuple(value) for name, value in header["msi_bands"].items()
        }
        response = header["response"]
        shift = header["shift"]
        harmony = Harmony(
            tuple(header["kept"]),
            tensors["gain"],
            tensors["offset"],
            tensors["grey"],
            (float(shift[0]), float(shift[1])),
        )
        return FusionModel(
            self.name,
            table,
            BandTable(**bands),
            header["sensor"],
            Srf(tensors["response"].numpy(), tuple(response["names"]), response["source"]),
            harmony,
            restore_estimator(header["estimator"], inner),
            FusionEvidence.from_mapping(header["evidence"]),
            LatentMaps(tensors["endmembers"]) if "endmembers" in tensors else None,
        )

    def check_model(
        self,
        model: FusionModel,
        hsi: BandTable,
        msi: BandTable,
        ratio: tuple[float, float],
        settings: FusionSettings,
    ) -> None:
        """Refuse to apply a model to other bands, another sensor or another ratio than it was fitted for.

        Raises:
            InputError: says what differs.
        """
        for title, ours, theirs in (("hyperspectral", model.table, hsi), ("multispectral", model.msi_table, msi)):
            _check_same(title, ours, theirs)
        if settings.sensor not in (ESTIMATE, model.sensor):
            raise BandsError(
                f"The model was fitted for the sensor {model.sensor!r} but {settings.sensor!r} is chosen: choose that "
                "sensor, or another model."
            )
        # blur and context are laid out in fine pixels
        if not all(math.isclose(*pair, rel_tol=TOLERANCE_RATIO) for pair in zip(model.evidence.ratio, ratio)):
            raise InputError(
                f"The model was fitted at a resolution ratio of {model.evidence.ratio[0]:.3g} but these images have "
                f"{ratio[0]:.3g}: choose images of the same pixel sizes, or fit anew."
            )

    def endmembers(self, model: FusionModel) -> Spectra:
        """The endmembers as a table.

        Raises:
            InputError: this method has none.
        """
        if model.latent is None:
            raise InputError("This method finds no endmembers: leave that output out, or use SpectraMorph.")
        return model.latent.spectra(model.table)

    def numbers(self, model: FusionModel, run: RunRecord) -> Mapping[str, float]:
        """Figures that a model or script can use."""
        evidence, grid = model.evidence, run.header.grid
        best = evidence.contenders[0] if evidence.contenders else None
        figures = {
            "ratio": evidence.ratio[0],
            "valid_share": run.valid_pixels / (grid.width * grid.height),
        }
        if run.reuses_model:  # the others speak of the images that it was fitted on
            return figures
        figures |= {
            "psnr_consistency_hsi": evidence.consistency_hsi,
            "psnr_consistency_msi": evidence.consistency_msi,
            "shift": evidence.shift_m,
            "psf_confidence": evidence.psf_confidence,
        }
        return figures if best is None else {**figures, "held_out_rmse": best.rmse, "held_out_sam": best.sam}

    def report(self, model: FusionModel, run: RunRecord, view: PairView | None) -> list[Section]:
        """Sections of the report."""
        tables = model.table, model.msi_table.subset(model.harmony.kept)
        cited = [self.name] if self.name != "fuse" else []
        if model.evidence.components:
            cited += ["correction", "subspace"]
        return fusion_report.sections(model.evidence, run, view, tables, [*cited, "wald"])


class Fuse(FusionMethod):
    """Regression from the MSI to the HSI's subspace, corrected by both images; no network."""

    name = "fuse"
    title = "Fusion"

    def guess(self, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
        """See :class:`FusionMethod`."""
        return fit_refined("fuse", relation, settings, context)


class SpectraLift(FusionMethod):
    """arXiv:2507.13339, as published or refined."""

    name = "spectralift"
    title = "SpectraLift fusion"

    def guess(self, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
        """See :class:`FusionMethod`."""
        fit = fit_paper if settings.mode == "paper" else fit_refined
        return fit("spectralift", relation, settings, context)


class SpectraMorph(FusionMethod):
    """arXiv:2510.20814, as published or refined."""

    name = "spectramorph"
    title = "SpectraMorph fusion"
    rasters = (FUSED, UNCERTAINTY, LATENT)
    has_endmembers = True

    def guess(self, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
        """See :class:`FusionMethod`."""
        fit = fit_paper if settings.mode == "paper" else fit_refined
        return fit("spectramorph", relation, settings, context)


def _evidence(sample: PairSample, relation: Relation, fitted: Fitted) -> FusionEvidence:
    placement = sample.blocks[0].placement
    return FusionEvidence(
        ratio=(placement.ratio_y, placement.ratio_x),
        response_source=relation.response_source,
        response=tuple(tuple(float(value) for value in row) for row in relation.srf.matrix),
        gain=tuple(relation.gain.tolist()),
        offset=tuple(relation.offset.tolist()),
        rescaled=relation.rescaled,
        correlation=tuple(relation.correlation.tolist()),
        shift_px=relation.shift,
        shift_m=math.hypot(relation.shift[0] * sample.pixel_m[0], relation.shift[1] * sample.pixel_m[1]),
        shift_corrected=relation.shift_corrected,
        **fitted.facts,
    )


def _check_same(title: str, ours: BandTable, theirs: BandTable) -> None:
    if len(ours) != len(theirs):
        raise BandsError(
            f"The model was fitted with {len(ours)} {title} bands but {len(theirs)} are to be used: choose images of "
            "the same bands, or fit anew."
        )
    if ours.wavelength_nm is None or theirs.wavelength_nm is None:
        return
    for i, (fitted, found) in enumerate(zip(ours.wavelength_nm, theirs.wavelength_nm)):
        if not math.isclose(fitted, found, abs_tol=TOLERANCE_NM):
            raise BandsError(
                f"The model was fitted with other {title} wavelengths: band {i + 1} lies at {found:.1f} nm instead of "
                f"{fitted:.1f} nm. Choose images of the same bands, or fit anew."
            )
