# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file may be written where the user wants it; standard library only, used by QGIS and by the worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError

GEOTIFF_EXTENSIONS = ("tif", "tiff")
ENVI_EXTENSIONS = ("bsq", "dat", "img")
RASTER_EXTENSIONS = GEOTIFF_EXTENSIONS + ENVI_EXTENSIONS


def check_target(path: str | Path, inputs: Iterable[str | Path] = (), raster: bool = True) -> None:
    """Refuse a target that cannot or must not be written.

    Args:
        path: the file to write; an existing one would be replaced.
        inputs: files that must survive.
        raster: True when the target is a raster, whose format follows from the extension.

    Raises:
        InputError: says what is wrong with the target.
    """
    target = Path(path)
    folder = target.absolute().parent
    if target.is_dir():
        raise InputError(f"{target} is a folder: give the name of a file in it.")
    if raster and target.suffix.lstrip(".").lower() not in RASTER_EXTENSIONS:
        known = ", ".join(f".{extension}" for extension in RASTER_EXTENSIONS)
        raise InputError(f"{target.name} has no extension of a known raster format: use one of {known}.")
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist: create it or choose another one.")
    if any(_same_file(target, Path(source)) for source in inputs):
        raise InputError(f"{target} is also an input: choose another name for the output.")
    if not os.access(folder, os.W_OK | os.X_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise InputError(f"{target} cannot be written: choose a folder where you may write.")


def check_distinct(paths: Iterable[str | Path]) -> None:
    """Refuse outputs that would overwrite one another, the ENVI headers beside them included.

    Raises:
        InputError: names the two.
    """
    taken: dict[str, Path] = {}
    for path in map(Path, paths):
        for name in (path, path.with_suffix(".hdr")) if _has_header(path) else (path,):
            key = os.path.normcase(name.absolute())
            if key in taken:
                raise InputError(f"{taken[key]} and {path} would overwrite each other: give them different names.")
            taken[key] = path


def _has_header(path: Path) -> bool:
    return path.suffix.lstrip(".").lower() in (*ENVI_EXTENSIONS, "sli")


def free_disk_bytes(path: str | Path) -> int:
    """Free space of the disk that holds a path, which need not exist yet."""
    existing = Path(path).absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def _same_file(target: Path, source: Path) -> bool:
    """Tell whether writing the target would change the source, links and case-blind file systems included."""
    try:
        return target.samefile(source)
    except OSError:
        return os.path.normcase(target.absolute()) == os.path.normcase(source.absolute())
