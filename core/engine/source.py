# SPDX-License-Identifier: GPL-3.0-or-later
"""The main input of a run, read by several threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import numpy as np
import torch

from ..grid import Tile, Window
from ..raster.cube import CubeReader
from ..raster.header import RasterHeader

T = TypeVar("T")


class Source:
    """A raster's used bands as reflectance; every thread gets a reader of its own.

    Attributes:
        header: the raster's header.
        bands: used bands, counted from 0.
        scale: factor from stored numbers to reflectance.
    """

    def __init__(self, header: RasterHeader, bands: Sequence[int], scale: float) -> None:
        self.header = header
        self.bands = tuple(bands)
        self.scale = scale
        self._local = threading.local()
        self._readers: list[CubeReader] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.close()

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Read a window.

        Returns:
            cube float32 [bands, rows, columns], good until the next read of the same thread, and valid bool
            [rows, columns].
        """
        reader = getattr(self._local, "reader", None)
        if reader is None:
            reader = CubeReader(self.header, self.bands, self.scale)
            with self._lock:
                self._readers.append(reader)
            self._local.reader = reader
        cube, valid = reader.read(window)
        return cube, valid


def in_order(work: Callable[[Tile], T], tiles: Sequence[Tile], workers: int) -> Iterator[tuple[Tile, T]]:
    """Do work on tiles in several threads and yield the results in the tiles' order, a few tiles ahead."""
    pending: deque[tuple[Tile, Future[T]]] = deque()
    # Torch keeps the number of threads inside an operation per calling thread: one is best where tiles run in parallel.
    with ThreadPoolExecutor(workers, "tile", torch.set_num_threads, (1,)) as pool:
        try:
            for tile in tiles:
                pending.append((tile, pool.submit(work, tile)))
                if len(pending) > workers + 1:
                    done, future = pending.popleft()
                    yield done, future.result()
            while pending:
                done, future = pending.popleft()
                yield done, future.result()
        finally:
            for _, future in pending:
                future.cancel()
