# SPDX-License-Identifier: GPL-3.0-or-later
"""Fully constrained unmixing, computation alone: pixels per CPU-second of ours and of its peers, in the same run.

    python benchmarks/unmix_speed.py

162 bands and 6 endmembers, float32, one thread each unless said otherwise; peers that are not installed are named so
(``pip install pysptools matplotlib cvxopt spams-bin``). All are judged by processor time, best of several runs on the
same pixels; SPAMS in float64, which is by far its faster precision.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io
import torch
from scipy.optimize import nnls

from hyperres.core.unmixing.active_set import ActiveSetSolver, rmse

JASPER = Path(__file__).resolve().parents[2] / "shared/data/unmixing/jasper/jasperRidge2_R198_Mei.mat"
BANDS, COUNT, PIXELS = 162, 6, 500_000
SCIPY_PIXELS, SPAMS_PIXELS, PYSPTOOLS_PIXELS = 10_000, 100_000, 1_000
Scene = tuple[np.ndarray, np.ndarray]


def mixtures() -> Scene:
    """Smooth spectra, mixtures of two to four of them, and noise of 0.01."""
    rng = np.random.default_rng(0)
    x, i = np.linspace(0, 1, BANDS), np.arange(COUNT)[:, None]
    endmembers = 0.3 + 0.2 * np.sin((3 + i) * x + 1.7 * i) + 0.1 * np.exp(-(((x - 0.1 - 0.15 * i) / 0.05) ** 2))
    shares = rng.exponential(size=(COUNT, PIXELS)).astype(np.float32)
    shares[rng.random((COUNT, PIXELS)).argsort(0) >= rng.integers(2, 5, PIXELS)] = 0
    shares /= shares.sum(0)
    endmembers = endmembers.astype(np.float32)
    return endmembers, endmembers.T @ shares + rng.normal(0, 0.01, (BANDS, PIXELS)).astype(np.float32)


def jasper() -> Scene:
    """Jasper Ridge repeated, with six of its own pixels as endmembers (successive projections)."""
    pixels = scipy.io.loadmat(str(JASPER))["Y"][:BANDS].astype(np.float32) / 5000
    rest, chosen = pixels.astype(np.float64), []
    for _ in range(COUNT):
        chosen.append(int((rest**2).sum(0).argmax()))
        axis = rest[:, chosen[-1]] / np.linalg.norm(rest[:, chosen[-1]])
        rest = rest - np.outer(axis, axis @ rest)
    return pixels[:, chosen].T.copy(), np.tile(pixels, PIXELS // pixels.shape[1])


def scipy_fcls(endmembers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """One call a pixel; the sum is exact (least distance programming: Lawson & Hanson, chapter 23)."""
    basis, corners = np.linalg.qr(endmembers.T.astype(np.float64))
    system, aim = np.ones((COUNT + 1, COUNT)), np.append(np.zeros(COUNT), 1.0)
    found = np.empty((COUNT, pixels.shape[1]))
    for i, z in enumerate((basis.T @ pixels).T):
        system[:COUNT] = corners - z[:, None]
        x, _ = nnls(system, aim)
        found[:, i] = x / x.sum()
    return found


def scipy_nnls(endmembers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """One call a pixel, without the sum."""
    columns = endmembers.T.astype(np.float64)
    return np.stack([nnls(columns, y)[0] for y in pixels.T.astype(np.float64)], 1)


def cpu_seconds(work: Callable[[], object], runs: int) -> float:
    """Processor time of the best run."""
    best = np.inf
    for _ in range(runs):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def two_threads(solver: ActiveSetSolver, pixels: torch.Tensor) -> tuple[float, float]:
    """How many times faster two threads are than one, in wall time and (what two should not change) processor time."""
    halves = [half.contiguous() for half in pixels.chunk(2, dim=1)]

    def solve(half: torch.Tensor) -> None:
        torch.set_num_threads(1)
        for _ in range(3):
            solver.solve(half)

    def seconds(parts: list[torch.Tensor]) -> np.ndarray:
        threads = [threading.Thread(target=solve, args=(part,)) for part in parts]
        start = np.array([time.perf_counter(), time.process_time()])
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return np.array([time.perf_counter(), time.process_time()]) - start

    runs = np.array([(seconds(halves[:1]), seconds(halves)) for _ in range(8)])
    one, two = runs.min(0)
    return tuple(2 * one / two)


def peers(endmembers: np.ndarray, pixels: np.ndarray) -> dict[str, float | None]:
    """Pixels per CPU-second of each peer, None where it is not installed."""

    def rate(work: Callable[[np.ndarray], object], count: int, runs: int = 3) -> float:
        part = pixels[:, :count]
        return count / cpu_seconds(lambda: work(part), runs)

    rates: dict[str, float | None] = {
        "SciPy nnls loop, same problem": rate(lambda part: scipy_fcls(endmembers, part), SCIPY_PIXELS),
        "SciPy nnls loop, no sum": rate(lambda part: scipy_nnls(endmembers, part), SCIPY_PIXELS),
        "SPAMS decompSimplex": None,
        "pysptools FCLS": None,
    }
    try:
        import spams

        dictionary = np.asfortranarray(endmembers.T, dtype=np.float64)
        batch = np.asfortranarray(pixels[:, :SPAMS_PIXELS], dtype=np.float64)
        seconds = cpu_seconds(lambda: spams.decompSimplex(batch, dictionary, computeXtX=True, numThreads=1), 3)
        rates["SPAMS decompSimplex"] = SPAMS_PIXELS / seconds
    except ImportError:
        pass
    try:
        from pysptools.abundance_maps.amaps import FCLS

        rates["pysptools FCLS"] = rate(lambda part: FCLS(part.T, endmembers), PYSPTOOLS_PIXELS, 2)
    except ImportError:
        pass
    return rates


def compare(title: str, scene: Scene) -> None:
    """Print the table of one scene."""
    endmembers, pixels = scene
    e, y = map(torch.from_numpy, scene)
    solver = ActiveSetSolver(e, sum_to_one=True)
    abundances = solver.solve(y)
    ours = PIXELS / cpu_seconds(lambda: solver.solve(y), 5)
    wall, processor = two_threads(solver, y)
    active = (abundances > 1e-6).sum(0).float().mean()
    exact = scipy_fcls(endmembers, pixels[:, :SCIPY_PIXELS])
    gap = np.abs(abundances[:, :SCIPY_PIXELS].numpy() - exact).max()
    print(f"\n{title}: {active:.1f} endmembers active on average; largest difference from SciPy {gap:.1e}")
    print(f"{'':34}{'pixels / CPU-second':>20}{'ours is faster by':>20}")
    print(f"{'HyperRes FCLS':34}{ours:20,.0f}")
    print(f"{'HyperRes reconstruction error':34}{PIXELS / cpu_seconds(lambda: rmse(e, y, abundances), 3):20,.0f}")
    for name, rate in peers(endmembers, pixels).items():
        print(f"{name:34}" + (f"{'not installed':>20}" if rate is None else f"{rate:20,.0f}{ours / rate:19,.0f}x"))
    print(f"two threads on {os.cpu_count()} cores: {wall:.2f} times one's pixels per wall second,", end=" ")
    print(f"{processor:.2f} times its pixels per CPU-second")


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    compare("Simulated mixtures", mixtures())
    if JASPER.exists():
        compare("Jasper Ridge", jasper())
    else:
        print("\nJasper Ridge: not here (../shared/data)")


if __name__ == "__main__":
    main()
