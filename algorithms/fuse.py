# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuse: the quick fusion without a network."""

from __future__ import annotations

from typing import Any, ClassVar

from .fusion import FusionAlgorithm, needs_text, pair_text
from .translation import tr


class FuseAlgorithm(FusionAlgorithm):
    """A regression of spectra on multispectral values, corrected by both images."""

    TITLE: ClassVar[str] = "ridge"

    def name(self) -> str:
        return "fuse"

    def displayName(self) -> str:
        return tr("Fuse hyperspectral and multispectral images")

    def shortDescription(self) -> str:
        return tr("Gives a hyperspectral image the fine pixels of a multispectral one, within seconds.")

    def tags(self) -> list[str]:
        return tr(
            "fusion,hyperspectral,multispectral,pansharpening,sharpen,super-resolution,resolution,panchromatic,rgb,drone"
        ).split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            ("", pair_text()),
            (
                tr("When to use it"),
                tr(
                    "First. There is nothing to train and nothing is random: how spectra follow from the values of "
                    "the fine image is read off the coarse one, and the result is then made to agree with both "
                    "images. SpectraLift and SpectraMorph do the same with networks, take longer, and can be better "
                    "where that relation is not simple; their reports compare them with this."
                ),
            ),
            (tr("What is needed"), needs_text()),
            (
                tr("References"),
                tr(
                    "The most probable image given both: Wei and others 2015, doi 10.1109/TIP.2015.2458572. "
                    "Comparison of methods: Yokoya and others 2017, doi 10.1109/MGRS.2016.2637824."
                ),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.add_pair_parameters()
        self.add_model_parameter()
        self.add_fine_tuning()
        self.add_rasters()
        self.add_common_outputs()
