# SPDX-License-Identifier: GPL-3.0-or-later
"""A hyperspectral and a multispectral image of one made-up ground, with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from helpers import write_raster

RATIO = 4
FINE_M = 5
NM = np.arange(420.0, 1000.0, 15.0)
CENTRES_NM = (492.0, 560.0, 665.0, 833.0)
WIDTHS_NM = (66.0, 36.0, 31.0, 106.0)
"""Blue, green, red and near infrared, about those of Sentinel-2."""


@dataclass(frozen=True)
class Pair:
    """Files of one pair: int16 GeoTIFF, reflectance times 10000."""

    hsi: str
    msi: str
    truth: str


def make_pair(folder: Path, fine_side: int = 96, seed: int = 1, corner=(500000, 5000000)) -> Pair:
    """Mix vegetation, soil and water by smooth maps with edges, and look at it with two sensors."""
    generator = np.random.default_rng(seed)
    cube = np.einsum("kb,krc->brc", _spectra(), _shares(fine_side, generator))
    coarse_side = fine_side // RATIO
    coarse = cube.reshape(len(NM), coarse_side, RATIO, coarse_side, RATIO).mean(axis=(2, 4))
    msi = np.einsum("mb,brc->mrc", response(), cube)
    folder.mkdir(parents=True, exist_ok=True)

    def write(name, values, nm, pixel_m, noise):
        stored = np.round((values + generator.normal(0, noise, values.shape)) * 10000).astype("int16")
        return write_raster(folder / name, stored, -9999, nm, pixel_m=pixel_m, corner=corner)

    return Pair(
        hsi=write("hsi.tif", coarse, NM, FINE_M * RATIO, 1e-3),
        msi=write("msi.tif", msi, CENTRES_NM, FINE_M, 1e-3),
        truth=write("truth.tif", cube, NM, FINE_M, 0.0),
    )


def response() -> np.ndarray:
    """Response of the multispectral bands on the hyperspectral ones, [4, bands], rows sum to 1."""
    sigma = np.array(WIDTHS_NM)[:, None] / 2.3548
    rows = np.exp(-0.5 * ((NM[None, :] - np.array(CENTRES_NM)[:, None]) / sigma) ** 2)
    return rows / rows.sum(axis=1, keepdims=True)


def response_text() -> str:
    """The response as a table of curves."""
    lines = [f"{nm:g}," + ",".join(f"{value:.6f}" for value in row) for nm, row in zip(NM, response().T)]
    return "\n".join(["wavelength_nm,blue,green,red,nir", *lines]) + "\n"


def _spectra() -> np.ndarray:
    return np.stack(
        [
            0.04 + 0.05 * np.exp(-(((NM - 555) / 30) ** 2)) + 0.42 / (1 + np.exp(-(NM - 715) / 15)),
            0.08 + 0.30 * ((NM - 400) / 600) ** 0.8,
            0.07 * np.exp(-(NM - 420) / 200) + 0.01,
            0.20 + 0.10 * np.sin(NM / 90),
        ]
    )


def _shares(side: int, generator: np.random.Generator) -> np.ndarray:
    """Patches of one material with soft and with sharp edges, [4, rows, columns]."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    fields = np.fft.fft2(generator.normal(size=(4, side, side))) * np.exp(-((frequency * 9) ** 2))
    fields = np.fft.ifft2(fields).real
    fields /= fields.std(axis=(1, 2), keepdims=True)
    weights = np.exp(6 * fields)
    return weights / weights.sum(axis=0)
