# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters that algorithms share: each name, label, help text and default stands here once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from qgis.core import (
    NULL,
    QgsProcessing,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from .preferences import Preferences
from .translation import tr

DEVICES = ("auto", "cpu", "cuda", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "mps")

Parameter = TypeVar("Parameter", bound=QgsProcessingParameterDefinition)


def helped(parameter: Parameter, text: str) -> Parameter:
    """Attach a help text, which shows as tooltip, in the help panel and on the command line."""
    parameter.setHelp(text)
    return parameter


def advanced(parameter: Parameter) -> Parameter:
    """Fold a parameter away from first-time users."""
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return parameter


def is_given(value: Any) -> bool:
    """Tell whether an optional value was given; QGIS passes nothing in several shapes."""
    return value is not None and value != NULL and value != ""


def image() -> QgsProcessingParameterRasterLayer:
    """The cube to work on."""
    return helped(
        QgsProcessingParameterRasterLayer("INPUT", tr("Hyperspectral image")),
        tr("A raster file with at least three bands: GeoTIFF, ENVI or anything else that GDAL opens."),
    )


def bands() -> QgsProcessingParameterBand:
    """Bands to use."""
    parameter = QgsProcessingParameterBand(
        "BANDS", tr("Bands to use"), parentLayerParameterName="INPUT", optional=True, allowMultiple=True
    )
    return advanced(
        helped(parameter, tr("Nothing chosen means all bands that are not marked as bad. Bands count from 1."))
    )


def water_vapour() -> QgsProcessingParameterBoolean:
    """Whether to keep the bands in which the atmosphere is opaque."""
    parameter = QgsProcessingParameterBoolean("WATER_VAPOUR", tr("Keep water-vapour bands"), defaultValue=False)
    text = tr(
        "Bands at 1350-1450 and 1800-1950 nm are mostly noise in reflectance from the air or from space and are left "
        "out unless this is ticked or bands are chosen by hand."
    )
    return advanced(helped(parameter, text))


def scale() -> QgsProcessingParameterNumber:
    """Factor to reflectance."""
    parameter = QgsProcessingParameterNumber(
        "SCALE",
        tr("Scale factor to reflectance"),
        QgsProcessingParameterNumber.Type.Double,
        optional=True,
        minValue=1e-12,
    )
    text = tr(
        "Stored numbers times this factor are reflectance, for example 0.0001 for integers up to 10000. Empty means: "
        "use the file's own factor, or find it out and say so in the log."
    )
    return advanced(helped(parameter, text))


def device() -> QgsProcessingParameterEnum:
    """What computes."""
    preferred = Preferences.load().device
    parameter = QgsProcessingParameterEnum(
        "DEVICE",
        tr("Device"),
        options=list(DEVICES),
        defaultValue=preferred if preferred in DEVICES else "auto",
        usesStaticStrings=True,
    )
    text = tr(
        "auto, cpu, cuda (the first graphics card), cuda:0 to cuda:3, or mps (Apple). auto takes a graphics card when "
        "one works, and the log says which and why."
    )
    return advanced(helped(parameter, text))


def seed() -> QgsProcessingParameterNumber:
    """Seed of random choices."""
    parameter = QgsProcessingParameterNumber(
        "SEED", tr("Seed"), QgsProcessingParameterNumber.Type.Integer, defaultValue=0, minValue=0, maxValue=2**31 - 1
    )
    return advanced(helped(parameter, tr("The same seed on the same device gives the same result.")))


def spectra_file() -> QgsProcessingParameterFile:
    """Endmembers from a file."""
    parameter = QgsProcessingParameterFile(
        "ENDMEMBERS",
        tr("Known endmembers (CSV or ENVI spectral library)"),
        QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Spectra (*.csv *.txt *.sli *.hdr);;All files (*)"),
    )
    text = tr(
        "Spectra to unmix with, instead of finding them in the image. A CSV file has the header "
        "wavelength_nm,name,name,... and one row per band; the first column is called band when the image has no "
        "wavelengths. Spectra at other wavelengths are interpolated."
    )
    return helped(parameter, text)


