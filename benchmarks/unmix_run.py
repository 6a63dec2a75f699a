# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of Unmix on a large file, beside a plain copy of the same file by gdal_translate.

    .venv/bin/python benchmarks/unmix_run.py [--rows 2500] [--cols 2500] [--bands 162] [--folder DIR] [--larger]

Every figure is a whole process: start of Python, torch's import, reading, computing and writing included. ``--larger``
adds a file ten times the size, to show that memory does not grow; ``--rows 1000 --cols 1000`` makes that one 3 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from hyperres.core.engine.interpreter import clean_environment

WORKER = [sys.executable, "-m", "hyperres.core.engine.worker"]
ENDMEMBERS = 6


@dataclass(frozen=True)
class Figures:
    """Wall and processor seconds and peak memory of a process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--cols", type=int, default=2500)
    parser.add_argument("--bands", type=int, default=162)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where the files may lie (3 times the input's size)")
    parser.add_argument("--larger", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hyperres-bench-", dir=options.folder))
    try:
        measure(folder, options)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Make the input, time copy and runs in turn, print the table."""
    image = folder / "cube.tif"
    # In a process of its own: Linux counts a parent's memory into the peak of the programs that it starts.
    with ProcessPoolExecutor(1) as pool:
        spectra = pool.submit(make_cube, image, options.rows, options.cols, options.bands).result()
    table = folder / "endmembers.csv"
    write_table(table, spectra)
    copy = ["gdal_translate", "-q", "-co", "TILED=YES", "-co", "INTERLEAVE=BAND", str(image), str(folder / "copy.tif")]
    rows = {
        "gdal_translate (copy)": copy,
        "unmix, endmembers given": [*WORKER, str(write_job(folder, image, "given", table))],
        "unmix, blind, 6 endmembers": [*WORKER, str(write_job(folder, image, "blind", None))],
    }
    seen: dict[str, list[Figures]] = {name: [] for name in rows}
    for _ in range(options.repeats):
        for name, command in rows.items():
            seen[name].append(run(command))
    pixels = options.rows * options.cols
    size = image.stat().st_size / 2**30
    print(f"{options.rows} x {options.cols} x {options.bands} int16, {size:.2f} GB, {os.cpu_count()} cores")
    print(
        f"{f'median of {options.repeats}':30} {'wall s':>8} {'/ copy':>7} {'cpu s':>8} {'Mpixel/s':>9} {'peak MB':>8}"
    )
    base = statistics.median(f.wall_s for f in seen["gdal_translate (copy)"])
    for name, figures in seen.items():
        print_row(name, figures, base, pixels)
    if options.larger:
        larger = make_larger(folder, image, options.rows, options.cols)
        command = [*WORKER, str(write_job(folder, larger, "larger", table))]
        print_row("ten times larger, given", [run(command)], base * 10, pixels * 10)


def print_row(name: str, figures: list[Figures], base: float, pixels: int) -> None:
    """One line of medians."""
    wall, cpu, peak = (
        statistics.median(getattr(f, field) for f in figures) for field in ("wall_s", "cpu_s", "peak_mb")
    )
    print(f"{name:30} {wall:8.2f} {wall / base:7.2f} {cpu:8.2f} {pixels / wall / 1e6:9.2f} {peak:8.0f}", flush=True)


def run(command: list[str]) -> Figures:
    """Run a command to its end and ask the system what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
    said = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode()[-2000:]}")
    unit = 1024 if sys.platform == "darwin" else 1
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit / 1024)


def make_cube(path: Path, rows: int, cols: int, bands: int) -> np.ndarray:
    """Write mixtures of smooth spectra with noise as tiled int16 x 10000; return the spectra."""
    random = np.random.default_rng(0)
    axis = np.linspace(0, 1, bands)
    spectra = np.stack([0.1 + 0.4 * np.abs(np.sin((2 + k) * axis + k)) for k in range(ENDMEMBERS)]).astype(np.float32)
    profile = {"driver": "GTiff", "width": cols, "height": rows, "count": bands, "dtype": "int16", "nodata": -9999}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band", "BIGTIFF": "YES"}
    with rasterio.open(
        path, "w", crs="EPSG:32633", transform=rasterio.Affine(1, 0, 5e5, 0, -1, 5e6), **profile, **layout
    ) as f:
        for row in range(0, rows, 256):
            height = min(256, rows - row)
            shares = random.dirichlet(np.full(ENDMEMBERS, 0.35), height * cols).astype(np.float32)
            cube = shares @ spectra
            cube += random.standard_normal(cube.shape, dtype=np.float32) * 0.003
            stored = np.rint(cube * 10000).astype(np.int16).T.reshape(bands, height, cols)
            f.write(stored, window=rasterio.windows.Window(0, row, cols, height))
    return spectra


def make_larger(folder: Path, image: Path, rows: int, cols: int) -> Path:
    """A file that holds the same image ten times, five columns by two rows."""
    mosaic, path = folder / "mosaic.vrt", folder / "tenfold.tif"
    parts = []
    for i in range(10):
        part = folder / f"part{i}.vrt"
        x, y = 5e5 + (i % 5) * cols, 5e6 - (i // 5) * rows
        corners = [str(v) for v in (x, y, x + cols, y - rows)]
        subprocess.run(["gdal_translate", "-q", "-of", "VRT", "-a_ullr", *corners, str(image), str(part)], check=True)
        parts.append(str(part))
    subprocess.run(["gdalbuildvrt", "-q", str(mosaic), *parts], check=True)
    layout = ["-co", "TILED=YES", "-co", "INTERLEAVE=BAND", "-co", "BIGTIFF=YES"]
    subprocess.run(["gdal_translate", "-q", *layout, str(mosaic), str(path)], check=True)
    return path


def write_table(path: Path, spectra: np.ndarray) -> None:
    """Write endmembers over band numbers."""
    header = ",".join(["band", *(f"material {k + 1}" for k in range(len(spectra)))])
    lines = [",".join([str(b + 1), *(f"{v:.6f}" for v in spectra[:, b])]) for b in range(spectra.shape[1])]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def write_job(folder: Path, image: Path, name: str, table: Path | None) -> Path:
    """Write a job file."""
    job = {
        "hyperres_job": 1,
        "method": "unmix",
        "inputs": {"image": str(image)},
        "outputs": {"abundances": str(folder / f"{name}.tif"), "report": str(folder / f"{name}.html")},
        "tables": {"endmembers": str(table)} if table else {},
        "settings": {} if table else {"count": ENDMEMBERS},
        "device": "cpu",
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
