# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra that the user brings: onto the raster's bands, into reflectance, and told apart."""

from __future__ import annotations

import numpy as np
import torch

from ..bands import BandTable
from ..errors import BandsError, InputError
from ..spectra import Spectra

LARGEST_REFLECTANCE = 2.0
LARGEST_PERCENT = 200.0
TEN_THOUSAND = 10_000.0
NEAR_DUPLICATE_DEG = 1.0


def to_bands(spectra: Spectra, table: BandTable) -> torch.Tensor:
    """Spectra at the bands of a raster, float32 [spectra, bands].

    Wavelengths are matched by linear interpolation where both sides know them, else band by band.

    Raises:
        BandsError: the spectra do not cover the raster's bands, or differ from them in number.
        InputError: a spectrum holds something that is no finite number.
    """
    values = np.asarray(spectra.values, dtype=np.float64)
    for name, row in zip(spectra.names, values):
        if not np.isfinite(row).all():
            raise InputError(f"The spectrum {name!r} has a missing value: fill it in or leave out that spectrum.")
    if spectra.wavelength_nm is None or table.wavelength_nm is None:
        if spectra.bands != len(table):
            raise BandsError(
                f"The spectra have {spectra.bands} values each but {len(table)} bands are used, and wavelengths to "
                "match them by are missing: give one value per used band, or wavelengths on both sides."
            )
        return torch.from_numpy(values).float()
    return torch.from_numpy(_interpolated(spectra.wavelength_nm, values, table.wavelength_nm)).float()


def to_reflectance(values: torch.Tensor) -> tuple[torch.Tensor, str]:
    """Spectra as reflectance, and a sentence where they had to be scaled (else empty).

    Args:
        values: [spectra, bands], as reflectance, in percent, or times 10 000.

    Raises:
        InputError: the numbers are too large for any of these.
    """
    top = float(values.max())
    if top > LARGEST_REFLECTANCE * TEN_THOUSAND:
        raise InputError(
            f"The spectra reach {top:g}, which is no reflectance: give it from 0 to 1, in percent, or times 10 000."
        )
    if top <= LARGEST_REFLECTANCE:
        return values, ""
    divisor, unit = (100.0, "percent") if top <= LARGEST_PERCENT else (TEN_THOUSAND, "reflectance times 10 000")
    return values / divisor, f"The spectra reach {top:g}, so they are taken as {unit} and divided by {divisor:g}."


def near_duplicates(endmembers: torch.Tensor, names: tuple[str, ...]) -> list[tuple[str, str, float]]:
    """Pairs whose spectral angle is under one degree: (name, other name, angle in degrees).

    Args:
        endmembers: [endmembers, bands].
        names: one per endmember.
    """
    unit = torch.nn.functional.normalize(endmembers.double(), dim=1, eps=1e-300)
    # The half-angle form keeps its digits where arccos has none left.
    degrees = torch.rad2deg(2 * torch.asin((torch.cdist(unit, unit, compute_mode=_EXACT) / 2).clamp_max(1.0)))
    return [
        (names[i], names[j], float(degrees[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if degrees[i, j] < NEAR_DUPLICATE_DEG
    ]


_EXACT = "donot_use_mm_for_euclid_dist"


def _interpolated(known_nm: tuple[float, ...], values: np.ndarray, wanted_nm: tuple[float, ...]) -> np.ndarray:
    order = np.argsort(known_nm)
    known = np.asarray(known_nm)[order]
    wanted = np.asarray(wanted_nm)
    spacing = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    missing = np.count_nonzero((wanted < known[0] - spacing) | (wanted > known[-1] + spacing))
    if missing:
        raise BandsError(
            f"The spectra cover {known[0]:.0f}-{known[-1]:.0f} nm but {missing} of the {len(wanted)} bands used "
            f"({wanted.min():.0f}-{wanted.max():.0f} nm) lie outside: choose bands inside it under 'Bands', "
            "or give other spectra."
        )
    return np.stack([np.interp(wanted, known, row[order]) for row in values])
