# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses to apply a fitted model to a pair that is nothing like the one it was fitted on."""

from __future__ import annotations

import torch

from ..errors import InputError
from .model import FusionModel
from .pair import PairSample
from .pairing.alike import alike_pixels
from .pairing.gate import LEAST_PIXELS, check_same_scene
from .pairing.radiometry import fit_radiometry

LARGEST_GAIN = 2.0
"""Factor between the scales of the two images, once the model has brought them onto one, that light alone can make."""


def check_reuse(model: FusionModel, sample: PairSample) -> None:
    """Refuse a pair whose images disagree where the model expects them to agree.

    Tiles that share too few pixels to tell pass.

    Args:
        model: the fitted model.
        sample: of the pair it is to be applied to.

    Raises:
        InputError: the images show different ground, or are on another radiometric scale than those fitted on.
    """
    blocks = [model.harmony.apply(block) for block in sample.blocks]
    averaged, predicted = alike_pixels(blocks, torch.as_tensor(model.srf.matrix))
    if len(averaged) < LEAST_PIXELS:
        return
    found = fit_radiometry(averaged, predicted)
    check_same_scene(found.correlation)
    gain = float(found.gain.double().quantile(0.5))
    if not 1 / LARGEST_GAIN <= gain <= LARGEST_GAIN:
        raise InputError(
            f"The multispectral image is {gain:.3g} times as bright as the model expects: bring the images onto the "
            "radiometric scale of those it was fitted on, fit anew, or force the fusion."
        )
