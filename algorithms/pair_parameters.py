# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of everything that deals with a coarse hyperspectral and a fine multispectral image."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import (
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..core.fusion.settings import MAX_COUNT, MAX_SIGMA_PX, MODES, PSF_WORDS, RADIOMETRIES, REGISTRATIONS
from ..core.sensors.catalogue import SENSORS
from .parameters import advanced, file_output, helped, whole_number, words
from .translation import tr

MAX_RATIO = 100.0


def hsi(optional: bool = False) -> QgsProcessingParameterRasterLayer:
    """The image with the spectra."""
    text = tr("The image with many bands and large pixels. Its bands are the bands of the fused image.")
    return helped(QgsProcessingParameterRasterLayer("HSI", tr("Coarse hyperspectral image"), optional=optional), text)


def msi(optional: bool = False) -> QgsProcessingParameterRasterLayer:
    """The image with the pixels."""
    text = tr(
        "The image with few bands and small pixels that shows the same ground: multispectral, red-green-blue, or "
        "panchromatic with one band. Its pixels are the pixels of the fused image."
    )
    return helped(QgsProcessingParameterRasterLayer("MSI", tr("Fine multispectral image"), optional=optional), text)


def sensor(first: str, meaning: str) -> QgsProcessingParameterEnum:
    """Who took the fine image; ``first`` is the word for no sensor in particular."""
    text = tr(
        "Says to which part of the spectrum each band of the fine image responds. {first}: {meaning} All other words "
        "are sensors whose published responses HyperRes knows: {sensors}. For another sensor, give its response as a "
        "table."
    ).format(first=first, meaning=meaning, sensors=", ".join(SENSORS))
    return words("SENSOR", tr("Sensor of the multispectral image"), (first, *SENSORS), first, text)


def response_file() -> QgsProcessingParameterFile:
    """Spectral response from a table."""
    parameter = QgsProcessingParameterFile(
        "SRF",
        tr("Spectral response (CSV)"),
        QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Tables (*.csv *.txt);;All files (*)"),
    )
    text = tr(
        "The response of the multispectral bands as a table, for sensors that are not in the list. Either a column "
        "of wavelengths and one column for each multispectral band, or one row for each multispectral band and one "
        "column for each hyperspectral band. Leave the choice of a sensor as it is then."
    )
    return helped(parameter, text)


def response_output() -> QgsProcessingParameterFileDestination:
    """The response that was used."""
    return file_output(
        "OUTPUT_SRF",
        tr("Spectral response used (CSV)"),
        tr("CSV files (*.csv)"),
        tr("The response of the multispectral bands that was chosen, given or estimated; it can be given back."),
    )


def model_file() -> QgsProcessingParameterFile:
    """A model fitted before."""
    parameter = QgsProcessingParameterFile(
        "MODEL",
        tr("Fitted model"),
        QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Models (*.safetensors);;All files (*)"),
    )
    text = tr(
        "A model that an earlier run has written. It is applied as it is instead of fitting a new one, so that many "
        "tiles of the same two sensors are treated alike, and quickly."
    )
    return helped(parameter, text)


def mode() -> QgsProcessingParameterEnum:
    """The published method or the better one."""
    text = tr(
        "refined: the network with what makes it more accurate and quicker: several networks at once, training that "
        "stops by itself, and a correction by both images and the estimated blur. paper: network, training and "
        "settings exactly as published, for comparison with the literature."
    )
    return words("MODE", tr("Mode"), MODES, MODES[0], text)


def count() -> QgsProcessingParameterNumber:
    """Endmembers of SpectraMorph."""
    text = tr(
        "How many basic spectra the fused image is made of; about the number of materials in the scene. Empty means: "
        "chosen automatically."
    )
    return whole_number("COUNT", tr("Number of endmembers"), 2, MAX_COUNT, text)


def output_bands() -> QgsProcessingParameterBand:
    """Part of the bands."""
    parameter = QgsProcessingParameterBand(
        "OUTPUT_BANDS",
        tr("Bands to write"),
        parentLayerParameterName="HSI",
        optional=True,
        allowMultiple=True,
    )
    text = tr(
        "Bands of the hyperspectral image that the fused image is to have, to save time and disk. Nothing chosen "
        "means all that are not marked as bad. Bands count from 1."
    )
    return advanced(helped(parameter, text))


def radiometry() -> QgsProcessingParameterEnum:
    """Match of brightness."""
    text = tr(
        "The two images seldom agree in brightness. auto: each band of the fine image is brought to the level of the "
        "coarse one by a gain and an offset, where they differ; the report lists them. none: the values are used as "
        "they are."
    )
    return advanced(words("RADIOMETRY", tr("Match of brightness"), RADIOMETRIES, RADIOMETRIES[0], text))


def registration() -> QgsProcessingParameterEnum:
    """What to do about a shift."""
    text = tr(
        "The images may lie beside each other by part of a pixel. warn: measure the shift and say it. correct: move "
        "the coarse image by the measured shift. ignore: do not look."
    )
    return advanced(words("REGISTRATION", tr("Registration"), REGISTRATIONS, REGISTRATIONS[0], text))


def blur() -> QgsProcessingParameterEnum:
    """Whether the blur is estimated."""
    text = tr(
        "How the coarse sensor blurs the ground (point spread function). auto: estimated from the two images, and "
        "left out with a note where the estimate is poor. none: the result is not corrected by it."
    )
    return advanced(words("PSF", tr("Blur of the coarse image"), PSF_WORDS, PSF_WORDS[0], text))


def blur_sigma() -> QgsProcessingParameterNumber:
    """The blur, where it is known."""
    text = tr(
        "Standard deviation of the blur as a Gaussian, in pixels of the fine image, where it is known. Empty means: "
        "as chosen under 'Blur of the coarse image'."
    )
    return advanced(real_number("PSF_SIGMA", tr("Width of the blur (fine pixels)"), 0.01, MAX_SIGMA_PX, text))


def force() -> QgsProcessingParameterBoolean:
    """Go on against the evidence."""
    parameter = QgsProcessingParameterBoolean("FORCE", tr("Fuse images that look different"), defaultValue=False)
    text = tr(
        "Images whose brightness does not agree over the ground are refused, because they show different places or "
        "times. Tick this to fuse them nevertheless."
    )
    return advanced(helped(parameter, text))


def scales() -> Sequence[QgsProcessingParameterNumber]:
    """Factors to reflectance of both images."""
    text = tr(
        "Stored numbers times this factor are reflectance, for example 0.0001 for integers up to 10000. Empty means: "
        "use the file's own factor, or find it out and say so in the log."
    )
    labels = {"HSI_SCALE": tr("Scale of the hyperspectral image"), "MSI_SCALE": tr("Scale of the multispectral image")}
    return [advanced(real_number(name, label, 1e-12, None, text)) for name, label in labels.items()]


def real_number(
    name: str, label: str, low: float, high: float | None, text: str, default: float | None = None
) -> QgsProcessingParameterNumber:
    """A number that may be left empty unless it has a default."""
    limits = {} if high is None else {"maxValue": high}
    parameter = QgsProcessingParameterNumber(
        name,
        label,
        QgsProcessingParameterNumber.Type.Double,
        defaultValue=default,
        optional=default is None,
        minValue=low,
        **limits,
    )
    return helped(parameter, text)
