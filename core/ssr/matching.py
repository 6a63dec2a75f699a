# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the bands of a model in an MSI: by wavelength, else by telling names, never by position."""

from __future__ import annotations

from ..bands import BandTable
from ..errors import BandsError
from ..sensors.match import match_wavelengths, only_count, words_of

USUAL_WIDTH_NM = 30.0
SAME_NM, SAME_SHARE = 5.0, 0.1
"""How far the centres of the same band may lie apart: in nm, or as a share of its width if that is more."""
SAME_WIDTH = 1.5
"""How many times wider one of them may be."""


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
            f"The model needs {len(model)} multispectral bands ({listed(model)}) but the image has {len(image)}: "
            "choose the image's camera under 'Sensor' so that the model can be changed to it, or fit a model for these "
            "bands."
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
        f"Nothing tells which band of the image is which: the model needs {listed(model)}. Choose the camera under "
        "'Sensor' or add wavelengths to the image."
    )


def is_same_camera(model: BandTable, image: BandTable) -> bool:
    """Whether an image has the bands that a model was fitted for, as far as can be told; arguments as above."""
    try:
        seen = image.subset(find_bands(model, image))
    except BandsError:
        return False
    if model.wavelength_nm is None or seen.wavelength_nm is None:
        return True
    widths = seen.fwhm_nm or model.fwhm_nm or (USUAL_WIDTH_NM,) * len(model)
    apart = [abs(a - b) for a, b in zip(model.wavelength_nm, seen.wavelength_nm)]
    if any(nm > max(SAME_NM, SAME_SHARE * width) for nm, width in zip(apart, widths)):
        return False
    pairs = [(max(a, 1.0), max(b, 1.0)) for a, b in zip(model.fwhm_nm or widths, widths)]
    return all(max(a / b, b / a) <= SAME_WIDTH for a, b in pairs)


def _by_wavelength(model: BandTable, image: BandTable) -> tuple[int, ...]:
    assert model.wavelength_nm is not None and image.wavelength_nm is not None
    widths = image.fwhm_nm or (USUAL_WIDTH_NM,) * len(image)
    found, worst = match_wavelengths(model.wavelength_nm, image.wavelength_nm, widths)
    if worst is not None:
        raise BandsError(
            f"The image has no band near {model.wavelength_nm[worst]:.0f} nm, which the model needs as "
            f"{model.names[worst]!r}: choose the image's camera under 'Sensor' so that the model can be changed to it, "
            "correct its wavelengths, or fit a model for these bands."
        )
    return found


def listed(table: BandTable) -> str:
    """Bands in words: their wavelengths where known, else their names."""
    if table.wavelength_nm is None:
        return ", ".join(table.names)
    return ", ".join(f"{nm:.0f} nm" for nm in table.wavelength_nm)
