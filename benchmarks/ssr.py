# SPDX-License-Identifier: GPL-3.0-or-later
"""How well spectra follow from few bands: the unfolded network beside ridge, clustered ridge and a pixel network.

    .venv/bin/python benchmarks/ssr.py cave [--steps 6000]
    .venv/bin/python benchmarks/ssr.py ground [--scenes jasper ...] [--sensors sentinel-2a ...] [--steps 1500]

``cave`` learns from 12 indoor scenes of ../shared, is watched by 3 and judged by 5 others, each row the mean over the
images that judge (peak 1). The camera is the Nikon D700 of the usual table; nobody is told, its response is estimated
from the pairs. ``ground`` cuts real scenes by columns: the left 55 % teach, 15 % watch, the right 30 % judge, with gaps
between; a sensor's table simulates the MSI, with noise of 40 dB, and is not told either. Peak is the brightest 0.1 %.
The last rows know what nobody can: ``own linear`` is the best linear map of the very image that judges. What watches
picks the weights and, in practice, the way; what judges is only looked at for this table. Seconds are those of the fit,
for the network CPU seconds. The line above each table says how well the response is recovered: its relative error, and
the PSNR of the MSI that it gives of the true spectra.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import rasterio
import torch
from hyperbench import load_scene
from scipy.io import loadmat

from hyperres.core.bands import BandTable, choose_bands
from hyperres.core.engine.method import Context
from hyperres.core.grid import Window
from hyperres.core.raster.cube import CubeReader
from hyperres.core.raster.open_raster import read_header
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import covered_bands, srf_of_sensor
from hyperres.core.ssr.contest import estimate, find_peak, fit_simple, judge
from hyperres.core.ssr.factory import make_network
from hyperres.core.ssr.pairs import TrainingData, TrainingPart, gather
from hyperres.core.ssr.pixel_way import PixelWay
from hyperres.core.ssr.stf import estimate_stf
from hyperres.core.ssr.training import RECIPE, train_network
from hyperres.core.ssr.ways import NetworkWay, Way

HERE = Path(__file__).resolve().parent
WATCHING = "egyptian_statue", "fake_and_real_lemons", "paints"
JUDGING = "balloons", "cloth", "fake_and_real_food", "hairs", "thread_spools"
NIKON = (
    "2 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 2 6 11 17 21 22 21 20 20 19 19 18 18 17 17",
    "1 1 1 1 1 1 2 4 6 8 11 16 19 21 20 18 16 14 11 7 5 3 2 2 1 1 2 2 2 2 2",
    "7 10 15 19 25 29 30 29 27 22 16 9 2 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1",
)
SCENES, SENSORS = ("jasper", "potsdam", "berlin"), ("sentinel-2a", "p4-multispectral", "rededge-mx")
SNR_DB, GAP_PX = 40.0, 3
RESPONSE_PIXELS, RESPONSE_NOISE = 8192, 1e-8
JASPER_NM = "unmixing/synthetic/variability_AVIRIS_wavelengths.mat"
REFLECTANCE = 1e-4
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """Something to learn and to judge by.

    Attributes:
        data: what teaches and what watches, with the response as estimated.
        judging: what judges.
        truth: the true response, [c, C].
        peak: of PSNR.
    """

    data: TrainingData
    judging: tuple[TrainingPart, ...]
    truth: torch.Tensor
    peak: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("cave", "ground"))
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=SCENES)
    parser.add_argument("--sensors", nargs="+", default=list(SENSORS))
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="of the network; 0 leaves it out")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    if options.kind == "cave":
        table("CAVE, Nikon D700", cave(options.data), options.steps)
        return
    for scene in options.scenes:
        for sensor in options.sensors:
            table(f"{scene}, {sensor}", ground(scene, sensor, options.data), options.steps)


def table(title: str, case: Case, steps: int) -> None:
    """Fit all ways and print how they do."""
    found, true = case.data.response, case.truth
    pixels = gather(case.judging)
    misfit = float((found @ pixels.hsi - true @ pixels.hsi).square().mean()) ** 0.5
    wrong = float((found - true).norm() / true.norm())
    print(f"\n{title}: response wrong by {wrong:.3f}, MSI again {decibels(misfit, case.peak):.1f} dB")
    print(f"{'':<34}{'PSNR':>8}{'SAM':>8}{'RMSE':>9}{'seconds':>9}")
    simple = fit_simple(case.data, Context(CPU))
    for way, seconds in simple:
        row(way.name, [estimate(way, part) for part in case.judging], case, seconds)
    if steps:
        started = time.process_time()
        start = max((way for way, _ in simple), key=lambda way: judge(way, case.data.held, case.peak).psnr)
        way = trained(case.data, start, steps)
        row(
            f"{way.name}, up to {steps} steps",
            [estimate(way, p) for p in case.judging],
            case,
            time.process_time() - started,
        )
    row("own linear (knows the truth)", [own_linear(part) for part in case.judging], case, math.nan)


def trained(data: TrainingData, start: PixelWay, steps: int) -> Way:
    """The network."""
    context = Context(CPU)
    network = make_network(data, start, context)
    # as in the product: who says how many steps gets as many
    recipe = RECIPE if steps == RECIPE.steps else replace(RECIPE, steps=steps, patience=steps)
    train_network(network, data, recipe, context)
    return NetworkWay(network)


def row(name: str, found: Sequence[torch.Tensor], case: Case, seconds: float) -> None:
    """Print the means over images."""
    scores = [score(image, part, case.peak) for image, part in zip(found, case.judging)]
    psnr, angle, rmse = np.mean(scores, axis=0)
    print(f"{name:<34}{psnr:>8.2f}{angle:>8.2f}{rmse:>9.4f}{seconds:>9.1f}", flush=True)


def score(found: torch.Tensor, part: TrainingPart, peak: float) -> tuple[float, float, float]:
    """PSNR in decibels, mean spectral angle in degrees and RMSE."""
    x, truth = found[:, part.valid].double(), part.hsi[:, part.valid].double()
    rmse = float((x - truth).square().mean()) ** 0.5
    cosine = torch.nn.functional.cosine_similarity(x, truth, dim=0, eps=1e-12).clamp(-1, 1)
    return decibels(rmse, peak), float(torch.rad2deg(cosine.arccos()).mean()), rmse


def decibels(rmse: float, peak: float) -> float:
    """PSNR."""
    return 20 * math.log10(peak / max(rmse, 1e-12))


def own_linear(part: TrainingPart) -> torch.Tensor:
    """The best linear map of one image's MSI to its own spectra."""
    msi = torch.cat([part.msi, torch.ones_like(part.msi[:1])]).flatten(1).double()
    hsi = part.hsi.flatten(1).double()
    weights = torch.linalg.lstsq(msi[:, part.valid.flatten()].T, hsi[:, part.valid.flatten()].T).solution
    return (weights.T @ msi).reshape(part.hsi.shape).float()


