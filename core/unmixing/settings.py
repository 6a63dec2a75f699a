# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for unmixing; the words are an API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import InputError
from ..settings import Settings

EXTRACTIONS: tuple[str, ...] = ("archetypal", "snpa", "vca", "nfindr", "minvolnmf")
MODELS: tuple[str, ...] = ("fcls", "nnls", "ucls", "scaled", "sunsal")
NORMALIZATIONS: tuple[str, ...] = ("auto", "none", "l2")
MAX_COUNT = 60


@dataclass(frozen=True)
class UnmixSettings(Settings):
    """Settings of one unmixing.

    Attributes:
        count: number of endmembers, or None to find it out; ignored when endmembers or samples are given.
        extraction: how endmembers are found, one of ``EXTRACTIONS``.
        model: constraints on abundances, one of ``MODELS``.
        normalize: ``l2`` scales pixels and endmembers to unit length before solving, one of ``NORMALIZATIONS``;
            ``auto`` does so for FCLS with endmembers found in an image whose brightness varies beyond the mixture.
    """

    of: ClassVar[str] = "Unmix"
    count: int | None = None
    extraction: str = "archetypal"
    model: str = "fcls"
    normalize: str = "auto"

    def __post_init__(self) -> None:
        for name, words in (("extraction", EXTRACTIONS), ("model", MODELS), ("normalize", NORMALIZATIONS)):
            self.require_word(name, words)
        if self.count is not None and not (type(self.count) is int and 1 <= self.count <= MAX_COUNT):
            raise InputError(f"{self.count!r} endmembers were asked for: choose 1 to {MAX_COUNT}, or leave it empty.")
