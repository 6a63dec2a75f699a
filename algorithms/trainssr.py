# SPDX-License-Identifier: GPL-3.0-or-later
"""Train spectral super-resolution: from images or a library to a model for one multispectral camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
)

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.raster.header import RasterHeader
from ..core.raster.spectra_files import read_spectra
from ..core.sensors.camera import check_camera
from ..core.ssr.settings import MAX_STEPS, MODES, SsrSettings
from . import pair_parameters as pair
from . import parameters as shared
from . import spectral
from .base import Problems
from .pair_check import check_distinct, check_geometry
from .parameters import is_given
from .raster_header import file_of, read_image
from .spectral import SpectralAlgorithm, used_bands
from .translation import tr


class TrainSsrAlgorithm(SpectralAlgorithm):
    """A model that gives spectra to the pixels of a multispectral camera."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "msi"}
    FILES: ClassVar[dict[str, str]] = {"LIBRARY": "library", "BANDS": "bands"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT_MODEL": "model",
        "OUTPUT_STF": "stf",
        "REPORT": "report",
        "RESULT": "result",
    }

    def name(self) -> str:
        return "trainssr"

    def displayName(self) -> str:
        return tr("Train spectral super-resolution")

    def shortDescription(self) -> str:
        return tr("Learns how spectra follow from the few bands of a multispectral camera, and keeps it as a model.")

    def tags(self) -> list[str]:
        return tr(
            "spectral,super-resolution,training,model,drone,uav,multispectral,hyperspectral,library,response,stf"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "A multispectral camera sees a few broad bands. Which spectrum lies behind them cannot be known "
                    "for sure, but spectra of real ground are alike, and that can be learnt. This makes a model for "
                    "one camera, which 'Find spectra for a multispectral image' applies to its images. The report "
                    "tells how well it did on ground that it had not seen, next to simple regressions."
                ),
            ),
            (
                tr("What is needed"),
                tr(
                    "Spectra from somewhere: a hyperspectral image that covers part of the multispectral one (best), "
                    "hyperspectral images of similar ground elsewhere, or a spectral library of the materials there. "
                    "The more the training resembles the ground to which the model is applied, the more it can be "
                    "trusted."
                ),
            ),
            (
                tr("What it cannot do"),
                tr(
                    "Nothing brings back what the few bands do not hold. Parts of the spectrum far from all bands are "
                    "guessed from the rest; the report names them, and the uncertainty shows them."
                ),
            ),
            (tr("References"), tr("Unfolded network: Li and others 2026 (PGU-Net), arXiv 2606.05759.")),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        text = tr(
            "The image with few bands. In the mode overlap it must show the ground of the hyperspectral image; "
            "otherwise it is only asked for its bands, and may be left out."
        )
        for parameter in (_mode(), _spectral_images(), spectral.image(True, text), _library(), spectral.sensor()):
            self.addParameter(parameter)
        for parameter in (spectral.preset(), spectral.bands_file(), _steps(), spectral.force(), *pair.scales()):
            self.addParameter(parameter)
        for parameter in (shared.device(), shared.seed(), spectral.model_output(optional=False)):
            self.addParameter(parameter)
        for parameter in (spectral.response_output(), shared.report(by_default=True), shared.result()):
            self.addParameter(parameter)
        self.add_numbers(spectral.number_labels(list(self.NUMBERS)))

    def inputs(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        layers = self.parameterAsLayerList(parameters, "HSI", context) or []
        return [*super().inputs(parameters, context), *(file_of(layer) for layer in layers)]

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        with problems.noting():
            self.check_files(parameters, context)
            settings = self.settings(parameters, context)
            images = self._spectral_headers(parameters, context)
            given = is_given(parameters.get("INPUT"))
            msi = self.header("INPUT", parameters, context) if given else None
            check_sources(settings.mode, len(images), msi is not None, "LIBRARY" in self.files(parameters, context))
            if settings.mode == "overlap":
                assert msi is not None
                check_distinct(images[0], msi)
                check_geometry(images[0], msi)
            if settings.mode == "library":
                read_spectra(self.files(parameters, context)["LIBRARY"])
            camera = self.camera(parameters, context)
            known = settings.mode == "overlap" and camera is None and settings.sensor == spectral.BANDS
            if not known:  # an overlap tells itself what each band sees
                check_camera(None if msi is None else used_bands(msi, False), settings.sensor, camera)

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        images = self._spectral_headers(parameters, context)
        inputs = {"hsi" if i == 0 else f"hsi{i + 1}": header.path for i, header in enumerate(images)}
        if is_given(parameters.get("INPUT")):
            inputs["msi"] = self.header("INPUT", parameters, context).path
        return Job(
            method=self.name(),
            inputs=inputs,
            tables={self.FILES[name]: path for name, path in self.files(parameters, context).items()},
            settings=self.settings(parameters, context).to_mapping(),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SsrSettings:
        """The method's settings.

        Raises:
            InputError: a word or number that is not allowed.
        """
        steps = self.number("STEPS", parameters, context)
        return replace(self.common_settings(parameters, context), steps=None if steps is None else int(steps))

    def _spectral_headers(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[RasterHeader]:
        """Headers of the hyperspectral images.

        Raises:
            InputError: one of them cannot be used.
        """
        given = parameters.get("HSI")
        if not is_given(given):
            return []
        layers = self.parameterAsLayerList(parameters, "HSI", context) or []
        wanted = len(given) if isinstance(given, (list, tuple)) else 1
        if len(layers) < wanted:
            raise InputError(f"Not all of {given} are rasters that GDAL opens: choose other files.")
        return [read_image(layer, layer.source()) for layer in layers]


def check_sources(mode: str, images: int, has_msi: bool, has_library: bool) -> None:
    """Refuse a mode that lacks what it learns from, or is given what it cannot use.

    Raises:
        InputError: with the sentence for the user.
    """
    if mode == "library":
        if not has_library:
            raise InputError("The mode library needs a spectral library: give one, or choose another mode.")
        if images:
            raise InputError("The mode library uses no hyperspectral image: leave it out, or choose another mode.")
        return
    if has_library:
        raise InputError(f"The mode {mode} uses no spectral library: leave it out, or choose the mode library.")
    if not images:
        raise InputError(
            "There is nothing to learn spectra from: give a hyperspectral image, or a spectral library and the mode "
            "library."
        )
    if mode == "overlap" and images > 1:
        raise InputError("The mode overlap takes one hyperspectral image: give one, or choose the mode archive.")
    if mode == "overlap" and not has_msi:
        raise InputError(
            "The mode overlap needs a multispectral image of the same ground: give one, or choose the mode archive."
        )


def _mode() -> QgsProcessingParameterEnum:
    text = tr(
        "Where the spectra come from. overlap: a hyperspectral image that shows part of the ground of the "
        "multispectral one. archive: hyperspectral images of similar ground; what the camera would see of it is "
        "simulated, with its bands known only roughly, and found out from each image later. library: a table of "
        "spectra, of which images are made up."
    )
    return shared.words("MODE", tr("Source of the spectra"), MODES, MODES[0], text)


def _spectral_images() -> QgsProcessingParameterMultipleLayers:
    parameter = QgsProcessingParameterMultipleLayers(
        "HSI", tr("Hyperspectral images"), QgsProcessing.SourceType.TypeRaster, optional=True
    )
    text = tr(
        "One image in the mode overlap; one or more with the same bands in the mode archive. Their bands are the bands "
        "of the result."
    )
    return shared.helped(parameter, text)


def _library() -> QgsProcessingParameterFile:
    parameter = QgsProcessingParameterFile(
        "LIBRARY",
        tr("Spectral library (CSV or ENVI)"),
        QgsProcessingParameterFile.Behavior.File,
        optional=True,
        fileFilter=tr("Spectra (*.csv *.txt *.sli *.hdr);;All files (*)"),
    )
    text = tr(
        "For the mode library: reflectance spectra of the materials that occur. A CSV file has the header "
        "wavelength_nm,name,name,... and one row per band. Its wavelengths are the bands of the result."
    )
    return shared.helped(parameter, text)


def _steps() -> QgsProcessingParameterNumber:
    text = tr("How long the unfolded network is trained, in gradient steps. Empty means: as long as is usual.")
    return shared.advanced(shared.whole_number("STEPS", tr("Steps of training"), 1, MAX_STEPS, text))
