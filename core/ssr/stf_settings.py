# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen when the function between two sensors is estimated; the words are an API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sensors.catalogue import SENSORS
from ..settings import Settings

NO_SENSOR = "none"
SENSOR_WORDS: tuple[str, ...] = (NO_SENSOR, *SENSORS)


@dataclass(frozen=True)
class StfSettings(Settings):
    """Settings of one estimate.

    Attributes:
        sensor: whose published response is shown beside the estimate, one of ``SENSOR_WORDS``.
        force: go on although the two images seem to show different places.
        hsi_scale, msi_scale: factors from stored numbers to reflectance, None to find them out.
    """

    of: ClassVar[str] = "The estimate of a response"
    sensor: str = NO_SENSOR
    force: bool = False
    hsi_scale: float | None = None
    msi_scale: float | None = None

    def __post_init__(self) -> None:
        self.require_word("sensor", SENSOR_WORDS)
        self.require_positive("hsi_scale", "msi_scale")
