# SPDX-License-Identifier: GPL-3.0-or-later
"""The version, read from the plugin's metadata so that it stands in one place."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path


def plugin_version() -> str:
    """Version as in ``metadata.txt``."""
    parser = ConfigParser(interpolation=None)
    parser.read(Path(__file__).resolve().parents[1] / "metadata.txt", encoding="utf-8")
    return parser.get("general", "version", fallback="0.0.0")
