# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of methods; a new one is added here."""

from __future__ import annotations

from importlib import import_module

from ..errors import InputError
from .method import Method

METHODS: dict[str, tuple[str, str]] = {"unmix": ("unmixing.method", "Unmix")}
"""Module below ``core`` and class, by the name that jobs use."""


def find_method(name: str) -> Method:
    """Import a method.

    Raises:
        InputError: there is no such method.
    """
    if name not in METHODS:
        raise InputError(f"There is no method {name!r}: choose one of {', '.join(sorted(METHODS))}.")
    module, kind = METHODS[name]
    method: Method = getattr(import_module(f"...{module}", __name__), kind)()
    return method
