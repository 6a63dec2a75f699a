# SPDX-License-Identifier: GPL-3.0-or-later
"""What the algorithms of the group Unmixing have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext

from ..core.bands import choose_bands
from ..core.engine.job import Job
from ..core.raster.header import RasterHeader
from ..core.raster.spectra_files import read_spectra
from ..core.unmixing.check import check_unmix
from ..core.unmixing.settings import EXTRACTIONS, MAX_COUNT, UnmixSettings
from . import parameters as shared
from .base import HyperResAlgorithm, Problems
from .raster_header import read_image
from .translation import tr


class MixingAlgorithm(HyperResAlgorithm):
    """Parameters, checks and job of everything that starts with endmembers."""

    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT_ENDMEMBERS": "endmembers",
        "OUTPUT_SLI": "sli",
        "REPORT": "report",
        "RESULT": "result",
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {"COUNT_FOUND": "count", "VALID_SHARE": "valid_share"}

    def group(self) -> str:
        return tr("Unmixing")

    def groupId(self) -> str:
        return "unmixing"

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> UnmixSettings:
        """The method's settings.

        Raises:
            InputError: a word or number that is not allowed.
        """
        raise NotImplementedError

    def add_extraction_parameters(self) -> None:
        """How many endmembers are looked for, and how."""
        self.addParameter(
            shared.whole_number(
                "COUNT",
                tr("Number of endmembers"),
                1,
                MAX_COUNT,
                tr(
                    "Empty means: find it out, as the smallest number beyond which the reconstruction error hardly "
                    "falls. Ignored when endmembers or samples are given."
                ),
            )
        )
        self.addParameter(
            shared.words(
                "EXTRACTION", tr("Way to find endmembers"), EXTRACTIONS, UnmixSettings.extraction, extraction_help()
            )
        )

    def add_engine_parameters(self) -> None:
        """Bands, scale, device and seed."""
        for parameter in (shared.bands(), shared.water_vapour(), shared.scale(), shared.device(), shared.seed()):
            self.addParameter(parameter)

    def add_common_outputs(self, table_optional: bool = True) -> None:
        """Tables, report and figures."""
        self.addParameter(shared.endmembers_output(table_optional))
        for parameter in (shared.library_output(), shared.report(), shared.result()):
            self.addParameter(parameter)
        self.add_numbers({"COUNT_FOUND": tr("Number of endmembers"), "VALID_SHARE": tr("Share of valid pixels")})

    def count(self, parameters: dict[str, Any], context: QgsProcessingContext) -> int | None:
        """The asked number of endmembers, None when it is to be found."""
        given = shared.is_given(parameters.get("COUNT"))
        return self.parameterAsInt(parameters, "COUNT", context) if given else None

    def header(self, parameters: dict[str, Any], context: QgsProcessingContext) -> RasterHeader:
        """Header of the image.

        Raises:
            InputError: it cannot be used.
        """
        return read_image(self.parameterAsRasterLayer(parameters, "INPUT", context), parameters.get("INPUT"))

    def spectra_path(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """The file with known endmembers, empty when there is none."""
        return ""

    def samples(
        self, parameters: dict[str, Any], context: QgsProcessingContext, header: RasterHeader
    ) -> tuple[Mapping[str, Any], ...]:
        """Labelled geometries on the image.

        Raises:
            InputError: they cannot be used.
        """
        return ()

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        with problems.noting():
            header = self.header(parameters, context)
            used = choose_bands(header.table, *self._bands(parameters, context)).used
            path = self.spectra_path(parameters, context)
            spectra = read_spectra(path)[0] if path else None
            classes = {sample["name"] for sample in self.samples(parameters, context, header)}
            check_unmix(self.settings(parameters, context), header.table.subset(used), spectra, len(classes))

    def inputs(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        files = [layer.source() if layer else "", self.spectra_path(parameters, context)]
        return [file for file in files if file]

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        header = self.header(parameters, context)
        bands, skip_water_vapour = self._bands(parameters, context)
        path = self.spectra_path(parameters, context)
        scale_given = shared.is_given(parameters.get("SCALE"))
        return Job(
            method="unmix",
            inputs={"image": header.path},
            settings=self.settings(parameters, context).to_mapping(),
            tables={"endmembers": path} if path else {},
            samples=self.samples(parameters, context, header),
            bands=bands,
            skip_water_vapour=skip_water_vapour,
            scale=self.parameterAsDouble(parameters, "SCALE", context) if scale_given else None,
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def _bands(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[tuple[int, ...] | None, bool]:
        """Bands chosen by hand, counted from 0, or None; and whether to leave out water-vapour bands."""
        chosen = tuple(number - 1 for number in self.parameterAsInts(parameters, "BANDS", context))
        return chosen or None, not self.parameterAsBool(parameters, "WATER_VAPOUR", context)


def extraction_help() -> str:
    """What the words for ways of finding endmembers mean."""
    meanings = {
        "snpa": tr("successive nonnegative projection, quick, always the same answer"),
        "vca": tr("vertex component analysis, quick, random with the seed"),
        "nfindr": tr("the simplex of largest volume among the pixels"),
        "minvolnmf": tr("the smallest simplex around the pixels, for scenes without pure pixels"),
        "archetypal": tr("means of pixels that explain most others, for scenes with shade and variable materials"),
    }
    return " ".join(f"{word}: {meanings.get(word, word)}." for word in EXTRACTIONS)
