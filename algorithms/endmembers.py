# SPDX-License-Identifier: GPL-3.0-or-later
"""Find endmembers: the first half of unmixing by itself."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext

from ..core.unmixing.settings import UnmixSettings
from . import parameters as shared
from .mixing import MixingAlgorithm
from .translation import tr


class EndmembersAlgorithm(MixingAlgorithm):
    """How many endmembers an image holds, and their spectra."""

    def name(self) -> str:
        return "endmembers"

    def displayName(self) -> str:
        return tr("Find endmembers")

    def shortDescription(self) -> str:
        return tr("Finds how many pure spectra an image is mixed of, and the spectra themselves.")

    def tags(self) -> list[str]:
        return tr("endmember,extraction,spectra,library,snpa,vca,nfindr,hysime,hyperspectral,unmixing").split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "Finds the pure spectra (endmembers) whose mixtures make up the image, and how many there are. The "
                    "table can be looked at, named, edited, and given to Unmix as known endmembers."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "To judge the spectra before maps are computed, or to unmix several images with the same "
                    "endmembers. The file is read at most twice, whatever its size."
                ),
            ),
            (
                tr("References"),
                tr(
                    "SNPA: Gillis 2014, doi 10.1137/130946782. VCA: Nascimento and Bioucas-Dias 2005, "
                    "doi 10.1109/TGRS.2005.844293. N-FINDR: Winter 1999, doi 10.1117/12.366289. HySime: Bioucas-Dias "
                    "and Nascimento 2008, doi 10.1109/TGRS.2008.918089."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.addParameter(shared.image())
        self.add_extraction_parameters()
        self.add_engine_parameters()
        self.add_common_outputs(table_optional=False)

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> UnmixSettings:
        return UnmixSettings(
            count=self.count(parameters, context),
            extraction=self.parameterAsEnumString(parameters, "EXTRACTION", context),
        )
