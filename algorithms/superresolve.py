# SPDX-License-Identifier: GPL-3.0-or-later
"""Superresolve: one hyperspectral image becomes finer by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBand,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
)

from ..core.bands import choose_bands, written_bands
from ..core.engine.job import Job
from ..core.raster.spectra_files import read_spectra
from ..core.sisr.check import check_superresolve
from ..core.sisr.settings import FACTORS, LEAST_SIGMA, MODES, MOST_SIGMA, USUAL_SIGMA, SuperresolveSettings
from ..core.unmixing.settings import MAX_COUNT
from . import pair_parameters as pair
from . import parameters as shared
from .base import Problems
from .pair import PairAlgorithm
from .styling import Style, draw_shares, draw_true_colours, draw_uncertainty
from .translation import tr


class SuperresolveAlgorithm(PairAlgorithm):
    """Endmembers stay, their abundances become finer, and the result agrees with the input."""

    RASTERS: ClassVar[dict[str, str]] = {"INPUT": "image"}
    FILES: ClassVar[dict[str, str]] = {"ENDMEMBERS": "endmembers", "MODEL": "model"}
    ROLES: ClassVar[Mapping[str, str]] = {
        "OUTPUT": "superresolved",
        "OUTPUT_ABUNDANCES": "abundances",
        "OUTPUT_UNCERTAINTY": "uncertainty",
        "OUTPUT_MODEL": "model",
        "REPORT": "report",
        "RESULT": "result",
    }
    NUMBERS: ClassVar[Mapping[str, str]] = {
        "PSNR_CONSISTENCY": "psnr_consistency",
        "TRIAL_GAIN": "trial_gain",
        "COUNT_FOUND": "count",
        "VALID_SHARE": "valid_share",
    }

    def name(self) -> str:
        return "superresolve"

    def displayName(self) -> str:
        return tr("Make a hyperspectral image finer")

    def group(self) -> str:
        return tr("Super-resolution")

    def groupId(self) -> str:
        return "superresolution"

    def shortDescription(self) -> str:
        return tr("Gives a hyperspectral image 2, 4 or 8 times smaller pixels, from the image alone.")

    def tags(self) -> list[str]:
        return tr(
            "super-resolution,superresolve,sharpen,resolution,upsample,deconvolution,hyperspectral,abundance,network,finer"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "Every pixel becomes 2 x 2, 4 x 4 or 8 x 8 smaller ones. No second image is needed: the image is "
                    "taken apart into the spectra of a few materials and maps of how much of each a pixel holds. A "
                    "small network, which comes with the plugin and has learnt on drawn patterns only, makes the maps "
                    "finer; the spectra stay. The result is then corrected until it gives the input again when seen "
                    "through the sensor's blur."
                ),
            ),
            (
                tr("When to use it"),
                tr(
                    "When there is no finer image of the same ground; with one, the fusion algorithms do better. What "
                    "the sensor has blurred is made sharp again; detail smaller than an input pixel is a plausible "
                    "guess. Factor 2 is safe, 8 is mostly for the eye. Pixels with nodata in any used band are nodata "
                    "in the result."
                ),
            ),
            (
                tr("The blur"),
                tr(
                    "How much a sensor blurs decides what can be made sharp, so give it if you know it: as the width "
                    "of the blur or as the MTF. If not, a cautious value is taken that sharpens a little less. Too "
                    "wide a blur gives rims along edges; if you see them, give a smaller one."
                ),
            ),
            (
                tr("References"),
                tr("Synthetic abundance maps: Xu and others 2026, arXiv 2601.22755."),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (shared.image(), _factor(), _mode(), _sigma(), _mtf(), _count(), shared.spectra_file()):
            self.addParameter(parameter)
        for parameter in (shared.advanced(pair.model_file()), _output_bands(), shared.bands(), shared.water_vapour()):
            self.addParameter(parameter)
        for parameter in (shared.scale(), shared.device(), shared.seed()):
            self.addParameter(parameter)
        self._add_outputs()

    def _add_outputs(self) -> None:
        rasters = (
            ("OUTPUT", tr("Finer image"), tr("The bands of the input, as reflectance, in smaller pixels."), False),
            (
                "OUTPUT_ABUNDANCES",
                tr("Finer abundances"),
                tr("One band for each endmember: how much of it each small pixel holds."),
                True,
            ),
            (
                "OUTPUT_UNCERTAINTY",
                tr("Uncertainty"),
                tr("Standard deviation of the result in each pixel, as the method itself estimates it."),
                True,
            ),
        )
        for name, label, text, optional in rasters:
            self.addParameter(shared.raster_output(name, label, text, optional=optional))
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
        labels = {
            "PSNR_CONSISTENCY": tr("PSNR of the blurred result against the input (dB)"),
            "TRIAL_GAIN": tr("Gain over interpolation on the image made coarser once more (dB)"),
            "COUNT_FOUND": tr("Number of endmembers"),
            "VALID_SHARE": tr("Share of valid pixels"),
        }
        self.add_numbers(labels)

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        with problems.noting():
            self.check_files(parameters, context)
            header = self.header("INPUT", parameters, context)
            used = choose_bands(header.table, *self._bands(parameters, context)).used
            path = self.files(parameters, context).get("ENDMEMBERS")
            spectra = read_spectra(path)[0] if path else None
            settings = self.settings(parameters, context)
            check_superresolve(settings, header.table.subset(used), spectra, header.grid)
            written_bands(settings.output_bands, used)

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        files = {self.FILES[name]: path for name, path in self.files(parameters, context).items()}
        model = {"model": files.pop("model")} if "model" in files else {}
        bands, skip_water_vapour = self._bands(parameters, context)
        return Job(
            method=self.name(),
            inputs={"image": self.header("INPUT", parameters, context).path, **model},
            tables=files,
            settings=self.settings(parameters, context).to_mapping(),
            bands=bands,
            skip_water_vapour=skip_water_vapour,
            scale=self.number("SCALE", parameters, context),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
        )

    def settings(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SuperresolveSettings:
        """The method's settings.

        Raises:
            InputError: a word or number that is not allowed.
        """
        count = self.number("COUNT", parameters, context)
        bands = tuple(band - 1 for band in self.parameterAsInts(parameters, "OUTPUT_BANDS", context))
        return SuperresolveSettings(
            factor=int(self.parameterAsEnumString(parameters, "SCALE_FACTOR", context)),
            sigma=self.number("PSF_SIGMA", parameters, context),
            mtf=self.number("MTF", parameters, context),
            mode=self.parameterAsEnumString(parameters, "MODE", context),
            count=None if count is None else int(count),
            output_bands=bands or None,
        )

    def styles(self, job: Job) -> Mapping[str, Style]:
        factor = job.settings["factor"]
        return {
            "OUTPUT": Style(tr("Finer image (x{factor})").format(factor=factor), draw_true_colours),
            "OUTPUT_ABUNDANCES": Style(tr("Finer abundances (x{factor})").format(factor=factor), draw_shares),
            "OUTPUT_UNCERTAINTY": Style(tr("Uncertainty (x{factor})").format(factor=factor), draw_uncertainty),
        }

    def _bands(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[tuple[int, ...] | None, bool]:
        """Bands chosen by hand, counted from 0, or None; and whether to leave out water-vapour bands."""
        chosen = tuple(number - 1 for number in self.parameterAsInts(parameters, "BANDS", context))
        return chosen or None, not self.parameterAsBool(parameters, "WATER_VAPOUR", context)


def _factor() -> QgsProcessingParameterEnum:
    text = tr("How many times smaller the pixels become along each side: 2, 4 or 8.")
    return shared.words("SCALE_FACTOR", tr("Scale factor"), tuple(map(str, FACTORS)), str(FACTORS[0]), text)


def _mode() -> QgsProcessingParameterEnum:
    text = tr(
        "fast: with the network that comes with the plugin, nothing is trained. tuned: that network is first trained "
        "further on patterns like those of this image, which takes minutes; keep the model to use it for more images. "
        "paper: the published network is trained from nothing, which takes many hours and needs a graphics card."
    )
    return shared.words("MODE", tr("Mode"), MODES, MODES[0], text)


def _sigma() -> QgsProcessingParameterNumber:
    text = tr(
        "How far the sensor spreads the light of a point: the standard deviation of its point spread function, taken "
        "as a Gaussian, in pixels of the result, from {low} to {high} times the scale factor. Empty means: by the MTF "
        "if that is given, otherwise {usual} times the scale factor."
    ).format(low=LEAST_SIGMA, high=MOST_SIGMA, usual=USUAL_SIGMA)
    return pair.real_number("PSF_SIGMA", tr("Width of the blur (output pixels)"), 0.01, 10.0, text)


def _mtf() -> QgsProcessingParameterNumber:
    text = tr(
        "Another way to say how much the sensor blurs, as data sheets do: what is left of the contrast of the finest "
        "stripes that the image can show (modulation transfer function at the Nyquist frequency). 0.3 is usual for raw "
        "images, 0.15 is a soft image; when both are empty a cautious 0.45 is assumed."
    )
    return pair.real_number("MTF", tr("MTF at Nyquist"), 0.0001, 0.9999, text)


def _count() -> QgsProcessingParameterNumber:
    text = tr(
        "How many materials the image is taken apart into. Empty means: find it out. Ignored when endmembers are given."
    )
    return shared.whole_number("COUNT", tr("Number of endmembers"), 2, MAX_COUNT, text)


def _output_bands() -> QgsProcessingParameterBand:
    parameter = QgsProcessingParameterBand(
        "OUTPUT_BANDS", tr("Bands to write"), parentLayerParameterName="INPUT", optional=True, allowMultiple=True
    )
    text = tr(
        "Bands that the result is to have, to save time and disk. Nothing chosen means all that are used. Bands count "
        "from 1."
    )
    return shared.advanced(shared.helped(parameter, text))
