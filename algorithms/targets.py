# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks where outputs are to go, without the side effects of QGIS's own look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterRasterDestination,
)

from ..core.raster.target import check_distinct, check_target
from .parameters import is_given


def check_targets(algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], inputs: Sequence[str]) -> None:
    """Check every file that the user named for an output; temporary ones are QGIS's own business.

    Raises:
        InputError: a file cannot be written there, is an input, or is named twice.
    """
    named = []
    for definition in algorithm.destinationParameterDefinitions():
        path = _named_file(parameters.get(definition.name()))
        if path:
            named.append(path)
            check_target(path, inputs, raster=isinstance(definition, QgsProcessingParameterRasterDestination))
    check_distinct(named)


def _named_file(value: Any) -> str:
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    return str(value) if is_given(value) and value != QgsProcessing.TEMPORARY_OUTPUT else ""