def cave(data: Path) -> Case:
    """The indoor scenes."""
    response = torch.tensor([[float(word) for word in line.split()] for line in NIKON])
    response /= response.sum(dim=1, keepdim=True)
    nm = tuple(400.0 + 10.0 * band for band in range(response.shape[1]))
    parts = {path.stem: _cave_part(path, response) for path in sorted((data / "spectral_sr/cave_half").glob("*.tif"))}
    teaching = [part for name, part in parts.items() if name not in (*WATCHING, *JUDGING)]
    tables = _table(nm), _table((600.0, 530.0, 460.0))
    watching = [parts[name] for name in WATCHING]
    return _case(teaching, watching, [parts[name] for name in JUDGING], tables, response, peak=1.0)


def _cave_part(path: Path, response: torch.Tensor) -> TrainingPart:
    with rasterio.open(path) as file:
        hsi = torch.from_numpy(file.read().astype(np.float32) / 65535)
    return TrainingPart(hsi, _seen(hsi, response), torch.ones(hsi.shape[1:], dtype=torch.bool))


def ground(scene: str, sensor_id: str, data: Path) -> Case:
    """A real scene and a camera simulated on it."""
    cube, nm = _load_ground(scene, data)
    hsi, table = torch.from_numpy(cube), _table(nm)
    sensor = load_sensor(sensor_id)
    bands, _ = covered_bands(sensor, range(len(sensor.bands)), table)
    response = torch.from_numpy(srf_of_sensor(sensor, bands, table)[0].matrix)
    msi = _seen(hsi, response)
    power = msi.square().mean(dim=(1, 2), keepdim=True).sqrt()
    msi = msi + power * 10 ** (-SNR_DB / 20) * torch.randn(msi.shape, generator=torch.Generator().manual_seed(5))
    valid = hsi.abs().sum(dim=0) > 0
    cuts = [round(share * hsi.shape[2]) for share in (0.0, 0.55, 0.7, 1.0)]
    places = [slice(start, end - GAP_PX) for start, end in zip(cuts, cuts[1:])]
    parts = [TrainingPart(hsi[..., place], msi[..., place], valid[:, place]) for place in places]
    centres = tuple(sensor.bands[band].centre_nm for band in bands)
    return _case(parts[:1], parts[1:2], parts[2:], (table, _table(centres)), response)


