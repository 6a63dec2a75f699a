# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectraLift: fusion by a network that turns multispectral values back into spectra."""

from __future__ import annotations

from typing import Any, ClassVar

from . import pair_parameters as pair
from .fusion import FusionAlgorithm, needs_text, pair_text
from .translation import tr


class SpectraLiftAlgorithm(FusionAlgorithm):
    """The spectral inversion network, as published or refined."""

    TITLE: ClassVar[str] = "SpectraLift"

    def name(self) -> str:
        return "spectralift"

    def displayName(self) -> str:
        return tr("Fuse images with SpectraLift")

    def shortDescription(self) -> str:
        return tr(
            "Gives a hyperspectral image the fine pixels of a multispectral one, by a spectral inversion network."
        )

    def tags(self) -> list[str]:
        return tr(
            "fusion,spectralift,neural,network,hyperspectral,multispectral,pansharpening,sharpen,super-resolution"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            ("", pair_text()),
            (
                tr("When to use it"),
                tr(
                    "Where the quick fusion is not enough and the fine image has several bands. A small network learns "
                    "on this pair alone how a spectrum follows from the few values that the multispectral sensor makes "
                    "of it, and is applied to every fine pixel. With one band (panchromatic), SpectraMorph is the "
                    "better choice."
                ),
            ),
            (tr("What is needed"), needs_text()),
            (tr("References"), tr("SpectraLift: Shah and Duarte 2025, arXiv 2507.13339.")),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.add_pair_parameters()
        self.addParameter(pair.mode())
        self.add_model_parameter()
        self.add_fine_tuning()
        self.add_rasters()
        self.add_common_outputs()
