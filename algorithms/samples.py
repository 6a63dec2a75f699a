# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads labelled points and polygons into plain values in the image's coordinate system."""

from __future__ import annotations

import json
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
)

from ..core.errors import InputError
from ..core.grid import Grid
from .parameters import is_given

MAX_SAMPLES = 10_000


def read_samples(
    source: QgsProcessingFeatureSource,
    field: str,
    grid: Grid,
    crs: QgsCoordinateReferenceSystem,
    context: QgsProcessingContext,
) -> tuple[dict[str, Any], ...]:
    """Read the samples that lie on the image.

    Args:
        source: points or polygons.
        field: name of the field with class names.
        grid: the image's grid.
        crs: the image's coordinate system; when it has none, the samples' coordinates are taken as they are.
        context: knows the project's transformations.

    Returns:
        records ``{"name": class, "geometry": GeoJSON in the image's coordinate system}``.

    Raises:
        InputError: a sample has no class or no geometry, cannot be brought to the image, or a class lies outside it.
    """
    _check_source(source, field)
    transform = _transform(source.sourceCrs(), crs, context)
    footprint = _footprint(grid)
    index = source.fields().lookupField(field)
    request = QgsFeatureRequest().setSubsetOfAttributes([index])
    inside: list[dict[str, Any]] = []
    classes: set[str] = set()
    for feature in source.getFeatures(request):
        name = _class_name(feature, index, field)
        geometry = _to_image(feature, transform, crs)
        classes.add(name)
        if footprint.intersects(geometry):
            inside.append({"name": name, "geometry": json.loads(geometry.asJson(17))})
    outside = sorted(classes - {sample["name"] for sample in inside})
    if not inside:
        raise InputError("All samples lie outside the image: choose samples on it, or correct their coordinate system.")
    if outside:
        raise InputError(f"All samples of the class {outside[0]!r} lie outside the image: leave that class out.")
    return tuple(inside)


def _check_source(source: QgsProcessingFeatureSource, field: str) -> None:
    if not field:
        raise InputError("The samples need a field with class names: choose it under 'Field with class names'.")
    if source.fields().lookupField(field) < 0:
        known = ", ".join(source.fields().names()) or "no fields"
        raise InputError(f"The samples have no field {field!r}: choose one of theirs ({known}).")
    count = source.featureCount()
    if count == 0:
        raise InputError("The samples are empty: choose a layer that has features, or select some.")
    if count > MAX_SAMPLES:
        raise InputError(
            f"There are {count} samples, more than the {MAX_SAMPLES} that can be used: select some of them, or merge "
            "the polygons of each class."
        )


def _transform(
    source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem, context: QgsProcessingContext
) -> QgsCoordinateTransform:
    if not target.isValid():
        return QgsCoordinateTransform()  # leaves coordinates as they are
    if not source.isValid():
        raise InputError("The samples have no coordinate system: assign one to their layer.")
    transform = QgsCoordinateTransform(source, target, context.transformContext())
    if not transform.isValid():
        raise InputError(_unreachable(source, target))
    return transform


def _unreachable(source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem) -> str:
    return (
        f"The samples cannot be brought from their coordinate system ({source.userFriendlyIdentifier()}) to that of "
        f"the image ({target.userFriendlyIdentifier()}): correct the one that is wrong, or reproject the samples."
    )


def _class_name(feature: QgsFeature, index: int, field: str) -> str:
    value = feature.attributes()[index]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = str(value).strip() if is_given(value) else ""
    if not name:
        raise InputError(f"Sample {feature.id()} has no class in the field {field!r}: fill it in, or delete it.")
    return name


def _to_image(
    feature: QgsFeature, transform: QgsCoordinateTransform, target: QgsCoordinateReferenceSystem
) -> QgsGeometry:
    geometry = QgsGeometry(feature.geometry())
    if geometry.isNull() or geometry.isEmpty():
        raise InputError(f"Sample {feature.id()} has no geometry: delete it.")
    try:
        geometry.transform(transform)
    except QgsCsException as error:
        raise InputError(_unreachable(transform.sourceCrs(), target)) from error
    return geometry


def _footprint(grid: Grid) -> QgsGeometry:
    corners = [(0, 0), (0, grid.width), (grid.height, grid.width), (grid.height, 0)]
    return QgsGeometry.fromPolygonXY([[QgsPointXY(*grid.xy(row, col)) for row, col in corners]])
