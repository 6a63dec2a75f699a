# SPDX-License-Identifier: GPL-3.0-or-later
"""How near Unmix comes to ground truths, for every extraction and model, beside pysptools.

    .venv/bin/python benchmarks/unmix_quality.py [--data DIR] [--seeds 10]

DIR holds ``unmixing/`` with Jasper Ridge (``jasperRidge2_R198_Mei.mat``), DC1 and Sim1 as ``.mat`` files; without
them the benchmark says so. Endmembers are searched blindly but for their number, then paired with the truth by the
Hungarian method on the spectral angle. Spectra are in reflectance as stored (Jasper: divided by its maximum value);
``fcls-l2`` is FCLS with pixels and endmembers scaled to unit length. SAD is the mean spectral angle distance in
degrees, RMSE that of the abundances over all endmembers and pixels. Where there is randomness: median and worst over
the seeds. The row ``py N-FINDR`` is pysptools' own, solved by the same exact models; its releases hold no VCA.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.linalg
import torch
from scipy.io import loadmat

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context, Sample
from hyperres.core.engine.moments import StreamingMoments
from hyperres.core.quality.endmembers import Match, abundance_rmse, match_endmembers
from hyperres.core.unmixing.abundances import make_solver
from hyperres.core.unmixing.count import estimate_count
from hyperres.core.unmixing.extract import extract
from hyperres.core.unmixing.extraction import unit_length
from hyperres.core.unmixing.settings import EXTRACTIONS, UnmixSettings

MODELS = {
    "fcls": UnmixSettings(model="fcls", normalize="none"),
    "fcls-l2": UnmixSettings(model="fcls", normalize="l2"),
    "scaled": UnmixSettings(model="scaled", normalize="none"),
    "nnls": UnmixSettings(model="nnls", normalize="none"),
}
RANDOM = ("archetypal", "vca")


@dataclass(frozen=True)
class Scene:
    """Pixels [pixels, bands], true endmembers [endmembers, bands] and abundances [endmembers, pixels]."""

    name: str
    pixels: np.ndarray
    endmembers: np.ndarray
    abundances: np.ndarray


def main() -> None:
    """Print one table per scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.data / "unmixing"
    if not folder.is_dir():
        print(f"No scenes in {folder}: nothing to judge by. Give their folder with --data.")
        return
    for scene in scenes(folder):
        judge(scene, options.seeds)
    known_library(folder)


def judge(scene: Scene, seeds: int) -> None:
    """Print all extractions and models on one scene."""
    sample = whole_sample(scene.pixels)
    count = len(scene.endmembers)
    found = estimate_count(sample, context(0))
    print(f"\n{scene.name}: {count} materials; automatic count {found.count} ({found.reason})")
    print(f"{'extraction':12} {'seconds':>7} {'SAD median worst':>18}   RMSE median worst: {'   '.join(MODELS)}")
    for extraction in EXTRACTIONS:
        runs = []
        started = time.perf_counter()
        used = range(seeds if extraction in RANDOM else 1)
        for seed in used:
            settings = UnmixSettings(extraction=extraction, normalize="none")
            runs.append(extract(sample, count, settings, context(seed)).numpy())
        print_row(extraction, (time.perf_counter() - started) / len(used), scene, runs)
    for name, runs in peers(scene, seeds).items():
        print_row(name, 0.0, scene, runs)


def print_row(name: str, seconds: float, scene: Scene, runs: list[np.ndarray]) -> None:
    """One extraction: angles, and errors under every model."""
    matches = [match_endmembers(scene.endmembers, run) for run in runs]
    angles = [match.mean_sad_deg for match in matches]
    cells = []
    for settings in MODELS.values():
        errors = [score(scene, run, match, settings) for run, match in zip(runs, matches)]
        cells.append(f"{np.median(errors):.3f} {max(errors):.3f}")
    print(f"{name:13} {seconds:6.1f} {np.median(angles):10.2f} {max(angles):7.2f}   {'   '.join(cells)}", flush=True)


def score(scene: Scene, endmembers: np.ndarray, match: Match, settings: UnmixSettings) -> float:
    """Abundance error of found endmembers under a model."""
    spectra, pixels = torch.from_numpy(endmembers).float(), torch.from_numpy(scene.pixels)
    if settings.normalize == "l2":
        spectra, pixels = unit_length(spectra), unit_length(pixels)
    abundances = make_solver(spectra, settings)(pixels.T.contiguous())
    if settings.model == "scaled":
        abundances = abundances / abundances.sum(dim=0).clamp_min(1e-9)
    return abundance_rmse(scene.abundances, abundances.numpy(), match)


