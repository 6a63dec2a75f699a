# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for unmixing; the words are an API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError

EXTRACTIONS: tuple[str, ...] = ("archetypal", "snpa", "vca", "nfindr", "minvolnmf")
MODELS: tuple[str, ...] = ("fcls", "nnls", "ucls", "scaled", "sunsal")
NORMALIZATIONS: tuple[str, ...] = ("auto", "none", "l2")
MAX_COUNT = 60


@dataclass(frozen=True)
class UnmixSettings:
    """Settings of one unmixing.

    Attributes:
        count: number of endmembers, or None to find it out; ignored when endmembers or samples are given.
        extraction: how endmembers are found, one of ``EXTRACTIONS``.
        model: constraints on abundances, one of ``MODELS``.
        normalize: ``l2`` scales pixels and endmembers to unit length before solving, one of ``NORMALIZATIONS``;
            ``auto`` does so for FCLS with endmembers found in an image whose brightness varies beyond the mixture.
    """

    count: int | None = None
    extraction: str = "archetypal"
    model: str = "fcls"
    normalize: str = "auto"

    def __post_init__(self) -> None:
        for name, words in (("extraction", EXTRACTIONS), ("model", MODELS), ("normalize", NORMALIZATIONS)):
            if getattr(self, name) not in words:
                raise InputError(f"{getattr(self, name)!r} is no known {name}: choose one of {', '.join(words)}.")
        if self.count is not None and not (type(self.count) is int and 1 <= self.count <= MAX_COUNT):
            raise InputError(f"{self.count!r} endmembers were asked for: choose 1 to {MAX_COUNT}, or leave it empty.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> UnmixSettings:
        """Read the settings of a job; unknown keys are refused."""
        unknown = sorted(set(settings) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"Unmix has no setting {unknown[0]!r}.")
        return cls(**settings)

    def to_mapping(self) -> dict[str, Any]:
        """Write as the settings of a job."""
        return asdict(self)
