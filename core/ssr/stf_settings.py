# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen when the function between two sensors is estimated; the words are an API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError
from ..sensors.catalogue import SENSORS

NO_SENSOR = "none"
SENSOR_WORDS: tuple[str, ...] = (NO_SENSOR, *SENSORS)


@dataclass(frozen=True)
class StfSettings:
    """Settings of one estimate.

    Attributes:
        sensor: whose published response is shown beside the estimate, one of ``SENSOR_WORDS``.
        force: go on although the two images seem to show different places.
        hsi_scale, msi_scale: factors from stored numbers to reflectance, None to find them out.
    """

    sensor: str = NO_SENSOR
    force: bool = False
    hsi_scale: float | None = None
    msi_scale: float | None = None

    def __post_init__(self) -> None:
        if self.sensor not in SENSOR_WORDS:
            raise InputError(f"{self.sensor!r} is no known sensor: choose one of {', '.join(SENSOR_WORDS)}.")
        for name in ("hsi_scale", "msi_scale"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise InputError(f"{name} must be a positive number, not {value!r}.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> StfSettings:
        """Read the settings of a job.

        Raises:
            InputError: an entry is unknown or not allowed.
        """
        unknown = sorted(set(settings) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"The estimate of a response knows no setting {unknown[0]!r}.")
        return cls(**settings)

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a job holds them."""
        return asdict(self)
