# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of methods and of kinds of runs; a new one is added here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from .runner import Runner

METHODS: dict[str, tuple[str, str]] = {
    "unmix": ("unmixing.method", "Unmix"),
    "fuse": ("fusion.method", "Fuse"),
    "spectralift": ("fusion.method", "SpectraLift"),
    "spectramorph": ("fusion.method", "SpectraMorph"),
    "superresolve": ("sisr.method", "Superresolve"),
    "spectralsuperresolve": ("ssr.method", "SpectralSuperResolution"),
}
"""Module below ``core`` and class of a method that is fitted and applied, by the name that jobs use."""

RUNNERS: dict[str, tuple[str, str]] = {
    "unmix": ("engine.image_run", "ImageRun"),
    "fuse": ("engine.pair_run", "PairRun"),
    "spectralift": ("engine.pair_run", "PairRun"),
    "spectramorph": ("engine.pair_run", "PairRun"),
    "superresolve": ("engine.finer_run", "FinerRun"),
    "trainssr": ("engine.train_run", "TrainRun"),
    "spectralsuperresolve": ("engine.spectral_run", "SpectralRun"),
    "estimatestf": ("engine.stf_run", "StfRun"),
    "simulate": ("engine.simulate_run", "SimulateRun"),
    "assess": ("engine.assess_run", "AssessRun"),
}
"""Module below ``core`` and class of the run, by the name that jobs use."""


def find_method(name: str) -> Any:
    """Make a method.

    Raises:
        InputError: there is no such method.
    """
    return _import(METHODS, name)()


def find_runner(name: str) -> type[Runner]:
    """The kind of run that a job asks for.

    Raises:
        InputError: there is none.
    """
    runner: type[Runner] = _import(RUNNERS, name)
    return runner


def _import(table: dict[str, tuple[str, str]], name: str) -> Any:
    if name not in table:
        raise InputError(f"There is no method {name!r}: choose one of {', '.join(sorted(table))}.")
    module, kind = table[name]
    return getattr(import_module(f"...{module}", __name__), kind)
