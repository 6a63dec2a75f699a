# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells in words what an unmixing found: ``tell_result.py RESULT.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Print the figures of the result record named on the command line."""
    record = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    numbers = record["numbers"]
    print(f"Endmembers: {numbers['count']:.0f}; mean error of reconstruction (RMSE): {numbers['mean_rmse']:.4f}")
    print(f"Valid pixels: {100 * numbers['valid_share']:.1f} %; computed in {record['seconds']['total']:.1f} s")
    print(record["device"])
    for warning in record["warnings"]:
        print(f"Note: {warning}")


if __name__ == "__main__":
    main()
