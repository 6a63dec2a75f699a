# SPDX-License-Identifier: GPL-3.0-or-later
"""What the algorithms of the group Spectral super-resolution have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ..core.bands import BandTable, choose_bands
from ..core.errors import InputError
from ..core.raster.bands_file import read_bands
from ..core.raster.header import MIN_BANDS, RasterHeader
from ..core.ssr.settings import BANDS, PRESETS, SsrSettings
from . import pair_parameters as pair
from . import parameters as shared
from .pair import PairAlgorithm
from .raster_header import read_image
from .translation import tr


class SpectralAlgorithm(PairAlgorithm):
    """A multispectral image gets the bands of a hyperspectral one."""

    NUMBERS: ClassVar[Mapping[str, str]] = {
        "PSNR": "held_out_psnr",
        "SAM": "held_out_sam",
        "RMSE": "held_out_rmse",
        "PSNR_RIDGE": "held_out_psnr_ridge",
        "BLIND_BANDS": "blind_bands",
    }

    def group(self) -> str:
        return tr("Spectral super-resolution")

    def groupId(self) -> str:
        return "spectralsuperresolution"

    def header(self, name: str, parameters: dict[str, Any], context: QgsProcessingContext) -> RasterHeader:
        """See :class:`PairAlgorithm`; here the multispectral image is called INPUT."""
        min_bands = 1 if name == "INPUT" else MIN_BANDS
        return read_image(self.parameterAsRasterLayer(parameters, name, context), parameters.get(name), min_bands)

    def common_settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SsrSettings:
        """The settings that training and application share.

        Raises:
            InputError: a word or number that is not allowed.
        """
        return SsrSettings(
            mode=self.parameterAsEnumString(parameters, "MODE", context),
            preset=self.parameterAsEnumString(parameters, "PRESET", context),
            **self.pair_settings(parameters, context),
        )

    def camera(self, parameters: dict[str, Any], context: QgsProcessingContext) -> BandTable | None:
        """The table of the camera's bands, if one is given.

        Raises:
            InputError: it cannot be read.
        """
        path = self.parameterAsFile(parameters, "BANDS", context)
        return read_bands(path) if path else None

    def output_bands(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[int, ...] | None:
        """The bands to write, counted from 0; None for all.

        Raises:
            InputError: they are no band numbers.
        """
        given = parameters.get("OUTPUT_BANDS")
        text = ",".join(map(str, given)) if isinstance(given, (list, tuple)) else None
        return numbered(self.parameterAsString(parameters, "OUTPUT_BANDS", context) if text is None else text)


def used_bands(header: RasterHeader, skip_water_vapour: bool) -> BandTable:
    """The bands of a raster that a run will use."""
    return header.table.subset(choose_bands(header.table, skip_water_vapour=skip_water_vapour).used)


def numbered(text: str) -> tuple[int, ...] | None:
    """Band numbers counted from 0 of a text such as ``1-40, 60``; None when it is empty.

    Raises:
        InputError: it is something else.
    """
    bands: list[int] = []
    for part in filter(None, re.split(r"[,;\s]+", re.sub(r"\s*-\s*", "-", text.strip()))):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise InputError(f"{part!r} under 'Bands to write' is no band: write numbers from 1 such as 1-40, 60.")
        bands += range(first - 1, last)
    return tuple(dict.fromkeys(bands)) or None


def image(optional: bool = False, text: str = "") -> QgsProcessingParameterRasterLayer:
    """The MSI."""
    text = text or tr(
        "An image with a few broad bands: a drone mosaic, a satellite scene, or red, green and blue. Its pixels are "
        "the pixels of the result."
    )
    parameter = QgsProcessingParameterRasterLayer("INPUT", tr("Multispectral image"), optional=optional)
    return shared.helped(parameter, text)


def sensor() -> QgsProcessingParameterEnum:
    """Who took the MSI."""
    return pair.sensor(BANDS, tr("by the wavelengths that the image itself tells, or by the table of its bands."))


def bands_file() -> QgsProcessingParameterFile:
    """Bands of a camera that is not in the list."""
    parameter = QgsProcessingParameterFile(
        "BANDS",
        tr("Bands of the camera (CSV)"),
        QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Tables (*.csv *.txt);;All files (*)"),
    )
    text = tr(
        "For a camera that is not in the list and an image that does not tell its wavelengths: a table with the header "
        "name,centre_nm,width_nm and one line per band, in the order of the image's bands. The width is that at half "
        "of the peak."
    )
    return shared.advanced(shared.helped(parameter, text))


def preset() -> QgsProcessingParameterEnum:
    """The way from bands to spectra."""
    text = tr(
        "How spectra are found from the few bands. auto: several ways are tried and the one that does best on ground "
        "kept aside is taken. ridge: one regression for all pixels, in a second. clustered: a regression for each kind "
        "of ground. pixel: a small network that looks at single pixels. network: the unfolded network, which also "
        "looks at the neighbours of a pixel. paper: that network as published, for comparison with the literature; "
        "without a graphics card it takes hours."
    )
    return shared.words("PRESET", tr("Way"), PRESETS, PRESETS[0], text)


def output_bands() -> QgsProcessingParameterString:
    """Part of the bands."""
    parameter = QgsProcessingParameterString("OUTPUT_BANDS", tr("Bands to write"), optional=True)
    text = tr(
        "Bands of the hyperspectral image that the result is to have, to save time and disk, for example 1-40, 60. "
        "Empty means all. Bands count from 1."
    )
    return shared.advanced(shared.helped(parameter, text))


def force() -> QgsProcessingParameterBoolean:
    """Go on against the evidence."""
    parameter = QgsProcessingParameterBoolean("FORCE", tr("Use images that look different"), defaultValue=False)
    text = tr(
        "Two images of the same ground whose brightness does not agree are refused, because they show different places "
        "or times, and so are bands that the hyperspectral image does not explain, and images unlike anything that a "
        "model learnt from. Tick this to use them nevertheless."
    )
    return shared.advanced(shared.helped(parameter, text))


def model_output(optional: bool) -> QgsProcessingParameterFileDestination:
    """What was fitted."""
    return shared.file_output(
        "OUTPUT_MODEL",
        tr("Model"),
        tr("Models (*.safetensors)"),
        tr(
            "What was fitted, to be given to 'Find spectra for a multispectral image' for any image of the same camera "
            "or of another one. It keeps up to 4096 of the spectra that it learnt from."
        ),
        optional=optional,
    )


def response_output() -> QgsProcessingParameterFileDestination:
    """The function between the sensors."""
    return shared.file_output(
        "OUTPUT_STF",
        tr("Spectral transformation (CSV)"),
        tr("CSV files (*.csv)"),
        tr(
            "What each multispectral band sees of each hyperspectral one (spectral transformation function), gains "
            "included, as a table with wavelengths."
        ),
    )


def number_labels(names: Sequence[str]) -> dict[str, str]:
    """Figures that a model can use."""
    labels = {
        "PSNR": tr("Agreement with spectra that were kept aside (PSNR, dB)"),
        "SAM": tr("Error on spectra that were kept aside (spectral angle in degrees)"),
        "RMSE": tr("Error on spectra that were kept aside (RMSE)"),
        "PSNR_RIDGE": tr("The same for ridge regression (PSNR, dB)"),
        "BLIND_BANDS": tr("Bands that the multispectral image cannot see"),
        "VALID_SHARE": tr("Share of valid pixels"),
    }
    return {name: labels[name] for name in names}
