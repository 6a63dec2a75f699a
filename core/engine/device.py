# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses what computes, and says so in one honest line."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from ..errors import InputError


def choose_device(asked: str) -> tuple[torch.device, str]:
    """Choose a device.

    Args:
        asked: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        the device and the line for log and report.

    Raises:
        InputError: a device was asked for by name and does not work.
    """
    if asked == "cpu":
        return torch.device("cpu"), f"Device: {_cpu_name()}, as chosen."
    if asked == "auto":
        return _choose_automatically()
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise InputError(f"{asked!r} is no device: choose auto, cpu, cuda, cuda:N or mps.") from error
    fault = _fault_of(device)
    if fault:
        raise InputError(f"The device {asked} cannot be used because {fault}: choose 'auto' or 'cpu'.")
    return device, f"Device: {_name(device)}, as chosen."


def _choose_automatically() -> tuple[torch.device, str]:
    faults = []
    for device in (torch.device("cuda"), torch.device("mps")):
        fault = _fault_of(device)
        if not fault:
            return device, f"Device: {_name(device)}."
        faults.append(f"{device.type}: {fault}")
    return torch.device("cpu"), f"Device: {_cpu_name()}, because no GPU can be used ({'; '.join(faults)})."


def _fault_of(device: torch.device) -> str:
    """Say why a device cannot be used, or nothing; a tiny computation decides, not a flag."""
    if device.type == "cuda":
        if not torch.backends.cuda.is_built():
            return "this build of torch has no CUDA"
        if not torch.cuda.is_available():
            return "torch finds no CUDA device"
        if device.index is not None and device.index >= torch.cuda.device_count():
            return f"there are only {torch.cuda.device_count()} CUDA devices, counted from 0"
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            return "torch finds no Apple GPU"
    else:
        return "HyperRes does not know this kind of device"
    try:
        value = float((torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).sum())
    except RuntimeError as error:
        return f"a trial computation failed ({str(error).splitlines()[0]})"
    return "" if value == 512.0 else "a trial computation gave a wrong result"


def _name(device: torch.device) -> str:
    if device.type != "cuda":
        return "Apple GPU (mps)"
    free, _ = torch.cuda.mem_get_info(device)
    return f"{torch.cuda.get_device_name(device)} ({device}), {free / 2**30:.1f} GB free"


def _cpu_name() -> str:
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"CPU ({name})" if name else "CPU"
