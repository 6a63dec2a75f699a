# SPDX-License-Identifier: GPL-3.0-or-later
"""What the algorithms of the group Fusion have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import QgsProcessingContext

from ..core.engine.job import Job
from ..core.fusion.settings import ESTIMATE, FusionSettings
from . import pair_parameters as pair
from . import parameters as shared
from .base import Problems
from .pair import PairAlgorithm
from .pair_check import check_pair
from .styling import Style, draw_true_colours, draw_uncertainty
from .translation import tr


class FusionAlgorithm(PairAlgorithm):
    """A coarse hyperspectral and a fine multispectral image become one fine hyperspectral image.

    Attributes:
        TITLE: what the method is called in names of layers.
    """

    TITLE: ClassVar[str] = ""
    RASTERS: ClassVar[dict[str, str]] = {"HSI": "hsi", "MSI": "msi"}
    FILES: ClassVar[dict[str, str]] = {"SRF": "srf", "MODEL": "model"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT": "fused",
        "OUTPUT_UNCERTAINTY": "uncertainty",
        "OUTPUT_SRF": "srf",
        "OUTPUT_MODEL": "model",
        "REPORT": "report",
        "RESULT": "result",
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {
        "PSNR_HSI": "psnr_consistency_hsi",
        "PSNR_MSI": "psnr_consistency_msi",
        "HELD_OUT_RMSE": "held_out_rmse",
        "HELD_OUT_SAM": "held_out_sam",
        "RATIO": "ratio",
        "VALID_SHARE": "valid_share",
        "SHIFT": "shift",
        "PSF_CONFIDENCE": "psf_confidence",
    }

    def group(self) -> str:
        return tr("Fusion")

    def groupId(self) -> str:
        return "fusion"

    def add_pair_parameters(self) -> None:
        """The two images and what is known of the fine one."""
        for parameter in (pair.hsi(), pair.msi(), pair.sensor(ESTIMATE, estimate_help()), pair.response_file()):
            self.addParameter(parameter)

    def add_model_parameter(self) -> None:
        """The model of an earlier run."""
        self.addParameter(pair.model_file())

    def add_fine_tuning(self) -> None:
        """What a first-time user need not touch."""
        for parameter in (
            pair.output_bands(),
            pair.radiometry(),
            pair.registration(),
            pair.blur(),
            pair.blur_sigma(),
            pair.force(),
            *pair.scales(),
            shared.device(),
            shared.seed(),
        ):
            self.addParameter(parameter)

    def add_rasters(self) -> None:
        """The fused image and how sure it is."""
        self.addParameter(
            shared.raster_output(
                "OUTPUT",
                tr("Fused image"),
                tr("The bands of the hyperspectral image in the pixels of the multispectral one, as reflectance."),
                optional=False,
            )
        )
        self.addParameter(
            shared.raster_output(
                "OUTPUT_UNCERTAINTY",
                tr("Uncertainty"),
                tr("Standard deviation of the fused reflectance in each pixel, as the method itself estimates it."),
            )
        )

    def add_common_outputs(self) -> None:
        """Tables, model, report and figures."""
        self.addParameter(pair.response_output())
        self.addParameter(
            shared.file_output(
                "OUTPUT_MODEL",
                tr("Model"),
                tr("Models (*.safetensors)"),
                tr("What was fitted, to be given to later runs as fitted model."),
            )
        )
        self.addParameter(shared.report())
        self.addParameter(shared.result())
        self.add_numbers(number_labels())

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        headers = self.usable_headers(parameters, context, problems)
        with problems.noting():
            self.check_files(parameters, context)
        with problems.noting():
            settings = self.settings(parameters, context)
            if len(headers) == len(self.RASTERS):
                check_pair(headers["HSI"], headers["MSI"], settings, bool(self.files(parameters, context).get("SRF")))

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        files = {self.FILES[name]: path for name, path in self.files(parameters, context).items()}
        model = {"model": files.pop("model")} if "model" in files else {}
        headers = self.headers(parameters, context)
        return Job(
            method=self.name(),
            inputs={**{role: headers[name].path for name, role in self.RASTERS.items()}, **model},
            tables=files,
            settings=self.settings(parameters, context).to_mapping(),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> FusionSettings:
        """The method's settings.

        Raises:
            InputError: a word or number that is not allowed.
        """

        def word(name: str) -> str:
            return self.parameterAsEnumString(parameters, name, context)

        def number(name: str) -> float | None:
            return self.number(name, parameters, context)

        offered = {definition.name() for definition in self.parameterDefinitions()}
        bands = tuple(band - 1 for band in self.parameterAsInts(parameters, "OUTPUT_BANDS", context))
        return FusionSettings(
            **({"mode": word("MODE")} if "MODE" in offered else {}),
            sensor=word("SENSOR"),
            radiometry=word("RADIOMETRY"),
            registration=word("REGISTRATION"),
            psf=number("PSF_SIGMA") or word("PSF"),
            output_bands=bands or None,
            force=self.parameterAsBool(parameters, "FORCE", context),
            hsi_scale=number("HSI_SCALE"),
            msi_scale=number("MSI_SCALE"),
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        method = self.method_words(job)
        return {
            "OUTPUT": Style(tr("Fused image ({method})").format(method=method), draw_true_colours),
            "OUTPUT_UNCERTAINTY": Style(tr("Uncertainty ({method})").format(method=method), draw_uncertainty),
        }

    def method_words(self, job: Job) -> str:
        """Method and mode as names of layers tell them."""
        return f"{self.TITLE} {job.settings['mode']}" if self.parameterDefinition("MODE") else self.TITLE


def pair_text() -> str:
    """What every fusion does, for people who meet it for the first time."""
    return tr(
        "A hyperspectral image sees many narrow bands but large pixels; a multispectral image of the same ground sees "
        "few broad bands but small pixels. Fusion makes of both one image with all the bands in the small pixels. No "
        "training data are needed: everything is learnt from the two images themselves."
    )


def needs_text() -> str:
    """What a pair must be."""
    return tr(
        "Two georeferenced images that overlap and were taken under similar conditions, at best within days and "
        "without clouds; sizes of pixels and outlines may be any. Where the fine image shows something that the coarse "
        "one does not explain (shadows, cars), spectra are guesses: the uncertainty and the report say how far to "
        "trust them, and Assess measures the quality."
    )


def estimate_help() -> str:
    """What the word for no sensor in particular means for a fusion."""
    return tr("it is found out from the two images themselves, for any camera.")


def number_labels() -> dict[str, str]:
    """Figures of a fusion that a model can use."""
    return {
        "PSNR_HSI": tr("Agreement with the hyperspectral image (PSNR, dB)"),
        "PSNR_MSI": tr("Agreement with the multispectral image (PSNR, dB)"),
        "HELD_OUT_RMSE": tr("Error on coarse pixels that were held out (RMSE)"),
        "HELD_OUT_SAM": tr("Error on coarse pixels that were held out (spectral angle in degrees)"),
        "RATIO": tr("Ratio of the pixel sizes"),
        "VALID_SHARE": tr("Share of valid pixels"),
        "SHIFT": tr("Shift between the images (units of the coordinate system)"),
        "PSF_CONFIDENCE": tr("Confidence in the blur (0 to 1)"),
    }
