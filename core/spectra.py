# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of named spectra, as read from or written to a file."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import InputError


@dataclass(frozen=True)
class Spectra:
    """Named spectra over common bands.

    Attributes:
        names: one unique name per spectrum.
        values: ``values[i]`` is the spectrum called ``names[i]``, one number per band.
        wavelength_nm: band centres in nanometres, or None when the bands are only numbered.
    """

    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    wavelength_nm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        bands = {len(row) for row in self.values}
        if self.wavelength_nm is not None:
            bands.add(len(self.wavelength_nm))
        if len(bands) > 1 or len(self.names) != len(self.values):
            raise InputError("The table of spectra is inconsistent: its columns differ in length.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.values[0]) if self.values else 0