def samples() -> QgsProcessingParameterFeatureSource:
    """Endmembers from places on the image."""
    parameter = QgsProcessingParameterFeatureSource(
        "SAMPLES",
        tr("Samples of pure pixels"),
        [QgsProcessing.SourceType.TypeVectorPoint, QgsProcessing.SourceType.TypeVectorPolygon],
        optional=True,
    )
    text = tr(
        "Points or polygons on pure pixels, in any coordinate system. The mean spectrum of each class becomes an "
        "endmember, instead of finding them in the image."
    )
    return helped(parameter, text)


def samples_field() -> QgsProcessingParameterField:
    """Field that names the class of a sample."""
    parameter = QgsProcessingParameterField(
        "SAMPLES_FIELD", tr("Field with class names"), parentLayerParameterName="SAMPLES", optional=True
    )
    return helped(parameter, tr("The field of the samples that says which material a sample shows."))


def words(name: str, label: str, options: Sequence[str], default: str, text: str) -> QgsProcessingParameterEnum:
    """A choice between words, which are saved and given as such."""
    parameter = QgsProcessingParameterEnum(
        name, label, options=list(options), defaultValue=default, usesStaticStrings=True
    )
    return helped(parameter, text)


def whole_number(name: str, label: str, low: int, high: int, text: str) -> QgsProcessingParameterNumber:
    """An optional whole number; empty means automatic."""
    parameter = QgsProcessingParameterNumber(
        name, label, QgsProcessingParameterNumber.Type.Integer, optional=True, minValue=low, maxValue=high
    )
    return helped(parameter, text)


def raster_output(
    name: str, label: str, text: str, optional: bool = True, by_default: bool = False
) -> QgsProcessingParameterRasterDestination:
    """A raster to write; optional ones are not made unless asked for, or offered as made by default."""
    parameter = QgsProcessingParameterRasterDestination(
        name, label, optional=optional, createByDefault=by_default or not optional
    )
    return helped(parameter, text)


def file_output(
    name: str, label: str, kinds: str, text: str, optional: bool = True, by_default: bool = False
) -> QgsProcessingParameterFileDestination:
    """A file to write; optional ones are not made unless asked for, or offered as made by default."""
    parameter = QgsProcessingParameterFileDestination(
        name, label, kinds, optional=optional, createByDefault=by_default or not optional
    )
    return helped(parameter, text)


def endmembers_output(optional: bool = True) -> QgsProcessingParameterFileDestination:
    """Table of spectra."""
    return file_output(
        "OUTPUT_ENDMEMBERS",
        tr("Endmembers (CSV)"),
        tr("CSV files (*.csv)"),
        tr("The endmember spectra as a table with wavelengths; it can be given to Unmix as known endmembers."),
        optional,
    )


def library_output() -> QgsProcessingParameterFileDestination:
    """ENVI spectral library."""
    return file_output(
        "OUTPUT_SLI",
        tr("Endmembers (ENVI spectral library)"),
        tr("ENVI spectral libraries (*.sli)"),
        tr("The endmember spectra as an ENVI spectral library, with its header beside it."),
    )


def report(by_default: bool = False) -> QgsProcessingParameterFileDestination:
    """Report for people."""
    return file_output(
        "REPORT",
        tr("Report"),
        tr("HTML files (*.html)"),
        tr("A page with spectra, maps, error, settings and timings that needs no other file."),
        by_default=by_default,
    )


def result() -> QgsProcessingParameterFileDestination:
    """Record for programs."""
    return file_output(
        "RESULT",
        tr("Result record"),
        tr("JSON files (*.json)"),
        tr("The same facts for programs: figures, settings, versions, timings and warnings."),
    )
