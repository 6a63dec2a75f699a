# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimate a spectral response: how the bands of one image follow from those of another of the same ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterRasterLayer,
)

from ..core.bands import choose_bands
from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.raster.header import RasterHeader
from ..core.ssr.stf_check import check_stf
from ..core.ssr.stf_settings import NO_SENSOR, SENSOR_WORDS, StfSettings
from . import pair_parameters as pair
from . import parameters as shared
from . import spectral
from .base import Problems
from .pair import PairAlgorithm
from .pair_check import check_distinct, check_geometry
from .raster_header import file_of, local_file
from .samples import read_samples
from .translation import tr


class EstimateStfAlgorithm(PairAlgorithm):
    """Curves of one sensor's bands over those of another, how sure they are, and whether land cover changes them."""

    RASTERS: ClassVar[dict[str, str]] = {"HSI": "hsi", "MSI": "msi"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT": "stf",
        "OUTPUT_BANDS": "stf_bands",
        "REPORT": "report",
        "RESULT": "result",
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {
        "EFFECTIVE_RANK": "effective_rank",
        "FIT_ERROR": "fit_error",
        "PSNR": "psnr",
        "DIFFERENCE": "difference",
        "SHIFT": "shift_m",
        "CLASSES": "classes",
        "CLASSES_DISTINGUISHABLE": "classes_distinguishable",
    }

    def name(self) -> str:
        return "estimatestf"

    def displayName(self) -> str:
        return tr("Estimate a spectral response")

    def group(self) -> str:
        return tr("Spectral super-resolution")

    def groupId(self) -> str:
        return "spectralsuperresolution"

    def shortDescription(self) -> str:
        return tr("Finds out how a multispectral camera's bands follow from a hyperspectral image of the same ground.")

    def tags(self) -> list[str]:
        return tr(
            "spectral,response,srf,stf,transformation,calibration,gain,offset,camera,drone,cross-sensor,harmonization,bands"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "Two images of the same ground tell how the bands of one sensor follow from those of the other: "
                    "each multispectral band is a weighted sum of hyperspectral bands, plus an offset. This finds the "
                    "weights (the spectral transformation function), says how sure each of them is, and shows where "
                    "on the ground the sum does not hold. It takes seconds, and nothing has to be known of the camera."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "For a camera whose response nobody published, to check a published one, and to bring two sensors "
                    "onto one scale. The table can be given to Fuse and to Simulate as spectral response. With a map "
                    "of land cover, it also tests whether the function depends on it, and says 'not distinguishable' "
                    "where that cannot be shown."
                ),
            ),
            (
                tr("What is needed"),
                tr(
                    "Two georeferenced images that overlap and were taken under similar conditions; sizes of pixels, "
                    "coordinate systems and outlines may be any, but the multispectral pixels must not be the larger "
                    "ones. The more kinds of ground they show, the better the curves are fixed: the report tells the "
                    "effective rank of the spectra and what that means."
                ),
            ),
            (
                tr("References"),
                tr(
                    "Spectral transformation functions: Li and others 2026, arXiv 2606.05759. Resampling "
                    "of neighbours: Künsch 1989, doi 10.1214/aos/1176347265. Effective rank: Roy and Vetterli 2007."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (hyperspectral(), multispectral(), sensor(), classes(), polygons(), polygons_field()):
            self.addParameter(parameter)
        for parameter in (spectral.force(), *pair.scales(), shared.seed()):
            self.addParameter(parameter)
        self.addParameter(
            shared.file_output(
                "OUTPUT",
                tr("Spectral response (CSV)"),
                tr("CSV files (*.csv)"),
                tr(
                    "The weights with their gain, one row for each hyperspectral and one column for each multispectral "
                    "band; other algorithms read it as spectral response."
                ),
                optional=False,
            )
        )
        self.addParameter(
            shared.file_output(
                "OUTPUT_BANDS",
                tr("Response with 95 % bands (CSV)"),
                tr("CSV files (*.csv)"),
                tr("The same with the lower and upper end of each weight, and likewise for every class."),
            )
        )
        self.addParameter(shared.report(by_default=True))
        self.addParameter(shared.result())
        self.add_numbers(number_labels())

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        headers = self.usable_headers(parameters, context, problems)
        with problems.noting():
            self.classes(parameters, context)
        with problems.noting():
            settings = self.settings(parameters, context)
            if len(headers) == len(self.RASTERS):
                hsi, msi = headers["HSI"], headers["MSI"]
                check_distinct(hsi, msi)
                used, shown = choose_bands(hsi.table).used, choose_bands(msi.table, skip_water_vapour=False).used
                check_stf(settings, hsi.table.subset(used), msi.table.subset(shown))
                check_geometry(hsi, msi)
                self.samples(parameters, context, msi)

    def classes(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """The file with classes of land cover, empty when there is none.

        Raises:
            InputError: it cannot be used.
        """
        if not shared.is_given(parameters.get("CLASSES")):
            return ""
        if shared.is_given(parameters.get("POLYGONS")):
            raise InputError("Give either a raster of classes or labelled polygons, not both.")
        layer = self.parameterAsRasterLayer(parameters, "CLASSES", context)
        path = local_file(layer, parameters["CLASSES"])
        if layer.bandCount() != 1:
            raise InputError(f"{path} has {layer.bandCount()} bands: choose a raster of classes, which has one.")
        return path

    def samples(
        self, parameters: dict[str, Any], context: QgsProcessingContext, msi: RasterHeader
    ) -> tuple[Mapping[str, Any], ...]:
        """Polygons of land cover on the multispectral image.

        Raises:
            InputError: they cannot be used.
        """
        if not shared.is_given(parameters.get("POLYGONS")):
            return ()
        source = self.parameterAsSource(parameters, "POLYGONS", context)
        if source is None:
            raise InputError("The polygons of land cover cannot be opened: choose another layer.")
        field = self.parameterAsString(parameters, "POLYGONS_FIELD", context)
        layer = self.parameterAsRasterLayer(parameters, "MSI", context)
        return read_samples(source, field, msi.grid, layer.crs(), context)

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> StfSettings:
        """What is estimated.

        Raises:
            InputError: a word or number that is not allowed.
        """
        return StfSettings(**self.pair_settings(parameters, context))

    def inputs(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        layer = self.parameterAsRasterLayer(parameters, "CLASSES", context)
        return [*super().inputs(parameters, context), *([file_of(layer)] if layer is not None else [])]

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        headers = self.headers(parameters, context)
        path = self.classes(parameters, context)
        return Job(
            method="estimatestf",
            inputs={"hsi": headers["HSI"].path, "msi": headers["MSI"].path, **({"classes": path} if path else {})},
            settings=self.settings(parameters, context).to_mapping(),
            samples=self.samples(parameters, context, headers["MSI"]),
            device="cpu",
            seed=self.parameterAsInt(parameters, "SEED", context),
        )


def hyperspectral() -> QgsProcessingParameterRasterLayer:
    """The image whose bands are weighted."""
    text = tr("The image with many narrow bands. Its bands are the rows of the table.")
    return shared.helped(QgsProcessingParameterRasterLayer("HSI", tr("Hyperspectral image")), text)


def multispectral() -> QgsProcessingParameterRasterLayer:
    """The image whose response is asked for."""
    text = tr(
        "The image of the same ground whose bands are to be explained, with pixels of the same size or smaller: of a "
        "satellite, a drone, or any camera. Its bands are the columns of the table."
    )
    return shared.helped(QgsProcessingParameterRasterLayer("MSI", tr("Multispectral image")), text)


def sensor() -> QgsProcessingParameterEnum:
    """Whose published response is shown beside the estimate."""
    text = tr(
        "A sensor whose published response the report shows beside the estimate, and by how much they differ. It does "
        "not change the estimate. {none}: no comparison. Known are {sensors}."
    ).format(none=NO_SENSOR, sensors=", ".join(SENSOR_WORDS[1:]))
    return shared.words("SENSOR", tr("Sensor to compare with"), SENSOR_WORDS, NO_SENSOR, text)


def classes() -> QgsProcessingParameterRasterLayer:
    """Land cover as a raster."""
    text = tr(
        "A raster of whole numbers, one for each class of land cover, on any grid; 0 means no class. The function is "
        "then also estimated for every class that has at least 5000 hyperspectral pixels, and tested for being its own."
    )
    return shared.helped(
        QgsProcessingParameterRasterLayer("CLASSES", tr("Land cover (raster of classes)"), optional=True), text
    )


def polygons() -> QgsProcessingParameterFeatureSource:
    """Land cover as polygons."""
    parameter = QgsProcessingParameterFeatureSource(
        "POLYGONS", tr("Land cover (polygons)"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
    )
    text = tr("The same as polygons, in any coordinate system, instead of a raster of classes.")
    return shared.helped(parameter, text)


def polygons_field() -> QgsProcessingParameterField:
    """Field that names the class of a polygon."""
    parameter = QgsProcessingParameterField(
        "POLYGONS_FIELD", tr("Field with class names"), parentLayerParameterName="POLYGONS", optional=True
    )
    return shared.helped(parameter, tr("The field of the polygons that says which class of land cover they show."))


def number_labels() -> dict[str, str]:
    """Figures that a model can use."""
    return {
        "EFFECTIVE_RANK": tr("Effective rank of the spectra"),
        "FIT_ERROR": tr("Unexplained share of the spread (mean of the bands)"),
        "PSNR": tr("Fit of the multispectral image (PSNR, dB)"),
        "DIFFERENCE": tr("Difference from the published response (share of its norm)"),
        "SHIFT": tr("Shift that was corrected (metres)"),
        "CLASSES": tr("Classes with a function"),
        "CLASSES_DISTINGUISHABLE": tr("Classes that are distinguishable"),
    }
