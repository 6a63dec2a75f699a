# SPDX-License-Identifier: GPL-3.0-or-later
"""Which band of a sensor each band of a multispectral image is: by wavelength, by name or by what it shows.

Never by position: stacks are cut and reordered, and drone cameras store near infrared before red edge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..bands import BandTable
from ..errors import BandsError
from .catalogue import Sensor

_LEAST_TOLERANCE_NM, _TOLERANCE = 20.0, 0.9
"""How far a wavelength may lie from the centre of its band: at least in nm, and in widths of the band."""
_UNCERTAIN_NM = 12.0
"""Differences of distance that a name may outweigh."""
_IMPOSSIBLE = 1e9
# longer phrases that must not be taken for the colour within them
_PHRASES = ("red edge", "coastal blue", "near infrared", "narrow nir", "green 1")
_NUMBERED = re.compile(r"(?:b|channel|layer|gray|grey)?\s?(\d+)")


def match_bands(sensor: Sensor, msi_table: BandTable) -> tuple[int, ...] | None:
    """Find the sensor's band that each MSI band is, by wavelength or else by name.

    Returns:
        bands of the sensor counted from 0, in the order of the MSI's bands; None when neither wavelengths nor names
        tell, so that only the pixels can (:func:`match_by_correlation`).

    Raises:
        BandsError: the MSI's wavelengths contradict the sensor, or it has more bands than the sensor.
    """
    if len(msi_table) > len(sensor.bands):
        raise BandsError(
            f"The multispectral image has {len(msi_table)} bands, but {sensor.title} has only {len(sensor.bands)}: "
            "choose the right sensor or leave bands out."
        )
    named = _by_name(sensor, msi_table.names)
    if msi_table.wavelength_nm is None:
        return named
    centres = [band.centre_nm for band in sensor.bands]
    widths = [band.width_nm for band in sensor.bands]
    pans = {i for i, band in enumerate(sensor.bands) if band.is_pan}
    # a stack of several bands holds the panchromatic one only where a name says so
    if len(msi_table) > 1 and not (named and pans & set(named)):
        centres = [np.inf if i in pans else nm for i, nm in enumerate(centres)]
    # a single band is rather panchromatic than one of several
    likely = named or (tuple(pans) if len(msi_table) == 1 and pans else None)
    found, worst = match_wavelengths(msi_table.wavelength_nm, centres, widths, likely)
    if worst is not None:
        raise BandsError(
            f"{band_words(msi_table, worst)} of the multispectral image fits no free band of {sensor.title}: choose "
            "the sensor that took the image, or correct the image's wavelengths."
        )
    return found


def match_wavelengths(
    wavelength_nm: Sequence[float],
    centres_nm: Sequence[float],
    widths_nm: Sequence[float],
    likely: Sequence[int] | None = None,
) -> tuple[tuple[int, ...], int | None]:
    """Pair wavelengths with band centres one to one so that the distances are least in sum.

    Args:
        wavelength_nm: of the bands to match.
        centres_nm: of the candidates, at least as many; infinite ones never match.
        widths_nm: of the candidates.
        likely: a candidate per band that is preferred where wavelengths hardly tell, or None.

    Returns:
        a candidate per band, and the band that fits worst if it is too far from its candidate to be it, else None.
    """
    distance = np.abs(np.asarray(wavelength_nm)[:, None] - np.asarray(centres_nm)[None, :])
    tolerance = np.maximum(np.asarray(widths_nm) * _TOLERANCE, _LEAST_TOLERANCE_NM)
    cost = np.where(distance <= tolerance[None, :], distance, _IMPOSSIBLE + np.minimum(distance, _IMPOSSIBLE))
    if likely is not None:
        cost[range(len(likely)), likely] -= _UNCERTAIN_NM
    rows, columns = linear_sum_assignment(cost)
    found = tuple(int(i) for i in columns)
    chosen = cost[rows, columns]
    worst = int(np.argmax(chosen))
    return found, worst if chosen[worst] > _IMPOSSIBLE / 2 else None


def match_by_correlation(
    matrix: np.ndarray, hsi_pixels: np.ndarray, msi_pixels: np.ndarray
) -> tuple[tuple[int, ...], float]:
    """Find the bands by what they show: most probable one-to-one pairing of averaged MSI bands with S Y.

    With correlation r, the part of an MSI band that a candidate leaves unexplained is 1 - r^2; the sum of its
    logarithms is least for the most probable pairing under Gaussian noise.

    Args:
        matrix: responses of all candidates, [candidates, hsi_bands].
        hsi_pixels: coarse HSI pixels Y, [pixels, hsi_bands].
        msi_pixels: the MSI averaged over the same pixels, [pixels, msi_bands].

    Returns:
        a candidate per MSI band, and the lowest correlation among the pairs.

    Raises:
        BandsError: there are more MSI bands than candidates.
    """
    if msi_pixels.shape[1] > len(matrix):
        raise BandsError(
            f"The multispectral image has {msi_pixels.shape[1]} bands, but the sensor only {len(matrix)} that the "
            "hyperspectral image covers: choose the right sensor or leave bands out."
        )
    correlation = np.clip(_standardised(msi_pixels).T @ _standardised(hsi_pixels @ matrix.T), 0.0, 1.0)
    rows, columns = linear_sum_assignment(np.log1p(1e-6 - correlation**2))
    return tuple(int(i) for i in columns), float(correlation[rows, columns].min())


def band_words(table: BandTable, band: int) -> str:
    """A band in words: its number, its name unless that is the number, its wavelength."""
    words = [] if re.fullmatch(r"(?i)band \d+", table.names[band]) else [repr(table.names[band])]
    if table.wavelength_nm is not None:
        words.append(f"{table.wavelength_nm[band]:g} nm")
    return f"Band {band + 1}" + (f" ({', '.join(words)})" if words else "")


def _standardised(pixels: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and length 1; constant columns become 0."""
    centred = np.asarray(pixels, dtype=np.float64) - np.mean(pixels, axis=0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=0)
    return centred / np.where(length > 0, length, np.inf)


def _by_name(sensor: Sensor, names: Sequence[str]) -> tuple[int, ...] | None:
    """Match by names; None when a name is unknown or ambiguous, or when names only count the bands."""
    if only_count(names):
        return None
    words = [words_of(name) for name in names]
    phrases = {phrase: -1 for phrase in _PHRASES}
    for i, band in enumerate(sensor.bands):
        phrases.update({words_of(name): i for name in (*band.aliases, band.name)})
    found = []
    for text in words:
        hits = [phrase for phrase in phrases if f" {phrase} " in f" {text} "]
        found.append(phrases[max(hits, key=len)] if hits else -1)
    return tuple(found) if -1 not in found and len(set(found)) == len(found) else None


def only_count(names: Sequence[str]) -> bool:
    """Tell whether names only count the bands of a file, 1, 2, 3, ..., which says nothing about what they show."""
    numbers = [_NUMBERED.fullmatch(words_of(name)) for name in names]
    return [int(number.group(1)) for number in numbers if number] == list(range(1, len(names) + 1))


def words_of(name: str) -> str:
    """Lower-case words and numbers: ``Band_08A`` and ``B8A`` are ``b 8 a``, ``RedEdge-1`` is ``red edge 1``."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("rededge", "red edge")
    parts = re.findall(r"[a-z]+|\d+", text)
    return " ".join("b" if part == "band" else str(int(part)) if part.isdigit() else part for part in parts)
