# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run writes until it is complete, so that nothing half-written ever carries a final name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..raster.target import remove_temporary
from ..raster.write import publish

MARK = ".hyperres-part"


class Workspace:
    """Temporary names beside the targets, renamed all at once at the end.

    Args:
        announce: told every path that has to be removed if the process is killed because of a cancel.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._targets: dict[Path, Path] = {}

    def aside(self, target: str) -> Path:
        """The temporary name for a target; leftovers of a killed run are removed."""
        final = Path(target)
        # The whole name is kept: outputs may differ in nothing but their extensions.
        temporary = final.with_name(f".{final.name}{MARK}{final.suffix}")
        self._targets[temporary] = final
        remove_temporary(temporary)
        self._announce(str(temporary))
        return temporary

    def publish(self) -> None:
        """Give all files their final names."""
        for temporary, final in self._targets.items():
            publish(temporary, final)
        self._targets.clear()

    def discard(self) -> None:
        """Remove whatever was not published."""
        for temporary in self._targets:
            remove_temporary(temporary)
