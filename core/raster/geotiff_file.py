# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of a compressed GeoTIFF, through GDAL."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter, MemoryFile
from rasterio.windows import Window as RasterioWindow

from ..grid import Window
from . import gdal_settings as gdal_settings

THREADS = 2


def creation_options(dtype: str, block: tuple[int, int]) -> dict[str, Any]:
    """Options for a new file: band by band in compressed tiles, of any size."""
    compression = {"compress": "zstd", "zstd_level": 1} if _has_zstd() else {"compress": "deflate", "zlevel": 1}
    return {
        "driver": "GTiff",
        "tiled": True,
        "blockysize": block[0],
        "blockxsize": block[1],
        "interleave": "band",
        "bigtiff": "IF_SAFER",
        "predictor": 3 if np.dtype(dtype).kind == "f" else 2,
        "num_threads": THREADS,
        **compression,
    }


class GeoTiffFile:
    """A GeoTIFF that takes windows of whole blocks.

    Args:
        path: the file.
        dataset: open for writing, with all metadata.
        class_names, class_colours: of classes 1, 2, ...; the colours are in the file already.
    """

    def __init__(
        self, path: Path, dataset: DatasetWriter, class_names: Sequence[str], class_colours: Sequence[Sequence[int]]
    ) -> None:
        self._path = path
        self._dataset = dataset
        if class_names:
            _name_classes(path, class_names)

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write a window and let GDAL put it on the disk.

        Blocks that stay in the cache of older GDAL versions (3.6 does so, 3.10 does not) are written at a moment, and
        so at a place in the file, that depends on what else is read. Shrinking the cache to nothing writes them now, in
        the order in which they came.
        """
        self._dataset.write(values, window=RasterioWindow(window.col, window.row, window.width, window.height))
        with rasterio.Env(GDAL_CACHEMAX=0):
            pass

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: blocks are missing; GDAL's compressing threads do not report a full disk.
        """
        if self._dataset.closed:
            return
        self._dataset.close()
        size = self._path.stat().st_size
        with rasterio.open(self._path) as dataset:
            for band in dataset.indexes:
                for (row, col), _ in dataset.block_windows(band):
                    start, length = (
                        dataset.get_tag_item(f"BLOCK_{item}_{col}_{row}", "TIFF", bidx=band)
                        for item in ("OFFSET", "SIZE")
                    )
                    if start is None or length is None or int(start) + int(length) > size:
                        raise OSError(f"block {row}, {col} of band {band} is missing")

    def abandon(self) -> None:
        """Let go of an unfinished file."""
        self._dataset.close()


def _has_zstd() -> bool:
    try:
        with (
            MemoryFile() as memory,
            memory.open(driver="GTiff", width=16, height=16, count=1, dtype="uint8", compress="zstd"),
        ):
            return True
    except RasterioError:
        return False


def _name_classes(path: Path, names: Sequence[str]) -> None:
    """Write category names where GDAL looks for them beside a GeoTIFF: rasterio has no way to set them."""
    categories = "".join(f"<Category>{escape(name, quote=False)}</Category>" for name in ("", *names))
    Path(f"{path}.aux.xml").write_text(
        f'<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>{categories}</CategoryNames>\n'
        "  </PAMRasterBand>\n</PAMDataset>\n",
        encoding="utf-8",
    )
