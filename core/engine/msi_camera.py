# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which part of the spectrum each band of a multispectral image shows."""

from __future__ import annotations

from dataclasses import replace

from ..bands import BandTable
from ..errors import BandsError
from ..sensors.camera import OWN_BANDS, camera_table, check_camera
from ..sensors.catalogue import load_sensor
from ..sensors.match import match_bands


def known_bands(msi: BandTable, sensor: str, given: BandTable | None) -> tuple[BandTable, tuple[str, ...]]:
    """The bands of an image with the wavelengths that the sensor, a table or the image itself tells.

    Args:
        msi: the used bands of the image.
        sensor: a word of :data:`core.sensors.catalogue.SENSORS`, or ``OWN_BANDS``.
        given: a table of the camera's bands from the user, in the order of the image's bands.

    Returns:
        the bands in the image's order, and sentences about what had to be assumed.

    Raises:
        InputError: nothing tells, or what tells contradicts the image.
    """
    check_camera(msi, sensor, given)
    if given is not None:
        return replace(given, good=msi.good), ()
    if sensor == OWN_BANDS:
        return msi, ()
    known = load_sensor(sensor)
    found = match_bands(known, msi)
    if found is not None:
        bands = [known.bands[i] for i in found]
        centres = msi.wavelength_nm or tuple(round(band.centre_nm, 2) for band in bands)
        widths = msi.fwhm_nm or tuple(round(band.width_nm, 2) for band in bands)
        return replace(msi, wavelength_nm=centres, fwhm_nm=widths), ()
    camera = camera_table(sensor)
    if len(camera) != len(msi):
        raise BandsError(
            f"The multispectral image tells neither wavelengths nor names of its {len(msi)} bands, and {known.title} "
            f"has {len(camera)}: give a table that says which bands they are."
        )
    sentence = (
        "The multispectral image tells neither wavelengths nor names of its bands: they are taken in the order of "
        f"{known.title}, {', '.join(camera.names)}. Check that."
    )
    return replace(camera, good=msi.good), (sentence,)
