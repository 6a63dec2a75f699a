# SPDX-License-Identifier: GPL-3.0-or-later
"""One response for a whole scene that arrives tile by tile.

The R half (eq. 18) couples all pixels, so that tiles treated one by one would each get a response of their own and show
seams. It needs no more of them than two small mean matrices, which are summed over all tiles first: one pass over the
scene for each stage that changes R. With the responses found, tiles are independent (:meth:`Unfolding.unfold`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from ..errors import InputError
from .solvers import mean_grams
from .unfolding import Unfolding


@dataclass(frozen=True)
class SceneTile:
    """A tile of the MSI.

    Attributes:
        msi: with the surroundings it needs, invalid pixels filled with anything finite, float32 [c, rows, columns].
        counted: pixels that are valid and belong to this tile alone, bool [rows, columns].
    """

    msi: torch.Tensor
    counted: torch.Tensor


class SceneGrams:
    """Sums G and M (:func:`core.ssr.solvers.mean_grams`) over tiles: products in float32, sums in float64."""

    def __init__(self) -> None:
        self._pixels = 0
        self._sums: list[torch.Tensor] = []

    def add(self, x: torch.Tensor, msi: torch.Tensor, proposal: torch.Tensor) -> None:
        """Add pixels X [1, d, pixels] and Y [1, c, pixels] with the proposal P [1, c, d]."""
        pixels = x.shape[-1]
        if not pixels:
            return
        sums = [gram.double().cpu() * pixels for gram in mean_grams(x, msi, proposal)]
        self._sums = [old + new for old, new in zip(self._sums, sums)] if self._pixels else sums
        self._pixels += pixels

    def result(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """G [1, d, d] and M [1, c, d] with the type and on the device of ``like``.

        Raises:
            InputError: no pixel was added.
        """
        if not self._pixels:
            raise InputError("The multispectral image has no valid pixel: every pixel is nodata in at least one band.")
        gram, misfit = (total / self._pixels for total in self._sums)
        return gram.to(like), misfit.to(like)


@torch.no_grad()
def scene_responses(network: Unfolding, tiles: Callable[[], Iterable[SceneTile]]) -> tuple[torch.Tensor, ...]:
    """Estimate the responses of a scene that all its tiles share.

    Args:
        network: trained.
        tiles: goes through the scene, once each time it is called.

    Returns:
        R_0 ... R_K, each [1, c, C]: the first K are for :meth:`Unfolding.unfold`, the last one is the estimate.

    Raises:
        InputError: the scene has no valid pixel.
    """
    found = [network.response[None]]
    for k in range(len(network.stages)):
        if not network.updates_response(k):
            found.append(found[-1])
            continue
        proposal = network.propose(k, found[-1])
        seen, grams = network.in_coordinates(proposal), SceneGrams()
        for tile in tiles():
            x = network.unfold(tile.msi[None], found)
            grams.add(x[..., tile.counted], tile.msi[None][..., tile.counted], seen)
        found.append(network.update_response(k, proposal, *grams.result(seen)))
    return tuple(found)
