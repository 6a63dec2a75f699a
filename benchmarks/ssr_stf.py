# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the function between two sensors is found, and whether its 95 % bands hold the truth.

    .venv/bin/python benchmarks/ssr_stf.py [--parts simulated cave paris] [--seeds 5] [--data DIR]

- simulated: mixtures of 60 random smooth spectra, correlated over 20 or 45 nm, noise 1e-3, 4096 pixels;
- cave: the scenes of the data folder, seen by the same cameras without noise and with noise 1e-3; estimated from some
  scenes and judged on the others, and from each scene alone;
- paris: a real pair, Hyperion and ALI. Estimated from the left 70 % of the columns, judged on the rest; there is no
  truth, so that the published response and the centres of its bands stand beside it.

"error" is the norm of estimated minus true function over that of the true one, "PSNR" that of the multispectral image
computed by the estimate (largest value 1), "inside" the share of all weights whose true value lies in its 95 % band,
widened by 0.5 % of the peak, and "inside, seen" the same where the response exceeds a tenth of its peak.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import rasterio
import scipy.io
import torch
from rasterio.errors import NotGeoreferencedWarning

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.match import match_bands
from hyperres.core.sensors.response import covered_bands, srf_of_sensor
from hyperres.core.ssr.stf import StfEstimate, estimate_stf
from hyperres.core.ssr.stf_method import register
from hyperres.core.ssr.stf_pixels import make_pixels
from hyperres.core.ssr.stf_settings import StfSettings

