# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws responses that a camera may have whose bands are only known by name."""

from __future__ import annotations


class RandomResponses:
    """Placeholder until written."""
