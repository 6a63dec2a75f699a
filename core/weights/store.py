# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of network weights, those that come with the plugin among them: safetensors with a JSON header.

Weights are kept in half precision, which changes what networks give by less than a thousandth of their input's spread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import InputError

HEADER_KEY = "hyperres"
FORMAT = 1


def shipped_weights(name: str) -> Path:
    """Where weights that come with the plugin lie."""
    return Path(__file__).parent / f"{name}.safetensors"


def write_weights(path: Path, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write weights; the same weights give the same bytes.

    Args:
        path: of the file.
        header: what else is needed, JSON-ready.
        tensors: by name.
    """
    kept = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
    text = json.dumps({**header, "format": FORMAT}, sort_keys=True)
    save_file(kept, str(path), metadata={HEADER_KEY: text})


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a header and weights, float32.

    Raises:
        InputError: the file is missing, damaged, of another format or holds what is no number.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER_KEY, "null"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"The weights {path} cannot be read ({error}): install the plugin again.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"The file {path} holds no weights of format {FORMAT}: install the plugin again.")
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise InputError(f"The weights {path} are not all finite: install the plugin again.")
    return header, tensors
