# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells how near an unmixing came to a simulated scene's truth: ``compare_truth.py FOUND_FOLDER SCENE.tif``.

Found and true materials are paired so that the sum of their spectral angles is least.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio

from hyperres.core.quality.endmembers import match_endmembers
from hyperres.core.raster.spectra_files import read_spectra
from hyperres.core.spectra import Spectra


def on_found_bands(found: Spectra, true: Spectra) -> np.ndarray:
    """True spectra at the wavelengths of the found ones, [true, bands]."""
    if found.wavelength_nm is None or true.wavelength_nm is None:
        sys.exit("The tables of spectra must have wavelengths.")
    return np.array([np.interp(found.wavelength_nm, true.wavelength_nm, row) for row in true.values])


def read_shares(path: Path) -> np.ndarray:
    """Abundances with NaN where invalid, [endmembers, rows, columns]."""
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True).filled(np.nan)


def main() -> None:
    """Compare the folder and the scene named on the command line."""
    folder, scene = Path(sys.argv[1]), Path(sys.argv[2])
    found, _ = read_spectra(folder / "endmembers.csv")
    true, _ = read_spectra(scene.with_name(f"{scene.stem}_endmembers.csv"))
    match = match_endmembers(on_found_bands(found, true), np.array(found.values))
    found_shares = read_shares(folder / "abundances.tif")[list(match.found)]
    true_shares = read_shares(scene.with_name(f"{scene.stem}_abundances.tif"))[list(match.true)]
    rmse = np.sqrt(np.nanmean((found_shares - true_shares) ** 2, axis=(1, 2)))
    print(f"\nAgainst the scene's truth ({len(found)} found, {len(true)} true materials):")
    for i, j, degrees, error in sorted(zip(match.found, match.true, match.degrees, rmse), key=lambda row: row[2]):
        print(f"  {f'{found.names[i]} is {true.names[j]}':<30} {degrees:5.1f} degrees, share RMSE {error:.3f}")
    print(f"  {'mean of the pairs':<30} {match.mean_sad_deg:5.1f} degrees, share RMSE {rmse.mean():.3f}")


if __name__ == "__main__":
    main()
