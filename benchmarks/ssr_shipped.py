# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the models for drone cameras are that come with the plugin, on ground that they were not made from.

    .venv/bin/python benchmarks/ssr_shipped.py [MODEL ...] [--scenes jasper ...] [--bands]

Each model is judged on real scenes of ../shared whose spectra are known, by the right 30 % of their columns: the
camera is simulated by its table, with noise of 40 dB, and the truth is the scene on the model's bands. Beside it stand
straight lines between the camera's bands, which anybody has, and a ridge regression that learnt from the left 55 % of
the very scene, which a user of the model has not. Peak of PSNR is the brightest 0.1 %; ``within`` is the share of true
values within two stated standard deviations. Berlin has no band below 460 nm: there the blue band of the P4 sees what
the first band shows, and nothing is judged. ``--bands`` adds errors by wavelength. The scenes muufl, beach and emit are
those by which it was chosen what is shipped; they must not be used to say how good it is.
"""

from __future__ import annotations

import argparse
import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from scipy.io import loadmat
from ssr import GAP_PX, HERE, SCENES, SNR_DB, _load_ground, score

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.engine.model_file import load_model
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import srf_of_sensor
from hyperres.core.ssr.contest import estimate, find_peak, fit_simple
from hyperres.core.ssr.method import SpectralSuperResolution
from hyperres.core.ssr.model import SPECTRA, UNCERTAINTY, SsrModel
from hyperres.core.ssr.pairs import TrainingData, TrainingPart
from hyperres.core.ssr.shipped import shipped_model, shipped_sensors

CHOOSING = "muufl", "beach", "emit"
TYPICAL = 0.3
"""Reflectance that the brightest percent of a scene has, within a factor of three."""
EDGE_NM = 8.0
STRETCH_NM = 50
COVERED = 2.0


@dataclass(frozen=True)
class Ground:
    """A scene seen by a camera, cut in two.

    Attributes:
        nm: of the bands whose truth is known.
        bands: their positions among the model's.
        left, right: what a local way may learn from, and what judges.
    """

    nm: tuple[float, ...]
    bands: tuple[int, ...]
    left: TrainingPart
    right: TrainingPart


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=(*SCENES, *CHOOSING))
    parser.add_argument("--bands", action="store_true", help="errors by wavelength as well")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    scenes = {name: load_reflectance(name, options.data) for name in options.scenes}
    for path in options.models or [shipped_model(sensor) for sensor in shipped_sensors()]:
        model = load_model(path, SpectralSuperResolution())
        print(f"\n{path.name}: {model.way.name}, {path.stat().st_size / 1000:.0f} kB")
        for name, (cube, nm) in scenes.items():
            judge(name, model, see(cube, nm, model), options.bands)


def judge(name: str, model: SsrModel, ground: Ground, by_band: bool) -> None:
    """Print how all ways do on one scene."""
    right, bands = ground.right, list(ground.bands)
    peak = find_peak([right])
    made = model.apply(right.msi, right.valid)
    found = {
        "lines between bands": between_bands(right.msi, model.msi_table, ground.nm),
        "model": made[SPECTRA][bands],
        "learnt from the scene": estimate(_local(ground, model.msi_table), right),
    }
    within = (found["model"] - right.hsi).abs() <= COVERED * made[UNCERTAINTY][bands]
    share = 100.0 * float(within[:, right.valid].float().mean())
    for way, spectra in found.items():
        psnr, angle, rmse = score(spectra, right, peak)
        tail = f"  within {share:.0f} %" if way == "model" else ""
        print(f"  {name:<8} {way:<22}{psnr:>7.2f} dB{angle:>7.2f}°{rmse:>9.4f}{tail}", flush=True)
    if by_band:
        print("".join(f"{'':11}{line}\n" for line in _errors_by_band(found, within, ground)), end="")


def _errors_by_band(found: dict[str, torch.Tensor], within: torch.Tensor, ground: Ground) -> list[str]:
    """RMSE of all ways by stretches of wavelength."""
    nm, valid = np.array(ground.nm), ground.right.valid
    lines = []
    for start in range(400, 900, STRETCH_NM):
        inside = np.flatnonzero((nm >= start) & (nm < start + STRETCH_NM))
        if not len(inside):
            continue
        wrong = [float((x - ground.right.hsi)[inside][:, valid].square().mean().sqrt()) for x in found.values()]
        covered = 100.0 * float(within[inside][:, valid].float().mean())
        figures = "".join(f"{value:>9.4f}" for value in wrong)
        lines.append(f"{start}-{start + STRETCH_NM} nm{figures}  within {covered:.0f} %")
    return lines


def load_reflectance(name: str, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance [bands, rows, columns] and wavelengths, ascending; scenes are stored times a power of ten."""
    cube, nm = _load_choosing(name, data) if name in CHOOSING else _load_ground(name, data)
    order = np.argsort(nm)
    power = round(math.log10(np.percentile(cube, 99) / TYPICAL))
    return cube[order] * np.float32(10.0**-power), np.array(nm)[order]


