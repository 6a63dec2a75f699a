# SPDX-License-Identifier: GPL-3.0-or-later
"""Tile by tile, what the coarse and the multispectral instrument see of a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..bands import BandTable, rgb_bands
from ..grid import Grid, Tile, Window, plan_tiles
from ..simulation.observe import degrade, noise_levels, reach_px, see_bands, unit_noise, weights
from ..simulation.settings import SimulationSettings
from .method import Context, OutputSpec
from .plan import Plan
from .source import Source, in_order
from .stream import Computed, Work

FINE_SIDE_PX = 256
"""About how many pixels of the scene a side are held at a time."""
TILES_FOR_POWER = 32


@dataclass(frozen=True)
class Noise:
    """White noise: standard deviation per band [bands], and the seed of the image."""

    levels: torch.Tensor
    seed: int

    def of(self, window: Window) -> torch.Tensor:
        """The noise of a window, [bands, rows, columns]."""
        return unit_noise(len(self.levels), window, self.seed) * self.levels[:, None, None]


class CoarseWork:
    """The scene in larger pixels; see :class:`core.engine.stream.Work`."""

    halo_px = 0  # it reads by itself what coarse pixels see

    def __init__(self, source: Source, settings: SimulationSettings, grid: Grid, device: torch.device) -> None:
        table = source.header.table.subset(source.bands)
        self.grid = grid
        self.outputs: Mapping[str, OutputSpec] = {
            "coarse": OutputSpec("Simulated coarse image", table.names, table=table)
        }
        self.device = device
        self.noise: Noise | None = None
        self._source = source
        self._ratio, self._sigma = settings.ratio, settings.sigma
        self._rgb = rgb_bands(table)

    def compute(self, tile: Tile) -> Computed:
        """Degrade the scene under a tile, in pieces that bound the memory whatever the ratio."""
        core = tile.core
        values = np.empty((len(self._source.bands), core.height, core.width), np.float32)
        valid = np.empty((core.height, core.width), dtype=bool)
        side = max(1, int(FINE_SIDE_PX / self._ratio))
        for piece in plan_tiles(Grid(core.width, core.height), side, side):
            rows, cols = piece.core.rows, piece.core.cols
            window = Window(core.row + piece.core.row, core.col + piece.core.col, piece.core.height, piece.core.width)
            seen, known = self._degrade(window)
            values[:, rows, cols], valid[rows, cols] = seen.cpu().numpy(), known.cpu().numpy()
        if self.noise is not None:
            values += self.noise.of(core).numpy()
        return Computed({"coarse": values}, valid, values[self._rgb])

    def _degrade(self, coarse: Window) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self._seen(coarse)
        cube, valid = self._source.read(fine)
        rows = weights(coarse.row, coarse.height, self._ratio, self._sigma, fine.row, fine.height)
        cols = weights(coarse.col, coarse.width, self._ratio, self._sigma, fine.col, fine.width)
        return degrade(torch.from_numpy(cube).to(self.device), torch.from_numpy(valid).to(self.device), rows, cols)

    def _seen(self, coarse: Window) -> Window:
        """The fine pixels that some coarse ones see."""
        top, left = math.floor(coarse.row * self._ratio), math.floor(coarse.col * self._ratio)
        bottom = math.ceil((coarse.row + coarse.height) * self._ratio)
        right = math.ceil((coarse.col + coarse.width) * self._ratio)
        grid = self._source.header.grid
        window = Window(top, left, min(bottom, grid.height) - top, min(right, grid.width) - left)
        return window.padded(reach_px(self._ratio, self._sigma), grid.height, grid.width)


class MsiWork:
    """The scene in broader bands; see :class:`core.engine.stream.Work`."""

    halo_px = 0

    def __init__(self, source: Source, matrix: np.ndarray, table: BandTable, device: torch.device) -> None:
        self.grid = source.header.grid
        self.outputs: Mapping[str, OutputSpec] = {
            "msi": OutputSpec("Simulated multispectral image", table.names, table=table)
        }
        self.device = device
        self.noise: Noise | None = None
        self._source = source
        self._matrix = torch.from_numpy(matrix).to(device)
        self._rgb = rgb_bands(source.header.table.subset(source.bands))

    def compute(self, tile: Tile) -> Computed:
        """Apply the response to every pixel of a tile."""
        cube, valid = self._source.read(tile.core)
        seen = see_bands(torch.from_numpy(cube).to(self.device), self._matrix)
        values = seen.cpu().numpy()
        if self.noise is not None:
            values += self.noise.of(tile.core).numpy()
        return Computed({"msi": values}, valid.copy(), cube[self._rgb])


def noise_for(work: Work, plan: Plan, snr_db: float, seed: int, context: Context) -> Noise:
    """Noise of a ratio to the image's own power per band, which is measured on tiles spread evenly over it."""
    step = max(1, len(plan.tiles) // TILES_FOR_POWER)
    tiles = plan.tiles[::step]
    total, count = torch.zeros(1, dtype=torch.float64), 0
    for done, (_, computed) in enumerate(in_order(work.compute, tiles, plan.workers), start=1):
        context.check_cancelled()
        for values in computed.outputs.values():
            pixels = torch.from_numpy(values[:, computed.valid]).double()
            total = total + pixels.square().sum(1)
            count += pixels.shape[1]
        context.on_progress(done / len(tiles))
    return Noise(noise_levels(total / max(count, 1), snr_db).float(), seed)
