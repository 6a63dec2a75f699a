# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a simulated scene with its truth.

``python -m hyperres.core.raster.demo_scene OUT.tif [--size 400] [--seed 0]``

Beside OUT.tif (reflectance times 10 000 as int16, as most products store it) lie OUT_abundances.tif and
OUT_endmembers.csv, the truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..engine.method import OutputSpec
from ..errors import HyperResError, InputError
from ..simulation.scene import SimulatedScene, simulate_scene
from .spectra_files import write_csv
from .target import check_target
from .write import RasterWriter

NODATA = -9999
_STORED_ONE = 10_000.0


def write_scene(scene: SimulatedScene, path: Path, origin: str) -> tuple[Path, Path]:
    """Write a scene and its truth.

    Args:
        scene: what to write.
        path: raster to write; the truth is written beside it.
        origin: how the scene was made, kept in the raster's metadata.

    Returns:
        the files with true abundances and true endmembers.
    """
    abundances, endmembers = (
        path.with_name(f"{path.stem}_abundances.tif"),
        path.with_name(f"{path.stem}_endmembers.csv"),
    )
    highest = float(np.iinfo(np.int16).max)
    stored = np.clip(np.rint(_STORED_ONE * scene.cube), NODATA + 1, highest)
    stored[:, ~scene.valid] = NODATA
    _write(path, scene, _image_spec(scene), stored.astype(np.int16), origin)
    shares = np.where(scene.valid, scene.abundances, np.float32(NODATA))
    _write(abundances, scene, OutputSpec("True abundances", scene.endmembers.names, limits=(0.0, 1.0)), shares, origin)
    write_csv(endmembers, scene.endmembers)
    return abundances, endmembers


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo_scene", description="Simulate a hyperspectral scene with its truth.")
    parser.add_argument("output", type=Path, help="raster to write, e.g. scene.tif")
    parser.add_argument("--size", type=int, default=400, help="rows and columns")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another place")
    chosen = parser.parse_args(arguments)
    try:
        if not 16 <= chosen.size <= 2000:
            raise InputError(f"A scene of {chosen.size} rows cannot be made: choose a size from 16 to 2000.")
        check_target(chosen.output)
        scene = simulate_scene(chosen.size, chosen.size, chosen.seed)
        origin = f"simulated, size {chosen.size}, seed {chosen.seed}"
        files = (chosen.output, *write_scene(scene, chosen.output, origin))
    except HyperResError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(str(file) for file in files))
    return 0


def _image_spec(scene: SimulatedScene) -> OutputSpec:
    return OutputSpec("Simulated scene", scene.table.names, dtype="int16", nodata=NODATA, table=scene.table)


def _write(path: Path, scene: SimulatedScene, spec: OutputSpec, values: np.ndarray, origin: str) -> None:
    with RasterWriter(path, scene.grid, spec, metadata={"HYPERRES_ORIGIN": origin}) as writer:
        writer.write(scene.grid.whole, values)


if __name__ == "__main__":
    sys.exit(main())
