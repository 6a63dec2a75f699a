# SPDX-License-Identifier: GPL-3.0-or-later
"""How good and how fast fusion is, by the protocol of HyperBench, beside what the authors' own code reached.

    .venv/bin/python benchmarks/fusion.py [--cases jasper:4:4 ...] [--psfs gaussian ...] [--methods fuse ...]
                                          [--seeds 5] [--scene FILE [--key NAME]] [--data DIR] [--consistency]

A case is scene:ratio:bands. Scenes are ``jasper``, ``pavia``, ``pines`` and ``potsdam`` of the data folder, or ``file``
for the cube given by --scene (.mat or .npy). Every method gets the coarse image, the fine image and the spectral
response, and goes through all that a run goes through: the blur, noise levels and all strengths are found from these
alone, and the truth only scores. Scores are the mean over training seeds, as HyperBench defines them (8-bit PSNR);
"fit" and "apply" are CPU-seconds on one thread. A row in [brackets] is a record of the authors' unmodified code on two
cores, its time that of the whole process, about 10 s of it for imports and metrics. --consistency also prints the
comparison with classical methods, PSNR there as the mean over bands.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from hyperbench import PSFS, Case, consistency_case, honest, load_scene, make_case, score

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.fusion.method import Fuse, FusionMethod, SpectraLift, SpectraMorph
from hyperres.core.fusion.model import FUSED
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.fusion.settings import FusionSettings
from hyperres.core.sensors.srf import Srf

CASES = ("jasper:4:4", "jasper:8:4", "jasper:4:1", "jasper:4:3", "jasper:4:8", "pavia:4:4", "pines:4:4", "potsdam:4:4")
METHODS: dict[str, tuple[FusionMethod, FusionSettings]] = {
    "regression": (Fuse(), FusionSettings(psf="none")),
    "fuse": (Fuse(), FusionSettings()),
    "spectralift": (SpectraLift(), FusionSettings()),
    "spectramorph": (SpectraMorph(), FusionSettings()),
    "spectralift-paper": (SpectraLift(), FusionSettings(mode="paper")),
    "spectramorph-paper": (SpectraMorph(), FusionSettings(mode="paper")),
}
"""``regression`` is what ``fuse`` would be without correction."""
ELSEWHERE = "on 64 x 128 pixels, ours are 64 x 64"
RANDOM = ("spectralift", "spectramorph")
HERE = Path(__file__).resolve().parent
SCORES = ("psnr", "sam", "ssim", "rmse", "ergas", "uiqi")
CLASSICAL = {
    ("jasper", "P1"): {"bicubic": (24.0, 8.40), "GSA": (29.8, 7.46), "CNMF": (33.2, 4.35), "HySure": (33.3, 4.62)},
    ("jasper", "P2"): {"bicubic": (18.8, 11.5), "GSA": (25.0, 8.80), "CNMF": (25.4, 17.5), "HySure": (27.4, 4.87)},
    ("pavia", "P1"): {"bicubic": (31.4, 12.5), "GSA": (42.4, 11.0), "CNMF": (43.9, 10.3), "HySure": (45.5, 10.4)},
    ("pavia", "P2"): {"bicubic": (20.0, 13.1), "GSA": (26.5, 12.4), "CNMF": (22.9, 12.4), "HySure": (28.7, 11.4)},
}
"""PSNR (mean over bands) and SAM of well-kept implementations that were told the PSF."""


def main() -> None:
    """Print one table per question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=list(CASES), help="scene:ratio:bands")
    parser.add_argument("--psfs", nargs="+", default=["gaussian"], choices=[*PSFS, "all"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS)[:4], choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scene", type=Path, help="a cube [rows, columns, bands] in a .mat or .npy file")
    parser.add_argument("--key", help="name of the array in the .mat file")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--consistency", action="store_true", help="compare with classical methods, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    psfs = list(PSFS) if "all" in options.psfs else options.psfs
    _protocol(options, psfs)
    if options.consistency:
        _classical(options)


def _protocol(options: argparse.Namespace, psfs: Sequence[str]) -> None:
    """The table of scores, with the records of each case behind our rows."""
    names = "case", "psf", "method", *SCORES, "fit", "apply", "note"
    print("{:<13}{:<12}{:<29}{:>6}{:>7}{:>8}{:>8}{:>7}{:>8}{:>8}{:>7}  {}".format(*names))
    recorded = _recorded()
    for case_name in options.cases:
        scene, ratio, bands = case_name.split(":")
        cube = _scene(scene, options)
        for psf in psfs:
            case = make_case(cube, int(ratio), int(bands), psf)
            for method in options.methods:
                results = list(_fused(case, method, options.seeds))
                scores = [score(case.truth, np.clip(cube, 0.0, 1.0)) for cube, *_ in results]
                times = [np.mean([result[i] for result in results]) for i in (1, 2)]
                _line(case_name, psf, method, [np.mean([s[n] for s in scores]) for n in SCORES], times, results[0][3])
            for record in recorded:
                if (record["scene"], record["psf"], record["ratio"], record["bands"]) == (scene, psf, ratio, bands):
                    values = [float(record[name]) for name in SCORES]
                    note = ELSEWHERE if scene == "potsdam" else ""
                    _line(case_name, psf, f"[{record['method']}]", values, [float(record["cpu_s"])], note)


def _line(case: str, psf: str, method: str, scores: Sequence[float], times: Sequence[float], note: str) -> None:
    psnr, sam, ssim, rmse, ergas, uiqi = scores
    spent = "".join(f"{seconds:8.2f}" if i == 0 else f"{seconds:7.2f}" for i, seconds in enumerate(times))
    figures = f"{psnr:6.2f}{sam:7.2f}{ssim:8.4f}{rmse:8.4f}{ergas:7.2f}{uiqi:8.4f}"
    print(f"{case:<13}{psf:<12}{method:<29}{figures}{spent}  {note}".rstrip(), flush=True)


def _classical(options: argparse.Namespace) -> None:
    """The cases of the posterior correction's first measurements, beside classical methods."""
    print(f"\n{'case':<13}{'method':<16}{'PSNR':>6}{'SAM':>7}{'fit':>8}   (PSNR: mean over bands; scores unclipped)")
    for (scene, which), others in CLASSICAL.items():
        case = consistency_case(load_scene(scene, options.data), which, clipped=(scene, which) != ("pavia", "P1"))
        name = f"{scene} {which}"
        for method, (psnr, sam) in others.items():
            print(f"{name:<13}{f'[{method}]':<16}{psnr:6.1f}{sam:7.2f}")
        for method in options.methods:
            results = list(_fused(case, method, options.seeds))
            scores = [honest(case.truth, cube, case.ratio) for cube, *_ in results]
            psnr, sam = (np.mean([s[n] for s in scores]) for n in ("psnr_bands", "sam"))
            print(f"{name:<13}{method:<16}{psnr:6.1f}{sam:7.2f}{np.mean([r[1] for r in results]):8.2f}", flush=True)
    print(
        "The record of jasper P1 is on another scale of reflectance than this case: bicubic interpolation scores 21.8\n"
        "here. Compare the gain over it there, not the figures."
    )


def _fused(case: Case, method: str, seeds: int) -> Iterator[tuple[np.ndarray, float, float, str]]:
    """Fused cube [C, H, W], CPU-seconds of fitting and applying, and what was done, for each seed."""
    implementation, settings = METHODS[method]
    sample, srf = _pair(case)
    block = sample.blocks[0]
    everything = tuple(slice(0, size) for size in block.fine_shape)
    for seed in range(seeds if method.startswith(RANDOM) else 1):
        start = time.process_time()
        model = implementation.fit(sample, settings, srf, Context(torch.device("cpu"), seed=seed))
        fitted = time.process_time()
        with torch.inference_mode():
            cube = model.prepared((FUSED,)).apply(block, everything)[0][FUSED].numpy()  # type: ignore[arg-type]
        note = "" if "is corrected" in model.evidence.correction_note else "not corrected"
        yield cube, fitted - start, time.process_time() - fitted, note


def _pair(case: Case) -> tuple[PairSample, Srf]:
    """The case as a run would read it, without wavelengths: HyperBench's are invented."""
    hsi, msi = torch.from_numpy(case.hsi), torch.from_numpy(case.msi)
    (rows, cols), (height, width) = hsi.shape[1:], msi.shape[1:]
    placement = Placement(height / rows, width / cols)
    everywhere = [torch.ones(*image.shape[1:], dtype=torch.bool) for image in (hsi, msi)]
    block = PairBlock(hsi, everywhere[0], msi, everywhere[1], placement)
    sample = PairSample((block,), _table(len(hsi)), _table(len(msi)), complete=True)
    return sample, Srf(case.srf, sample.msi_table.names, "HyperBench")


def _table(bands: int) -> BandTable:
    return BandTable(tuple(f"band {i + 1}" for i in range(bands)), (True,) * bands)


def _scene(name: str, options: argparse.Namespace) -> np.ndarray:
    if name != "file":
        return load_scene(name, options.data)
    if options.scene is None:
        raise SystemExit("Say with --scene which file the cases of the scene 'file' are made of.")
    return load_scene(str(options.scene), options.data, options.key)


def _recorded() -> list[dict[str, Any]]:
    with (HERE / "fusion_recorded.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main()
