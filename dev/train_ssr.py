# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the models that spectral super-resolution ships, from a spectral library alone: no image is read.

The library is that of the US Geological Survey of 1995 (Clark and others 1993, USGS Open-File Report 93-592), as a
MATLAB file of its 224 AVIRIS bands (``datalib``, ``names``) or as any table of spectra with the same names. ``GROUPS``
says what of it a drone sees, and how often: of its 498 spectra only 17 are of plants, so that they are repeated. Water,
which it lacks, is computed. The job of 'Train spectral super-resolution' does the rest.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.io import loadmat

from hyperres.core.engine.job import Job
from hyperres.core.engine.protocol import MESSAGE, WARNING, Reporter
from hyperres.core.engine.run import run
from hyperres.core.raster.spectra_files import read_spectra, write_csv
from hyperres.core.spectra import Spectra
from hyperres.core.ssr.settings import PRESETS
from hyperres.core.ssr.shipped import FOLDER

SENSORS = "p4-multispectral", "rededge-mx"
PRESET = "ridge"
SEED = 1
RANGE_NM = 380.0, 1000.0
JUDGES, FIRST_JUDGE = 4, 3
"""One spectrum in so many, counted from here, is only met by what judges; that is how the training divides them."""


@dataclass(frozen=True)
class Group:
    """Materials that are alike: how many spectra to draw, and with what their names in the library begin."""

    count: int
    names: tuple[str, ...]


GROUPS = {
    "green plants": Group(
        80,
        (
            *("Aspen_Leaf", "Blackbrush", "Blue_Spruce", "Fir_Tree", "Juniper_Bush", "Lawn_Grass", "Maple_Leaves"),
            *("Pinon_Pine", "Rabbitbrush", "Russian_Olive", "Sage_Brush", "Saltbrush", "Walnut_Leaf"),
        ),
    ),
    "dry plants": Group(80, ("Cheatgrass", "Dry_Long_Grass", "Tumbleweed")),
    "minerals of soil, sand, stone and concrete": Group(
        96,
        (
            *("Albite", "Andesine", "Anorthite", "Calcite", "Chert", "Chlorite", "Dolomite", "Gypsum", "Halloysite"),
            *("Illite", "Kaolin", "Labradorite", "Microcline", "Montmorillonite", "Muscovite", "Oligoclase", "Opal"),
            *("Orthoclase", "Quartz", "Sanidine", "Vermiculite"),
        ),
    ),
    "iron oxides of red soil, brick and tile": Group(
        16,
        (
            *("Desert_Varnish", "Ferrihydrite", "Goethite", "Hematite", "Jarosite", "Lepidocrosite", "Limonite"),
            "Maghemite",
        ),
    ),
    "dark stone, humus and asphalt": Group(
        32,
        ("Augite", "Biotite", "Carbon_Black", "Hornblende", "Ilmenite", "Kerogen", "Magnetite", "Psilomelane"),
    ),
}
WATER = "water"
WATERS = 32

PURE_WATER_NM = (
    *(380, 400, 420, 440, 460, 480, 500, 520, 540, 560, 580, 600, 620, 640, 660, 680, 700, 720),
    *(740, 760, 780, 800, 820, 840, 860, 880, 900, 950, 1000),
)
PURE_WATER = (
    *(0.011, 0.0066, 0.0045, 0.0064, 0.0098, 0.0127, 0.0204, 0.0409, 0.0474, 0.0619, 0.0896, 0.222, 0.276),
    *(0.311, 0.410, 0.465, 0.624, 1.23, 2.4, 2.6, 2.4, 2.1, 2.5, 3.9, 4.6, 5.6, 6.8, 30.0, 40.0),
)
"""Absorption of pure water, 1/m, rounded: Pope & Fry 1997, beyond 720 nm Palmer & Williams 1974."""


