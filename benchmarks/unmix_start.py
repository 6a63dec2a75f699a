# SPDX-License-Identifier: GPL-3.0-or-later
"""How long people wait: for QGIS to load the plugin, and for the first result of a small image.

    .venv/bin/python benchmarks/unmix_start.py

The image has the size of Jasper Ridge (100 x 100 x 198); the run is a blind one with report, from the start of the
worker to the last file. The plugin is loaded by QGIS's own Python.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from unmix_run import WORKER, make_cube

ROOT = Path(__file__).resolve().parents[1]
QGIS_PYTHON = ROOT / ".venv-qgis" / "bin" / "python"
REPEATS = 5

LOAD = """
import os, time
from osgeo import gdal
from qgis import gui
from qgis.core import QgsApplication
application = QgsApplication([], True)
application.initQgis()
started = time.perf_counter()
from hyperres import classFactory
classFactory(None).initProcessing()
print(time.perf_counter() - started, flush=True)
os._exit(0)
"""


def main() -> None:
    """Measure and print."""
    print(f"{f'median of {REPEATS}':30} {'seconds':>8}")
    print(f"{'loading the plugin':30} {median(plugin_load):8.3f}")
    with tempfile.TemporaryDirectory() as folder:
        job = blind_job(Path(folder))
        print(f"{'first result, 100 x 100 x 198':30} {median(lambda: wall([*WORKER, str(job)])):8.2f}")


def median(measure: Callable[[], float]) -> float:
    """Median of repeated measurements."""
    return statistics.median(measure() for _ in range(REPEATS))


def plugin_load() -> float:
    """Seconds that QGIS spends on the plugin at its start."""
    environment = {"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": tempfile.gettempdir()}
    said = subprocess.run(
        [str(QGIS_PYTHON), "-W", "ignore", "-c", LOAD], capture_output=True, text=True, env=environment
    )
    return float(said.stdout.splitlines()[-1])


def wall(command: list[str]) -> float:
    """Seconds of a whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def blind_job(folder: Path) -> Path:
    """A job with nothing given but the image."""
    make_cube(folder / "cube.tif", 100, 100, 198)
    outputs = {"abundances": "a.tif", "rmse": "e.tif", "report": "r.html"}
    record = {
        "hyperres_job": 1,
        "method": "unmix",
        "inputs": {"image": str(folder / "cube.tif")},
        "outputs": {role: str(folder / name) for role, name in outputs.items()},
    }
    path = folder / "job.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
