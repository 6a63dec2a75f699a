# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that cross the border between QGIS and the worker: plain JSON, standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import InputError

FORMAT = 1
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Job:
    """One run of one method.

    Attributes:
        method: name of the method, e.g. ``unmix``.
        inputs: rasters by role, e.g. ``{"image": "/data/cube.tif"}``.
        outputs: files to write by role; roles that are absent are not written.
        settings: the method's own settings.
        tables: files with spectra by role (CSV or ENVI ``.sli``), e.g. ``{"endmembers": ...}``.
        samples: labelled geometries on the image, ``{"name": class, "geometry": GeoJSON in the image's CRS}``.
        bands: bands to use, counted from 0, or None for all good ones.
        skip_water_vapour: leave out the water-vapour windows when ``bands`` is None.
        scale: factor from stored numbers to reflectance, or None to find it out.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: seed of every random choice.
        memory_mb: memory for tiles and samples, or None for a share of what is free.
        workers: tiles computed at the same time, or None for one per processor core.
    """

    method: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()
    bands: tuple[int, ...] | None = None
    skip_water_vapour: bool = True
    scale: float | None = None
    device: str = "auto"
    seed: int = 0
    memory_mb: int | None = None
    workers: int | None = None

    def to_json(self) -> str:
        """Write as JSON text."""
        return json.dumps({"hyperres_job": FORMAT, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read JSON text; unknown keys are refused rather than ignored.

        Raises:
            InputError: the text is no job record of this format, or an entry is not what it must be.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The job file is not valid JSON: {error}.") from error
        if not isinstance(record, dict) or record.pop("hyperres_job", None) != FORMAT:
            raise InputError(f'The file is no HyperRes job of format {FORMAT}: "hyperres_job" is missing or differs.')
        unknown = sorted(set(record) - {f.name for f in fields(cls)})
        missing = sorted({"method", "inputs"} - set(record))
        if unknown or missing:
            raise InputError(f"The job file has {'unknown' if unknown else 'no'} entry {(unknown or missing)[0]!r}.")
        _check_entries(record)
        if record.get("bands") is not None:
            record["bands"] = tuple(record["bands"])
        record["samples"] = tuple(record.get("samples", ()))
        return cls(**record)

    @classmethod
    def load(cls, path: str | Path) -> Job:
        """Read a job file."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise InputError(f"The job file {path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"The job file {path} is no text in UTF-8.") from error
        return cls.from_json(text)


@dataclass(frozen=True)
class Result:
    """What a finished job made.

    Attributes:
        outputs: files written, by role.
        numbers: figures that a model can use, e.g. ``{"count": 4, "mean_rmse": 0.012}``.
        details: everything worth keeping, JSON-ready (settings, device, versions, timings, warnings).
    """

    outputs: Mapping[str, str]
    numbers: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)


def _check_entries(record: Mapping[str, Any]) -> None:
    """Refuse values of another kind than the engine counts on."""
    for name, (fits, words) in _ENTRIES.items():
        if name in record and not fits(record[name]):
            raise InputError(f"The job's entry {name!r} must be {words}.")
    for sample in record.get("samples", ()):
        if not _is_geometry(sample["geometry"]):
            raise InputError(
                f"A sample of the class {sample['name']!r} has an empty or broken geometry: repair it or remove it."
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any, low: int, high: int = LARGEST_SEED) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_paths(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_samples(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(sample, dict) and _is_text(sample.get("name")) and "geometry" in sample for sample in value
    )


def _is_geometry(value: Any) -> bool:
    """Tell whether a value is GeoJSON with at least one position, all of them finite."""
    if not isinstance(value, dict):
        return False
    if value.get("type") == "GeometryCollection":
        parts = value.get("geometries")
        return isinstance(parts, list) and bool(parts) and all(map(_is_geometry, parts))
    depth = _NESTING.get(str(value.get("type")))
    return depth is not None and _are_positions(value.get("coordinates"), depth)


def _are_positions(value: Any, depth: int) -> bool:
    if not isinstance(value, list):
        return False
    if depth == 0:
        return len(value) >= 2 and all(map(_is_number, value))
    return bool(value) and all(_are_positions(part, depth - 1) for part in value)


_NESTING = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""GeoJSON types and how many lists their positions lie in."""

_ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "method": (_is_text, "a name"),
    "inputs": (_are_paths, "paths by role"),
    "outputs": (_are_paths, "paths by role"),
    "tables": (_are_paths, "paths by role"),
    "settings": (lambda value: isinstance(value, dict), "values by name"),
    "samples": (_are_samples, "a list of records with a 'name' and a 'geometry'"),
    "bands": (
        lambda value: (
            value is None or (isinstance(value, list) and bool(value) and all(_is_whole(i, 0) for i in value))
        ),
        "null or a list of band numbers, counted from 0",
    ),
    "skip_water_vapour": (lambda value: isinstance(value, bool), "true or false"),
    "scale": (lambda value: value is None or (_is_number(value) and value > 0), "null or a positive number"),
    "device": (_is_text, "a name"),
    "seed": (lambda value: _is_whole(value, 0), f"a whole number from 0 to {LARGEST_SEED}"),
    "memory_mb": (lambda value: value is None or _is_whole(value, 1), "null or a whole number from 1"),
    "workers": (lambda value: value is None or _is_whole(value, 1), "null or a whole number from 1"),
}
"""What each entry must be, and the words for it."""
