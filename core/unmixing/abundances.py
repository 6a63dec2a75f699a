# SPDX-License-Identifier: GPL-3.0-or-later
"""From endmembers and a model of abundances to the function that solves pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import InputError
from .active_set import ActiveSetSolver
from .settings import UnmixSettings
from .sunsal import SunsalSolver

Solve = Callable[[torch.Tensor], torch.Tensor]
"""Pixels [bands, pixels] in, abundances [endmembers, pixels] out."""


def make_solver(endmembers: torch.Tensor, settings: UnmixSettings) -> Solve:
    """The solver of a model of abundances.

    ``scaled`` solves like ``nnls``: the sum of its abundances is the brightness of the pixel, and abundances over that
    sum are its shares (Drumetz et al., IEEE TIP 25(8), 2016, with one scale for all endmembers of a pixel).

    Args:
        endmembers: float32 [endmembers, bands], on the device of the pixels to come.
        settings: names the model.

    Raises:
        InputError: an endmember holds something that is no finite number.
    """
    if not endmembers.isfinite().all():
        raise InputError("An endmember has a missing value: leave out that band or that endmember.")
    if settings.model == "ucls":
        # directions that only the rounding of the spectra makes would blow up every pixel's noise
        rounding = torch.finfo(endmembers.dtype).eps
        inverse = torch.linalg.pinv(endmembers.double().T, rtol=rounding).to(endmembers.dtype)
        return lambda pixels: inverse @ pixels
    if settings.model == "sunsal":
        return SunsalSolver(endmembers).solve
    return ActiveSetSolver(endmembers, sum_to_one=settings.model == "fcls").to(endmembers.device).solve
