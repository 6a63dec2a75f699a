# SPDX-License-Identifier: GPL-3.0-or-later
"""ENVI header files: a first line ``ENVI``, then ``key = value`` or ``key = {value, value, ...}`` over many lines."""

from __future__ import annotations


def parse_envi_header(text: str) -> dict[str, str]:
    """Read a header.

    Returns:
        lower-case keys with single spaces, and values without braces and surrounding space; empty if it is no header.
    """
    lines = iter(text.lstrip("\ufeff").splitlines())
    if not next(lines, "").strip().upper().startswith("ENVI"):
        return {}
    items: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or line.lstrip().startswith(";"):
            continue
        value = value.strip()
        while value.startswith("{") and "}" not in value:
            more = next(lines, None)
            if more is None:
                break
            value += "\n" + more
        if value.startswith("{"):
            value = value[1:].partition("}")[0]
        items[" ".join(key.lower().split())] = value.strip()
    return items


def listed(value: str) -> list[str]:
    """Split a list, with or without braces, at commas or else at white space."""
    inner = value.strip().strip("{}[]()")
    parts = inner.split(",") if "," in inner else inner.split()
    return [part.strip() for part in parts if part.strip()]
