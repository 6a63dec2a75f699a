# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data from HSIs of other ground: what a camera would see of them is simulated.

The camera's response is only known by its data sheet, so that every patch is seen with another one that it may have
(:mod:`core.ssr.randomise`). Three of ten scenes judge; where there are few, each is cut in two by place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..bands import BandTable
from ..engine.method import Context
from ..errors import BandsError, InputError
from ..sensors.catalogue import load_sensor
from ..sensors.match import match_bands
from ..sensors.response import covered_bands
from .overlap import GAP, HELD_SHARE
from .pairs import TrainingData, TrainingPart, gather
from .randomise import RandomResponses, random_responses
from .settings import BANDS, SsrSettings

SIDE = 32
"""Pixels along the side of the patches that are seen with one response each."""
NOISE_PIXELS = 20_000
MANY_SCENES, HELD_OF_TEN = 7, (2, 5, 8)
JUDGES = 16
"""Patches at least that judge, each seen with another response."""


@dataclass(frozen=True)
class Scene:
    """An HSI.

    Attributes:
        cube: float32 [C, rows, columns], finite everywhere.
        valid: bool [rows, columns].
    """

    cube: torch.Tensor
    valid: torch.Tensor


@dataclass(frozen=True)
class Camera:
    """A multispectral camera as its data sheet has it.

    Attributes:
        table: its bands, with centres and widths.
        kept: their positions in the image that a model is for.
        law: of its responses.
    """

    table: BandTable
    kept: tuple[int, ...]
    law: RandomResponses


def from_archive(
    scenes: Sequence[Scene], hsi: BandTable, msi: BandTable | None, settings: SsrSettings, context: Context
) -> TrainingData:
    """Make training data.

    Args:
        scenes: all with the same bands.
        hsi: those bands.
        msi: the used bands of the image that the model is for; None for all bands of the sensor in the settings.
        settings: the settings.
        context: seed and warnings.

    Raises:
        BandsError: the bands of the camera are not known, or not covered by the spectra.
    """
    if not scenes:
        raise InputError("No hyperspectral image is given to learn from.")
    camera, notes = find_camera(hsi, msi, settings)
    for sentence in notes:
        context.on_warning(sentence)
    train, held = _split(scenes)
    return simulate(train, held, hsi, camera, context, notes)


def simulate(
    train: Sequence[Scene],
    held: Sequence[Scene],
    hsi: BandTable,
    camera: Camera,
    context: Context,
    notes: Sequence[str],
) -> TrainingData:
    """Let a camera look at spectra.

    Args:
        train: what to learn from.
        held: what to judge by.
        hsi: bands of the spectra.
        camera: the camera.
        context: seed.
        notes: for the report.
    """
    generator, law = context.generator(), camera.law
    parts = [part for scene in train for part in _seen(scene, law, generator)]
    judges = [part for scene in held for part in _seen(scene, law, generator)]
    # few patches would judge by few of the cameras that may be
    while judges and len(judges) < JUDGES:
        judges += [part for scene in held for part in _seen(scene, law, generator)]
    bands = len(camera.table)
    return TrainingData(
        tuple(parts),
        tuple(judges),
        hsi,
        camera.table,
        law.nominal,
        *law.bounds(generator),
        law.noise(gather(parts, NOISE_PIXELS).hsi),
        law,
        camera.kept,
        torch.ones(bands),
        torch.zeros(bands),
        torch.full((bands,), torch.inf),
        (
            "The response of the camera is only known by its data sheet: everything was learnt and judged with "
            "responses drawn around it (centre 5 nm, width 20 %, gain 5 % either way, noise of 30-45 dB).",
            *notes,
        ),
        law.nominal,
    )


def find_camera(hsi: BandTable, msi: BandTable | None, settings: SsrSettings) -> tuple[Camera, tuple[str, ...]]:
    """The camera as far as the spectra cover its bands, and sentences on bands that are left out.

    Raises:
        BandsError: the bands of the camera are not known, or not covered by the spectra.
    """
    if settings.sensor == BANDS:
        if msi is None or msi.wavelength_nm is None or msi.fwhm_nm is None:
            raise BandsError(
                "Centre and width of the camera's bands are not known: choose the camera under 'Sensor', or give its "
                "bands as a table."
            )
        law = random_responses(hsi, msi.wavelength_nm, msi.fwhm_nm)
        return Camera(msi, tuple(range(len(msi))), law), ()
    sensor = load_sensor(settings.sensor)
    bands = tuple(i for i, band in enumerate(sensor.bands) if not band.is_pan)
    if msi is not None:
        matched = match_bands(sensor, msi)
        if matched is None:
            raise BandsError(
                f"Neither wavelengths nor names tell which bands of {sensor.title} the image has: add wavelengths or "
                "name its bands."
            )
        bands = matched
    source = "spectral library" if settings.mode == "library" else "hyperspectral image"
    kept, left_out = covered_bands(sensor, bands, hsi, source)
    table = sensor_table(settings.sensor, [bands[i] for i in kept])
    assert table.wavelength_nm is not None and table.fwhm_nm is not None
    return Camera(table, kept, random_responses(hsi, table.wavelength_nm, table.fwhm_nm)), left_out


def sensor_table(sensor: str, bands: Sequence[int] | None = None) -> BandTable:
    """Names, centres and widths of some bands of a sensor; of all but panchromatic ones without a choice."""
    known = load_sensor(sensor).bands
    chosen = [known[i] for i in bands] if bands is not None else [band for band in known if not band.is_pan]
    return BandTable(
        tuple(band.name for band in chosen),
        (True,) * len(chosen),
        tuple(band.centre_nm for band in chosen),
        tuple(band.width_nm for band in chosen),
    )


def _split(scenes: Sequence[Scene]) -> tuple[Sequence[Scene], Sequence[Scene]]:
    """What to learn from and what to judge by: whole scenes where there are many, else parts of each."""
    if len(scenes) < MANY_SCENES:
        train, held = zip(*(_divided(scene) for scene in scenes))
        return train, held
    places = range(len(scenes))
    return [scenes[i] for i in places if i % 10 not in HELD_OF_TEN], [
        scenes[i] for i in places if i % 10 in HELD_OF_TEN
    ]


def _divided(scene: Scene) -> tuple[Scene, Scene]:
    """The part to learn from and, beyond a gap, the one that judges."""
    across = scene.valid.shape[1] >= scene.valid.shape[0]
    counts = scene.valid.sum(dim=0 if across else 1).cumsum(0)
    end = int((counts < (1.0 - HELD_SHARE) * counts[-1]).sum()) + 1

    def part(place: slice) -> Scene:
        where = (slice(None), place) if across else (place, slice(None))
        return Scene(scene.cube[:, where[0], where[1]], scene.valid[where])

    return part(slice(0, end)), part(slice(end + GAP, None))


def _seen(scene: Scene, law: RandomResponses, generator: torch.Generator) -> list[TrainingPart]:
    """Patches of a scene, each seen with a response of its own."""
    parts = []
    for top in range(0, scene.valid.shape[0], SIDE):
        for left in range(0, scene.valid.shape[1], SIDE):
            place = slice(top, top + SIDE), slice(left, left + SIDE)
            valid = scene.valid[place]
            if bool(valid.any()):
                hsi = torch.where(valid, scene.cube[:, place[0], place[1]], 0.0)
                parts.append(TrainingPart(hsi, law.observe(hsi[None], generator)[0], valid))
    return parts
