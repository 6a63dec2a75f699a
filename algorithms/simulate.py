# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate: what coarser and broader sensors would see of a scene, to try a fusion where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterNumber

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.simulation.settings import MAX_SIGMA_PX, MAX_SNR_DB, SimulationSettings
from . import pair_parameters as pair
from . import parameters as shared
from .base import Problems
from .pair import PairAlgorithm
from .pair_check import check_file, check_wavelengths
from .styling import Style, draw_true_colours
from .translation import tr

NO_SENSOR = "none"


class SimulateAlgorithm(PairAlgorithm):
    """A coarse hyperspectral image, a multispectral image, or both, of one fine hyperspectral image."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "image"}
    FILES: ClassVar[dict[str, str]] = {"SRF": "srf"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT_COARSE": "coarse",
        "OUTPUT_MSI": "msi",
        "OUTPUT_SRF": "srf",
        "REPORT": "report",
        "RESULT": "result",
    }

    def name(self) -> str:
        return "simulate"

    def displayName(self) -> str:
        return tr("Simulate a pair of images")

    def group(self) -> str:
        return tr("Tools")

    def groupId(self) -> str:
        return "tools"

    def shortDescription(self) -> str:
        return tr(
            "Makes the coarse hyperspectral and the multispectral image that other sensors would take of a scene."
        )

    def tags(self) -> list[str]:
        return tr("simulate,wald,degrade,downsample,resample,blur,psf,mtf,srf,noise,multispectral,hyperspectral").split(
            ","
        )

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "From one hyperspectral image this makes the image that a sensor with larger pixels would take "
                    "(blurred, averaged, with noise), and the image that a multispectral sensor would take (its "
                    "spectral response applied to every pixel, with noise). Both are georeferenced."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "To learn how well a fusion works on your kind of scene: simulate a pair, fuse it, and give the "
                    "result and the original to Assess. Also to see your scene as another sensor would."
                ),
            ),
            (
                tr("References"),
                tr(
                    "The protocol is that of Wald, Ranchin and Mangolini 1997, Photogrammetric Engineering and Remote "
                    "Sensing 63(6), 691-699."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.addParameter(shared.image())
        for parameter in (ratio(), blur_sigma(), sensor(), pair.response_file(), *noise()):
            self.addParameter(parameter)
        for parameter in (contrast(), shared.scale(), shared.device(), shared.seed()):
            self.addParameter(parameter)
        self.addParameter(
            shared.raster_output(
                "OUTPUT_COARSE",
                tr("Coarse hyperspectral image"),
                tr("The scene with all its bands in larger pixels."),
                by_default=True,
            )
        )
        self.addParameter(
            shared.raster_output(
                "OUTPUT_MSI",
                tr("Multispectral image"),
                tr("The scene in its own pixels as the chosen sensor sees it."),
            )
        )
        self.addParameter(pair.response_output())
        self.addParameter(shared.report())
        self.addParameter(shared.result())

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        files = self.files(parameters, context)
        with problems.noting():
            check_file(files.get("SRF"), self.parameterDefinition("SRF").description())
        with problems.noting():
            header = self.header("INPUT", parameters, context)
            settings = self.settings(parameters, context)
            settings.coarse_grid(header.grid)
            self._check_outputs(parameters, settings, "SRF" in files)
            if settings.sensor is not None:
                check_wavelengths(header, settings.sensor)

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SimulationSettings:
        """What is simulated.

        Raises:
            InputError: a word or number that is not allowed.
        """
        sensor = self.parameterAsEnumString(parameters, "SENSOR", context)
        return SimulationSettings(
            ratio=self.parameterAsDouble(parameters, "RATIO", context),
            psf_sigma=self.number("PSF_SIGMA", parameters, context),
            mtf=self.number("MTF", parameters, context),
            sensor=None if sensor == NO_SENSOR else sensor,
            hsi_snr_db=self.number("HSI_SNR", parameters, context),
            msi_snr_db=self.number("MSI_SNR", parameters, context),
        )

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        return Job(
            method="simulate",
            inputs={"image": self.header("INPUT", parameters, context).path},
            tables={self.FILES[name]: path for name, path in self.files(parameters, context).items()},
            settings=asdict(self.settings(parameters, context)),
            scale=self.number("SCALE", parameters, context),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        return {
            "OUTPUT_COARSE": Style(tr("Simulated coarse image"), draw_true_colours),
            "OUTPUT_MSI": Style(tr("Simulated multispectral image"), draw_true_colours),
        }

    def _check_outputs(self, parameters: dict[str, Any], settings: SimulationSettings, has_table: bool) -> None:
        """Refuse outputs for which something is missing; the engine says the same to those who come without QGIS."""
        if has_table and settings.sensor is not None:
            raise InputError("Choose either a sensor or a table of its spectral response, not both.")
        wanted = {name for name in ("OUTPUT_COARSE", "OUTPUT_MSI") if shared.is_given(parameters.get(name))}
        if not wanted:
            raise InputError("No output is chosen: ask for the coarse image, the multispectral image, or both.")
        if "OUTPUT_MSI" in wanted and not has_table and settings.sensor is None:
            raise InputError(
                "A multispectral image is wanted but no sensor is chosen: choose one, or give its spectral response."
            )


def ratio() -> QgsProcessingParameterNumber:
    """How much larger pixels become."""
    text = tr("How many pixels of the scene one side of a coarse pixel spans; it need not be a whole number.")
    return pair.real_number("RATIO", tr("Ratio of the pixel sizes"), 1.0, pair.MAX_RATIO, text, default=4.0)


def blur_sigma() -> QgsProcessingParameterNumber:
    """The blur as a width."""
    text = tr(
        "Standard deviation of the coarse sensor's blur as a Gaussian, in pixels of the scene. Empty means: from the "
        "contrast (MTF) if that is given, else no blur beyond the averaging over the coarse pixel."
    )
    return pair.real_number("PSF_SIGMA", tr("Width of the blur (pixels)"), 0.01, MAX_SIGMA_PX, text)


def contrast() -> QgsProcessingParameterNumber:
    """The blur as engineers measure it."""
    text = tr(
        "The blur given in another way: what is left of the contrast of a pattern with a period of two coarse pixels "
        "(modulation transfer function at the Nyquist frequency), as data sheets of sensors tell it; often 0.1 to 0.4."
    )
    return shared.advanced(pair.real_number("MTF", tr("Contrast at the limit of resolution (MTF)"), 0.001, 1.0, text))


def sensor() -> QgsProcessingParameterEnum:
    """Whose multispectral image is made."""
    return pair.sensor(NO_SENSOR, tr("no multispectral image is made, unless a table of its response is given."))


def noise() -> list[QgsProcessingParameterNumber]:
    """Noise of both images."""
    text = tr(
        "Signal-to-noise ratio of the simulated image in decibels; 40 is good, 25 is poor. Empty means: no noise."
    )
    labels = {
        "HSI_SNR": tr("Noise of the coarse image (SNR, dB)"),
        "MSI_SNR": tr("Noise of the multispectral image (SNR, dB)"),
    }
    return [pair.real_number(name, label, 0.0, MAX_SNR_DB, text) for name, label in labels.items()]
