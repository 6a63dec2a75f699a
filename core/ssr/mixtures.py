# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data from a table of spectra: pictures of opaque leaves, each a random mixture of some materials.

Every leaf mixes one to four spectra with shares from a flat Dirichlet law and has a brightness of its own; texture
moves its pixels towards the mixture of another leaf, and light changes smoothly over the picture. All of it stays
within the hull of the spectra, but for the brightness.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from ..bands import BandTable
from ..engine.method import Context
from ..errors import BandsError, InputError
from ..sisr.colours import draw_light, draw_texture
from ..sisr.leaves import OVERSAMPLING, draw_leaves, general_law
from ..sisr.pairs import painted
from ..spectra import Spectra
from .archive import Scene, find_camera, sensor_table, simulate
from .pairs import TrainingData
from .settings import BANDS, SsrSettings

PICTURES, HELD_PICTURES, SIDE = 48, 16, 32
MOST_MATERIALS = 4
BRIGHTNESS = 0.5, 1.2
STEP_NM, MARGIN_NM = 10.0, 50.0
"""Spacing of the bands that are made, and how far they reach beyond the camera's."""
LEAST_SPECTRA, MANY_SPECTRA, LEAST_BANDS = 5, 20, 3
LEAST_REFLECTANCE, MOST_REFLECTANCE = -0.05, 1.5
LEAF_FACTOR = 2
"""Leaves reach from one pixel to 30 times so many."""
HELD_EVERY = 4
"""One material in so many is only met by what judges."""


def from_library(spectra: Spectra, msi: BandTable | None, settings: SsrSettings, context: Context) -> TrainingData:
    """Make training data.

    Args:
        spectra: reflectance of materials, with wavelengths.
        msi: the used bands of the image that the model is for; None for all bands of the sensor in the settings.
        settings: the settings.
        context: seed and warnings.

    Raises:
        InputError: the library cannot be used for this camera.
    """
    table = library_table(spectra, msi, settings)
    camera, notes = find_camera(table, msi, settings)
    for sentence in notes:
        context.on_warning(sentence)
    materials, generator = resampled(spectra, table), context.generator()
    aside = torch.arange(len(materials)) % HELD_EVERY == HELD_EVERY - 1
    # a few materials are needed on both sides
    train, held = (materials[~aside], materials[aside]) if len(materials) >= MANY_SPECTRA else (materials,) * 2
    note = (
        f"Learnt from random mixtures of {len(train)} spectra of a library and judged by mixtures of {len(held)} "
        f"{'others' if train is not held else 'of the same'}. No image of any ground was seen: take the result as a "
        "first answer only."
    )
    scenes, judges = draw_scenes(train, PICTURES, generator), draw_scenes(held, HELD_PICTURES, generator)
    return simulate(scenes, judges, table, camera, context, (note, *notes))


def library_table(spectra: Spectra, msi: BandTable | None, settings: SsrSettings) -> BandTable:
    """The bands that are made: evenly spaced over what the camera sees and a little beyond, as far as the library goes.

    Raises:
        InputError: the library has no wavelengths, too few spectra, or none where the camera sees.
    """
    if spectra.wavelength_nm is None:
        raise BandsError("The spectral library has no wavelengths: add a column of wavelengths to it.")
    if len(spectra) < LEAST_SPECTRA:
        raise InputError(
            f"The spectral library holds {len(spectra)} spectra; at least {LEAST_SPECTRA} are needed to learn from."
        )
    camera = msi if settings.sensor == BANDS and msi is not None else None
    camera = camera or (sensor_table(settings.sensor) if settings.sensor != BANDS else None)
    if camera is None or camera.wavelength_nm is None:
        raise BandsError(
            "Centre and width of the camera's bands are not known: choose the camera under 'Sensor', or give its bands "
            "as a table."
        )
    low, high = min(camera.wavelength_nm) - MARGIN_NM, max(camera.wavelength_nm) + MARGIN_NM
    low, high = max(low, min(spectra.wavelength_nm)), min(high, max(spectra.wavelength_nm))
    # centres of bands are sums, and off by their last digits
    first, last = math.ceil(low / STEP_NM - 1e-6), math.floor(high / STEP_NM + 1e-6)
    count = last - first + 1
    if count < LEAST_BANDS:
        raise BandsError("The spectral library does not cover the camera's bands: choose another one.")
    nm = tuple(STEP_NM * (first + i) for i in range(count))
    return BandTable(tuple(f"{x:g} nm" for x in nm), (True,) * count, nm, (STEP_NM,) * count)


def resampled(spectra: Spectra, table: BandTable) -> torch.Tensor:
    """The library's spectra on the bands of a table, means over each band, float32 [spectra, C].

    Values that no reflectance has count as missing; spectra that do not reach over the whole range are left out.

    Raises:
        InputError: too few are left.
    """
    nm = np.asarray(spectra.wavelength_nm, dtype=np.float64)
    order = np.argsort(nm)
    values = np.asarray(spectra.values, dtype=np.float64)[:, order]
    places = np.asarray(table.wavelength_nm)[:, None] + STEP_NM * (np.arange(5) / 5.0 - 0.4)
    rows = []
    for row in values:
        known = np.isfinite(row) & (row >= -0.05) & (row <= 1.5)
        if known.sum() < 2 or not (
            nm[order][known][0] <= places.min() + STEP_NM <= places.max() - STEP_NM <= nm[order][known][-1]
        ):
            continue
        rows.append(np.interp(places, nm[order][known], row[known]).mean(axis=1))
    if len(rows) < LEAST_SPECTRA:
        raise InputError(
            f"Only {len(rows)} spectra of the library cover the camera's bands with reflectances; at least "
            f"{LEAST_SPECTRA} are needed. Check that the library holds reflectances from 0 to 1."
        )
    return torch.from_numpy(np.array(rows, dtype=np.float32)).clamp_min(0.0)


def draw_scenes(materials: torch.Tensor, count: int, generator: torch.Generator) -> list[Scene]:
    """Pictures of mixtures.

    Args:
        materials: spectra, [materials, C].
        count: pictures.
        generator: draws.
    """
    index, leaves = draw_leaves(general_law(LEAF_FACTOR), count, SIDE, SIDE, generator)
    mixtures = draw_mixtures(materials, count * leaves, generator).reshape(count, leaves, -1).mT
    valid = torch.ones(SIDE, SIDE, dtype=torch.bool)
    texture = draw_texture(count, SIDE, SIDE, generator)
    light = draw_light(count, SIDE, SIDE, generator)
    scenes = []
    for i in range(count):
        here, there = (
            avg_pool2d(painted(index[i : i + 1], colours)[0], OVERSAMPLING)
            for colours in (mixtures[i : i + 1], mixtures[i : i + 1].roll(1, dims=2))
        )
        scenes.append(Scene(light[i] * torch.lerp(here, there, texture[i]), valid))
    return scenes


def draw_mixtures(materials: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Spectra [count, C] of one to four materials each, with a brightness."""
    most = min(MOST_MATERIALS, len(materials))
    chosen = torch.randint(len(materials), (count, most), generator=generator)
    number = torch.randint(1, most + 1, (count, 1), generator=generator)
    # shares of a flat Dirichlet law are exponential variables over their sum
    shares = -torch.rand(count, most, generator=generator).clamp_min(1e-12).log()
    shares = torch.where(torch.arange(most) < number, shares, 0.0)
    low, high = BRIGHTNESS
    brightness = low + (high - low) * torch.rand(count, 1, generator=generator)
    weights = brightness * shares / shares.sum(dim=1, keepdim=True)
    return torch.einsum("nk,nkb->nb", weights, materials[chosen])
