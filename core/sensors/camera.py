# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the bands of a multispectral camera before any pixel is read; standard library only."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError, InputError
from .catalogue import load_sensor

OWN_BANDS = "bands"
"""The word for taking the bands' wavelengths from the image, or from a table."""


def check_camera(msi: BandTable | None, sensor: str, given: BandTable | None) -> None:
    """Refuse a camera that cannot be the one of the image, or of which nothing is known.

    Args:
        msi: the used bands of the image; None where there is no image.
        sensor: a word of :data:`core.sensors.catalogue.SENSORS`, or ``OWN_BANDS``.
        given: a table of the camera's bands from the user.

    Raises:
        InputError: with the sentence for the user.
    """
    if sensor != OWN_BANDS:
        if given is not None:
            raise InputError("Give either a sensor or a table of the camera's bands, not both.")
        _check_count(msi, load_sensor(sensor).title, camera_table(sensor))
        return
    if given is not None:
        if msi is not None and len(msi) != len(given):
            raise BandsError(
                f"The table of bands has {len(given)} lines but the multispectral image has {len(msi)} bands: write "
                "one line per band, in the order of the image's bands."
            )
        return
    if msi is None:
        raise InputError(
            "It is not known which bands the multispectral camera has: choose its sensor, or give a table of its bands."
        )
    if msi.wavelength_nm is None:
        raise BandsError(
            "The multispectral image does not tell the wavelengths of its bands: choose its sensor, or give a table of "
            "its bands."
        )


def camera_table(sensor: str) -> BandTable:
    """The bands of a known sensor without the panchromatic one, which is taken in other pixels."""
    known = load_sensor(sensor).bands
    bands = [band for band in known if not band.is_pan or len(known) == 1]
    return BandTable(
        tuple(band.name for band in bands),
        (True,) * len(bands),
        tuple(round(band.centre_nm, 2) for band in bands),
        tuple(round(band.width_nm, 2) for band in bands),
    )


def _check_count(msi: BandTable | None, title: str, camera: BandTable) -> None:
    if msi is not None and len(msi) > len(camera):
        raise BandsError(
            f"The multispectral image has {len(msi)} bands, but {title} has only {len(camera)}: choose the right "
            "sensor or leave bands out."
        )
