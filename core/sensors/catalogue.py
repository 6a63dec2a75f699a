# SPDX-License-Identifier: GPL-3.0-or-later
"""The multispectral sensors that HyperRes knows: what each of their bands responds to. Standard library only.

The tables lie in ``tables/<id>.json``: curves sampled in even steps, or centre and full width at half maximum of a
Gaussian where the maker publishes no curve. ``dev/make_sensor_tables.py`` makes the sampled ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .psf import sigma_of_fwhm

SENSORS: tuple[str, ...] = (
    "sentinel-2a",
    "sentinel-2b",
    "sentinel-2c",
    "landsat-7",
    "landsat-8",
    "landsat-9",
    "eo-1-ali",
    "planetscope-superdove",
    "rapideye",
    "worldview-2",
    "worldview-3",
    "quickbird",
    "ikonos",
    "ikonos-pan",
    "geoeye-1",
    "pleiades-1a",
    "pleiades-1b",
    "spot-6",
    "spot-7",
    "p4-multispectral",
    "mavic-3m",
    "rededge-mx",
    "altum",
    "sequoia",
    "rgb",
    "pan",
)
"""Names of the sensors in jobs and parameters, in the order in which they are offered."""

_TABLES = Path(__file__).parent / "tables"
_GAUSSIAN_REACH = 2.0
"""Standard deviations to which nominal curves reach: filters end sooner than Gaussians."""


@dataclass(frozen=True)
class SensorBand:
    """What one band responds to.

    Attributes:
        name: as the sensor's makers call it, e.g. ``B8A``.
        aliases: other names, lower case words such as ``red edge``.
        wavelength_nm, response: the curve in even steps, wavelengths increasing, peak 1; zero beyond its ends.
    """

    name: str
    aliases: tuple[str, ...]
    wavelength_nm: tuple[float, ...]
    response: tuple[float, ...]

    @property
    def centre_nm(self) -> float:
        """Response-weighted mean wavelength."""
        return sum(nm * r for nm, r in zip(self.wavelength_nm, self.response)) / sum(self.response)

    @property
    def width_nm(self) -> float:
        """Width of a box with the same peak and area; near the full width at half maximum."""
        return sum(self.response) / max(self.response) * (self.wavelength_nm[1] - self.wavelength_nm[0])

    @property
    def is_pan(self) -> bool:
        """Tell whether the band is the panchromatic one."""
        return "pan" in self.aliases


@dataclass(frozen=True)
class Sensor:
    """A multispectral sensor.

    Attributes:
        id: its word in :data:`SENSORS`.
        title: what people call it.
        bands: in the makers' order.
        attribution: where the curves come from.
    """

    id: str
    title: str
    bands: tuple[SensorBand, ...]
    attribution: str


def load_sensor(sensor_id: str) -> Sensor:
    """Read a sensor's table.

    Raises:
        InputError: no sensor has this name.
    """
    if sensor_id not in SENSORS:
        raise InputError(f"There is no sensor called {sensor_id!r}: choose one of {', '.join(SENSORS)}.")
    record = json.loads((_TABLES / f"{sensor_id}.json").read_text(encoding="utf-8"))
    return Sensor(sensor_id, record["title"], tuple(map(_band, record["bands"])), record["attribution"])


def _band(record: Mapping[str, Any]) -> SensorBand:
    if "response" in record:
        response = tuple(map(float, record["response"]))
        nm = tuple(record["first_nm"] + i * record["step_nm"] for i in range(len(response)))
    else:
        nm, response = _gaussian(record["centre_nm"], record["fwhm_nm"])
    return SensorBand(record["name"], tuple(record["aliases"]), nm, response)


def _gaussian(centre_nm: float, fwhm_nm: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A Gaussian curve, sampled every nanometre."""
    sigma = sigma_of_fwhm(fwhm_nm)
    reach = math.ceil(_GAUSSIAN_REACH * sigma)
    nm = tuple(centre_nm + step for step in range(-reach, reach + 1))
    return nm, tuple(math.exp(-0.5 * ((x - centre_nm) / sigma) ** 2) for x in nm)
