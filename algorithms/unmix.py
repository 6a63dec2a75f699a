# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix: what share of which material every pixel holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.raster.header import RasterHeader
from ..core.unmixing.settings import MODELS, NORMALIZATIONS, UnmixSettings
from . import parameters as shared
from .mixing import MixingAlgorithm
from .samples import read_samples
from .styling import Style, draw_classes, draw_error, draw_shares
from .translation import tr


class UnmixAlgorithm(MixingAlgorithm):
    """Endmembers, found or given, and their abundances in every pixel."""

    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT": "abundances",
        "OUTPUT_RMSE": "rmse",
        "OUTPUT_CLASS": "class",
        **MixingAlgorithm.ROLES,
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {
        **MixingAlgorithm.NUMBERS,
        "MEAN_RMSE": "mean_rmse",
    }

    def name(self) -> str:
        return "unmix"

    def displayName(self) -> str:
        return tr("Unmix hyperspectral image")

    def shortDescription(self) -> str:
        return tr("Estimates what share of which material every pixel holds.")

    def tags(self) -> list[str]:
        return tr("unmixing,abundance,fraction,endmember,fcls,nnls,sunsal,hyperspectral,spectra,material").split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "A pixel that shows several materials is seen as the sum of their spectra, each weighted by the "
                    "share of the ground it covers. Unmix finds the pure spectra (endmembers) in the image, or takes "
                    "them from a library or from samples, and computes the shares (abundances) of every pixel."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "For maps of cover fractions where pixels are larger than the things on the ground. Start with "
                    "nothing but the image: the number of endmembers is found, and the report shows the evidence. "
                    "Pixels with nodata in any used band are nodata in every output."
                ),
            ),
            (
                tr("References"),
                tr(
                    "FCLS: Heinz and Chang 2001, doi 10.1109/36.911111. SNPA: Gillis 2014, doi 10.1137/130946782. "
                    "VCA: Nascimento and Bioucas-Dias 2005, doi 10.1109/TGRS.2005.844293. SUnSAL: Bioucas-Dias and "
                    "Figueiredo 2010, doi 10.1109/WHISPERS.2010.5594963."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.addParameter(shared.image())
        self.addParameter(shared.spectra_file())
        self.addParameter(shared.samples())
        self.addParameter(shared.samples_field())
        self.add_extraction_parameters()
        self.addParameter(
            shared.words(
                "MODEL",
                tr("Abundance model"),
                MODELS,
                UnmixSettings.model,
                tr(
                    "fcls: shares are not negative and sum to one. nnls: not negative only. ucls: no constraint. "
                    "scaled: not negative, then split into brightness and shares that sum to one, for shade and "
                    "slopes. sunsal: not negative and few at a time, for large libraries."
                ),
            )
        )
        self.addParameter(
            shared.advanced(
                shared.words(
                    "NORMALIZE",
                    tr("Normalization of spectra"),
                    NORMALIZATIONS,
                    UnmixSettings.normalize,
                    tr(
                        "l2: pixels and endmembers are scaled to unit length before solving, which lessens the effect "
                        "of brightness and can change abundances much. none: they are taken as they are. auto: l2 for "
                        "fcls where the image's brightness varies beyond what mixing explains, none otherwise."
                    ),
                )
            )
        )
        self.add_engine_parameters()
        self.addParameter(
            shared.raster_output(
                "OUTPUT",
                tr("Abundances"),
                tr("One band per endmember, named after it, with shares from 0 to 1."),
                optional=False,
            )
        )
        self.addParameter(
            shared.raster_output(
                "OUTPUT_RMSE",
                tr("Reconstruction error"),
                tr("Root mean square difference between each pixel and its mixture, in units of reflectance."),
            )
        )
        self.addParameter(
            shared.raster_output(
                "OUTPUT_CLASS",
                tr("Dominant endmember"),
                tr("The endmember with the largest share of each pixel, as classes with names and colours."),
            )
        )
        self.add_common_outputs()
        self.add_numbers({"MEAN_RMSE": tr("Mean reconstruction error")})

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> UnmixSettings:
        return UnmixSettings(
            count=self.count(parameters, context),
            extraction=self.parameterAsEnumString(parameters, "EXTRACTION", context),
            model=self.parameterAsEnumString(parameters, "MODEL", context),
            normalize=self.parameterAsEnumString(parameters, "NORMALIZE", context),
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        model = str(job.settings["model"]).upper()
        return {
            "OUTPUT": Style(tr("Abundances ({model})").format(model=model), draw_shares),
            "OUTPUT_RMSE": Style(tr("Reconstruction error ({model})").format(model=model), draw_error),
            "OUTPUT_CLASS": Style(tr("Dominant endmember ({model})").format(model=model), draw_classes),
        }

    def spectra_path(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        return self.parameterAsFile(parameters, "ENDMEMBERS", context)

    def samples(
        self, parameters: dict[str, Any], context: QgsProcessingContext, header: RasterHeader
    ) -> tuple[Mapping[str, Any], ...]:
        if not shared.is_given(parameters.get("SAMPLES")):
            return ()
        source = self.parameterAsSource(parameters, "SAMPLES", context)
        if source is None:
            raise InputError(f"The samples {parameters['SAMPLES']} are no vector layer that QGIS can open.")
        field = self.parameterAsString(parameters, "SAMPLES_FIELD", context)
        crs = self.parameterAsRasterLayer(parameters, "INPUT", context).crs()
        return read_samples(source, field, header.grid, crs, context)
