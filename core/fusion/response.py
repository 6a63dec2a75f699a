# SPDX-License-Identifier: GPL-3.0-or-later
"""Settles which spectral response the MSI has: given, of a known sensor, or estimated from the pair itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..bands import BandTable
from ..sensors.catalogue import Sensor, load_sensor
from ..sensors.estimate import estimate_srf
from ..sensors.match import match_bands, match_by_correlation
from ..sensors.response import covered_bands, srf_of_sensor
from ..sensors.srf import Srf
from .settings import ESTIMATE


@dataclass(frozen=True)
class Response:
    """The settled response.

    Attributes:
        srf: of the MSI bands that are kept.
        kept: positions of those among the MSI's used bands.
        source: one sentence on where it comes from.
        warnings: sentences that the user should not miss.
    """

    srf: Srf
    kept: tuple[int, ...]
    source: str
    warnings: tuple[str, ...] = ()


def settle_response(
    given: Srf | None,
    sensor: str,
    hsi_table: BandTable,
    msi_table: BandTable,
    hsi_pixels: np.ndarray,
    msi_pixels: np.ndarray,
    seed: int,
    force: bool = False,
) -> Response:
    """Settle the response.

    Args:
        given: from the user's table, or None.
        sensor: a sensor's word, or ``ESTIMATE``.
        hsi_table: the used hyperspectral bands.
        msi_table: the used multispectral bands.
        hsi_pixels: coarse pixels, [pixels, hsi_bands].
        msi_pixels: the MSI averaged over the same pixels, [pixels, msi_bands].
        seed: of the estimate.
        force: estimate even a band of which the HSI explains nothing.

    Raises:
        BandsError: the bands do not fit the sensor or the HSI.
        InputError: there are too few pixels for an estimate.
    """
    every = tuple(range(len(msi_table)))
    if given is not None:
        kept = every if given.kept is None else given.kept
        return Response(given, kept, f"Given by the user ({given.source}).", given.notes)
    if sensor == ESTIMATE:
        found = estimate_srf(hsi_pixels, msi_pixels, hsi_table, msi_table, seed, force)
        source = "Estimated from the two images: smooth, non-negative least squares."
        return Response(found.srf, every, source, found.sentences)
    return _of_sensor(load_sensor(sensor), hsi_table, msi_table, hsi_pixels, msi_pixels)


def _of_sensor(
    sensor: Sensor, hsi_table: BandTable, msi_table: BandTable, hsi_pixels: np.ndarray, msi_pixels: np.ndarray
) -> Response:
    bands, warnings = match_bands(sensor, msi_table), []
    if bands is None:
        # a stack of several bands hardly holds the panchromatic one, which resembles all of them
        colours = tuple(i for i, band in enumerate(sensor.bands) if not band.is_pan or len(msi_table) == 1)
        kept, _ = covered_bands(sensor, colours, hsi_table)
        candidates = tuple(colours[i] for i in kept)
        srf, _ = srf_of_sensor(sensor, candidates, hsi_table)
        chosen, worst = match_by_correlation(srf.matrix, hsi_pixels, msi_pixels)
        bands = tuple(candidates[i] for i in chosen)
        named = ", ".join(f"{name} is {sensor.bands[band].name}" for name, band in zip(msi_table.names, bands))
        warnings.append(
            f"The multispectral image tells neither wavelengths nor names of its bands; by what they show, {named} "
            f"(lowest correlation {worst:.2f}). Check that."
        )
    kept, left_out = covered_bands(sensor, bands, hsi_table)
    srf, notes = srf_of_sensor(sensor, tuple(bands[i] for i in kept), hsi_table)
    return Response(srf, kept, f"Published response of {sensor.title}.", (*warnings, *left_out, *notes))
