# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted models as files: safetensors with a JSON header, which hold numbers and never run code.

A checksum over header and tensors tells a damaged file, however small the damage, before a wrong number can become a
wrong image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..bands import BandTable
from ..errors import BandsError, InputError
from .method import Restorer, Savable, Saved

FORMAT, WITHOUT_CHECKSUM = 2, 1
"""Formats that are read: today's, and the first one."""
HEADER_KEY, CHECKSUM_KEY = "hyperres", "sha256"
TOLERANCE_NM = 1.0


def save_model(model: Savable, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a model; the same model gives the same bytes."""
    header = {
        "format": FORMAT,
        "method": model.method,
        "bands": asdict(model.table),
        "model": model.header(),
        "provenance": dict(provenance),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.tensors().items()}
    text = json.dumps(header, sort_keys=True)
    save_file(tensors, str(path), metadata={HEADER_KEY: text, CHECKSUM_KEY: _checksum(text, tensors)})


def load_model(path: Path, method: Restorer[Saved]) -> Saved:
    """Read a model that ``method`` made.

    Raises:
        InputError: the file is damaged, no HyperRes model, of another format or of another method.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        text = metadata.get(HEADER_KEY, "null")
        header = json.loads(text)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"The model file {path} cannot be read ({error}): it is damaged or no model file.") from error
    if not isinstance(header, dict) or "method" not in header:
        raise InputError(f"The file {path} is no HyperRes model: its header is missing.")
    version = header.get("format")
    if version not in (WITHOUT_CHECKSUM, FORMAT):
        raise InputError(f"The model {path} has format {version}; this version reads formats up to {FORMAT}.")
    if header["method"] != method.name:
        raise InputError(f"The model {path} was made by {header['method']!r} and cannot be used for {method.name!r}.")
    whole = version == WITHOUT_CHECKSUM or metadata.get(CHECKSUM_KEY) == _checksum(text, tensors)
    if not whole or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise InputError(
            f"The model {path} is damaged or was changed since it was written: take another copy of it, or fit it anew."
        )
    try:
        return method.restore(header["model"], tensors, _table(header["bands"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"The model {path} lacks something or holds what does not fit together: it is damaged or was made by "
            "another version of HyperRes, so fit it anew."
        ) from error


def check_compatible(model: Savable, table: BandTable) -> None:
    """Refuse to apply a model to other bands than it was fitted on.

    Raises:
        BandsError: the number of bands or their wavelengths differ.
    """
    if len(table) != len(model.table):
        raise BandsError(
            f"The model was fitted on {len(model.table)} bands but {len(table)} are to be used: choose the same bands, "
            "an image of the same sensor, or fit anew."
        )
    ours, theirs = model.table.wavelength_nm, table.wavelength_nm
    if ours is None or theirs is None:
        return
    worst = max(range(len(ours)), key=lambda i: abs(ours[i] - theirs[i]))
    if abs(ours[worst] - theirs[worst]) > TOLERANCE_NM:
        raise BandsError(
            f"The model was fitted on other wavelengths: band {worst + 1} lies at {theirs[worst]:.1f} nm "
            f"instead of {ours[worst]:.1f} nm. Choose an image of the same sensor, or fit anew."
        )


def _checksum(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of a header and of all tensors' names, kinds, shapes and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _table(record: Mapping[str, Any]) -> BandTable:
    columns: dict[str, Any] = {name: None if value is None else tuple(value) for name, value in record.items()}
    return BandTable(**columns)