class Telling(Reporter):
    """Prints sentences instead of events."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def _send(self, kind: str, **content: Any) -> None:
        if kind in (MESSAGE, WARNING):
            print(content["text"], flush=True)


def main() -> None:
    """Choose spectra, train, write."""
    parser = argparse.ArgumentParser(prog="dev/train_ssr", description=__doc__)
    parser.add_argument("library", type=Path, help="USGS_1995_Library.mat, or a table of spectra with its names")
    parser.add_argument("--sensors", nargs="+", default=SENSORS, help="cameras (%(default)s)")
    parser.add_argument("--preset", default=PRESET, choices=PRESETS, help="way that is shipped (%(default)s)")
    parser.add_argument("--steps", type=int, help="of a network")
    parser.add_argument("--seed", type=int, default=SEED, help="%(default)s")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to; the shipped one by default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="hyperres-ssr-") as folder:
        table = Path(folder) / "library.csv"
        write_csv(table, make_table(read_library(options.library), options.seed))
        for sensor in options.sensors:
            target = options.output / f"ssr_{sensor}.safetensors"
            settings = {"mode": "library", "sensor": sensor, "preset": options.preset, "steps": options.steps}
            job = Job("trainssr", {}, {"model": str(target)}, settings, {"library": str(table)}, seed=options.seed)
            result = run(job, Telling(), lambda: False)
            print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB, {dict(result.numbers)}")


def read_library(path: Path) -> Spectra:
    """Spectra of the visible and near infrared, without those that miss values there."""
    if path.suffix == ".mat":
        file = loadmat(path)
        names = [bytes(row.tolist()).decode("latin-1").strip() for row in file["names"]][3:]
        nm, values = 1000.0 * file["datalib"][:, 0], file["datalib"][:, 3:].T
    else:
        spectra = read_spectra(path)[0]
        assert spectra.wavelength_nm is not None
        names, nm, values = list(spectra.names), np.array(spectra.wavelength_nm), np.array(spectra.values)
    seen = np.argsort(nm)
    seen = seen[(nm[seen] >= RANGE_NM[0]) & (nm[seen] <= RANGE_NM[1])]
    kept = [i for i, row in enumerate(values[:, seen]) if (row > 0).all() and (row < 1.2).all()]
    rows = tuple(tuple(map(float, values[i, seen])) for i in kept)
    return Spectra(tuple(names[i] for i in kept), rows, tuple(map(float, nm[seen])))


def make_table(library: Spectra, seed: int) -> Spectra:
    """The spectra to learn from, every fourth of materials that are only met by what judges."""
    random = np.random.default_rng(seed)
    learnt: list[tuple[str, np.ndarray]] = []
    judging: list[tuple[str, np.ndarray]] = []
    for title, group in GROUPS.items():
        _share_out(title, group.count, _draw_of(library, group, random), learnt, judging)
        print(f"{title}: {group.count} times one of {len(_members(library, group))}")
    nm = np.array(library.wavelength_nm)
    _share_out(WATER, WATERS, lambda judge: water(nm, random), learnt, judging)
    print(f"{WATER}: {WATERS}, computed")
    for rows in (learnt, judging):
        random.shuffle(rows)  # type: ignore[arg-type]
    rows = list(_interleaved(learnt, judging))
    values = tuple(tuple(map(float, row)) for _, row in rows)
    return Spectra(tuple(name for name, _ in rows), values, library.wavelength_nm)


def _share_out(
    title: str,
    count: int,
    draw: Callable[[bool], np.ndarray],
    learnt: list[tuple[str, np.ndarray]],
    judging: list[tuple[str, np.ndarray]],
) -> None:
    for number in range(count):
        judges = number % JUDGES == FIRST_JUDGE
        (judging if judges else learnt).append((f"{title} {number + 1}", draw(judges)))


def _draw_of(library: Spectra, group: Group, random: np.random.Generator) -> Callable[[bool], np.ndarray]:
    """Draws a spectrum of a group, of one part of its materials or of the other."""
    members = _members(library, group)
    aside = members[FIRST_JUDGE::JUDGES] or members[-1:]
    others = [member for member in members if member not in aside]
    return lambda judges: np.array(library.values[random.choice(aside if judges else others)])


def _members(library: Spectra, group: Group) -> list[int]:
    return [i for i, name in enumerate(library.names) if name.startswith(group.names)]


def _interleaved(
    learnt: Sequence[tuple[str, np.ndarray]], judging: Sequence[tuple[str, np.ndarray]]
) -> Iterator[tuple[str, np.ndarray]]:
    """In the order by which the training divides a library."""
    first, second = iter(learnt), iter(judging)
    for place in range(len(learnt) + len(judging)):
        yield next(second if place % JUDGES == FIRST_JUDGE else first)


def water(nm: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Reflectance of deep water with drawn contents.

    Absorption a and backscattering b of water, dissolved matter, algae and silt, u = b / (a + b), below the surface
    0.0949 u + 0.0794 u^2 (Gordon and others 1988), above it as in Lee and others 2002, and some glint of the sky.
    """
    silt, algae = 10.0 ** random.uniform(-1.0, 1.7), 10.0 ** random.uniform(-0.5, 1.7)  # g / m^3, mg / m^3
    dissolved = 10.0 ** random.uniform(-1.5, 0.5)  # 1 / m at 440 nm
    pigment = np.exp(-0.5 * ((nm - 440) / 40) ** 2) + 0.6 * np.exp(-0.5 * ((nm - 675) / 12) ** 2)
    absorption = np.interp(nm, PURE_WATER_NM, PURE_WATER) + dissolved * np.exp(-0.014 * (nm - 440))
    absorption += 0.02 * algae * pigment + 0.03 * silt * np.exp(-0.011 * (nm - 440))
    scattering = 0.001 * (550 / nm) ** 4.32 + 0.0125 * silt * (550 / nm) ** random.uniform(0.0, 1.0)
    u = scattering / (absorption + scattering)
    below = 0.0949 * u + 0.0794 * u**2
    return math.pi * 0.52 * below / (1.0 - 1.7 * below) + random.uniform(0.001, 0.03)


if __name__ == "__main__":
    main()
