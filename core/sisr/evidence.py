# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit leaves behind for people to judge it by; plain numbers, so that reports need no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..unmixing.evidence import UnmixEvidence


@dataclass(frozen=True)
class Trial:
    """The image made coarser once more, so that the truth is known, and brought back.

    Attributes:
        cubic, result: error of cubic interpolation and of this method, root mean square in reflectance.
        cubic_sam, result_sam: mean spectral angles in degrees.
        said: what the method itself said its error would be, root mean square.
    """

    cubic: float
    result: float
    cubic_sam: float
    result_sam: float
    said: float

    @property
    def gain(self) -> float:
        """By how many decibels the error is smaller than that of interpolation."""
        return 20.0 * math.log10(self.cubic / max(self.result, 1e-30))


@dataclass(frozen=True)
class Sizes:
    """Sizes of the leaves that a network was trained on for an image, and what they were chosen by.

    Attributes:
        smallest: smallest leaf in input pixels.
        exponent: of the power law of their sizes.
        lags: distances in input pixels.
        image, leaves: variogram of the image and of leaves seen by the sensor, over their variance, at these distances.
    """

    smallest: float
    exponent: float
    lags: tuple[int, ...]
    image: tuple[float, ...]
    leaves: tuple[float, ...]

    @classmethod
    def from_mapping(cls, record: Mapping[str, Any]) -> Sizes:
        """Rebuild from JSON."""
        curves = {name: tuple(record[name]) for name in ("lags", "image", "leaves")}
        return cls(float(record["smallest"]), float(record["exponent"]), **curves)


@dataclass(frozen=True)
class SisrEvidence:
    """How a super-resolution came about.

    Attributes:
        unmixing: how the endmembers were found.
        components: principal components of the unmixing's residual that were made finer as well.
        unexplained: share of the image's power that abundances alone do not explain.
        noise: standard deviation of the input's noise, in reflectance.
        sums_hold: True where abundances sum to one without being made to.
        network: what made the planes finer, in words.
        inflation: how many times larger errors are than what the input tells of them.
        training: (step, error of held-out pairs in standard deviations of a plane), when a network was trained.
        narrowed: the blur that was asked for and the narrower one that was taken, in pixels of the result.
        sizes: of the leaves, when a network was trained on such as resemble the image.
        trial: on the image's own coarser scale, None where the image is too small for it.
        notes: sentences that a user should not miss.
    """

    unmixing: UnmixEvidence
    components: int
    unexplained: float
    noise: float
    sums_hold: bool
    network: str
    inflation: float = 1.0
    training: tuple[tuple[int, float], ...] = ()
    narrowed: tuple[float, float] | None = None
    sizes: Sizes | None = None
    trial: Trial | None = None
    notes: tuple[str, ...] = field(default=())

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, record: Mapping[str, Any]) -> SisrEvidence:
        """Rebuild from :meth:`to_mapping` after a way through JSON."""
        trial, sizes, narrowed = record["trial"], record.get("sizes"), record.get("narrowed")
        own = {
            "unmixing": UnmixEvidence.from_mapping(record["unmixing"]),
            "trial": None if trial is None else Trial(**trial),
            "narrowed": None if narrowed is None else (float(narrowed[0]), float(narrowed[1])),
            "sizes": None if sizes is None else Sizes.from_mapping(sizes),
            "training": tuple((int(step), float(error)) for step, error in record["training"]),
            "notes": tuple(record["notes"]),
        }
        return cls(**{**record, **own})

    def cautions(self) -> list[str]:
        """Sentences for the log and the report alike."""
        return [*self.unmixing.cautions(), *self.own_cautions()]

    def own_cautions(self) -> list[str]:
        """Those that are not about the unmixing."""
        if self.narrowed is None:
            return list(self.notes)
        asked, taken = self.narrowed
        sentence = (
            f"The image cannot have been blurred by a sigma of {asked:.3g} output pixels: no finer image would look "
            f"like this if blurred so much. A sigma of {taken:.3g} output pixels is taken instead."
        )
        return [sentence, *self.notes]