def _load_ground(scene: str, data: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    """Reflectance [bands, rows, columns], 0 where invalid, and wavelengths in nm."""
    if scene == "jasper":
        return _jasper(data)
    if scene == "potsdam":
        tiles = [
            [_read(data / f"georeferenced/enmap_potsdam_tiles/enmap_potsdam_tile_{row}_{col}.tif") for col in (96, 128)]
            for row in (128, 160)
        ]
        cube = np.concatenate([np.concatenate([tile[0] for tile in line], axis=2) for line in tiles], axis=1)
        return cube, tiles[0][0][1]
    with tempfile.TemporaryDirectory(prefix="hyperres-bench-") as folder:
        for path in (data / "georeferenced/enmap_berlin_2017").glob("EnMAP_*"):
            shutil.copy(path, folder)  # GDAL writes a file beside compressed ENVI images
        return _read(Path(folder) / "EnMAP_BerlinUrbanGradient.bsq")


def _jasper(data: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    kept = loadmat(data / "unmixing/jasper/jasperRidge2_R198_Mei.mat")["SlectBands"].ravel() - 1
    held = loadmat(data / JASPER_NM)
    nm = next(value for name, value in held.items() if not name.startswith("__") and value.size == 224).ravel()[kept]
    return load_scene("jasper", data).astype(np.float32), tuple(map(float, nm * 1000 if nm.max() < 100 else nm))


def _read(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    """Without bands that are bad or hold nothing."""
    header = read_header(str(path))
    with rasterio.open(path) as file:
        used = [band for band in choose_bands(header.table).used if (file.read(band + 1) != header.nodata[band]).any()]
    with CubeReader(header, tuple(used), 1.0 if header.scale[0] != 1 else REFLECTANCE) as reader:
        cube, valid = reader.read(Window(0, 0, header.grid.height, header.grid.width))
        nm = header.table.wavelength_nm or ()
        return np.where(valid, cube, 0.0).astype(np.float32), tuple(nm[band] for band in used)


def _seen(hsi: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
    return (response @ hsi.flatten(1)).reshape(len(response), *hsi.shape[1:])


def _table(nm: Sequence[float]) -> BandTable:
    return BandTable(tuple(f"{value:.0f} nm" for value in nm), (True,) * len(nm), tuple(nm))


def _case(
    teaching: Sequence[TrainingPart],
    watching: Sequence[TrainingPart],
    judging: Sequence[TrainingPart],
    tables: tuple[BandTable, BandTable],
    truth: torch.Tensor,
    peak: float | None = None,
) -> Case:
    """With the response as the pairs that teach show it."""
    pixels = gather(teaching, RESPONSE_PIXELS)
    found = estimate_stf(pixels.hsi.T.numpy(), pixels.msi.T.numpy(), tables, Context(CPU))
    response, low, high = (torch.from_numpy(values) for values in (found.matrix, found.low, found.high))
    left = (pixels.msi - response @ pixels.hsi).var(dim=1).clamp_min(RESPONSE_NOISE)
    data = TrainingData(tuple(teaching), tuple(watching), *tables, response, low, high, left)
    return Case(data, tuple(judging), truth, find_peak(judging) if peak is None else peak)


if __name__ == "__main__":
    main()
