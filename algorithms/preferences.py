# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user set in the options page; kept in QGIS's own settings."""

from __future__ import annotations

from dataclasses import dataclass

from qgis.core import QgsSettings

GROUP = "hyperres"


@dataclass(frozen=True)
class Preferences:
    """The plugin's settings.

    Attributes:
        interpreter: the engine's Python, empty to find it.
        device: what ``DEVICE`` says when nobody says otherwise.
        memory_mb: memory that a run may use, 0 for a share of what is free.
    """

    interpreter: str = ""
    device: str = "auto"
    memory_mb: int = 0

    @classmethod
    def load(cls) -> Preferences:
        """Read them from QGIS's settings."""
        settings = QgsSettings()
        return cls(
            interpreter=settings.value(f"{GROUP}/interpreter", "", str),
            device=settings.value(f"{GROUP}/device", "auto", str),
            memory_mb=settings.value(f"{GROUP}/memory_mb", 0, int),
        )

    def save(self) -> None:
        """Write them to QGIS's settings."""
        settings = QgsSettings()
        settings.setValue(f"{GROUP}/interpreter", self.interpreter)
        settings.setValue(f"{GROUP}/device", self.device)
        settings.setValue(f"{GROUP}/memory_mb", self.memory_mb)
