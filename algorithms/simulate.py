# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate: what coarser and broader sensors would see of a scene, to try a fusion where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterNumber

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.fusion.settings import MAX_SIGMA_PX
from . import pair_parameters as pair
from . import parameters as shared
from .base import Problems
from .pair import PairAlgorithm
from .pair_check import check_file, check_wavelengths
from .styling import Style, draw_true_colours
from .translation import tr

NO_SENSOR = "none"
MAX_SNR_DB = 120.0


class SimulateAlgorithm(PairAlgorithm):
    """A coarse hyperspectral image, a multispectral image, or both, of one fine hyperspectral image."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "image"}
    FILES: ClassVar[dict[str, str]] = {"SRF": "srf"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT_COARSE": "coarse",
        "OUTPUT_MSI": "msi",
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
        self.addParameter(shared.report())
        self.addParameter(shared.result())

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        files = self.files(parameters, context)
        with problems.noting():
            header = self.header("INPUT", parameters, context)
            if "SRF" not in files and self._sensor(parameters, context) is not None:
                check_wavelengths(header, self._sensor(parameters, context))
        with problems.noting():
            check_file(files.get("SRF"), self.parameterDefinition("SRF").description())
        with problems.noting():
            self._check_choices(parameters, context, "SRF" in files)

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        def number(name: str) -> float | None:
            return self.number(name, parameters, context)

        return Job(
            method="simulate",
            inputs={"image": self.header("INPUT", parameters, context).path},
            tables={self.FILES[name]: path for name, path in self.files(parameters, context).items()},
            settings={
                "ratio": number("RATIO"),
                "psf_sigma": number("PSF_SIGMA"),
                "mtf": number("MTF"),
                "sensor": self._sensor(parameters, context),
                "hsi_snr_db": number("HSI_SNR"),
                "msi_snr_db": number("MSI_SNR"),
            },
            scale=number("SCALE"),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        return {
            "OUTPUT_COARSE": Style(tr("Simulated coarse image"), draw_true_colours),
            "OUTPUT_MSI": Style(tr("Simulated multispectral image"), draw_true_colours),
        }

    def _sensor(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str | None:
        word = self.parameterAsEnumString(parameters, "SENSOR", context)
        return None if word == NO_SENSOR else word

    def _check_choices(self, parameters: dict[str, Any], context: QgsProcessingContext, has_table: bool) -> None:
        if shared.is_given(parameters.get("PSF_SIGMA")) and shared.is_given(parameters.get("MTF")):
            raise InputError("Give either the width of the blur or the contrast (MTF), not both.")
        if not any(shared.is_given(parameters.get(name)) for name in self.ROLES):
            raise InputError("No output is chosen: ask for the coarse image, the multispectral image, or both.")
        if shared.is_given(parameters.get("OUTPUT_MSI")) and not has_table and not self._sensor(parameters, context):
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
