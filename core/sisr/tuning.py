# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains networks for one image: the shipped one further, or the published one from nothing.

Further training sees leaves that resemble the image, and the image itself made coarser once more, whose fine version is
known. Parts of the image that are never trained on judge it together with other leaves. No truth is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..engine.method import Context
from ..learning import Progress, Recipe
from .block import Block
from .evidence import Sizes
from .mcnet import McNet, paper_recipe
from .network import PlaneNet
from .pairs import PairBatch, paper_source, scene_source
from .planes import PlaneSpace, filled
from .reconstruct import make_blur
from .size_law import fit_law
from .sources import Grained, Source, Standardised
from .training import train
from .upscaler import MAIN, Published

RECIPE = Recipe(steps=300, images=6, rate=3e-4, warm_up=0.1, average=60, judge_every=50, patience=3)
OWN_SHARE = 0.3
"""Share of pairs that come from the image itself."""
SIZE, LEAST_SIZE = 24, 6
"""Input pixels along a side of a pair, and the least that is worth learning from."""
RIM = 3
"""Input pixels around a pair that its blur sees."""
HELD_OUT = 0.25
"""Share of each block's rows that only judges."""
JUDGED = 8


class OwnScale:
    """Pairs of an image and its blurred and decimated view, at any phase, turned and mirrored.

    Args:
        planes: standardised, each [planes, rows, columns].
        factor: how many times coarser the view is.
        sigma: standard deviation of the blur in pixels of the image.
        noise: standard deviation of each plane's noise, [planes]; the view has less of it, and it is put back.
        size: pixels of the view along a side.
    """

    def __init__(
        self, planes: Sequence[torch.Tensor], factor: int, sigma: float, noise: torch.Tensor, size: int
    ) -> None:
        self._planes, self._factor, self._sigma = tuple(planes), factor, sigma
        self._noise, self._size = noise.cpu(), size
        whole = size + 2 * RIM
        self._blur = make_blur(factor, sigma, (whole, whole), torch.device("cpu"))

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """See :class:`core.sisr.sources.Source`."""
        lows, highs = zip(*(self._pair(generator) for _ in range(count)))
        low = torch.stack(lows)
        low = low + self._noise[:, None, None] * torch.randn(low.shape, generator=generator)
        return PairBatch(
            low, torch.stack(highs), torch.full((count,), self._sigma), self._noise.expand(count, -1).clone()
        )

    def _pair(self, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        def pick(below: int) -> int:
            return int(torch.randint(below, (1,), generator=generator))

        planes = self._planes[pick(len(self._planes))]
        side = self._factor * (self._size + 2 * RIM)
        row, col = (pick(length - side + 1) for length in planes.shape[1:])
        fine = planes[:, row : row + side, col : col + side].rot90(pick(4), (1, 2))
        fine = fine.flip(2) if pick(2) else fine
        rim = self._factor * RIM
        return self._blur(fine)[:, RIM:-RIM, RIM:-RIM], fine[:, rim:-rim, rim:-rim]


class Mixed:
    """Pairs of two sources; their planes must be as many."""

    def __init__(self, first: Source, second: Source, share: float) -> None:
        self._first, self._second, self._share = first, second, share

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        """See :class:`core.sisr.sources.Source`; one source a draw, as their sizes may differ."""
        second = float(torch.rand(1, generator=generator)) < self._share
        return (self._second if second else self._first).draw(count, generator)


def tune(
    network: PlaneNet, space: PlaneSpace, blocks: Sequence[Block], sigma: float, context: Context
) -> tuple[Progress, Sizes]:
    """Train a network further for one image, in place.

    Args:
        network: that works already.
        space: the image's planes.
        blocks: parts of the image.
        sigma: standard deviation of the blur in pixels of the result.
        context: device, seed, progress, cancel.

    Returns:
        how the error of pairs that were not trained on fell, and the sizes of leaves that were drawn.
    """
    parts, masks = main_planes(space, blocks)
    noise = space.noise[:MAIN].cpu()
    planes, valid = torch.cat(parts, dim=2), torch.cat(masks, dim=1)
    generator = torch.Generator().manual_seed(context.seed + 1)
    law, sizes = fit_law(parts, masks, network.factor, sigma, noise, generator)
    source: Source = Standardised(Grained(scene_source(network.factor, planes, valid, law, sigma, noise)))
    held_out = [source.draw(JUDGED, generator)]
    whole = [part for part, mask in zip(parts, masks) if bool(mask.all())]
    learn, judge = own_pairs(whole, network.factor, sigma, noise)
    if learn is not None:
        source = Mixed(source, learn, OWN_SHARE)
    if judge is not None:
        held_out.append(judge.draw(JUDGED, generator))
    return train(network, source, held_out, RECIPE, context), sizes


def train_published(
    space: PlaneSpace,
    endmembers: torch.Tensor,
    shares: torch.Tensor,
    valid: torch.Tensor,
    sigma: float,
    factor: int,
    context: Context,
) -> tuple[Published, Progress]:
    """Train the published network from nothing, as published.

    Args:
        space: the image's planes.
        endmembers: S^T, float32 [endmembers, bands].
        shares: abundances of a part of the image, [endmembers, rows, columns].
        valid: which of its pixels count, [rows, columns].
        sigma: standard deviation of the blur in pixels of the result.
        factor: how many times finer.
        context: device, seed, progress, cancel.
    """
    source = paper_source(factor, shares, endmembers.T, valid, sigma)
    inverse = torch.linalg.pinv(endmembers.double().T)
    gains = inverse.square().sum(dim=1)
    torch.manual_seed(context.seed)
    network = McNet(factor, shares[:, valid].mean(dim=1), float(gains.mean()))
    held_out = [source.draw(JUDGED, torch.Generator().manual_seed(context.seed + 1))]
    progress = train(network, source, held_out, paper_recipe(), context)
    noise = float(space.band_noise.mean().sqrt()) * gains.sqrt().float()
    parts = (part.to(context.device) for part in (space.endmembers, space.centre, space.spread, noise))
    return Published(network, *parts), progress


def own_pairs(
    parts: Sequence[torch.Tensor], factor: int, sigma: float, noise: torch.Tensor
) -> tuple[OwnScale | None, OwnScale | None]:
    """Pairs of the image itself to learn from, and others to judge by; None where it is too small for them.

    Args:
        parts: standardised planes of parts without gaps, each [planes, rows, columns].
        factor: how many times coarser they are made.
        sigma: standard deviation of the blur in pixels of the image.
        noise: standard deviation of each plane's noise, [planes].
    """
    if len(parts) > 1:
        learn, judge = parts[:-1], parts[-1:]
    else:
        rows = [round((1.0 - HELD_OUT) * part.shape[1]) for part in parts]
        learn = [part[:, :row] for part, row in zip(parts, rows)]
        judge = [part[:, row:] for part, row in zip(parts, rows)]
    made = []
    for group in (learn, judge):
        sides = [min(part.shape[1:]) for part in group]
        size = min(SIZE, min(sides, default=0) // factor - 2 * RIM)
        made.append(OwnScale(group, factor, sigma, noise, size) if size >= LEAST_SIZE else None)
    return made[0], made[1]


def main_planes(space: PlaneSpace, blocks: Sequence[Block]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What the network sees of the blocks' cores, on the CPU.

    Returns:
        standardised planes [planes, rows, columns] of each, and bool [rows, columns].
    """
    parts, masks = [], []
    for block in blocks:
        rows, cols = block.core
        coarse = filled(space.project(block.cube), block.valid)
        parts.append(space.standardised(coarse)[:MAIN, rows, cols].cpu())
        masks.append(block.valid[rows, cols].cpu())
    return parts, masks
