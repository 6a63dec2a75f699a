# SPDX-License-Identifier: GPL-3.0-or-later
"""The two images of a pair, read together by several threads, and the sample that a fusion is fitted on."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from types import TracebackType

import torch

from ..errors import InputError
from ..fusion.pair import PairBlock, PairSample
from ..fusion.pairing.averaging import area_average
from ..fusion.pairing.georeference import Placed, place
from ..grid import Window
from ..raster.cube import CubeReader
from ..raster.warp import WarpedReader, parallel_grid, pixel_metres, same_crs
from .method import Context
from .record import InputRecord

COARSE_PIXELS = 20_000
FINE_PIXELS = 4_000_000
"""Most pixels of a sample; fitting takes the same time for all larger pairs."""
BLOCK_SIDE, LEAST_SIDE = 28, 8
"""Coarse pixels along a block's side, and the fewest where the ratio is so large that blocks get heavy."""
LEAST_BLOCKS = 16
WELL_FILLED = 0.5
"""Share of valid coarse pixels from which a block is taken at once."""


class PairSource:
    """Both images on the fine grid; every thread gets readers of its own.

    Args:
        hsi: the coarse image, its used bands and scale.
        msi: the fine image, likewise.

    Attributes:
        grid: the MSI's.
        placed: where the HSI, or the HSI as warped, lies on it.
        placement: of the whole HSI on the whole MSI.
        hsi_table, msi_table: the used bands.
        pixel_m: length of a fine pixel along rows and columns, in metres.
        notes: sentences that the user should not miss.

    Raises:
        InputError: the two cannot be laid on each other.
    """

    def __init__(self, hsi: InputRecord, msi: InputRecord) -> None:
        self._hsi, self._msi = hsi, msi
        self.grid, self._coarse = msi.header.grid, hsi.header.grid
        self.hsi_table = hsi.header.table.subset(hsi.bands_used)
        self.msi_table = msi.header.table.subset(msi.bands_used)
        self.placed = self._lay()
        self.pixel_m = pixel_metres(self.grid)
        self._local = threading.local()
        self._readers: list[CubeReader | WarpedReader] = []
        self._lock = threading.Lock()

    def __enter__(self) -> PairSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.close()

    def block(self, fine: Window, margin_coarse: int = 0) -> PairBlock:
        """Read both images for a window of the MSI.

        Args:
            fine: the window.
            margin_coarse: further HSI pixels on each side of those that touch the window.

        Returns:
            the block; the HSI's array is smaller, and may be empty, where the image ends.
        """
        size = self._coarse.height, self._coarse.width
        return self.windows(fine, self.placement.coarse_window(fine, *size, margin_coarse))

    def windows(self, fine: Window, coarse: Window) -> PairBlock:
        """Read a window of each image."""
        hsi_reader, msi_reader = self._own_readers()
        hsi, hsi_valid = _read(hsi_reader, coarse, len(self.hsi_table))
        msi, msi_valid = _read(msi_reader, fine, len(self.msi_table))
        bottom, right = fine.row + fine.height, fine.col + fine.width
        edges = (fine.row == 0, bottom == self.grid.height, fine.col == 0, right == self.grid.width)
        placement, origin = self.placement.within(fine, coarse), (fine.row, fine.col)
        return PairBlock(hsi, hsi_valid, msi, msi_valid, placement, edges, origin)

    def coarse_valid(self, coarse: Window) -> torch.Tensor:
        """Which HSI pixels of a window are valid, bool [rows, columns]."""
        return _read(self._own_readers()[0], coarse, len(self.hsi_table))[1]

    def _lay(self) -> Placed:
        hsi, msi = self._coarse, self.grid
        placed = place(hsi, msi, lambda *_: same_crs(hsi, msi))
        self._warped = placed.needs_warp
        if self._warped:
            self._coarse = parallel_grid(hsi, msi)
            notes = (*placed.notes, "The hyperspectral image is resampled (cubic) along the multispectral one's rows.")
            placed = place(self._coarse, msi, lambda *_: True)
        else:
            notes = ()
        if placed.placement is None:
            raise InputError("The grids of the two images cannot be made parallel: reproject one of them first.")
        self.placement = placed.placement
        self.notes = (*notes, *placed.notes)
        return placed

    def _own_readers(self) -> tuple[CubeReader | WarpedReader, CubeReader]:
        """The calling thread's readers."""
        readers = getattr(self._local, "readers", None)
        if readers is None:
            hsi, msi = self._hsi, self._msi
            coarse: CubeReader | WarpedReader = (
                WarpedReader(hsi.header, hsi.bands_used, hsi.scale, self._coarse)
                if self._warped
                else CubeReader(hsi.header, hsi.bands_used, hsi.scale)
            )
            readers = coarse, CubeReader(msi.header, msi.bands_used, msi.scale)
            with self._lock:
                self._readers += readers
            self._local.readers = readers
        return readers


