# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of an ENVI raster, written straight to the file.

GDAL makes the header. It does not write the pixels: while other threads read, its block cache loses rows that are
written piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.io import DatasetWriter

from ..grid import Window
from . import gdal_settings as gdal_settings


class EnviFile:
    """A band-sequential file that takes any windows in any order.

    Args:
        path: the file.
        dataset: open for writing, with all metadata.
        class_names, class_colours: of classes 1, 2, ..., which GDAL leaves out of the header.
    """

    def __init__(
        self, path: Path, dataset: DatasetWriter, class_names: Sequence[str], class_colours: Sequence[Sequence[int]]
    ) -> None:
        self._shape = (dataset.count, dataset.height, dataset.width)
        self._dtype = np.dtype(dataset.dtypes[0])
        dataset.close()
        _complete_header(path.with_suffix(".hdr"), class_names, class_colours)
        self._file = open(path, "r+b")
        self._file.truncate(int(np.prod(self._shape)) * self._dtype.itemsize)

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write a window, row by row, or at once where it spans all columns."""
        bands, height, width = self._shape
        data = np.ascontiguousarray(values, self._dtype)
        whole_rows = window.width == width
        for band in range(bands):
            pieces = [data[band]] if whole_rows else data[band]
            for i, piece in enumerate(pieces):
                self._file.seek(((band * height + window.row + i) * width + window.col) * self._dtype.itemsize)
                self._file.write(piece.data)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of an unfinished file."""
        self._file.close()


def _complete_header(header: Path, class_names: Sequence[str], class_colours: Sequence[Sequence[int]]) -> None:
    """Add the classes, and take out the temporary path that GDAL writes as description."""
    text = header.read_text(encoding="utf-8")
    before, _, rest = text.partition("description = {")
    after = rest.partition("}\n")[2]
    text = f"{before}description = {{HyperRes}}\n{after}"
    if class_colours:
        names = ["Unclassified", *(re.sub(r"[{},\s]+", " ", name).strip() for name in class_names)]
        colours = [(0, 0, 0), *class_colours]
        text = text.replace("file type = ENVI Standard", "file type = ENVI Classification")
        text += f"classes = {len(colours)}\n"
        text += f"class lookup = {{{', '.join(str(part) for colour in colours for part in colour)}}}\n"
        text += f"class names = {{{', '.join(names)}}}\n"
    header.write_text(text, encoding="utf-8")
