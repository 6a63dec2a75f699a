# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the sensor tables in core/sensors/tables from ACOLITE's text files: ``make_sensor_tables.py ACOLITE_FOLDER``.

Only these derived tables are kept: units checked, sampled in even steps, tails below 0.2 % of the peak cut, rounded.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TABLES = Path(__file__).parents[1] / "core" / "sensors" / "tables"
TAIL = 0.002
LARGEST_LOSS = 0.01
ATTRIBUTION = (
    "Derived (resampled, tails cut, rounded) from the relative spectral response files of ACOLITE, "
    "https://github.com/acolite/acolite, GPL-3.0, which tabulates {origin}."
)

SENTINEL = (
    ("B1", "coastal|coastal aerosol"), ("B2", "blue"), ("B3", "green"), ("B4", "red"),
    ("B5", "red edge 1|vegetation red edge 1"), ("B6", "red edge 2|vegetation red edge 2"),
    ("B7", "red edge 3|vegetation red edge 3"), ("B8", "nir|near infrared|nir 1"),
    ("B8A", "narrow nir|nir narrow|red edge 4|nir 2"), ("B9", "water vapour|water vapor"), ("B10", "cirrus"),
    ("B11", "swir 1"), ("B12", "swir 2"),
)  # fmt: skip
OLI = (
    ("B1", "coastal|coastal aerosol"), ("B2", "blue"), ("B3", "green"), ("B4", "red"), ("B5", "nir|near infrared"),
    ("B6", "swir 1"), ("B7", "swir 2"), ("B8", "pan|panchromatic"), ("B9", "cirrus"),
)  # fmt: skip
VISIBLE = (("Blue", "blue"), ("Green", "green"), ("Red", "red"))
NEAR = (("NIR", "nir|near infrared"),)
PANCHROMATIC = (("Pan", "pan|panchromatic"),)
FOUR_AND_PAN = (*VISIBLE, *NEAR, *PANCHROMATIC)
PAN_AND_FOUR = (*PANCHROMATIC, *VISIBLE, *NEAR)
EIGHT = (
    ("Coastal", "coastal|coastal blue"), ("Blue", "blue"), ("Green", "green"), ("Yellow", "yellow"), ("Red", "red"),
    ("Red edge", "red edge"), ("NIR1", "nir 1|near infrared 1"), ("NIR2", "nir 2|near infrared 2"),
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How one sensor's table is made: the file, its unit, the bands' names and aliases in file order."""

    file: str
    unit_nm: float
    title: str
    origin: str
    bands: tuple[tuple[str, str], ...]


ESA = "ESA's COPE-GSEG-EOPG-TN-15-0007, version 4.0"
AIRBUS = "spectral values of Airbus Defence and Space"
RECIPES = {
    "sentinel-2a": Recipe("S2A_MSI_V4", 1, "Sentinel-2A", ESA, SENTINEL),
    "sentinel-2b": Recipe("S2B_MSI_V4", 1, "Sentinel-2B", ESA, SENTINEL),
    "sentinel-2c": Recipe("S2C_MSI_V4", 1, "Sentinel-2C", ESA, SENTINEL),
    "landsat-7": Recipe(
        "L7_ETM", 1000, "Landsat 7 ETM+", "values of the Landsat 7 project",
        (("B1", "blue"), ("B2", "green"), ("B3", "red"), ("B4", "nir|near infrared"), ("B5", "swir 1"),
         ("B7", "swir 2"), ("B8", "pan|panchromatic")),
    ),
    "landsat-8": Recipe("L8_OLI", 1, "Landsat 8 OLI", "NASA's OLI band averages", OLI),
    "landsat-9": Recipe("L9_OLI", 1, "Landsat 9 OLI-2", "NASA's OLI-2 band averages", OLI),
    "eo-1-ali": Recipe(
        "EO1_ALI", 1, "EO-1 ALI", "values of the EO-1 project",
        (*PANCHROMATIC, ("MS-1'", "coastal"), ("MS-1", "blue"), ("MS-2", "green"), ("MS-3", "red"),
         ("MS-4", "nir 1|near infrared 1"), ("MS-4'", "nir 2|near infrared 2"), ("MS-5'", "swir 1"),
         ("MS-5", "swir 2"), ("MS-7", "swir 3")),
    ),
    "worldview-2": Recipe("WorldView2", 1000, "WorldView-2", "values of DigitalGlobe", (*EIGHT, *PANCHROMATIC)),
    "worldview-3": Recipe(
        "WorldView3", 1000, "WorldView-3", "values of Maxar",
        (*EIGHT, *((f"SWIR{i}", f"swir {i}") for i in range(1, 9)), *PANCHROMATIC),
    ),
    "quickbird": Recipe("QuickBird2", 1000, "QuickBird", "values of DigitalGlobe", PAN_AND_FOUR),
    "ikonos": Recipe("IKONOS2", 1000, "IKONOS", "values of Maxar", PAN_AND_FOUR),
    "geoeye-1": Recipe("GeoEye1", 1000, "GeoEye-1", "values of GeoEye", PAN_AND_FOUR),
    "pleiades-1a": Recipe("PHR1A", 1000, "Pléiades 1A", AIRBUS, FOUR_AND_PAN),
    "pleiades-1b": Recipe("PHR1B", 1000, "Pléiades 1B", AIRBUS, FOUR_AND_PAN),
    "spot-6": Recipe("SPOT6", 1, "SPOT 6", AIRBUS, FOUR_AND_PAN),
    "spot-7": Recipe("SPOT7", 1, "SPOT 7", AIRBUS, FOUR_AND_PAN),
    "rapideye": Recipe(
        "RapidEye", 1000, "RapidEye", "values of BlackBridge", (*VISIBLE, ("Red edge", "red edge"), *NEAR)
    ),
    "planetscope-superdove": Recipe(
        "PlanetScope_SD8", 1, "PlanetScope SuperDove", "values of Planet",
        (("Coastal blue", "coastal|coastal blue"), ("Blue", "blue"), ("Green I", "green 1"),
         ("Green", "green|green ii|green 2"), ("Yellow", "yellow"), ("Red", "red"), ("Red edge", "red edge"), *NEAR),
    ),
}  # fmt: skip


def read_bands(path: Path, unit_nm: float) -> list[np.ndarray]:
    """Curves of an ACOLITE file, one array [samples, 2] of wavelength in nm and response per band."""
    bands: list[list[list[float]]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        if text.startswith(("#", ";")):
            if re.search(r"\bband\b", text, re.IGNORECASE):
                bands.append([])
        elif text:
            bands[-1].append([float(cell) for cell in text.split()[:2]])
    curves = [np.array(band) * (unit_nm, 1.0) for band in bands]
    for curve in curves:
        if not 300 < curve[0, 0] < curve[-1, 0] < 2600:
            sys.exit(f"{path.name}: wavelengths from {curve[0, 0]:g} to {curve[-1, 0]:g} nm; the unit must be wrong.")
    return curves


def sample(curve: np.ndarray) -> tuple[float, float, np.ndarray]:
    """First wavelength, step and responses of a curve in even steps that suit its width."""
    nm, response = curve[:, 0], np.clip(curve[:, 1], 0.0, None)
    response = response / response.max()
    seen = np.flatnonzero(response >= TAIL)
    nm, kept = nm[seen[0] : seen[-1] + 1], response[seen[0] : seen[-1] + 1]
    if kept.sum() < (1 - LARGEST_LOSS) * response.sum():
        sys.exit("Cutting the tails would lose too much of a curve.")
    extent = nm[-1] - nm[0]
    native = float(np.median(np.diff(nm)))
    step = max(round(native, 2), 1.0 if extent < 120 else 2.0 if extent < 400 else 5.0)
    fine = np.arange(nm[0], nm[-1] + step, native / 4)
    grid = np.arange(nm[0], nm[-1] + step, step)
    if step > native:
        dense = np.interp(fine, nm, kept, right=0.0)
        cells = [dense[np.abs(fine - centre) <= step / 2 + 1e-9].mean() for centre in grid]
    else:
        cells = list(np.interp(grid, nm, kept, right=0.0))
    values = np.array(cells)
    return round(float(grid[0]), 3), step, values / values.max()


def make(sensor_id: str, recipe: Recipe, folder: Path) -> None:
    """Write one table."""
    curves = read_bands(folder / f"{recipe.file}.txt", recipe.unit_nm)
    if len(curves) != len(recipe.bands):
        sys.exit(f"{recipe.file} has {len(curves)} bands instead of {len(recipe.bands)}.")
    lines = []
    for (name, aliases), curve in zip(recipe.bands, curves):
        first, step, response = sample(curve)
        record = {"name": name, "aliases": aliases.split("|"), "first_nm": first, "step_nm": step}
        record["response"] = [round(float(value), 4) for value in response]
        lines.append(json.dumps(record, ensure_ascii=False))
    head = json.dumps(
        {"title": recipe.title, "attribution": ATTRIBUTION.format(origin=recipe.origin)}, ensure_ascii=False
    )
    text = f'{head[:-1]}, "bands": [\n' + ",\n".join(lines) + "\n]}\n"
    (TABLES / f"{sensor_id}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Make all tables."""
    folder = Path(sys.argv[1])
    for sensor_id, recipe in RECIPES.items():
        make(sensor_id, recipe, folder)


if __name__ == "__main__":
    main()
