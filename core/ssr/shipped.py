# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that come with the plugin, one for a camera each; standard library only."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "weights"
_START, _END = "ssr_", ".safetensors"
CAUTION = (
    "A model that comes with HyperRes is used, made from mixtures of library spectra. Read from its "
    "result what the ground is like, but no amounts (of pigments, water or minerals). A model of your own, trained "
    "with a hyperspectral image of such ground, is better."
)


def shipped_model(sensor: str) -> Path | None:
    """The model for a camera, by its word in :data:`core.sensors.catalogue.SENSORS`; None where there is none."""
    path = FOLDER / f"{_START}{sensor}{_END}"
    return path if path.is_file() else None


def shipped_sensors() -> list[str]:
    """Words of the cameras that there is a model for."""
    return sorted(path.name[len(_START) : -len(_END)] for path in FOLDER.glob(f"{_START}*{_END}"))


def is_shipped(path: Path) -> bool:
    """Whether a model file is one of them."""
    return path.resolve().parent == FOLDER.resolve() and path.name.startswith(_START)
