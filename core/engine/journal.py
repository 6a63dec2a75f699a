# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a killed run go on where it was.

A folder beside the first output holds the fitted model and, tile after tile in the order of writing, the computed
values. The outputs themselves are always written from the first tile on, from the journal as far as it reaches: that
costs seconds, needs no half-written raster to be trusted, and gives the same bytes as a run that was never killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..raster.target import parts_of
from .job import Job
from .lock import acquire

MODEL_NAME = "model.safetensors"
LOCK_NAME = "lock"


def fingerprint(job: Job, facts: Sequence[str]) -> str:
    """Tell jobs apart that would not give the same bytes.

    Args:
        job: what is asked.
        facts: whatever else decides about the result: versions, device, tiling.
    """
    record = {key: value for key, value in asdict(job).items() if key != "workers"}
    files = [part for path in (*job.inputs.values(), *job.tables.values()) for part in parts_of(Path(path))]
    states = [(str(path), _state(path)) for path in files]
    text = json.dumps([record, states, list(facts)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change, or None for what is no plain file (a GDAL connection string)."""
    if not os.path.isfile(path):
        return None
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


class Journal:
    """The journal of one run.

    Attributes:
        folder: where it lies.
        model_path: place of the fitted model; exists once fitting was finished.
    """

    def __init__(self, target: Path, mark: str) -> None:
        """Open the journal that belongs to the output ``target``; start anew unless it carries the same mark.

        Raises:
            InputError: another run has it open.
        """
        self.folder = target.parent / f".{target.name}.hyperres-journal"
        self.model_path = self.folder / MODEL_NAME
        self.folder.mkdir(exist_ok=True)
        lock = acquire(self.folder / LOCK_NAME)
        if lock is None:
            raise InputError(f"Another run is writing {target}: wait until it is done, or choose another name.")
        self._lock = lock
        mark_path = self.folder / "fingerprint"
        if not mark_path.is_file() or mark_path.read_text(encoding="ascii", errors="replace") != mark:
            for path in self.folder.iterdir():
                if path.name != LOCK_NAME:
                    path.unlink()
            mark_path.write_text(mark, encoding="ascii")
        self._log_path = self.folder / "tiles.bin"
        self._index_path = self.folder / "tiles.idx"
        self._entries = self._trusted_entries()
        with open(self._log_path, "ab") as log:
            log.truncate(sum(size for size, _ in self._entries))
        self._index_path.write_text("".join(f"{size} {crc}\n" for size, crc in self._entries), encoding="ascii")
        self._log = open(self._log_path, "ab")
        self._index = open(self._index_path, "a", encoding="ascii")

    @property
    def finished(self) -> int:
        """How many tiles are safe."""
        return len(self._entries)

    def replay(self) -> Iterator[bytes]:
        """Give back the records of the finished tiles, in order."""
        with open(self._log_path, "rb") as log:
            for size, _ in self._entries:
                yield log.read(size)

    def append(self, arrays: Sequence[np.ndarray]) -> None:
        """Keep one tile's arrays."""
        size, crc = 0, 0
        for array in arrays:
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            crc = zlib.crc32(data, crc)
            size += len(data)
            self._log.write(data)
        self._log.flush()
        self._index.write(f"{size} {crc}\n")
        self._index.flush()

    def close(self) -> None:
        """Close the files; the journal stays."""
        self._log.close()
        self._index.close()
        self._lock.close()

    def remove(self) -> None:
        """Close and delete: the run is complete or not wanted any more."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _trusted_entries(self) -> list[tuple[int, int]]:
        """Index lines whose data are there and unharmed."""
        if not self._index_path.is_file() or not self._log_path.is_file():
            return []
        entries = []
        with open(self._log_path, "rb") as log:
            for line in self._index_path.read_text(encoding="ascii", errors="replace").splitlines():
                size, _, crc = line.partition(" ")
                if not (size.isdigit() and crc.isdigit()) or zlib.crc32(log.read(int(size))) != int(crc):
                    break
                entries.append((int(size), int(crc)))
        return entries
