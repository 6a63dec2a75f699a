# SPDX-License-Identifier: GPL-3.0-or-later
"""The child's side of trying an interpreter out: prints one JSON object about itself, whatever is missing."""

from __future__ import annotations

import importlib
import json
import os
import platform
import time
from typing import TYPE_CHECKING, Any

from .interpreter import REQUIRED

if TYPE_CHECKING:
    import torch

SIZE = 512
TOLERANCE = 1e-3


def main(arguments: list[str] | None = None) -> int:
    """Print the report; return the exit code."""
    print(json.dumps(report()))
    return 0


def report() -> dict[str, Any]:
    """Look at this interpreter.

    Returns:
        ``versions`` by package, ``missing`` package names, ``broken`` packages with the reason, ``devices``.
    """
    versions, missing, broken = {"python": platform.python_version()}, [], {}
    for name in REQUIRED:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                missing.append(name)
            else:
                broken[name] = str(error)
        except Exception as error:  # a library that does not load may raise anything
            broken[name] = " ".join(str(error).split())[:300] or type(error).__name__
        else:
            versions[name] = str(getattr(module, "__version__", "unknown"))
            if name == "rasterio":
                versions["GDAL"] = str(getattr(module, "__gdal_version__", "unknown"))
    usable = "torch" not in missing and "torch" not in broken
    return {"versions": versions, "missing": missing, "broken": broken, "devices": list_devices() if usable else []}


def list_devices() -> list[dict[str, Any]]:
    """Try a small product of matrices on every device that torch sees."""
    import torch

    found = [_try("cpu", f"CPU with {os.cpu_count()} cores", _free_memory_mb())]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free_mb = torch.cuda.mem_get_info(index)[0] // 2**20
        title = f"{torch.cuda.get_device_name(index)} with {free_mb / 1024:.1f} GB free"
        found.append(_try(f"cuda:{index}", title, free_mb))
    mps = getattr(torch.backends, "mps", None)
    if mps is not None and mps.is_available():
        found.append(_try("mps", "Apple GPU", None))
    return found


def _try(name: str, title: str, free_mb: int | None) -> dict[str, Any]:
    import torch

    device: dict[str, Any] = {"name": name, "title": title, "free_mb": free_mb, "seconds": None, "error": ""}
    try:
        device["seconds"] = round(_time_product(torch.device(name)), 5)
    except Exception as error:  # a driver may raise anything; the other devices are still wanted
        device["error"] = " ".join(str(error).split())[:300] or type(error).__name__
    return device


def _time_product(device: torch.device) -> float:
    """Seconds for one float32 matrix product, checked: A times a column of 1/n gives the row means of A."""
    import torch

    matrix = torch.arange(SIZE * SIZE, dtype=torch.float32).reshape(SIZE, SIZE) / SIZE**2
    left, right = matrix.to(device), torch.full((SIZE, SIZE), 1.0 / SIZE, device=device)
    (left @ right).cpu()  # the first call also loads libraries
    started = time.perf_counter()
    product = (left @ right).cpu()
    seconds = time.perf_counter() - started
    error = float((product - matrix.mean(dim=1, keepdim=True)).abs().max())
    if not error < TOLERANCE:
        raise ArithmeticError(f"a product of matrices is wrong by {error:.3g}")
    return seconds


def _free_memory_mb() -> int | None:
    """Memory that programs can still have, or None where the system does not tell simply."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
