# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a few spectra from the best to the worst pixel while an image passes by."""

from __future__ import annotations

from typing import NamedTuple

import torch

PER_TILE, MOST = 9, 180


class Examples(NamedTuple):
    """Pixels in the order of their angle.

    Attributes:
        angle: between the two spectra, degrees [pixels].
        place: row and column in the image, counted from 0, [pixels, 2].
        result: spectra of the result, [pixels, bands].
        other: what they should be, [pixels, bands].
    """

    angle: torch.Tensor
    place: torch.Tensor
    result: torch.Tensor
    other: torch.Tensor

    def joined(self, more: Examples) -> Examples:
        """Both together, thinned out evenly; the extremes stay."""
        both = Examples(*(torch.cat(pair) for pair in zip(self, more)))
        order = both.angle.argsort(stable=True)
        if len(order) > MOST:
            order = order[torch.linspace(0, len(order) - 1, MOST).round().long()]
        return Examples(*(part[order] for part in both))


def pick(angle: torch.Tensor, origin: tuple[int, int], result: torch.Tensor, other: torch.Tensor) -> Examples:
    """Pixels at evenly spaced ranks of their angle.

    Args:
        angle: degrees [rows, columns], NaN where there is none.
        origin: row and column of the arrays' first pixel in the image.
        result: [bands, rows, columns].
        other: likewise.
    """
    flat = angle.reshape(-1)
    where = flat.isfinite().nonzero()[:, 0]
    order = where[flat[where].argsort(stable=True)]
    if len(order) > PER_TILE:
        order = order[torch.linspace(0, len(order) - 1, PER_TILE, device=order.device).round().long()]
    rows = torch.div(order, angle.shape[1], rounding_mode="floor")
    place = torch.stack([rows + origin[0], order % angle.shape[1] + origin[1]], dim=1)
    spectra = (image.reshape(len(image), -1)[:, order].T.cpu() for image in (result, other))
    return Examples(flat[order].cpu(), place.cpu(), *spectra)
