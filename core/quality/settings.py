# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for an assessment; standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InputError
from ..fusion.settings import ESTIMATE, SENSOR_WORDS


@dataclass(frozen=True)
class AssessSettings:
    """Settings of one assessment.

    Attributes:
        ratio: coarse over fine pixel size for ERGAS, or None to take it from the coarse image.
        sensor: whose spectral response the MSI has, or ``estimate``; a given table comes first.
    """

    ratio: float | None = None
    sensor: str = ESTIMATE

    def __post_init__(self) -> None:
        ratio = self.ratio
        if ratio is not None:
            number = isinstance(ratio, (int, float)) and not isinstance(ratio, bool) and math.isfinite(ratio)
            if not number or ratio < 1:
                raise InputError(f"The ratio of the pixel sizes is {ratio!r}: it must be a number of at least 1.")
        if self.sensor not in SENSOR_WORDS:
            raise InputError(f"There is no sensor called {self.sensor!r}: choose one of {', '.join(SENSOR_WORDS)}.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> AssessSettings:
        """Read the settings of a job.

        Raises:
            InputError: an entry is unknown or not allowed.
        """
        unknown = sorted(set(settings) - {entry.name for entry in fields(cls)})
        if unknown:
            raise InputError(f"An assessment has no setting {unknown[0]!r}.")
        return cls(**settings)
