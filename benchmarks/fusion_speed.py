# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a fitted fusion model is applied, beside merely writing the same output.

    .venv/bin/python benchmarks/fusion_speed.py [--size 4096] [--bands 60] [--methods fuse spectralift spectramorph]
                                                [--folder DIR]

Each method is fitted once (its time does not grow with the scene) and its model applied in a process of its own, all
included but the process's start: reading, predicting, correcting, the journal and writing. "write" is the time that
RasterWriter takes for the same numbers, with the same blocks, compression and threads, in the same run; nothing else is
in that figure. "share" is the speed of applying as a share of that of writing. Needs about 3 times the uncompressed
output on the disk.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window as RasterioWindow
from scipy.ndimage import gaussian_filter
from unmix_run import WORKER, run

from hyperres.core.engine.method import OutputSpec
from hyperres.core.grid import Window
from hyperres.core.raster.open_raster import read_header
from hyperres.core.raster.write import RasterWriter

RATIO, PATCH, BLOCK = 8, 512, 256
CENTRES_NM = (490.0, 560.0, 665.0, 840.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--bands", type=int, default=60)
    parser.add_argument("--methods", nargs="+", default=["fuse", "spectralift", "spectramorph"])
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hyperres-bench-", dir=options.folder))
    try:
        make_pair(folder, options.size, options.bands)
        print(f"{options.size} x {options.size} x {len(CENTRES_NM)} -> {options.bands} bands, float32")
        names = ("fit s", "apply s", "Mpixel/s", "write s", "share", "peak MB")
        print(f"{'method':14}" + "".join(f" {name:>9}" for name in names))
        for method in options.methods:
            measure(folder, method, options.size)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, method: str, size: int) -> None:
    """Fit, apply, write alone; print a line."""
    model, fused = folder / f"{method}.safetensors", folder / "fused.tif"
    fit_s = seconds(folder, method, {"model": model}, {})["fitting"]
    figures = run([*WORKER, str(job(folder, method, {"fused": fused}, {"model": model}))])
    apply_s = json.loads((folder / "result.json").read_text(encoding="utf-8"))["seconds"]["computing"]
    write_s = write_alone(fused, folder / "copy.tif")
    columns = (
        f"{fit_s:.1f}",
        f"{apply_s:.1f}",
        f"{size**2 / apply_s / 1e6:.2f}",
        f"{write_s:.1f}",
        f"{100 * write_s / apply_s:.0f} %",
        f"{figures.peak_mb:.0f}",
    )
    print(f"{method:14}" + "".join(f" {column:>9}" for column in columns), flush=True)


def seconds(folder: Path, method: str, outputs: dict[str, Path], inputs: dict[str, Path]) -> dict[str, float]:
    """Run a job and read how long its steps took."""
    run([*WORKER, str(job(folder, method, outputs, inputs))])
    taken: dict[str, float] = json.loads((folder / "result.json").read_text(encoding="utf-8"))["seconds"]
    return taken


def job(folder: Path, method: str, outputs: dict[str, Path], inputs: dict[str, Path]) -> Path:
    """Write a job file."""
    record = {
        "hyperres_job": 1,
        "method": method,
        "inputs": {"hsi": str(folder / "hsi.tif"), "msi": str(folder / "msi.tif"), **_texts(inputs)},
        "outputs": {**_texts(outputs), "result": str(folder / "result.json")},
        "device": "cpu",
        "skip_water_vapour": False,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def write_alone(source: Path, target: Path) -> float:
    """Write the same numbers again; only the writing is timed."""
    header = read_header(source)
    spec = OutputSpec("Copy", header.table.names, table=header.table)
    spent = 0.0
    with rasterio.open(source) as file:
        started = time.perf_counter()
        writer = RasterWriter(target, header.grid, spec, block=(BLOCK, BLOCK))
        spent += time.perf_counter() - started
        for row in range(0, file.height, BLOCK):
            for col in range(0, file.width, BLOCK):
                window = Window(row, col, min(BLOCK, file.height - row), min(BLOCK, file.width - col))
                values = file.read(window=RasterioWindow(window.col, window.row, window.width, window.height))
                started = time.perf_counter()
                writer.write(window, values)
                spent += time.perf_counter() - started
        started = time.perf_counter()
        writer.close()
    return spent + time.perf_counter() - started


def make_pair(folder: Path, size: int, bands: int) -> None:
    """Write mixtures of eight smooth spectra in patches, as both sensors see them, piece by piece."""
    random = np.random.default_rng(0)
    nm = np.linspace(420, 2400, bands)
    axis = np.linspace(0, 1, bands)
    spectra = np.stack([0.25 + 0.2 * np.sin((1.5 + 1.3 * k) * axis + 1.1 * k) for k in range(8)])
    rows = np.exp(-0.5 * ((nm[None] - np.array(CENTRES_NM)[:, None]) / 40) ** 2)
    seen = spectra @ (rows / rows.sum(axis=1, keepdims=True)).T
    fields = [gaussian_filter(random.random((PATCH, PATCH)), 1 + k // 2 * 2, mode="wrap") for k in range(8)]
    shares = np.exp(2 * np.stack([(field - field.mean()) / field.std() for field in fields]))
    shares /= shares.sum(axis=0)
    coarse = shares.reshape(8, PATCH // RATIO, RATIO, PATCH // RATIO, RATIO).mean(axis=(2, 4))
    for name, mixing, patch, metres, centres, noise in (
        ("msi", seen, shares, 1, CENTRES_NM, 20),
        ("hsi", spectra, coarse, RATIO, nm, 10),
    ):
        _write(folder / f"{name}.tif", mixing, patch, size // metres, metres, centres, noise, random)


def _write(path, mixing, patch, size, metres, centres, noise, random) -> None:
    profile = {"driver": "GTiff", "dtype": "uint16", "tiled": True, "blockxsize": 256, "blockysize": 256}
    place = rasterio.Affine(metres, 0, 5e5, 0, -metres, 5e6)
    side = patch.shape[1]
    with rasterio.open(
        path, "w", width=size, height=size, count=mixing.shape[1], crs="EPSG:32633", transform=place, **profile
    ) as file:
        for band, centre in enumerate(centres, 1):
            file.update_tags(band, wavelength=f"{centre:.2f}", wavelength_units="Nanometers")
        for row in range(0, size, side):
            for col in range(0, size, side):
                # shifted by whole coarse pixels, so that no two patches are alike in both images
                shift = (row // side * 5 % (PATCH // RATIO), col // side * 3 % (PATCH // RATIO))
                step = RATIO // metres
                moved = np.roll(patch, (shift[0] * step, shift[1] * step), axis=(1, 2))
                moved = moved[:, : size - row, : size - col]
                cube = np.einsum("kb,kij->bij", mixing, moved) * 10000
                cube += noise * random.standard_normal(cube.shape)
                place_ = RasterioWindow(col, row, moved.shape[2], moved.shape[1])
                file.write(cube.clip(0, 65535).astype("uint16"), window=place_)


def _texts(paths: dict[str, Path]) -> dict[str, str]:
    return {role: str(path) for role, path in paths.items()}


if __name__ == "__main__":
    sys.exit(main())
