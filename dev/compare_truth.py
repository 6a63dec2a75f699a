# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells how near an unmixing came to a simulated scene's truth: ``compare_truth.py FOUND_FOLDER SCENE.tif``.

Found and true materials are paired so that the sum of their spectral angles is least.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from scipy.optimize import linear_sum_assignment

from hyperres.core.raster.spectra_files import read_spectra
from hyperres.core.spectra import Spectra


def spectral_angles_deg(found: Spectra, true: Spectra) -> np.ndarray:
    """Angles between found and true spectra in degrees, [found, true]; over the bands of the found ones."""
    if found.wavelength_nm is None or true.wavelength_nm is None:
        sys.exit("The tables of spectra must have wavelengths.")
    found_values = np.array(found.values)
    true_values = np.array([np.interp(found.wavelength_nm, true.wavelength_nm, row) for row in true.values])
    found_unit = found_values / np.linalg.norm(found_values, axis=1, keepdims=True)
    true_unit = true_values / np.linalg.norm(true_values, axis=1, keepdims=True)
    return np.rad2deg(np.arccos(np.clip(found_unit @ true_unit.T, -1.0, 1.0)))


def read_shares(path: Path) -> np.ndarray:
    """Abundances with NaN where invalid, [endmembers, rows, columns]."""
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True).filled(np.nan)


def main() -> None:
    """Compare the folder and the scene named on the command line."""
    folder, scene = Path(sys.argv[1]), Path(sys.argv[2])
    found, _ = read_spectra(folder / "endmembers.csv")
    true, _ = read_spectra(scene.with_name(f"{scene.stem}_endmembers.csv"))
    angles = spectral_angles_deg(found, true)
    rows, columns = linear_sum_assignment(angles)
    found_shares = read_shares(folder / "abundances.tif")[rows]
    true_shares = read_shares(scene.with_name(f"{scene.stem}_abundances.tif"))[columns]
    rmse = np.sqrt(np.nanmean((found_shares - true_shares) ** 2, axis=(1, 2)))
    print(f"\nAgainst the scene's truth ({len(found)} found, {len(true)} true materials):")
    for row, column, error in sorted(zip(rows, columns, rmse), key=lambda pair: angles[pair[0], pair[1]]):
        pair = f"{found.names[row]} is {true.names[column]}"
        print(f"  {pair:<30} {angles[row, column]:5.1f} degrees, share RMSE {error:.3f}")
    print(f"  {'mean of the pairs':<30} {angles[rows, columns].mean():5.1f} degrees, share RMSE {rmse.mean():.3f}")


if __name__ == "__main__":
    main()