NM = np.arange(400, 701, 10.0)
NIKON = (
    (2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 11, 17, 21, 22, 21, 20, 20, 19, 19, 18, 18, 17, 17),
    (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 11, 16, 19, 21, 20, 18, 16, 14, 11, 7, 5, 3, 2, 2, 1, 1, 2, 2, 2, 2, 2),
    (7, 10, 15, 19, 25, 29, 30, 29, 27, 22, 16, 9, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
)
GOALS = {"Nikon D700": 0.06, "Gaussian": 0.06, "Landsat-7 boxes": 0.15, "Sentinel-2 boxes": 0.15}
"""Largest errors that were set out."""
LEAST_PSNR = 55.0
PIXELS, MATERIALS, NOISE = 4096, 60, 1e-3
PER_SCENE = 600
CPU = Context(torch.device("cpu"))


def responses() -> dict[str, np.ndarray]:
    """The cameras, rows that sum to 1, [bands, 31]."""
    gaussian = [np.exp(-0.5 * ((NM - centre) / 45) ** 2) for centre in (450, 550, 650)]
    landsat = [_box(*edges) for edges in ((450, 515), (525, 605), (630, 690))]
    sentinel = [_box(*edges) for edges in ((433, 453), (458, 523), (543, 578), (650, 680))]
    cameras = zip(GOALS, (NIKON, gaussian, landsat, sentinel))
    return {name: np.array(rows, float) / np.sum(rows, axis=1, keepdims=True) for name, rows in cameras}


def _box(low: float, high: float) -> np.ndarray:
    return ((low <= NM) & (high >= NM)).astype(float)


def table(nm: np.ndarray | None, count: int) -> BandTable:
    """Bands that have nothing but wavelengths."""
    wavelengths = None if nm is None else tuple(map(float, nm))
    return BandTable(tuple(f"Band {i + 1}" for i in range(count)), (True,) * count, wavelengths)


def estimate(hsi: np.ndarray, msi: np.ndarray, seed: int) -> StfEstimate:
    """From pixels [pixels, bands], without any knowledge of the camera."""
    return estimate_stf(hsi, msi, (table(NM, len(NM)), table(None, msi.shape[1])), CPU, seed)


def judged(stf: StfEstimate, true: np.ndarray, hsi: np.ndarray) -> tuple[float, float, float, float]:
    """Error, PSNR, share inside, share inside where the response is seen."""
    slack = 0.005 * true.max(1, keepdims=True)
    inside = (stf.low - slack <= true) & (true <= stf.high + slack)
    return (
        float(np.linalg.norm(stf.matrix - true) / np.linalg.norm(true)),
        psnr(hsi @ stf.matrix.T + stf.offset, hsi @ true.T),
        float(inside.mean()),
        float(inside[true > 0.1 * true.max(1, keepdims=True)].mean()),
    )


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """In dB, for values up to 1."""
    return float(-10 * np.log10(np.mean(np.square(found - true))))


def mixtures(correlation_nm: float, seed: int) -> np.ndarray:
    """Random smooth spectra, mixed, [pixels, 31]."""
    rng = np.random.default_rng(seed)
    covariance = np.exp(-0.5 * ((NM[:, None] - NM) / correlation_nm) ** 2) + 1e-9 * np.eye(len(NM))
    spectra = 1 / (1 + np.exp(-(np.linalg.cholesky(covariance) @ rng.standard_normal((len(NM), MATERIALS)))))
    return rng.dirichlet(np.full(MATERIALS, 0.15), PIXELS) @ spectra.T


def noisy(msi: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """With white noise."""
    return msi + noise * np.random.default_rng(1000 + seed).standard_normal(msi.shape)


def head(title: str) -> None:
    """Begin a table."""
    print(f"\n{title}")
    print(f"{'response':20s}{'error':>8s}{'goal':>7s}{'PSNR':>8s}{'inside':>8s}{'inside, seen':>14s}{'rank':>7s}")


def row(name: str, trials: list[tuple[StfEstimate, tuple[float, float, float, float]]]) -> None:
    """Print the mean of some trials."""
    error, quality, inside, seen = np.mean([scores for _, scores in trials], axis=0)
    rank = np.mean([stf.effective_rank for stf, _ in trials])
    mark = "" if error < GOALS[name] and quality >= LEAST_PSNR else "  missed"
    print(
        f"{name:20s}{error:8.3f}{GOALS[name]:7.2f}{quality:8.1f}{inside:8.2f}{seen:14.2f}{rank:7.1f}{mark}", flush=True
    )


def simulated(seeds: int, data: Path) -> None:
    """Mixtures of random spectra."""
    for correlation in (20, 45):
        head(f"Simulated, spectra correlated over {correlation} nm, mean of {seeds} scenes")
        for name, true in responses().items():
            trials = []
            for seed in range(seeds):
                hsi = mixtures(correlation, seed)
                stf = estimate(hsi, noisy(hsi @ true.T, NOISE, seed), seed)
                trials.append((stf, judged(stf, true, hsi)))
            row(name, trials)


def cave(seeds: int, data: Path) -> None:
    """Real spectra of things, seen by made-up cameras."""
    folder = data / "spectral_sr" / "cave_half"
    if not folder.is_dir():
        print(f"\nCAVE is left out: the scenes are not at {folder}.")
        return
    scenes = list(_scenes(folder))
    fitted, others = np.concatenate(scenes[::3] + scenes[1::3]), np.concatenate(scenes[2::3])
    for noise in (0.0, NOISE):
        words = f"noise {noise:g}" if noise else "no noise"
        head(f"CAVE, {words}: {len(scenes[::3] + scenes[1::3])} scenes, judged on the {len(scenes[2::3])} others")
        for name, true in responses().items():
            stf = estimate(fitted, noisy(fitted @ true.T, noise, 0), 0)
            row(name, [(stf, judged(stf, true, others))])
        head(f"CAVE, {words}: mean over scenes, each estimated and judged alone")
        for name, true in responses().items():
            alone = [estimate(hsi, noisy(hsi @ true.T, noise, i), i) for i, hsi in enumerate(scenes)]
            row(name, [(stf, judged(stf, true, hsi)) for stf, hsi in zip(alone, scenes)])


def _scenes(folder: Path) -> Iterator[np.ndarray]:
    """Pixels of every scene, evenly spaced, [pixels, 31]."""
    for path in sorted(folder.glob("*.tif")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(path)
        with file:
            cube = file.read().astype(np.float64) / 65535.0
        flat = cube.reshape(len(cube), -1).T
        yield flat[np.linspace(0, len(flat) - 1, PER_SCENE).astype(int)]


def paris(seeds: int, data: Path) -> None:
    """A real pair of satellites."""
    folder = data / "fusion" / "paris_hyperion_ali"
    if not folder.is_dir():
        print(f"\nParis is left out: the pair is not at {folder}.")
        return
    held = scipy.io.loadmat(folder / "paris_data_hs_ms.mat")
    hsi_nm = _centres(data / "srf" / "bandassignment_HYP_Spectral_Responses.mat")[held["non_del_bands"].ravel() - 1]
    msi_nm = _centres(data / "srf" / "bandassignment_ALI_Spectral_Responses.mat")[: held["MSim"].shape[2]]
    tables = table(hsi_nm, len(hsi_nm)), table(msi_nm, len(msi_nm))
    hsi, msi = (
        torch.from_numpy(held[key].astype(np.float32)).permute(2, 0, 1).contiguous() for key in ("HSim", "MSim")
    )
    valid = torch.ones(hsi.shape[1:], dtype=torch.bool)
    sample = PairSample((PairBlock(hsi, valid, msi, valid, Placement(1.0, 1.0)),), *tables, True, (30.0, 30.0))
    relation = register(sample, StfSettings(), CPU)
    pixels = make_pixels(relation.blocks, relation.response, [np.zeros(hsi.shape[1:], dtype=int)])
    left = pixels.col < 0.7 * hsi.shape[2]
    near, far = pixels.chosen(left), pixels.chosen(~left)
    stf = estimate_stf(near.hsi, near.msi, tables, CPU)
    _tell_paris(stf, far.hsi, far.msi, tables, relation.harmony.shift)


def _tell_paris(
    stf: StfEstimate, hsi: np.ndarray, msi: np.ndarray, tables: tuple[BandTable, BandTable], shift: tuple[float, float]
) -> None:
    sensor = load_sensor("eo-1-ali")
    bands = match_bands(sensor, tables[1])
    assert bands is not None and tables[0].wavelength_nm is not None
    kept, _ = covered_bands(sensor, bands, tables[0])
    known = srf_of_sensor(sensor, [bands[i] for i in kept], tables[0])[0].matrix
    found = hsi @ stf.matrix.T + stf.offset
    print(f"\nParis, right 30 % of the columns: PSNR {psnr(found, msi):.1f} dB for values up to 1")
    print(f"effective rank {stf.effective_rank:.1f}, shift {shift[0]:+.2f} rows and {shift[1]:+.2f} columns")
    print(f"{'band':10s}{'unexplained':>13s}{'centre':>9s}{'published':>11s}{'differs by':>12s}")
    for i, name in enumerate(tables[1].names):
        left = np.sqrt(np.mean((found[:, i] - msi[:, i]) ** 2)) / msi[:, i].std()
        centre = stf.estimate.srf.matrix[i] @ tables[0].wavelength_nm
        line = f"{name:10s}{left:13.1%}{centre:9.0f}"
        if i in kept:
            row = known[kept.index(i)]
            apart = np.linalg.norm(stf.estimate.srf.matrix[i] - row) / np.linalg.norm(row)
            line += f"{row @ tables[0].wavelength_nm:11.0f}{apart:12.0%}"
        print(line)


def _centres(path: Path) -> np.ndarray:
    held = scipy.io.loadmat(path)
    curves = held["Spectral_Responses_Matrix"]
    return np.asarray(curves @ held["wavelength_nm"].ravel() / curves.sum(axis=1))


PARTS: dict[str, Callable[[int, Path], None]] = {"simulated": simulated, "cave": cave, "paris": paris}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in options.parts:
        started = time.perf_counter()
        PARTS[part](options.seeds, options.data)
        print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
