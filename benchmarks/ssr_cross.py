# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to apply a model to another camera than the one that it was trained for.

    .venv/bin/python benchmarks/ssr_cross.py [--cases cave jasper ...] [--presets clustered network] [--steps 1500]

Scenes, parts and noise are those of ``ssr.py``. A model is trained for one camera and applied to the part that judges,
as that camera sees it and as another one does, of which the model is told centres and widths of the bands only. The
last columns: the loss in decibels against the camera it was trained for, what the model itself expects, and the loss of
a model that was trained for the other camera, which shows how much of the loss is the camera's (networks train for
minutes and go without).
"""

from __future__ import annotations

import argparse
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import rasterio
import ssr
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.ssr.archive import sensor_table
from hyperres.core.ssr.camera_change import change_camera
from hyperres.core.ssr.fitting import fit
from hyperres.core.ssr.model import SPECTRA, SsrModel
from hyperres.core.ssr.pairs import TrainingData, TrainingPart
from hyperres.core.ssr.scene import SceneTile
from hyperres.core.ssr.settings import SsrSettings

LANDSAT_NM = (450.0, 515.0), (525.0, 605.0), (630.0, 690.0)
P4M, REDEDGE, SENTINEL = "p4-multispectral", "rededge-mx", "sentinel-2a"
CHANGES = (P4M, REDEDGE), (REDEDGE, P4M), (SENTINEL, P4M)
CAVE, GROUND = "cave", ("jasper", "potsdam")
QUIET = Context(ssr.CPU, on_warning=lambda sentence: None)


@dataclass(frozen=True)
class Change:
    """From one camera to another.

    Attributes:
        title: of the row.
        trained, other: the same ground for both; the network is trained on the first.
        table: bands of the other camera.
    """

    title: str
    trained: ssr.Case
    other: ssr.Case
    table: BandTable


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=[CAVE, *GROUND], choices=(CAVE, *GROUND))
    parser.add_argument("--presets", nargs="+", default=["ridge", "clustered"])
    parser.add_argument("--steps", type=int, default=1500, help="of networks")
    parser.add_argument("--data", type=Path, default=ssr.HERE.parents[1] / "shared" / "data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    print(f"{'trained for -> applied to':<44}{'own camera':>14}{'other camera':>15}{'loss':>7}{'said':>7}{'native':>8}")
    for case in options.cases:
        for change in [cave(options.data)] if case == CAVE else ground(case, options.data):
            for preset in options.presets:
                row(change, SsrSettings(preset=preset, steps=options.steps if preset == "network" else None))


def row(change: Change, settings: SsrSettings) -> None:
    """Train for both cameras, change, and print how it goes."""
    trained = fit(_unscaled(change.trained.data), settings, QUIET)
    changed = change_camera(trained, change.table, QUIET)
    own = score(trained, change.trained)
    other = score(changed, change.other)
    said = -(changed.evidence.change_db or 0.0)
    native = math.nan
    if settings.preset != "network":
        native = own[0] - score(fit(_unscaled(change.other.data), settings, QUIET), change.other)[0]
    print(
        f"{change.title + ', ' + settings.preset:<44}{own[0]:>7.2f}{own[1]:>6.2f}°{other[0]:>8.2f}{other[1]:>6.2f}°"
        f"{own[0] - other[0]:>7.2f}{said:>7.2f}{native:>8.2f}",
        flush=True,
    )


def _unscaled(data: TrainingData) -> TrainingData:
    """With the scales that images have which are simulated."""
    ones = torch.ones(len(data.msi_table))
    return replace(data, gain=ones, offset=0.0 * ones, ceiling=torch.full_like(ones, torch.inf))


def score(model: SsrModel, case: ssr.Case) -> tuple[float, float]:
    """PSNR and spectral angle, means over the images that judge."""
    scores = [ssr.score(spectra(model, part), part, case.peak)[:2] for part in case.judging]
    return tuple(sum(values) / len(scores) for values in zip(*scores))  # type: ignore[return-value]


def spectra(model: SsrModel, part: TrainingPart) -> torch.Tensor:
    """What a model makes of a part, as of a new scene."""
    tiles = [SceneTile(part.msi, part.valid)]
    model = model.scene(lambda: tiles) if model.needs_scene else model
    return model.apply(part.msi, part.valid)[SPECTRA]


def cave(data: Path) -> Change:
    """Nikon D700 to the boxes of Landsat-7, without noise."""
    case = ssr.cave(data)
    nm = torch.tensor(case.data.hsi_table.wavelength_nm)
    edges = torch.tensor(LANDSAT_NM)
    # the share of each 10 nm band that lies within a box
    shares = torch.minimum(nm + 5, edges[:, 1:]) - torch.maximum(nm - 5, edges[:, :1])
    response = shares.clamp_min(0.0) / shares.clamp_min(0.0).sum(dim=1, keepdim=True)
    centres, widths = edges.mean(dim=1).tolist(), (edges[:, 1] - edges[:, 0]).tolist()
    table = BandTable(("Blue", "Green", "Red"), (True,) * 3, tuple(centres), tuple(widths))
    parts = [_seen(parts, response) for parts in (case.data.train, case.data.held, case.judging)]
    other = ssr._case(*parts, (case.data.hsi_table, table), response, case.peak)
    return Change("CAVE, Nikon -> Landsat-7", case, other, table)


def _seen(parts: Sequence[TrainingPart], response: torch.Tensor) -> list[TrainingPart]:
    return [replace(part, msi=torch.einsum("cb,bij->cij", response, part.hsi)) for part in parts]


def ground(scene: str, data: Path) -> list[Change]:
    """Real scenes and pairs of cameras simulated on them."""
    changes = []
    for trained, other in CHANGES:
        cases = [ssr.ground(scene, sensor, data) for sensor in (trained, other)]
        covered = cases[1].data.msi_table.wavelength_nm or ()
        bands = [i for i, band in enumerate(load_sensor(other).bands) if band.centre_nm in covered]
        changes.append(Change(f"{scene}, {trained} -> {other}", *cases, sensor_table(other, bands)))
    return changes


if __name__ == "__main__":
    main()
