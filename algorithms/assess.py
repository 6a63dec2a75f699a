# SPDX-License-Identifier: GPL-3.0-or-later
"""Assess: how good a fused image is, against a reference or against the images it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ..core.engine.job import Job
from ..core.errors import InputError
from ..core.fusion.settings import ESTIMATE
from ..core.grid import Grid
from ..core.quality.alike import check_same_grid
from ..core.quality.settings import AssessSettings
from . import pair_parameters as pair
from . import parameters as shared
from .base import Problems
from .pair import PairAlgorithm
from .pair_check import check_distinct, check_file, check_geometry, same_crs
from .styling import Style, draw_error
from .translation import tr


class AssessAlgorithm(PairAlgorithm):
    """Figures, maps and a report on the quality of an image."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "result", "REFERENCE": "reference", "HSI": "hsi", "MSI": "msi"}
    FILES: ClassVar[dict[str, str]] = {"SRF": "srf"}
    ROLES: ClassVar[Mapping[str, str]] = {"OUTPUT_ERRORS": "errors", "REPORT": "report", "RESULT": "result"}
    NUMBERS: ClassVar[Mapping[str, str]] = {
        "PSNR": "psnr",
        "SAM": "sam",
        "RMSE": "rmse",
        "SSIM": "ssim",
        "ERGAS": "ergas",
        "UIQI": "uiqi",
        "CC": "cc",
        "PSNR_HSI": "psnr_consistency_hsi",
        "PSNR_MSI": "psnr_consistency_msi",
        "D_LAMBDA": "d_lambda",
        "D_S": "d_s",
        "QNR": "qnr",
        "HQNR": "hqnr",
    }

    def name(self) -> str:
        return "assess"

    def displayName(self) -> str:
        return tr("Assess a fused image")

    def group(self) -> str:
        return tr("Tools")

    def groupId(self) -> str:
        return "tools"

    def shortDescription(self) -> str:
        return tr("Measures the quality of a fused image, with a reference or without.")

    def tags(self) -> list[str]:
        return tr("quality,assessment,psnr,sam,rmse,ssim,ergas,uiqi,qnr,error,accuracy,reference,validation").split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "With a reference (the true image, as after Simulate), this tells how far the image is from it: "
                    "PSNR and RMSE for the size of the errors, SAM for the angle between spectra, SSIM and UIQI for "
                    "structure, ERGAS for the whole in one figure, CC for correlation; by band and as maps. Without "
                    "one, it tells how well the image agrees with the two images it was made of."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "Before a fused image is used for anything. High PSNR, SSIM, UIQI, CC and QNR are good, low RMSE, "
                    "SAM, ERGAS, D_lambda and D_s are good. Agreement with the inputs is necessary, but it does not "
                    "prove that the fine spectra are right: for that, simulate a pair of a similar scene."
                ),
            ),
            (
                tr("References"),
                tr(
                    "UIQI: Wang and Bovik 2002, doi 10.1109/97.995823. SSIM: Wang and others 2004, "
                    "doi 10.1109/TIP.2003.819861. QNR: Alparone and others 2008, doi 10.14358/PERS.74.2.193."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (
            judged(),
            reference(),
            pair.hsi(optional=True),
            pair.msi(optional=True),
            pair.sensor(ESTIMATE, tr("it is found out from the two images themselves.")),
            pair.response_file(),
            ratio(),
            shared.device(),
        ):
            self.addParameter(parameter)
        self.addParameter(
            shared.raster_output(
                "OUTPUT_ERRORS",
                tr("Errors"),
                tr("Two maps of the difference to the reference: RMSE over the bands, and spectral angle in degrees."),
            )
        )
        self.addParameter(shared.report(by_default=True))
        self.addParameter(shared.result())
        self.add_numbers(number_labels())

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        headers = {}
        given = {name for name in self.RASTERS if shared.is_given(parameters.get(name))} | {"INPUT"}
        for name in given:
            with problems.noting():
                headers[name] = self.header(name, parameters, context)
        with problems.noting():
            check_file(self.files(parameters, context).get("SRF"), self.parameterDefinition("SRF").description())
        with problems.noting():
            self.settings(parameters, context)
            _check_choice(given, shared.is_given(parameters.get("OUTPUT_ERRORS")))
            if given <= set(headers):
                _check_grids({name: header.grid for name, header in headers.items()})
                if {"HSI", "MSI"} <= given:
                    check_distinct(headers["HSI"], headers["MSI"])
                    check_geometry(headers["HSI"], headers["MSI"])

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> AssessSettings:
        """What is assessed.

        Raises:
            InputError: a word or number that is not allowed.
        """
        return AssessSettings(
            ratio=self.number("RATIO", parameters, context),
            sensor=self.parameterAsEnumString(parameters, "SENSOR", context),
        )

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        headers = self.headers(parameters, context)
        return Job(
            method="assess",
            inputs={self.RASTERS[name]: header.path for name, header in headers.items()},
            tables={self.FILES[name]: path for name, path in self.files(parameters, context).items()},
            settings=asdict(self.settings(parameters, context)),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        return {"OUTPUT_ERRORS": Style(tr("Errors (RMSE)"), draw_error)}


def judged() -> QgsProcessingParameterRasterLayer:
    """The image to judge."""
    text = tr("The image whose quality is asked for, for example the output of a fusion.")
    return shared.helped(QgsProcessingParameterRasterLayer("INPUT", tr("Image to assess")), text)


def reference() -> QgsProcessingParameterRasterLayer:
    """The truth."""
    text = tr("The true image in the same pixels. Leave it empty where there is none and give the two images instead.")
    return shared.helped(
        QgsProcessingParameterRasterLayer("REFERENCE", tr("Reference image"), optional=True),
        text,
    )


def ratio() -> QgsProcessingParameterNumber:
    """How much larger the pixels were, for ERGAS."""
    text = tr(
        "How many pixels of the fused image one side of a coarse pixel spans; ERGAS depends on it. Empty means: taken "
        "from the coarse image."
    )
    return pair.real_number("RATIO", tr("Ratio of the pixel sizes"), 1.0, pair.MAX_RATIO, text)


def number_labels() -> dict[str, str]:
    """Figures of quality that a model can use."""
    return {
        "PSNR": tr("Peak signal-to-noise ratio (dB)"),
        "SAM": tr("Mean spectral angle (degrees)"),
        "RMSE": tr("Root mean square error"),
        "SSIM": tr("Structural similarity"),
        "ERGAS": tr("Relative error of all bands (ERGAS)"),
        "UIQI": tr("Universal image quality index"),
        "CC": tr("Correlation coefficient"),
        "PSNR_HSI": tr("Agreement with the hyperspectral image (PSNR, dB)"),
        "PSNR_MSI": tr("Agreement with the multispectral image (PSNR, dB)"),
        "D_LAMBDA": tr("Spectral distortion without reference"),
        "D_S": tr("Spatial distortion without reference"),
        "QNR": tr("Quality without reference (QNR)"),
        "HQNR": tr("Quality without reference (HQNR)"),
    }


def _check_choice(given: set[str], wants_errors: bool) -> None:
    """Refuse what cannot be judged."""
    missing = {"HSI", "MSI"} - given
    if "REFERENCE" not in given and missing:
        raise InputError(
            "There is nothing to compare the image with: give a reference, or the hyperspectral and the multispectral "
            "image it was made of."
        )
    if len(missing) == 1:
        raise InputError("Only one of the two images is given: give both the hyperspectral and the multispectral one.")
    if wants_errors and "REFERENCE" not in given:
        raise InputError("Maps of errors need a reference image: give one, or leave the output 'Errors' out.")


def _check_grids(grids: dict[str, Grid]) -> None:
    """Refuse images that do not have the pixels of the one to assess."""
    for name, words in (("REFERENCE", "reference"), ("MSI", "multispectral image")):
        if name in grids:
            check_same_grid(grids["INPUT"], grids[name], words, lambda a, b: same_crs(a.crs_wkt, b.crs_wkt))
