# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for spectral super-resolution; the words are an API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sensors.catalogue import SENSORS
from ..settings import Settings

MODES: tuple[str, ...] = ("overlap", "archive", "library")
PRESETS: tuple[str, ...] = ("auto", "ridge", "clustered", "pixel", "network", "paper")
BANDS = "bands"
"""The word for taking centres and widths of the MSI's bands from the MSI itself."""
SENSOR_WORDS: tuple[str, ...] = (BANDS, *SENSORS)
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class SsrSettings(Settings):
    """Settings of one spectral super-resolution.

    Attributes:
        mode: where spectra come from: ``overlap`` (an HSI of the same ground), ``archive`` (HSIs of other ground) or
            ``library`` (a table of spectra).
        preset: what maps the MSI to spectra; ``auto`` takes what does best on the validation part.
        output_bands: bands of the spectra (from 0) to write, None for all.
        sensor: which camera the MSI is of, one of ``SENSOR_WORDS``.
        hsi_scale, msi_scale: factors from stored numbers to reflectance, None to find them out.
        force: go on although the two images seem to show different places, or the image nothing that a model has met.
        steps: of the network's training, None for a number that suits.
    """

    of: ClassVar[str] = "Spectral super-resolution"
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
            self.require_word(name, words)
        self.require_count("steps", "The number of training steps", 1, MAX_STEPS)
        self.require_positive("hsi_scale", "msi_scale")
