# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for an assessment; standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..errors import InputError
from ..fusion.settings import ESTIMATE, SENSOR_WORDS
from ..settings import Settings


@dataclass(frozen=True)
class AssessSettings(Settings):
    """Settings of one assessment.

    Attributes:
        ratio: coarse over fine pixel size for ERGAS, or None to take it from the coarse image.
        sensor: whose spectral response the MSI has, or ``estimate``; a given table comes first.
    """

    of: ClassVar[str] = "An assessment"
    ratio: float | None = None
    sensor: str = ESTIMATE

    def __post_init__(self) -> None:
        ratio = self.ratio
        if ratio is not None:
            number = isinstance(ratio, (int, float)) and not isinstance(ratio, bool) and math.isfinite(ratio)
            if not number or ratio < 1:
                raise InputError(f"The ratio of the pixel sizes is {ratio!r}: it must be a number of at least 1.")
        self.require_word("sensor", SENSOR_WORDS)
