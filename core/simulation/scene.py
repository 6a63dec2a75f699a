# SPDX-License-Identifier: GPL-3.0-or-later
"""A hyperspectral scene with known truth, made from physical models alone.

Pixel model: y = brightness * (E^T a + variation) + noise, where abundances a come from a fine map seen through the
sensor's point spread function, variation is the change of a material's own state over the scene (drier, older, ...),
and noise follows the light that reaches the sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..bands import BandTable
from ..grid import Grid
from ..spectra import Spectra
from . import landscape
from .atmosphere import noise_sigma, transmittance
from .fields import blur_and_decimate, rough_field, smooth_field
from .materials import TYPICAL, VARIED, Model, spectra_of

_FINE = 3
_STRIP_TILT = 0.10
UTM_33N = (
    'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",15],'
    'PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],AUTHORITY["EPSG","32633"]]'
)


@dataclass(frozen=True)
class SimulatedScene:
    """A scene and its truth.

    Attributes:
        cube: reflectance, float32 [bands, rows, cols], NaN outside the flight strip.
        valid: bool [rows, cols].
        table: the spectral axis, water-vapour bands marked bad.
        grid: the georeference.
        endmembers: typical reflectance of each material.
        abundances: true shares, float32 [materials, rows, cols]; sum to one.
        brightness: illumination factor, float32 [rows, cols].
        noise_sigma: standard deviation of the noise in each band, float64 [bands].
    """

    cube: np.ndarray
    valid: np.ndarray
    table: BandTable
    grid: Grid
    endmembers: Spectra
    abundances: np.ndarray
    brightness: np.ndarray
    noise_sigma: np.ndarray


def simulate_scene(
    height: int,
    width: int,
    seed: int = 0,
    gsd_m: float = 4.0,
    band_count: int = 200,
    best_snr: float = 400.0,
    variability: float = 1.0,
) -> SimulatedScene:
    """Simulate a scene.

    Args:
        height: rows.
        width: columns.
        seed: the same seed gives the same scene.
        gsd_m: ground sampling distance in metres.
        band_count: bands between 400 and 2500 nm.
        best_snr: signal-to-noise ratio of the best band over a surface of 30 % reflectance.
        variability: how much materials vary within the scene and slopes shade it; 0 for none.
    """
    rng = np.random.default_rng(seed)
    table = band_table(band_count)
    typical, varied = (sensed_spectra(models, table) for models in (TYPICAL, VARIED))
    fine = landscape.draw(height * _FINE, width * _FINE, rng)
    shares = np.stack([blur_and_decimate(fine == k, _FINE, 0.45) for k in range(len(TYPICAL))])
    shares /= shares.sum(axis=0)
    brightness = np.exp(variability * _shading(height, width, rng)).astype(np.float32)
    drift = np.stack([smooth_field(height, width, max(height, width) / 9, rng) for _ in TYPICAL])
    state = shares * (0.35 * variability * np.clip(drift, -2, 2)).astype(np.float32)
    mixing = np.concatenate([typical, varied - typical]).astype(np.float32)
    weights = np.concatenate([shares, state]) * brightness
    cube = (mixing.T @ weights.reshape(len(weights), -1)).reshape(band_count, height, width)
    sigma = noise_sigma(np.array(table.wavelength_nm), best_snr)
    for band, spread in zip(cube, sigma):
        band += np.float32(spread) * rng.standard_normal(band.shape, dtype=np.float32)
    valid = _flight_strip(height, width)
    cube[:, ~valid] = np.nan
    return SimulatedScene(
        cube=cube,
        valid=valid,
        table=table,
        grid=Grid(width, height, (gsd_m, 0.0, 388_000.0, 0.0, -gsd_m, 5_812_000.0), UTM_33N),
        endmembers=Spectra(tuple(TYPICAL), tuple(tuple(map(float, row)) for row in typical), table.wavelength_nm),
        abundances=shares,
        brightness=brightness,
        noise_sigma=sigma,
    )


def band_table(count: int) -> BandTable:
    """Even bands from 400 to 2500 nm; bad where the air swallows more than nine tenths of the light."""
    nm = np.linspace(400.0, 2500.0, count).round(2)
    fwhm = round(1.1 * 2100.0 / max(count - 1, 1), 2)
    return BandTable(
        names=tuple(f"{value:g} nm" for value in nm),
        good=tuple(bool(share > 0.1) for share in transmittance(nm)),
        wavelength_nm=tuple(float(value) for value in nm),
        fwhm_nm=(fwhm,) * count,
    )


def sensed_spectra(models: Mapping[str, Model], table: BandTable) -> np.ndarray:
    """Spectra as a sensor with Gaussian bands sees them, float64 [materials, bands]."""
    fine = np.arange(350.0, 2560.0, 2.0)
    centre, fwhm = np.array(table.wavelength_nm)[:, None], np.array(table.fwhm_nm)[:, None]
    response = np.exp(-4 * np.log(2) * ((fine[None, :] - centre) / fwhm) ** 2)
    response /= response.sum(axis=1, keepdims=True)
    sensed: np.ndarray = spectra_of(models, fine) @ response.T
    return sensed


def _shading(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Logarithm of illumination: light on slopes facing the sun, and fine texture."""
    side = max(height, width)
    terrain = rough_field(height, width, side / 5, rng, octaves=3)
    down, across = np.gradient(terrain * side / 45)
    shading: np.ndarray = 0.10 * np.tanh(across + down) + 0.02 * rough_field(height, width, 4.0, rng, octaves=2)
    return shading


def _flight_strip(height: int, width: int) -> np.ndarray:
    """Where the tilted flight strip covers the raster, bool [rows, cols]."""
    row, col = np.mgrid[:height, :width] / max(height, width)
    across = col - 0.5 * width / max(height, width) + _STRIP_TILT * (row - 0.5 * height / max(height, width))
    strip: np.ndarray = np.abs(across) < 0.47 * width / max(height, width)
    return strip
