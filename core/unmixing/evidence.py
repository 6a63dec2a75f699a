# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit of endmembers leaves behind for people to judge it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..spectra import Spectra


@dataclass(frozen=True)
class UnmixEvidence:
    """How endmembers and their count came about; plain numbers, so that reports need no torch.

    What belongs to the search for endmembers is None when they were given by the user.

    Attributes:
        endmembers: reflectance over the used bands.
        source: one sentence on where the endmembers come from, e.g. ``Found in the image by SNPA.``
        count_reason: one sentence on how their number was chosen.
        model: constraints on abundances, one of ``MODELS``.
        normalize: one of ``NORMALIZATIONS``.
        extraction: one of ``EXTRACTIONS``.
        hysime: count by HySime.
        nwhfc: count by NWHFC.
        false_alarm: false-alarm probability of NWHFC.
        eigenvalues: of the image's correlation matrix, falling.
        errors_by_count: (count, reconstruction error in reflectance), rising counts.
        dark: names of endmembers so dark that their spectral angle is unstable.
        near_duplicates: (name, other name, angle between them in degrees).
    """

    endmembers: Spectra
    source: str
    count_reason: str
    model: str
    normalize: str = "none"
    extraction: str | None = None
    hysime: int | None = None
    nwhfc: int | None = None
    false_alarm: float | None = None
    eigenvalues: tuple[float, ...] | None = None
    errors_by_count: tuple[tuple[int, float], ...] | None = None
    dark: tuple[str, ...] = ()
    near_duplicates: tuple[tuple[str, str, float], ...] = ()

    @classmethod
    def from_mapping(cls, record: Mapping[str, Any]) -> UnmixEvidence:
        """Rebuild from ``asdict`` after a way through JSON, which turns tuples into lists."""
        values = {name: _tuples(value) for name, value in record.items()}
        spectra = {name: _tuples(value) for name, value in record["endmembers"].items()}
        return cls(**{**values, "endmembers": Spectra(**spectra)})

    @property
    def count(self) -> int:
        """Number of endmembers."""
        return len(self.endmembers)

    def cautions(self) -> list[str]:
        """Sentences that a user should not miss, for the log and the report alike."""
        sentences = []
        if self.dark:
            names = ", ".join(f"“{name}”" for name in self.dark)
            some = "is" if len(self.dark) == 1 else "are"
            sentences.append(
                f"{names} {some} very dark (water or shade, as a rule): a little noise turns the angle of a dark "
                "spectrum a lot, so trust its shape and its spectral angle less than those of the others."
            )
        for name, other, degrees in self.near_duplicates:
            sentences.append(
                f"“{name}” and “{other}” are almost the same spectrum ({degrees:.1f}° apart): their abundances can "
                "trade places, so read them as a sum or ask for fewer endmembers."
            )
        return sentences


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
