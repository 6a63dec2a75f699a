# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectraMorph: fusion by a network that finds the shares of a few basic spectra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext

from ..core.engine.job import Job
from ..core.fusion.settings import FusionSettings
from . import pair_parameters as pair
from . import parameters as shared
from .fusion import FusionAlgorithm, needs_text, pair_text
from .styling import Style, draw_spread
from .translation import tr


class SpectraMorphAlgorithm(FusionAlgorithm):
    """The latent estimation network, as published or refined."""

    TITLE: ClassVar[str] = "SpectraMorph"
    ROLES: ClassVar[Mapping[str, str]] = {
        **FusionAlgorithm.ROLES,
        "OUTPUT_LATENT": "latent",
        "OUTPUT_ENDMEMBERS": "endmembers",
    }

    def name(self) -> str:
        return "spectramorph"

    def displayName(self) -> str:
        return tr("Fuse images with SpectraMorph")

    def shortDescription(self) -> str:
        return tr("Gives a hyperspectral image the fine pixels of a multispectral one, as a mixture of a few spectra.")

    def tags(self) -> list[str]:
        return tr(
            "fusion,spectramorph,neural,network,endmember,abundance,hyperspectral,multispectral,pansharpening,panchromatic"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            ("", pair_text()),
            (
                tr("When to use it"),
                tr(
                    "Where the result should be explained by materials, and where the fine image has only one or few "
                    "bands. The coarse image is taken apart into a few basic spectra; a small network learns on this "
                    "pair alone how much of each a pixel holds. Those amounts and the spectra can be written as well; "
                    "they are not forced to sum to one, so use Unmix on the fused image for shares of cover."
                ),
            ),
            (tr("What is needed"), needs_text()),
            (tr("References"), tr("SpectraMorph: Shah and Duarte 2025, arXiv 2510.20814.")),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.add_pair_parameters()
        self.addParameter(pair.mode())
        self.addParameter(pair.count())
        self.add_model_parameter()
        self.add_fine_tuning()
        self.add_rasters()
        self.addParameter(
            shared.raster_output(
                "OUTPUT_LATENT",
                tr("Amounts of basic spectra"),
                tr("One band for each basic spectrum: how much of it each fine pixel holds."),
            )
        )
        self.addParameter(
            shared.file_output(
                "OUTPUT_ENDMEMBERS",
                tr("Basic spectra (CSV)"),
                tr("CSV files (*.csv)"),
                tr("The basic spectra that the fused image is a mixture of, as a table with wavelengths."),
            )
        )
        self.add_common_outputs()

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> FusionSettings:
        count = self.number("COUNT", parameters, context)
        return replace(super().settings(parameters, context), count=None if count is None else int(count))

    def styles(self, job: Job) -> Mapping[str, Style]:
        title = tr("Amounts of basic spectra ({method})").format(method=self.method_words(job))
        return {**super().styles(job), "OUTPUT_LATENT": Style(title, draw_spread)}
