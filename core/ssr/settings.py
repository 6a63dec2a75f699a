# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for spectral super-resolution; the words are an API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError
from ..sensors.catalogue import SENSORS

MODES: tuple[str, ...] = ("overlap", "archive", "library")
PRESETS: tuple[str, ...] = ("auto", "ridge", "clustered", "pixel", "network", "paper")
BANDS = "bands"
"""The word for taking centres and widths of the MSI's bands from the MSI itself."""
SENSOR_WORDS: tuple[str, ...] = (BANDS, *SENSORS)
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class SsrSettings:
    """Settings of one spectral super-resolution.

    Attributes:
        mode: where spectra come from: ``overlap`` (an HSI of the same ground), ``archive`` (HSIs of other ground) or
            ``library`` (a table of spectra).
        preset: what maps the MSI to spectra; ``auto`` takes what does best on the validation part.
        output_bands: bands of the spectra (from 0) to write, None for all.
        sensor: which camera the MSI is of, one of ``SENSOR_WORDS``.
        hsi_scale, msi_scale: factors from stored numbers to reflectance, None to find them out.
        force: go on although the two images seem to show different places.
        steps: of the network's training, None for a number that suits.
    """

    mode: str = "overlap"
    preset: str = "auto"
    output_bands: tuple[int, ...] | None = None
    sensor: str = BANDS
    hsi_scale: float | None = None
    msi_scale: float | None = None
    force: bool = False
    steps: int | None = None

    def __post_init__(self) -> None:
        for name, words in (("mode", MODES), ("preset", PRESETS), ("sensor", SENSOR_WORDS)):
            if getattr(self, name) not in words:
                raise InputError(f"{getattr(self, name)!r} is no known {name}: choose one of {', '.join(words)}.")
        if self.steps is not None and not (type(self.steps) is int and 1 <= self.steps <= MAX_STEPS):
            raise InputError(f"The number of training steps must be from 1 to {MAX_STEPS}, not {self.steps!r}.")
        for name in ("hsi_scale", "msi_scale"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise InputError(f"{name} must be a positive number, not {value!r}.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> SsrSettings:
        """Read the settings of a job.

        Raises:
            InputError: an entry is unknown or not allowed.
        """
        unknown = sorted(set(settings) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"Spectral super-resolution knows no setting {unknown[0]!r}.")
        bands = settings.get("output_bands")
        return cls(**{**settings, "output_bands": None if bands is None else tuple(bands)})

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a job holds them."""
        mapping = asdict(self)
        mapping["output_bands"] = None if self.output_bands is None else list(self.output_bands)
        return mapping
