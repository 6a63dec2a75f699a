# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts in the user's language."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication


def tr(text: str) -> str:
    """Translate a literal text."""
    return QCoreApplication.translate("HyperRes", text)
