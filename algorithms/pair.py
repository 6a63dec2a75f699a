# SPDX-License-Identifier: GPL-3.0-or-later
"""What algorithms that take a hyperspectral and a multispectral image have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from qgis.core import QgsProcessingContext

from ..core.raster.header import MIN_BANDS, RasterHeader
from .base import HyperResAlgorithm, Problems
from .pair_check import check_file
from .parameters import is_given
from .raster_header import file_of, read_image


class PairAlgorithm(HyperResAlgorithm):
    """Reads the headers of a pair, and names the files that no output may overwrite.

    Attributes:
        RASTERS: raster input to its role in the job.
        FILES: file input to its role in the job.
    """

    RASTERS: ClassVar[dict[str, str]] = {}
    FILES: ClassVar[dict[str, str]] = {}

    def header(self, name: str, parameters: dict[str, Any], context: QgsProcessingContext) -> RasterHeader:
        """Header of a raster input; the fine image may have a single band.

        Raises:
            InputError: it cannot be used.
        """
        min_bands = 1 if name == "MSI" else MIN_BANDS
        return read_image(self.parameterAsRasterLayer(parameters, name, context), parameters.get(name), min_bands)

    def headers(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, RasterHeader]:
        """Headers of all raster inputs that are given, by parameter.

        Raises:
            InputError: one of them cannot be used.
        """
        return {name: self.header(name, parameters, context) for name in self.RASTERS if is_given(parameters.get(name))}

    def files(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """Files that are given, by parameter.

        Raises:
            InputError: one of them does not exist.
        """
        paths = {name: self.parameterAsFile(parameters, name, context) for name in self.FILES}
        return {name: path for name, path in paths.items() if path}

    def pair_settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Settings of all methods that relate two sensors, by name.

        Raises:
            InputError: a word or number that is not allowed.
        """
        return {
            "sensor": self.parameterAsEnumString(parameters, "SENSOR", context),
            "force": self.parameterAsBool(parameters, "FORCE", context),
            "hsi_scale": self.number("HSI_SCALE", parameters, context),
            "msi_scale": self.number("MSI_SCALE", parameters, context),
        }

    def usable_headers(
        self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems
    ) -> dict[str, RasterHeader]:
        """Headers of the raster inputs that can be used, by parameter; what is wrong with the others is noted."""
        found = {}
        for name in self.RASTERS:
            with problems.noting():
                found[name] = self.header(name, parameters, context)
        return found

    def check_files(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        """Refuse files that are given and cannot be read.

        Raises:
            InputError: with the sentence for the user.
        """
        for name, path in self.files(parameters, context).items():
            check_file(path, self.parameterDefinition(name).description())

    def inputs(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        layers = (self.parameterAsRasterLayer(parameters, name, context) for name in self.RASTERS)
        rasters = [file_of(layer) for layer in layers if layer is not None]
        return [*rasters, *self.files(parameters, context).values()]

    def number(self, name: str, parameters: dict[str, Any], context: QgsProcessingContext) -> float | None:
        """An optional number, None when it is left empty."""
        given = is_given(parameters.get(name))
        return self.parameterAsDouble(parameters, name, context) if given else None
