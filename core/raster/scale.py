# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out whether stored numbers are reflectance, or reflectance times 10 000 as most products store it."""

from __future__ import annotations

REFLECTANCE_HIGH = 2.0
"""Reflectance stays below 1 but for glint, snow at low sun and noise."""
TEN_THOUSAND_LOW, TEN_THOUSAND_HIGH = 500.0, 16000.0
"""A high percentile of reflectance times 10 000: from a scene of water (0.05) to glint and snow (1.6)."""
WIDE_TYPES = frozenset({"int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"})
OVERRIDE = "set 'Scale' if that is wrong"


def detect_scale(sample_high: float, dtype: str, declared: bool) -> tuple[float, str]:
    """Guess the factor from stored numbers to reflectance.

    Args:
        sample_high: a high percentile (99 %) of valid numbers, after GDAL's own scale and offset.
        dtype: numpy name of the stored type.
        declared: True when the file declares a scale of its own.

    Returns:
        the factor and a sentence that says what was found and how to override it.
    """
    seen = f"99 % of the values are below {sample_high:.4g}"
    if declared:
        return 1.0, f"The file's own scale is applied ({seen} then); {OVERRIDE}."
    if sample_high <= REFLECTANCE_HIGH:
        return 1.0, f"The values look like reflectance from 0 to 1 ({seen}) and are used as they are; {OVERRIDE}."
    if dtype in WIDE_TYPES and TEN_THOUSAND_LOW <= sample_high <= TEN_THOUSAND_HIGH:
        return 1e-4, f"The values look like reflectance times 10000 ({seen}) and are multiplied by 0.0001; {OVERRIDE}."
    return 1.0, f"The values look like no known scale of reflectance ({seen}) and are used as they are; {OVERRIDE}."
