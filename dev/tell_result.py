# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells in words what a run found: ``tell_result.py RESULT.json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

LINES = (
    "Endmembers: {count:.0f}; mean error of reconstruction (RMSE): {mean_rmse:.4f}",
    "Ratio of the pixel sizes: {ratio:.3g}; agreement with the hyperspectral image {psnr_consistency_hsi:.1f} dB, with "
    "the multispectral one {psnr_consistency_msi:.1f} dB",
    "Agreement with the input {psnr_consistency:.1f} dB",
    "On pixels kept aside: PSNR {held_out_psnr:.2f} dB, spectral angle {held_out_sam:.2f} degrees; one regression for "
    "all ground, {held_out_psnr_ridge:.2f} dB",
    "Made coarser once more and brought back: {trial_gain:+.1f} dB over cubic interpolation",
    "Against the truth: PSNR {psnr:.2f} dB, spectral angle {sam:.2f} degrees, RMSE {rmse:.4f}, SSIM {ssim:.3f}",
    "Quality without reference: QNR {qnr:.3f} (D_lambda {d_lambda:.3f}, D_s {d_s:.3f})",
    "Valid pixels: {valid_share:.1%}",
)
"""Sentences on figures; each is told where the run has all of its figures."""


def sentences(numbers: Mapping[str, float]) -> list[str]:
    """What the figures say."""
    told = []
    for line in LINES:
        try:
            told.append(line.format(**numbers))
        except KeyError:
            continue
    return told


def main() -> None:
    """Print the figures of the result record named on the command line."""
    record = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for line in sentences(record["numbers"]):
        print(line)
    print(f"Computed in {record['seconds']['total']:.1f} s. {record['device']}")
    for warning in record["warnings"]:
        print(f"Note: {warning}")


if __name__ == "__main__":
    main()
