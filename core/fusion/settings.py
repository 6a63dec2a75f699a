# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for fusion; the words are an API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError
from ..sensors.catalogue import SENSORS

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
class FusionSettings:
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
            if getattr(self, name) not in words:
                raise InputError(f"{getattr(self, name)!r} is no known {name}: choose one of {', '.join(words)}.")
        if isinstance(self.psf, str):
            if self.psf not in PSF_WORDS:
                raise InputError(f"{self.psf!r} is no known psf: give auto, none, or a sigma in fine pixels.")
        elif not 0.0 < self.psf <= MAX_SIGMA_PX:
            raise InputError(f"The PSF's sigma must be above 0 and at most {MAX_SIGMA_PX:g} fine pixels.")
        if self.count is not None and not (type(self.count) is int and 2 <= self.count <= MAX_COUNT):
            raise InputError(f"The number of endmembers must be from 2 to {MAX_COUNT}, not {self.count!r}.")
        for name in ("hsi_scale", "msi_scale"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise InputError(f"{name} must be a positive number, not {value!r}.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> FusionSettings:
        """Read the settings of a job.

        Raises:
            InputError: an entry is unknown or not allowed.
        """
        unknown = sorted(set(settings) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"Fusion knows no setting {unknown[0]!r}.")
        bands = settings.get("output_bands")
        return cls(**{**settings, "output_bands": None if bands is None else tuple(bands)})

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a job holds them."""
        mapping = asdict(self)
        mapping["output_bands"] = None if self.output_bands is None else list(self.output_bands)
        return mapping
