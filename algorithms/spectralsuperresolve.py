# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral super-resolution: a multispectral image becomes hyperspectral."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
)

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.sensors.camera import check_camera
from ..core.ssr.settings import SsrSettings
from ..core.ssr.shipped import shipped_model, shipped_sensors
from . import pair_parameters as pair
from . import parameters as shared
from . import spectral
from .base import Problems
from .pair_check import check_distinct, check_geometry
from .parameters import is_given
from .spectral import SpectralAlgorithm, used_bands
from .styling import Style, draw_true_colours, draw_uncertainty
from .translation import tr

MODES = ("overlap", "archive")


class SpectralSuperResolveAlgorithm(SpectralAlgorithm):
    """Each pixel of a multispectral image gets a spectrum, by a trained model or by a hyperspectral image."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "msi", "HSI": "hsi"}
    FILES: ClassVar[dict[str, str]] = {"MODEL": "model", "BANDS": "bands"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT": "spectra",
        "OUTPUT_UNCERTAINTY": "uncertainty",
        "OUTPUT_STF": "stf",
        "OUTPUT_MODEL": "model",
        "REPORT": "report",
        "RESULT": "result",
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {**SpectralAlgorithm.NUMBERS, "VALID_SHARE": "valid_share"}

    def name(self) -> str:
        return "spectralsuperresolve"

    def displayName(self) -> str:
        return tr("Find spectra for a multispectral image")

    def shortDescription(self) -> str:
        return tr("Gives each pixel of a multispectral or drone image a spectrum, and says how far to trust it.")

    def tags(self) -> list[str]:
        return tr(
            "spectral,super-resolution,reconstruction,drone,uav,multispectral,hyperspectral,rgb,spectra,stf,pgu-net"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "A multispectral image, such as a drone mosaic, becomes hyperspectral: each pixel gets the "
                    "spectrum that is most probable behind its few values. How spectra follow from the bands was "
                    "learnt by 'Train spectral super-resolution', or is learnt here from a hyperspectral image. What "
                    "each band of the camera truly sees need not be known."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "When spectra are wanted in places of which only a multispectral image exists. Where a "
                    "hyperspectral image of the whole area exists and only its pixels are too large, the fusion "
                    "algorithms do better. Pixels with nodata or a saturated value in any band are nodata in the "
                    "result."
                ),
            ),
            (
                tr("How far to trust it"),
                tr(
                    "Bands near those of the camera are known well; parts of the spectrum that the camera does not see "
                    "are guessed from the rest. The uncertainty gives a standard deviation for each pixel and band, "
                    "and the report names the bands that cannot be seen and compares with simple regressions."
                ),
            ),
            (
                tr("Images of other cameras"),
                tr(
                    "A model serves other cameras than the one that it was trained for, as long as centres and widths "
                    "of their bands are known: from the sensor, a table, or the image. It keeps some of the spectra "
                    "that it learnt from and finds out with them what the other camera shows. Where the cameras are "
                    "alike, little is lost; the report says how much is expected, and the uncertainty grows with it. A "
                    "camera that shows less than half of what the model needs is refused. Such an image has to hold "
                    "reflectance."
                ),
            ),
            (tr("References"), tr("Unfolded network: Li and others 2026 (PGU-Net), arXiv 2606.05759.")),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (spectral.image(), _model(), _spectral_image(), _mode(), spectral.sensor()):
            self.addParameter(parameter)
        for parameter in (spectral.preset(), spectral.bands_file(), spectral.output_bands(), spectral.force()):
            self.addParameter(parameter)
        for parameter in (*pair.scales(), shared.device(), shared.seed()):
            self.addParameter(parameter)
        text = tr("The bands of the hyperspectral image in the pixels of the multispectral one, as reflectance.")
        self.addParameter(shared.raster_output("OUTPUT", tr("Spectra"), text, optional=False))
        text = tr("Standard deviation of the spectra in each pixel and band, as the method itself estimates it.")
        self.addParameter(shared.raster_output("OUTPUT_UNCERTAINTY", tr("Uncertainty"), text))
        for parameter in (spectral.response_output(), spectral.model_output(optional=True)):
            self.addParameter(parameter)
        for parameter in (shared.report(), shared.result()):
            self.addParameter(parameter)
        self.add_numbers(spectral.number_labels(list(self.NUMBERS)))

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        with problems.noting():
            self.check_files(parameters, context)
            settings = self.settings(parameters, context)
            has_model, has_hsi = "model" in self._given_model(parameters, context), is_given(parameters.get("HSI"))
            check_source(has_model, has_hsi)
            msi = self.header("INPUT", parameters, context)
            if has_hsi:
                hsi = self.header("HSI", parameters, context)
                check_distinct(hsi, msi)
                if settings.mode == "overlap":
                    check_geometry(hsi, msi)
            camera = self.camera(parameters, context)
            known = not has_model and settings.mode == "archive"
            if known or camera is not None or settings.sensor != spectral.BANDS:
                check_camera(used_bands(msi, False), settings.sensor, camera)

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        files = {self.FILES[name]: path for name, path in self.files(parameters, context).items()}
        files.pop("model", None)
        rasters = {self.RASTERS[name]: h.path for name, h in self.headers(parameters, context).items()}
        return Job(
            method=self.name(),
            inputs={**rasters, **self._given_model(parameters, context)},
            tables=files,
            settings=self.settings(parameters, context).to_mapping(),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SsrSettings:
        """The method's settings.

        Raises:
            InputError: a word or number that is not allowed.
        """
        return replace(self.common_settings(parameters, context), output_bands=self.output_bands(parameters, context))

    def _given_model(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """The model to apply: the given one or, where none is to be fitted, the one that comes with the plugin."""
        given = self.files(parameters, context).get("MODEL")
        if given or is_given(parameters.get("HSI")):
            return {"model": given} if given else {}
        shipped = shipped_model(self.parameterAsEnumString(parameters, "SENSOR", context))
        return {} if shipped is None else {"model": str(shipped)}

    def styles(self, job: Job) -> Mapping[str, Style]:
        return {
            "OUTPUT": Style(tr("Spectra (true colour)"), draw_true_colours),
            "OUTPUT_UNCERTAINTY": Style(tr("Uncertainty of the spectra"), draw_uncertainty),
        }


def check_source(has_model: bool, has_hsi: bool) -> None:
    """Refuse an image with no spectral source, or with two.

    Raises:
        InputError: with the sentence for the user.
    """
    if has_model and has_hsi:
        raise InputError("Give either a trained model or a hyperspectral image, not both.")
    if not has_model and not has_hsi:
        sensors = shipped_sensors()
        shipped = f", choose a sensor with a model of its own ({', '.join(sensors)})" if sensors else ""
        raise InputError(
            "A multispectral image alone does not tell spectra: give a trained model or a hyperspectral image"
            f"{shipped}, or train a model from a spectral library with 'Train spectral super-resolution'."
        )


def _model() -> QgsProcessingParameterFile:
    parameter = pair.model_file()
    parameter.setDescription(tr("Trained model"))
    text = tr(
        "A model from 'Train spectral super-resolution', or from an earlier run of this algorithm. The image's bands "
        "are matched to those of the model by wavelength, in whatever order they come. For an image of another camera, "
        "choose it under 'Sensor': the model is changed to it, and says how much worse its spectra are expected to be."
    )
    sensors = shipped_sensors()
    if sensors:
        text += " " + tr(
            "Empty, and without a hyperspectral image: the model for the chosen sensor that comes with HyperRes, which "
            "there is for {sensors}; it was made from mixtures of library spectra and gives a first answer."
        ).format(sensors=", ".join(sensors))
    return shared.helped(parameter, text)


def _spectral_image() -> QgsProcessingParameterRasterLayer:
    text = tr("Instead of a model: an image to learn spectra from at once. Its bands are the bands of the result.")
    return shared.helped(QgsProcessingParameterRasterLayer("HSI", tr("Hyperspectral image"), optional=True), text)


def _mode() -> QgsProcessingParameterEnum:
    text = tr(
        "What the hyperspectral image shows; ignored when a model is given. overlap: at least part of the same ground. "
        "archive: similar ground elsewhere, so that what the camera would see of it has to be simulated."
    )
    return shared.words("MODE", tr("The hyperspectral image shows"), MODES, MODES[0], text)
