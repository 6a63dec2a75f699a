# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for fusion; the words are an API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import InputError
from ..sensors.catalogue import SENSORS
from ..settings import Settings

MODES: tuple[str, ...] = ("refined", "paper")
ESTIMATE = "estimate"
"""The word for finding out the spectral response from the pair itself."""
SENSOR_WORDS: tuple[str, ...] = (ESTIMATE, *SENSORS)
RADIOMETRIES: tuple[str, ...] = ("auto", "none")
REGISTRATIONS: tuple[str, ...] = ("warn", "correct", "ignore")
PSF_WORDS: tuple[str, ...] = ("auto", "none")
MAX_SIGMA_PX = 64.0
MAX_COUNT = 60


@dataclass(frozen=True)
class FusionSettings(Settings):
    """Settings of one fusion.

    Attributes:
        mode: ``refined``, or ``paper`` for the network exactly as published; ignored by the method ``fuse``.
        sensor: whose spectral response the MSI has, one of ``SENSOR_WORDS``; a given table comes first.
        radiometry: ``auto`` brings the MSI onto the HSI's scale by a gain and an offset per band where they differ.
        registration: what to do about a shift between the images: ``warn``, ``correct`` or ``ignore``.
        psf: ``auto`` estimates the HSI's point spread function from the pair, ``none`` leaves the correction by it
            out, a number is the sigma of a Gaussian in fine pixels.
        output_bands: bands of the HSI file (from 0) to write, None for all that are used.
        force: go on although the two images seem to show different places.
        count: endmembers of SpectraMorph, None to choose automatically.
        hsi_scale, msi_scale: factors from stored numbers to reflectance, None to find them out.
    """

    of: ClassVar[str] = "Fusion"
    mode: str = "refined"
    sensor: str = ESTIMATE
    radiometry: str = "auto"
    registration: str = "warn"
    psf: str | float = "auto"
    output_bands: tuple[int, ...] | None = None
    force: bool = False
    count: int | None = None
    hsi_scale: float | None = None
    msi_scale: float | None = None

    def __post_init__(self) -> None:
        choices = (("mode", MODES), ("sensor", SENSOR_WORDS), ("radiometry", RADIOMETRIES))
        for name, words in (*choices, ("registration", REGISTRATIONS)):
            self.require_word(name, words)
        if isinstance(self.psf, str):
            if self.psf not in PSF_WORDS:
                raise InputError(f"{self.psf!r} is no known psf: give auto, none, or a sigma in fine pixels.")
        elif not 0.0 < self.psf <= MAX_SIGMA_PX:
            raise InputError(f"The PSF's sigma must be above 0 and at most {MAX_SIGMA_PX:g} fine pixels.")
        self.require_count("count", "The number of endmembers", 2, MAX_COUNT)
        self.require_positive("hsi_scale", "msi_scale")