def _load_choosing(name: str, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """One of the scenes for choosing, and its wavelengths in nm."""
    if name == "muufl":
        file = loadmat(data / "fusion/muufl_gatorsense/a_hsi_img_for_VI_demo.mat")
        nm = file["wavelengths"].ravel().astype(float)
        return file["hsi_img"].transpose(2, 0, 1).astype(np.float32), nm * 1000 if nm.max() < 100 else nm
    if name == "beach":
        cube = loadmat(data / "fusion/abu/abu-beach-4.mat")["data"].transpose(2, 0, 1).astype(np.float32)
        return cube, np.linspace(430.0, 860.0, len(cube))  # ROSIS
    path = data / "georeferenced/emit/emit20250324t221005_jpl_unmix_ex"
    listed = re.search(r"wavelength\s*=\s*\{([^}]*)\}", path.with_suffix(".hdr").read_text(encoding="utf-8"))
    assert listed is not None
    with rasterio.open(path) as file:
        return file.read().astype(np.float32), np.array([float(word) for word in listed[1].split(",")])


def see(cube: np.ndarray, nm: np.ndarray, model: SsrModel) -> Ground:
    """What the model's camera sees of a scene, and the scene on the model's bands."""
    seen = nm < 1000
    cube, nm = cube[seen], nm[seen]
    assert model.table.wavelength_nm is not None
    bands = [band for band, x in enumerate(model.table.wavelength_nm) if nm[0] <= x <= nm[-1]]
    known = tuple(model.table.wavelength_nm[band] for band in bands)
    truth = torch.from_numpy(np.einsum("gb,bij->gij", on_bands(nm, known), cube))
    msi = _camera(cube, nm, model.settings.sensor)
    valid = torch.from_numpy(np.abs(cube).sum(axis=0) > 0)
    cuts = [round(share * cube.shape[2]) for share in (0.0, 0.55, 0.7, 1.0)]
    left, right = slice(0, cuts[1] - GAP_PX), slice(cuts[2], cuts[3])
    parts = [TrainingPart(truth[..., place], msi[..., place], valid[:, place]) for place in (left, right)]
    return Ground(known, tuple(bands), *parts)


def on_bands(nm: np.ndarray, wanted: tuple[float, ...], width_nm: float = 10.0) -> np.ndarray:
    """Means over wanted bands of what is straight between others, float32 [wanted, bands]."""
    places = np.array(wanted)[:, None] + width_nm * (np.arange(5) / 5.0 - 0.4)
    return np.stack([np.interp(places, nm, row).mean(axis=1) for row in np.eye(len(nm))], axis=1).astype(np.float32)


def between_bands(msi: torch.Tensor, table: BandTable, wanted: tuple[float, ...]) -> torch.Tensor:
    """Straight lines between the bands of a camera, level beyond them."""
    order = np.argsort(table.wavelength_nm)
    centres = np.array(table.wavelength_nm)[order]
    weights = np.stack([np.interp(wanted, centres, row) for row in np.eye(len(centres))], axis=1)
    return torch.einsum("gb,bij->gij", torch.from_numpy(weights).float(), msi[list(order)])


def _camera(cube: np.ndarray, nm: np.ndarray, sensor_id: str) -> torch.Tensor:
    """What a camera sees, with noise; the scene's first and last band stand for what lies beyond."""
    before = np.arange(nm[0] - EDGE_NM, 400.0, -EDGE_NM)[::-1]
    after = np.arange(nm[-1] + EDGE_NM, 905.0, EDGE_NM)
    cube = np.concatenate([cube[:1].repeat(len(before), axis=0), cube, cube[-1:].repeat(len(after), axis=0)])
    every = tuple(map(float, (*before, *nm, *after)))
    sensor = load_sensor(sensor_id)
    table = BandTable(tuple(f"{x:.0f} nm" for x in every), (True,) * len(every), every)
    response = srf_of_sensor(sensor, range(len(sensor.bands)), table)[0].matrix
    msi = torch.from_numpy(np.einsum("cb,bij->cij", response, cube).astype(np.float32))
    power = msi.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return msi + power * 10 ** (-SNR_DB / 20) * torch.randn(msi.shape, generator=torch.Generator().manual_seed(5))


def _local(ground: Ground, camera: BandTable):
    """A ridge regression of the scene itself."""
    table = BandTable(tuple(f"{x:.0f} nm" for x in ground.nm), (True,) * len(ground.nm), ground.nm)
    nothing = torch.zeros(len(camera), len(table))
    noise = torch.zeros(len(camera))
    data = TrainingData((ground.left,), (ground.right,), table, camera, nothing, nothing, nothing, noise)
    return fit_simple(data, Context(torch.device("cpu")), "ridge")[0][0]


if __name__ == "__main__":
    main()
