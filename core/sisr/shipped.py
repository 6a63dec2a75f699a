# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that come with the plugin, one for each scale factor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..weights.store import read_weights, shipped_weights, write_weights
from .network import PlaneNet


def shipped_path(factor: int) -> Path:
    """Where the network of a factor lies."""
    return shipped_weights(f"sisr_x{factor}")


def shipped_network(factor: int) -> PlaneNet:
    """The network of a factor, ready to predict.

    Raises:
        InputError: its file is missing or damaged.
    """
    return load_network(shipped_path(factor))[0]


def save_network(network: PlaneNet, path: Path, about: Mapping[str, Any]) -> None:
    """Write a network; the same network gives the same bytes.

    Args:
        network: on any device.
        path: of the file.
        about: how it was made, JSON-ready.
    """
    shape = {"factor": network.factor, "width": network.width, "blocks": network.blocks}
    write_weights(path, {**shape, "about": dict(about)}, network.state_dict())


def load_network(path: Path) -> tuple[PlaneNet, dict[str, Any]]:
    """Read a network and how it was made.

    Raises:
        InputError: the file is missing, damaged or holds another network.
    """
    header, tensors = read_weights(path)
    try:
        network = PlaneNet(int(header["factor"]), int(header["width"]), int(header["blocks"]))
        network.load_state_dict(tensors)
        about = header["about"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"The weights {path} are of another network: install the plugin again.") from error
    return network.eval().requires_grad_(False), about