def draw_pair_sample(
    source: PairSource,
    seed: int,
    step: Context,
    coarse_pixels: int = COARSE_PIXELS,
    fine_pixels: int = FINE_PIXELS,
) -> PairSample:
    """Read what a fusion is to be fitted on: the whole overlap where it is small, else square blocks spread over it.

    Fine arrays reach one coarse pixel beyond the coarse ones where the MSI does, so that blur at the rim is known.

    Args:
        source: the pair.
        seed: of the choice of blocks.
        step: for progress and cancelling.
        coarse_pixels: most HSI pixels of the sample.
        fine_pixels: most MSI pixels.

    Raises:
        InputError: no HSI pixel is valid where the MSI is.
    """
    coarse = source.placed.hsi_window
    fine = _surrounding(source, coarse)
    complete = coarse.height * coarse.width <= coarse_pixels and fine.height * fine.width <= fine_pixels
    blocks = []
    if complete:
        block = source.windows(fine, coarse)
        blocks = [block] if _filling(block) > 0 else []
    else:
        side, count = _plan(source, coarse_pixels, fine_pixels)
        blocks = _spread(source, side, count, seed, step)
    if not blocks:
        raise InputError(
            "No hyperspectral pixel is valid where the multispectral image is: check the nodata values of both and "
            "that they show the same ground."
        )
    return PairSample(tuple(blocks), source.hsi_table, source.msi_table, complete, source.pixel_m)


def _spread(source: PairSource, side: int, count: int, seed: int, step: Context) -> list[PairBlock]:
    """Try cells until enough are well filled; poorer ones only where there are not enough of those."""
    taken: list[PairBlock] = []
    spare: list[tuple[float, PairBlock]] = []
    for cell in _cells(source.placed.hsi_window, side, count, seed):
        step.check_cancelled()
        if len(taken) == count:
            break
        if not bool(source.coarse_valid(cell).any()):
            continue
        block = source.windows(_surrounding(source, cell), cell)
        filling = _filling(block)
        if filling >= WELL_FILLED:
            taken.append(block)
            step.on_progress(len(taken) / count)
        elif filling > 0:
            spare = sorted([*spare, (filling, block)], key=lambda entry: -entry[0])[:count]
    return taken + [block for _, block in spare[: count - len(taken)]]


def _plan(source: PairSource, coarse_pixels: int, fine_pixels: int) -> tuple[int, int]:
    """Side of the blocks in coarse pixels and how many to draw."""
    placement = source.placement
    heaviest = math.isqrt(int(fine_pixels / (LEAST_BLOCKS * placement.ratio_y * placement.ratio_x)))
    window = source.placed.hsi_window
    side = min(max(LEAST_SIDE, min(BLOCK_SIDE, heaviest - 2)), window.height, window.width)
    fine = (side + 2) ** 2 * placement.ratio_y * placement.ratio_x
    return side, max(1, min(coarse_pixels // side**2, int(fine_pixels / fine)))


def _cells(window: Window, side: int, count: int, seed: int) -> Iterator[Window]:
    """All square cells of a window in an order that spreads any first few of them evenly.

    The window is divided into about ``count`` fields; every round takes one more cell of each, by chance.
    """
    random = torch.Generator().manual_seed(seed)
    rows, cols = window.height // side, window.width // side
    fields_y = max(1, min(rows, round(math.sqrt(count * rows / cols))))
    fields_x = max(1, min(cols, -(-count // fields_y)))
    fields: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row in range(rows):
        for col in range(cols):
            fields.setdefault((row * fields_y // rows, col * fields_x // cols), []).append((row, col))
    orders = [[cells[i] for i in torch.randperm(len(cells), generator=random)] for cells in fields.values()]
    top = window.row + (window.height - rows * side) // 2
    left = window.col + (window.width - cols * side) // 2
    for turn in range(max(map(len, orders))):
        for i in torch.randperm(len(orders), generator=random):
            if turn < len(orders[i]):
                row, col = orders[i][turn]
                yield Window(top + row * side, left + col * side, side, side)


def _surrounding(source: PairSource, coarse: Window) -> Window:
    """The fine pixels under a coarse window and one coarse pixel around it, as far as the MSI reaches."""
    placement = source.placement
    margin = math.ceil(max(placement.ratio_y, placement.ratio_x))
    return placement.fine_window(coarse, source.grid.height, source.grid.width, margin)


def _filling(block: PairBlock) -> float:
    """Share of the HSI's pixels that are valid and lie at least half on valid MSI pixels."""
    shape = (block.hsi_valid.shape[0], block.hsi_valid.shape[1])
    coverage = area_average(block.msi[:1], block.msi_valid, block.placement, shape)[1]
    return float((block.hsi_valid & (coverage >= 0.5)).float().mean())


def _read(reader: CubeReader | WarpedReader, window: Window, bands: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A window as tensors of their own; an empty one needs no file."""
    if window.height == 0 or window.width == 0:
        shape = (window.height, window.width)
        return torch.zeros(bands, *shape), torch.zeros(shape, dtype=torch.bool)
    cube, valid = reader.read(window)
    return torch.from_numpy(cube.copy()), torch.from_numpy(valid)
