# SPDX-License-Identifier: GPL-3.0-or-later
"""The spectral response of a multispectral sensor, sampled on the bands of a hyperspectral one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class Srf:
    """Which mixture of hyperspectral bands each multispectral band sees.

    Attributes:
        matrix: float32 [msi_bands, hsi_bands], non-negative, every row sums to 1.
        names: one name per MSI band, in the order of the MSI's bands.
        source: where it comes from, in words, e.g. ``Sentinel-2A``.
        kept: positions of those bands among the MSI's; None where these are all of them.
        notes: sentences about bands that were left out and what had to be assumed.
    """

    matrix: numpy.ndarray
    names: tuple[str, ...]
    source: str
    kept: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.names):
            raise InputError("The spectral response is inconsistent: it needs one row per multispectral band.")

    def centres(self, wavelength_nm: tuple[float, ...]) -> tuple[float, ...]:
        """Response-weighted centre of each MSI band, in the HSI's wavelengths."""
        return tuple(float(row @ wavelength_nm) for row in self.matrix)
