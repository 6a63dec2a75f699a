# SPDX-License-Identifier: GPL-3.0-or-later
"""The records that cross the border between QGIS and the worker: plain JSON, standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import InputError

FORMAT = 1


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
            InputError: the text is no job record of this format.
        """
        try:
            record = json.loads(text)
        except ValueError as error:
            raise InputError(f"The job file is not valid JSON: {error}.") from error
        if not isinstance(record, dict) or record.pop("hyperres_job", None) != FORMAT:
            raise InputError(f'The file is no HyperRes job of format {FORMAT}: "hyperres_job" is missing or differs.')
        unknown = sorted(set(record) - {f.name for f in fields(cls)})
        missing = sorted({"method", "inputs"} - set(record))
        if unknown or missing:
            raise InputError(f"The job file has {'unknown' if unknown else 'no'} entry {(unknown or missing)[0]!r}.")
        if record.get("bands") is not None:
            record["bands"] = tuple(record["bands"])
        record["samples"] = tuple(record.get("samples", ()))
        return cls(**record)

    @classmethod
    def load(cls, path: str | Path) -> Job:
        """Read a job file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"The job file {path} cannot be read: {error.strerror}.") from error
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
