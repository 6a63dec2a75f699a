# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that come with the plugin, and files of networks: safetensors with a JSON header, in half precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import InputError
from .network import PlaneNet

FOLDER = Path(__file__).parent / "weights"
HEADER_KEY = "hyperres"
FORMAT = 1


def shipped_path(factor: int) -> Path:
    """Where the network of a factor lies."""
    return FOLDER / f"x{factor}.safetensors"


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
    header = {
        "format": FORMAT,
        "factor": network.factor,
        "width": network.width,
        "blocks": network.blocks,
        "about": dict(about),
    }
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, str(path), metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})


def load_network(path: Path) -> tuple[PlaneNet, dict[str, Any]]:
    """Read a network and how it was made.

    Raises:
        InputError: the file is missing, damaged or of another format.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER_KEY, "null"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}
        if header["format"] != FORMAT:
            raise InputError(f"The network {path} has format {header['format']}; this version reads {FORMAT}.")
        network = PlaneNet(int(header["factor"]), int(header["width"]), int(header["blocks"]))
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"The network {path} cannot be read ({error}): install the plugin again, or choose another file."
        ) from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise InputError(f"The network {path} holds numbers that are not finite: install the plugin again.")
    return network.eval().requires_grad_(False), header["about"]
