# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for super-resolution; the words are an API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..errors import InputError
from ..settings import Settings
from ..unmixing.settings import MAX_COUNT

MODES: tuple[str, ...] = ("fast", "tuned", "paper")
FACTORS: tuple[int, ...] = (2, 4, 8)
USUAL_SIGMA = 0.4
"""Sigma of the blur over the size of an input pixel: an MTF of 0.45 at the Nyquist frequency. Many sensors blur more,
but a blur taken too wide leaves rims and speckles, and one taken too narrow only less sharpness."""
LEAST_SIGMA, MOST_SIGMA = 0.2, 1.2
"""Beyond them an input pixel would see next to nothing of its own ground, or mostly that of its neighbours."""


@dataclass(frozen=True)
class SuperresolveSettings(Settings):
    """Settings of one super-resolution.

    Attributes:
        factor: how many times finer the result is, one of ``FACTORS``.
        sigma: standard deviation of the sensor's blur in pixels of the result, None for the usual one or by ``mtf``.
        mtf: what the sensor leaves of the contrast at the input's Nyquist frequency, 0-1, instead of ``sigma``.
        mode: ``fast`` uses the shipped network, ``tuned`` trains it further for this image, ``paper`` trains the
            published network from nothing.
        count: number of endmembers, None to find it out; ignored when endmembers are given.
        output_bands: bands of the file (from 0) to write, None for all that are used.
    """

    of: ClassVar[str] = "Super-resolution"
    factor: int = 2
    sigma: float | None = None
    mtf: float | None = None
    mode: str = "fast"
    count: int | None = None
    output_bands: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.factor not in FACTORS or type(self.factor) is not int:
            raise InputError(f"The scale factor must be one of {', '.join(map(str, FACTORS))}, not {self.factor!r}.")
        self.require_word("mode", MODES)
        self.require_count("count", "The number of endmembers", 2, MAX_COUNT)
        self.require_number("sigma", "mtf")
        bands = self.output_bands
        if bands is not None and not (isinstance(bands, tuple) and bands and all(type(band) is int for band in bands)):
            raise InputError(f"output_bands must be a list of band numbers counted from 0, not {bands!r}.")
        if self.sigma is not None and self.mtf is not None:
            raise InputError("Give either the width of the blur or the MTF, not both: each follows from the other.")
        if self.mtf is not None and not 0.0 < self.mtf < 1.0:
            raise InputError(f"The MTF must lie between 0 and 1, not at {self.mtf!r}.")
        low, high = LEAST_SIGMA * self.factor, MOST_SIGMA * self.factor
        if not low <= self.psf_sigma <= high:
            raise InputError(
                f"A blur of sigma {self.psf_sigma:.3g} output pixels is impossible at scale factor {self.factor}: give "
                f"{low:.2g} to {high:.2g} output pixels, or an MTF from {_mtf(MOST_SIGMA):.2g} to "
                f"{_mtf(LEAST_SIGMA):.2g}."
            )

    @property
    def psf_sigma(self) -> float:
        """Standard deviation of the blur in pixels of the result.

        An MTF G at the Nyquist frequency f = 1 / (2 s) of the input means exp(-2 pi^2 sigma^2 f^2) = G.
        """
        if self.mtf is not None:
            return self.factor * math.sqrt(-2.0 * math.log(self.mtf)) / math.pi
        return USUAL_SIGMA * self.factor if self.sigma is None else self.sigma


def _mtf(sigma: float) -> float:
    """MTF at the input's Nyquist frequency of a blur in input pixels."""
    return math.exp(-((math.pi * sigma) ** 2) / 2.0)
