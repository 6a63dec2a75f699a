# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the state of a training outlives a crash: one safetensors file beside the journal's."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file


class Checkpoint:
    """A file with the last state of a training; see :class:`core.learning.Keeper`.

    Args:
        path: of the file; its folder goes with the journal when the run is complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, torch.Tensor] | None:
        """The state that was saved last; None where there is none, or only a damaged one."""
        if not self._path.is_file():
            return None
        try:
            return load_file(str(self._path))
        except (OSError, SafetensorError):  # as by a power cut: the same training follows again
            return None

    def save(self, state: dict[str, torch.Tensor]) -> None:
        """Save a state in place of the one before, whole or not at all."""
        aside = self._path.with_suffix(".part")
        save_file({name: value.contiguous() for name, value in state.items()}, str(aside))
        aside.replace(self._path)
