# SPDX-License-Identifier: GPL-3.0-or-later
"""A sensor's response curves on the bands of a hyperspectral image.

An MSI band of response r sees the integral of r(x) L(x) over wavelength, divided by that of r. With hyperspectral bands
k of band-pass g_k (a Gaussian of their width, area 1) and spectral cell d_k (the stretch of wavelengths that band k
stands for), the weight of band k is

    S[m, k] ~ d_k * integral of r_m(x) g_k(x) dx,   every row scaled to sum to 1.

The cells make uneven sampling, overlapping detectors and unsorted bands count as what they are: each stretch of the
spectrum once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..bands import BandTable
from ..errors import BandsError
from .catalogue import Sensor, SensorBand
from .psf import sigma_of_fwhm
from .srf import Srf

LEAST_COVERAGE = 0.9
"""Share of a response that must lie within the HSI's bands."""

_NEARLY_ALL = 0.985
_NEIGHBOURS = 4
_FINE_NM = 0.5


def srf_of_sensor(sensor: Sensor, bands: Sequence[int], hsi_table: BandTable) -> tuple[Srf, tuple[str, ...]]:
    """Sample the responses of some bands of a sensor on the bands of a hyperspectral image.

    Args:
        sensor: the sensor.
        bands: the sensor's bands, counted from 0, in the order of the MSI's bands.
        hsi_table: the used bands of the HSI, in any order.

    Returns:
        the response, and sentences about what had to be assumed.

    Raises:
        BandsError: the HSI has no wavelengths, or does not cover a band.
    """
    shares = coverage(sensor, bands, hsi_table)
    for band, share in zip(bands, shares):
        if share < LEAST_COVERAGE:
            raise BandsError(f"{_uncovered(sensor, band, share)}: leave this band of the multispectral image out.")
    nm, cells, widths, _ = _axis(hsi_table)
    rows = np.array([_weights(sensor.bands[band], nm, cells, widths) for band in bands])
    matrix = (rows / rows.sum(1, keepdims=True)).astype(np.float32)
    sentences = [
        f"The hyperspectral image covers {share:.0%} of the response of {sensor.title} {sensor.bands[band].name}; the "
        "rest is left out."
        for band, share in zip(bands, shares)
        if share < _NEARLY_ALL
    ]
    if hsi_table.fwhm_nm is None:
        sentences.append(
            "The hyperspectral image does not tell the widths of its bands: they are taken as their spacing."
        )
    return Srf(matrix, tuple(sensor.bands[band].name for band in bands), sensor.title), tuple(sentences)


def covered_bands(
    sensor: Sensor, bands: Sequence[int], hsi_table: BandTable, source: str = "hyperspectral image"
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Choose the bands that the hyperspectral image covers.

    Args:
        sensor: the sensor.
        bands: the sensor's bands, counted from 0.
        hsi_table: the used bands of the HSI.
        source: what the user calls the HSI.

    Returns:
        positions in ``bands`` of those to keep, and one sentence for each band that is left out.

    Raises:
        BandsError: the HSI has no wavelengths, or covers none of the bands.
    """
    shares = coverage(sensor, bands, hsi_table)
    kept = tuple(i for i, share in enumerate(shares) if share >= LEAST_COVERAGE)
    if not kept:
        raise BandsError(
            f"The {source} covers none of the bands of {sensor.title} in question: choose another sensor or a {source} "
            "of another spectral range."
        )
    return kept, tuple(
        f"{_uncovered(sensor, band, share, source)}, so it is left out."
        for band, share in zip(bands, shares)
        if share < LEAST_COVERAGE
    )


def coverage(sensor: Sensor, bands: Sequence[int], hsi_table: BandTable) -> tuple[float, ...]:
    """Share of each band's response that lies within the HSI's bands; gaps between those count as not covered.

    Raises:
        BandsError: the HSI has no wavelengths.
    """
    *_, stretches = _axis(hsi_table)
    shares = []
    for band in bands:
        nm, response = _fine(sensor.bands[band])
        within = np.zeros(len(nm), dtype=bool)
        for low, high in stretches:
            within |= (low <= nm) & (nm <= high)
        shares.append(float(response[within].sum() / response.sum()))
    return tuple(shares)


def spectral_cells(wavelength_nm: Sequence[float], fwhm_nm: Sequence[float] | None = None) -> np.ndarray:
    """Lower and upper end of the stretch of wavelengths that each band stands for, nm [bands, 2], in the bands' order.

    A stretch reaches half way to the neighbours, but not farther than the band's width or the usual spacing around it:
    beyond begins a gap.
    """
    order = np.argsort(wavelength_nm, kind="stable")
    nm = np.asarray(wavelength_nm, dtype=np.float64)[order]
    steps = np.diff(nm)
    reach = np.array([_usual_spacing(steps, i) for i in range(len(nm))])
    outer = reach / 2
    if fwhm_nm is not None:
        width = np.asarray(fwhm_nm, dtype=np.float64)[order]
        reach, outer = np.maximum(reach, width), np.maximum(outer, width / 2)
    below = np.minimum(np.append(np.inf, steps / 2), np.append(outer[0], reach[1:]))
    above = np.minimum(np.append(steps / 2, np.inf), np.append(reach[:-1], outer[-1]))
    cells = np.empty((len(nm), 2))
    cells[order] = np.stack([nm - below, nm + above], axis=1)
    return cells


def _usual_spacing(steps: np.ndarray, band: int) -> float:
    """Median distance of neighbours around a band; bands at the same wavelength do not count."""
    around = steps[max(0, band - _NEIGHBOURS) : band + _NEIGHBOURS]
    around = around[around > 0.1]
    return float(np.median(around)) if len(around) else 10.0


def _axis(table: BandTable) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centres, cell sizes and widths [bands] and cells [bands, 2] of the HSI's bands, nm."""
    if table.wavelength_nm is None:
        raise BandsError(
            "The hyperspectral image has no wavelengths, so a sensor cannot be placed on its bands: give a table of "
            "the spectral response, have it estimated, or add wavelengths to the image."
        )
    stretches = spectral_cells(table.wavelength_nm, table.fwhm_nm)
    cells = stretches[:, 1] - stretches[:, 0]
    # a Gaussian narrower than its cell would miss what lies between bands
    widths = cells if table.fwhm_nm is None else np.maximum(table.fwhm_nm, cells)
    return np.asarray(table.wavelength_nm, dtype=np.float64), cells, np.maximum(widths, 1.0), stretches


def _weights(band: SensorBand, nm: np.ndarray, cells: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Unscaled weights of the hyperspectral bands, [bands]."""
    fine, response = _fine(band)
    sigma = np.array([sigma_of_fwhm(width) for width in widths])[:, None]
    band_pass = np.exp(-0.5 * ((fine[None, :] - nm[:, None]) / sigma) ** 2) / sigma
    weights = cells * (band_pass @ response)
    weights[weights < 1e-6 * weights.max()] = 0.0
    return weights


def _fine(band: SensorBand) -> tuple[np.ndarray, np.ndarray]:
    nm = np.arange(band.wavelength_nm[0], band.wavelength_nm[-1] + _FINE_NM, _FINE_NM)
    return nm, np.interp(nm, band.wavelength_nm, band.response, right=0.0)


def _uncovered(sensor: Sensor, band: int, share: float, source: str = "hyperspectral image") -> str:
    known = sensor.bands[band]
    extent = f"covers only {share:.0%} of" if share >= 0.01 else "does not cover"
    place = f"{sensor.title} {known.name} (around {known.centre_nm:.0f} nm)"
    return f"The {source} {extent} the response of {place}"
