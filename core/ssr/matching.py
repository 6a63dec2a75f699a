# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the bands of a model in an MSI: by wavelength, else by telling names, never by position."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError
from ..sensors.match import match_wavelengths, only_count, words_of

USUAL_WIDTH_NM = 30.0


def find_bands(model: BandTable, image: BandTable) -> tuple[int, ...]:
    """Positions in the image of the model's bands; the image may have more, in any order.

    Args:
        model: the MSI bands that the model was fitted for.
        image: the used bands of the image that it is to be applied to.

    Raises:
        BandsError: a band is missing, or nothing tells which is which.
    """
    if len(image) < len(model):
        raise BandsError(
            f"The model needs {len(model)} multispectral bands ({_listed(model)}) but the image has {len(image)}: "
            "choose an image of the same camera, or fit a model for these bands."
        )
    if model.wavelength_nm is not None and image.wavelength_nm is not None:
        return _by_wavelength(model, image)
    names = [words_of(name) for name in image.names]
    wanted = [words_of(name) for name in model.names]
    telling = not only_count(model.names) and len(set(names)) == len(names)
    if telling and set(wanted) <= set(names):
        return tuple(names.index(name) for name in wanted)
    if model.wavelength_nm is None:
        raise BandsError(
            "The model was fitted to an image that tells no wavelengths, so it cannot be told which band is which in "
            "another: fit it anew with the camera chosen under 'Sensor', and choose it here as well."
        )
    raise BandsError(
        f"Nothing tells which band of the image is which: the model needs {_listed(model)}. Choose the camera under "
        "'Sensor' or add wavelengths to the image."
    )


def _by_wavelength(model: BandTable, image: BandTable) -> tuple[int, ...]:
    assert model.wavelength_nm is not None and image.wavelength_nm is not None
    widths = image.fwhm_nm or (USUAL_WIDTH_NM,) * len(image)
    found, worst = match_wavelengths(model.wavelength_nm, image.wavelength_nm, widths)
    if worst is not None:
        raise BandsError(
            f"The image has no band near {model.wavelength_nm[worst]:.0f} nm, which the model needs as "
            f"{model.names[worst]!r}: choose an image of the same camera, correct its wavelengths, or fit a model for "
            "these bands."
        )
    return found


def _listed(table: BandTable) -> str:
    if table.wavelength_nm is None:
        return ", ".join(table.names)
    return ", ".join(f"{nm:.0f} nm" for nm in table.wavelength_nm)
