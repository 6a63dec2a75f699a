# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be chosen for a simulation; standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..errors import InputError
from ..grid import Grid
from ..sensors.catalogue import SENSORS
from ..sensors.psf import sigma_of_mtf
from ..settings import Settings

MAX_SIGMA_PX = 64.0
MAX_SNR_DB = 120.0


@dataclass(frozen=True)
class SimulationSettings(Settings):
    """Settings of one simulation.

    Attributes:
        ratio: coarse over fine ground sampling distance, any number from 1.
        psf_sigma: standard deviation of the coarse instrument's Gaussian PSF in fine pixels, or None.
        mtf: the same as contrast at the coarse Nyquist frequency, or None; with both None there is no blur beyond the
            average over the coarse pixel.
        sensor: a word of ``SENSORS`` whose multispectral image is made, or None.
        hsi_snr_db, msi_snr_db: signal-to-noise ratios per band, or None for no noise.
    """

    of: ClassVar[str] = "Simulation"
    ratio: float = 4.0
    psf_sigma: float | None = None
    mtf: float | None = None
    sensor: str | None = None
    hsi_snr_db: float | None = None
    msi_snr_db: float | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            optional = value is None and entry.name != "ratio"
            if entry.name != "sensor" and not optional and not _is_number(value):
                raise InputError(f"The setting {entry.name!r} must be a number, not {value!r}.")
        if self.ratio < 1:
            raise InputError(f"The ratio of the pixel sizes is {self.ratio:g}: it must be at least 1.")
        if self.psf_sigma is not None and self.mtf is not None:
            raise InputError("Give either the width of the blur or the contrast (MTF), not both.")
        if self.psf_sigma is not None and not 0 <= self.psf_sigma <= MAX_SIGMA_PX:
            raise InputError(f"The width of the blur must be from 0 to {MAX_SIGMA_PX:g} pixels of the scene.")
        if not 0 <= self.sigma <= MAX_SIGMA_PX:
            raise InputError(
                f"The contrast (MTF) means a blur of more than {MAX_SIGMA_PX:g} pixels: choose a higher one."
            )
        if self.sensor is not None and self.sensor not in SENSORS:
            raise InputError(f"There is no sensor called {self.sensor!r}: choose one of {', '.join(SENSORS)}.")
        for snr in (self.hsi_snr_db, self.msi_snr_db):
            if snr is not None and not 0 <= snr <= MAX_SNR_DB:
                raise InputError(f"A signal-to-noise ratio must be from 0 to {MAX_SNR_DB:g} dB, not {snr:g}.")

    @property
    def sigma(self) -> float:
        """Standard deviation of the PSF in fine pixels; 0 for none."""
        if self.mtf is not None:
            return sigma_of_mtf(self.mtf, self.ratio)
        return self.psf_sigma or 0.0

    def coarse_grid(self, fine: Grid) -> Grid:
        """The grid of the coarse image: whole coarse pixels from the upper left corner on.

        Raises:
            InputError: not even one coarse pixel fits.
        """
        # a ratio that was typed with few digits must not cost the last pixel
        width, height = (math.floor(size / self.ratio + 1e-6) for size in (fine.width, fine.height))
        if min(width, height) < 1:
            raise InputError(
                f"A coarse pixel of {self.ratio:g} x {self.ratio:g} pixels is larger than the image of {fine.width} x "
                f"{fine.height} pixels: choose a smaller ratio."
            )
        a, b, c, d, e, f = fine.transform
        transform = (a * self.ratio, b * self.ratio, c, d * self.ratio, e * self.ratio, f)
        return Grid(width, height, transform, fine.crs_wkt, fine.pixel_is_point)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
