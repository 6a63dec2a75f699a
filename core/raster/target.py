# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file may be written where the user wants it; standard library only, used by QGIS and by the worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from ..errors import InputError

GEOTIFF_EXTENSIONS = ("tif", "tiff")
ENVI_EXTENSIONS = ("bsq", "dat", "img")
HEADER = ".hdr"
RASTER_EXTENSIONS = GEOTIFF_EXTENSIONS + ENVI_EXTENSIONS
LONGEST_NAME = 200
"""Bytes of a file name: file systems take 255, and temporary files and those beside a raster have longer names."""


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
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise InputError(f"The name {target.name[:20]}... is too long: use at most {LONGEST_NAME} letters.")
    if target.is_dir():
        raise InputError(f"{target} is a folder: give the name of a file in it.")
    if target.exists() and not target.is_file():
        raise InputError(f"{target} is no ordinary file: choose another name for the output.")
    if target.suffix.lower() == HEADER:
        raise InputError(f"{target.name} has the extension of header files: choose another one for the output.")
    if raster and target.suffix.lstrip(".").lower() not in RASTER_EXTENSIONS:
        known = ", ".join(f".{extension}" for extension in RASTER_EXTENSIONS)
        raise InputError(f"{target.name} has no extension of a known raster format: use one of {known}.")
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist: create it or choose another one.")
    sources = [part for source in inputs for part in parts_of(Path(source))]
    if any(_same_file(target, source) for source in sources):
        raise InputError(f"{target} is also an input: choose another name for the output.")
    header = target.with_suffix(HEADER)
    if (
        _has_header(target)
        and header.exists()
        and (not target.exists() or any(_same_file(header, source) for source in sources))
    ):
        raise InputError(
            f"{header} exists and belongs to another file, but {target.name} would replace it: choose another name."
        )
    if not os.access(folder, os.W_OK | os.X_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise InputError(f"{target} cannot be written: choose a folder where you may write.")


def check_distinct(paths: Iterable[str | Path]) -> None:
    """Refuse outputs that would overwrite one another, the ENVI headers beside them included.

    Raises:
        InputError: names the two.
    """
    taken: dict[str, Path] = {}
    for path in map(Path, paths):
        for name in (path, path.with_suffix(HEADER)) if _has_header(path) else (path,):
            key = os.path.normcase(name.absolute())
            if key in taken:
                raise InputError(f"{taken[key]} and {path} would overwrite each other: give them different names.")
            taken[key] = path


def parts_of(source: Path) -> list[Path]:
    """An input and the files beside it that say how to read it, or that it says how to read."""
    names = [source.with_suffix(ending) for ending in (HEADER, ".sli", "")] if source.suffix else []
    return [source, *(name for name in (*names, Path(f"{source}{HEADER}")) if os.path.isfile(name))]


def _has_header(path: Path) -> bool:
    return path.suffix.lstrip(".").lower() in (*ENVI_EXTENSIONS, "sli")


def remove_temporary(path: Path) -> None:
    """Remove a temporary file and what GDAL wrote beside it (.hdr, .aux.xml)."""
    for part in path.parent.glob(f"{escape(path.stem)}.*"):
        part.unlink(missing_ok=True)


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
