# SPDX-License-Identifier: GPL-3.0-or-later
"""Reflectance of common surfaces from 400 to 2500 nm, computed from their absorbers.

Each function takes wavelengths in nm, [bands], and what varies in nature (moisture, chlorophyll, ...), and returns
reflectance, [bands], between 0 and 1. The positions of the bands are those of the literature; strengths are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .absorption import absorption_ratio, bands, rise, thick_layer, water_absorption

_CHLOROPHYLL_A = ((430, 22, 1.9), (618, 22, 0.26), (664, 14, 1.0), (684, 12, 1.1))
_CHLOROPHYLL_B = ((458, 18, 1.0), (595, 22, 0.12), (645, 13, 0.32))
_CAROTENOIDS = ((448, 24, 1.0), (482, 16, 0.9))
_DRY_MATTER = (
    (1210, 50, 0.10), (1490, 60, 0.35), (1730, 28, 0.32), (1780, 30, 0.25), (1935, 60, 0.5), (2100, 55, 1.0),
    (2280, 32, 0.65), (2340, 28, 0.75), (2480, 60, 1.3),
)  # fmt: skip
_IRON_III = ((485, 45, 0.45), (530, 45, 0.35), (660, 55, 0.12), (890, 85, 0.30))
_CARBONATE = ((2160, 22, 0.05), (2338, 32, 0.32))
_HYDROCARBON = ((1195, 16, 0.25), (1395, 22, 0.25), (1412, 20, 0.25), (1727, 14, 0.9), (1765, 15, 0.7))
_HYDROCARBON_LONG = ((2310, 18, 1.3), (2350, 16, 1.2), (2430, 40, 1.2))
Model = Callable[[np.ndarray], np.ndarray]


def vegetation(
    nm: np.ndarray, chlorophyll: float, carotenoids: float, water_cm: float, dry_matter: float, shade: float = 0.0
) -> np.ndarray:
    """A canopy of leaves: pigments in the visible, cell walls that scatter, water and dry matter in the infrared.

    Args:
        nm: wavelengths.
        chlorophyll: amount of chlorophyll a and b, about 1 for a healthy leaf.
        carotenoids: amount of carotenoids, about 0.4 for a healthy leaf.
        water_cm: path through leaf water in cm, about 0.02 for a fresh leaf.
        dry_matter: amount of cellulose, lignin and protein, about 0.05 for a fresh leaf and 0.5 for straw.
        shade: share of the canopy in its own shadow.
    """
    pigments = bands(nm, _CHLOROPHYLL_A) + bands(nm, _CHLOROPHYLL_B) + 0.42 * (1 - rise(nm, 692, 7))
    absorbed = 13.0 * chlorophyll * pigments + 9.0 * carotenoids * bands(nm, _CAROTENOIDS)
    absorbed = absorbed + 2.6 * water_cm * water_absorption(nm) + 1.6 * dry_matter * bands(nm, _DRY_MATTER)
    browning = 7.0 * dry_matter * np.exp(-(nm - 400) / 170)  # tannins absorb towards the blue
    scattering = 1.6 * (nm / 800) ** -0.35
    leaf = 0.97 * thick_layer(0.14 + (absorbed + browning) / scattering) + 0.02  # wax mirrors a little
    return (1 - shade) * leaf


def soil(
    nm: np.ndarray,
    brightness: float,
    iron: float,
    clay: float,
    moisture: float,
    carbonate: float = 0.0,
    organic: float = 0.0,
) -> np.ndarray:
    """Bare soil: rising towards the infrared, with Fe(III), Al-OH at 2200 nm, bound water, and darkening by moisture.

    Args:
        nm: wavelengths.
        brightness: reflectance of the dry grains in the infrared.
        iron: amount of iron oxides.
        clay: amount of clay minerals.
        moisture: water between the grains, 0 dry to 1 wet.
        carbonate: amount of lime.
        organic: amount of humus, which darkens the visible and flattens its slope.
    """
    grains = absorption_ratio(brightness * (0.42 + 0.58 * rise(nm, 620, 150)))
    minerals = iron * (bands(nm, _IRON_III) + 0.9 * (1 - rise(nm, 545, 28)))
    minerals = minerals + clay * bands(nm, ((1412, 22, 0.16), (1915, 45, 0.30), (2165, 22, 0.10), (2207, 20, 0.30)))
    minerals = minerals + carbonate * bands(nm, _CARBONATE) + organic * np.exp(-(nm - 400) / 420)
    film = moisture * (0.9 * grains + 0.010 * water_absorption(nm))  # wet grains scatter less and water absorbs
    return thick_layer(grains + minerals * (0.3 + grains) + film)


def water(nm: np.ndarray, sediment: float, chlorophyll: float) -> np.ndarray:
    """Deep natural water after Gordon et al. (1988): subsurface reflectance 0.0949 u + 0.0794 u^2, u = bb / (a + bb).

    Args:
        nm: wavelengths.
        sediment: suspended matter, g/m3.
        chlorophyll: phytoplankton pigment, mg/m3.
    """
    dissolved = 0.45 * np.exp(-0.016 * (nm - 440))
    algae = 0.028 * chlorophyll * bands(nm, ((440, 35, 1.0), (675, 14, 0.55), (620, 30, 0.12)))
    absorbed = 100 * water_absorption(nm) + dissolved + algae
    scattered = 0.0013 * (nm / 500) ** -4.3 + (0.011 * sediment + 0.002 * chlorophyll) * (nm / 550) ** -0.7
    u = scattered / (absorbed + scattered)
    surface = 0.006  # sky light mirrored by the surface
    return np.pi * 0.54 * (0.0949 * u + 0.0794 * u * u) + surface


def asphalt(nm: np.ndarray, age: float) -> np.ndarray:
    """Road surface: dark bitumen that weathers to the grey of its stones; ``age`` from 0 to 1."""
    grey = 0.055 + 0.075 * age + 0.055 * (nm - 400) / 2100 + 0.03 * age * rise(nm, 560, 90)
    weak = (1 - 0.5 * age) * (bands(nm, _HYDROCARBON) + bands(nm, _HYDROCARBON_LONG))
    return grey * np.exp(-0.10 * weak - 0.12 * age * bands(nm, _CARBONATE))


def concrete(nm: np.ndarray, brightness: float) -> np.ndarray:
    """Concrete: bright and grey, with carbonate at 2340 nm and bound water."""
    body = absorption_ratio(brightness * (0.66 + 0.34 * rise(nm, 520, 110)))
    wet = bands(nm, ((1420, 35, 0.07), (1930, 55, 0.16), (2490, 90, 0.10)))
    return thick_layer(body + 0.9 * bands(nm, _CARBONATE) + wet + 0.03 * bands(nm, _IRON_III))


def clay_tiles(nm: np.ndarray, firing: float) -> np.ndarray:
    """Red roof tiles: fired clay, all iron as Fe(III), no hydroxyl left; ``firing`` darkens."""
    body = absorption_ratio(0.36 - 0.10 * firing + 0.16 * rise(nm, 1500, 300))
    edge = 4.5 * (1 - rise(nm, 578, 17)) + 1.2 * bands(nm, ((500, 60, 1.0),))
    return thick_layer(body + edge + 0.9 * bands(nm, ((655, 45, 0.4), (868, 85, 0.9))))


def metal_roof(nm: np.ndarray, fading: float) -> np.ndarray:
    """Steel under a light blue coating, whose phthalocyanine absorbs the red; ``fading`` from 0 to 1 bleaches it."""
    body = absorption_ratio(0.58 + 0.06 * rise(nm, 1300, 300) - 0.12 * rise(nm, 2100, 200))
    paint = (1 - 0.6 * fading) * bands(nm, ((570, 45, 0.5), (618, 35, 0.9), (695, 32, 1.0)))
    titanium = 3.0 * (1 - rise(nm, 398, 8))
    return thick_layer(body + paint + titanium + bands(nm, ((1730, 18, 0.05), (2310, 35, 0.08))))


def plastic_film(nm: np.ndarray, thickness: float) -> np.ndarray:
    """Polyethylene of greenhouses and tarpaulins: whitish, overtones of C-H at 1210, 1400, 1730 and 2310 nm."""
    bonds = bands(nm, _HYDROCARBON) + bands(nm, _HYDROCARBON_LONG)
    body = absorption_ratio(0.62 - 0.10 * rise(nm, 1500, 350))
    return thick_layer(body + thickness * 0.5 * bonds + 0.05 * np.exp(-(nm - 400) / 120))


TYPICAL: Mapping[str, Model] = {
    "tree": lambda nm: vegetation(nm, 1.25, 0.45, 0.022, 0.05, shade=0.30),
    "grass": lambda nm: vegetation(nm, 0.62, 0.22, 0.010, 0.10),
    "dry grass": lambda nm: vegetation(nm, 0.03, 0.10, 0.001, 0.50),
    "loam": lambda nm: soil(nm, 0.36, iron=0.6, clay=0.5, moisture=0.35, organic=2.5),
    "red clay": lambda nm: soil(nm, 0.50, iron=1.3, clay=2.4, moisture=0.10),
    "sand": lambda nm: soil(nm, 0.66, iron=0.18, clay=0.08, moisture=0.0, carbonate=0.5),
    "water": lambda nm: water(nm, sediment=4.0, chlorophyll=6.0),
    "asphalt": lambda nm: asphalt(nm, age=0.45),
    "concrete": lambda nm: concrete(nm, 0.44),
    "red tiles": lambda nm: clay_tiles(nm, firing=0.4),
    "metal roof": lambda nm: metal_roof(nm, fading=0.2),
    "plastic film": lambda nm: plastic_film(nm, thickness=0.9),
}
"""The surfaces of the simulated scene in a usual state."""

VARIED: Mapping[str, Model] = {
    "tree": lambda nm: vegetation(nm, 0.95, 0.40, 0.028, 0.06, shade=0.30),
    "grass": lambda nm: vegetation(nm, 0.45, 0.20, 0.007, 0.16),
    "dry grass": lambda nm: vegetation(nm, 0.08, 0.12, 0.002, 0.38),
    "loam": lambda nm: soil(nm, 0.36, iron=0.6, clay=0.5, moisture=0.65, organic=3.0),
    "red clay": lambda nm: soil(nm, 0.50, iron=1.1, clay=2.2, moisture=0.30),
    "sand": lambda nm: soil(nm, 0.60, iron=0.22, clay=0.10, moisture=0.15, carbonate=0.4),
    "water": lambda nm: water(nm, sediment=7.0, chlorophyll=8.0),
    "asphalt": lambda nm: asphalt(nm, age=0.65),
    "concrete": lambda nm: concrete(nm, 0.38),
    "red tiles": lambda nm: clay_tiles(nm, firing=0.7),
    "metal roof": lambda nm: metal_roof(nm, fading=0.7),
    "plastic film": lambda nm: plastic_film(nm, thickness=1.1),
}
"""The same surfaces in another state (drier, wetter, older); the difference is how they vary within a scene."""


def spectra_of(models: Mapping[str, Model], wavelength_nm: np.ndarray) -> np.ndarray:
    """Reflectance of each material, float64 [materials, bands], in the mapping's order."""
    return np.stack([model(np.asarray(wavelength_nm, dtype=float)) for model in models.values()])