def known_library(folder: Path) -> None:
    """DC1 with its true library of 240 spectra: FCLS and SUnSAL against the exact abundances."""
    prefix = folder / "synthetic" / "SUnCNN_DC1_"
    library = load(f"{prefix}EE.mat").T.astype(np.float32)
    truth = load(f"{prefix}XT.mat").reshape(len(library), -1)
    pixels = load(f"{prefix}Y_clean.mat").reshape(-1, library.shape[1]).astype(np.float32)
    print(f"\nDC1 with its true library of {len(library)} spectra, abundance RMSE over all of them")
    match = Match(tuple(range(len(library))), tuple(range(len(library))), ())
    scene = Scene("DC1", pixels, library, truth)
    for model in ("fcls", "sunsal"):
        started = time.perf_counter()
        error = score(scene, library, match, UnmixSettings(model=model, normalize="none"))
        print(f"{model:12} {time.perf_counter() - started:6.1f} s {error:.5f}", flush=True)


def scenes(folder: Path) -> Iterator[Scene]:
    """Jasper Ridge, DC1 at 30 dB and Sim1."""
    jasper = loadmat(folder / "jasper" / "jasperRidge2_R198_Mei.mat")
    pixels = jasper["Y"].T / float(jasper["maxValue"].ravel()[0])
    yield Scene("Jasper Ridge", as_float32(pixels), jasper["M"].T, jasper["A"])
    prefix = folder / "synthetic" / "SUnCNN_DC1_"
    library, shares = load(f"{prefix}EE.mat").T, load(f"{prefix}XT.mat")
    shares = shares.reshape(len(library), -1)
    active = np.flatnonzero(shares.max(axis=1) > 1e-6)
    clean = load(f"{prefix}Y_clean.mat").reshape(-1, library.shape[1])
    yield Scene("DC1, 30 dB", with_noise(clean, 30.0), library[active], shares[active])
    prefix = folder / "synthetic" / "MiSiCNet_Sim1_"
    true = load(f"{prefix}E.mat").T
    pixels = load(f"{prefix}Y_clean.mat").reshape(-1, true.shape[1])
    yield Scene("Sim1 (no pure pixels)", as_float32(pixels), true, load(f"{prefix}A_true.mat").reshape(-1, len(true)).T)


def load(path: str) -> np.ndarray:
    """The one array of a .mat file."""
    return next(value for name, value in loadmat(path).items() if not name.startswith("__"))


def with_noise(pixels: np.ndarray, snr_db: float) -> np.ndarray:
    """White noise at a signal-to-noise ratio."""
    power = np.mean(np.square(pixels)) / 10 ** (snr_db / 10)
    return as_float32(pixels + np.random.default_rng(0).standard_normal(pixels.shape) * np.sqrt(power))


def as_float32(pixels: np.ndarray) -> np.ndarray:
    """Contiguous float32."""
    return np.ascontiguousarray(pixels, dtype=np.float32)


def whole_sample(pixels: np.ndarray) -> Sample:
    """The sample of an image that is small enough to be drawn whole."""
    drawn = torch.from_numpy(pixels)
    moments = StreamingMoments(pixels.shape[1])
    moments.add(drawn)
    table = BandTable(tuple(map(str, range(pixels.shape[1]))), (True,) * pixels.shape[1])
    return Sample(drawn, drawn, moments.result(), table, len(drawn), len(drawn), complete=True)


def context(seed: int) -> Context:
    """The CPU with a seed."""
    return Context(torch.device("cpu"), seed)


def peers(scene: Scene, seeds: int) -> dict[str, list[np.ndarray]]:
    """Endmembers by pysptools, nothing when it is not installed."""
    try:
        from pysptools.eea import nfindr
    except ImportError:
        print("pysptools is not installed (pip install pysptools matplotlib scikit-learn): no peer to compare with")
        return {}
    # pysptools calls a determinant that SciPy has dropped since; this is the same number.
    scipy.linalg._flinalg = SimpleNamespace(sdet_c=lambda matrix: (np.linalg.det(matrix), 0))
    pixels, count = scene.pixels.astype(float), len(scene.endmembers)
    runs = []
    for seed in range(seeds):
        np.random.seed(seed)
        runs.append(np.asarray(nfindr.NFINDR(pixels, count)[0], dtype=np.float32))
    return {"py N-FINDR": runs}


if __name__ == "__main__":
    main()
