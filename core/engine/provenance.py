# SPDX-License-Identifier: GPL-3.0-or-later
"""How an output was made, as metadata that travels with it; no times, so that the same run gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy
import rasterio
import scipy
import torch

from ..version import plugin_version
from .job import Job
from .method import Savable


def versions() -> dict[str, str]:
    """Versions of everything that decides about the numbers."""
    return {
        "HyperRes": plugin_version(),
        "Python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "rasterio": rasterio.__version__,
        "GDAL": rasterio.__gdal_version__,
    }


def model_fingerprint(model: Savable) -> str:
    """Short hash of a fitted model."""
    digest = hashlib.sha256(json.dumps(model.header(), sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.tensors().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def metadata(job: Job, device: torch.device, role: str, model: Savable | None = None) -> Mapping[str, str]:
    """Metadata of one output raster."""
    items = {
        "HYPERRES_VERSION": plugin_version(),
        "HYPERRES_METHOD": job.method,
        "HYPERRES_OUTPUT": role,
        "HYPERRES_SETTINGS": json.dumps(dict(job.settings), sort_keys=True),
        "HYPERRES_SEED": str(job.seed),
        "HYPERRES_DEVICE": str(device),
        "HYPERRES_SOURCES": json.dumps({name: Path(path).name for name, path in sorted(job.inputs.items())}),
        "HYPERRES_VERSIONS": json.dumps(versions(), sort_keys=True),
    }
    return items if model is None else {**items, "HYPERRES_MODEL": model_fingerprint(model)}
