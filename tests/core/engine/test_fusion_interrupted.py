# SPDX-License-Identifier: GPL-3.0-or-later
"""Fusion runs that are killed or cancelled, through the real worker process."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from jobs import run_and_kill

from hyperres.core.engine.client import Listener, run_job
from hyperres.core.engine.job import Job
from hyperres.core.errors import Cancelled

PYTHON = Path(sys.executable)
SIZE, RATIO, BANDS = 960, 4, 24
NM = np.linspace(450, 1000, BANDS)
MSI_NM = (490.0, 560.0, 665.0, 840.0)


def _write(path, cube, pixel, nm):
    profile = {"driver": "GTiff", "dtype": "int16", "nodata": -9999, "crs": "EPSG:32633", "tiled": True}
    place = rasterio.Affine(pixel, 0, 5e5, 0, -pixel, 5e6)
    count, height, width = cube.shape
    shape = {"count": count, "height": height, "width": width, "blockxsize": 128, "blockysize": 128}
    with rasterio.open(path, "w", transform=place, **shape, **profile) as file:
        file.write(np.rint(cube * 10000).astype("int16"))
        for band, wavelength in enumerate(nm, 1):
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pair of many tiles: fields of three materials, seen by both sensors."""
    folder = tmp_path_factory.mktemp("pair")
    random = np.random.default_rng(0)
    shares = np.kron(random.dirichlet(np.full(3, 0.4), (96, 96)).transpose(2, 0, 1), np.ones((1, 10, 10)))
    axis = np.linspace(0, 1, BANDS)
    spectra = np.stack([0.25 + 0.2 * np.sin((2 + 1.3 * k) * axis + 1.1 * k) for k in range(3)])
    truth = np.einsum("kb,kij->bij", spectra, shares)
    blocks = truth.reshape(BANDS, SIZE // RATIO, RATIO, SIZE // RATIO, RATIO).mean(axis=(2, 4))
    _write(folder / "hsi.tif", blocks + 0.001 * random.standard_normal(blocks.shape), 8.0, NM)
    rows = np.exp(-0.5 * ((NM[None] - np.array(MSI_NM)[:, None]) / 40) ** 2)
    fine = np.einsum("cb,bij->cij", rows / rows.sum(axis=1, keepdims=True), truth)
    _write(folder / "msi.tif", fine + 0.002 * random.standard_normal(fine.shape), 2.0, MSI_NM)
    return folder


def _job(folder, method, outputs):
    inputs = {"hsi": str(folder / "hsi.tif"), "msi": str(folder / "msi.tif")}
    files = {role: str(folder / f"{method}_{role}.{ending}") for role, ending in outputs.items()}
    return Job(method, inputs, files, device="cpu", skip_water_vapour=False, memory_mb=8, workers=1)


IMAGES = {"fused": "tif", "uncertainty": "tif"}


def test_a_killed_fusion_goes_on_and_gives_the_bytes_of_an_undisturbed_one(folder):
    job = _job(folder, "fuse", {**IMAGES, "report": "html"})
    seen = []
    run_job(job, PYTHON, Listener(on_progress=lambda percent, step: seen.append((percent, step))))
    tiles = [percent for percent, step in seen if step == "Computing"]
    assert len(tiles) >= 4  # or there would be nothing to go on from
    undisturbed = {role: Path(job.outputs[role]).read_bytes() for role in IMAGES}
    for path in job.outputs.values():
        Path(path).unlink()
    run_and_kill(job, tiles[len(tiles) // 2])
    assert not any(Path(path).exists() for path in job.outputs.values())
    messages = []
    run_job(job, PYTHON, Listener(on_message=messages.append))
    assert any("interrupted run" in text for text in messages)
    assert {role: Path(job.outputs[role]).read_bytes() for role in IMAGES} == undisturbed
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    for path in job.outputs.values():
        Path(path).unlink()


@pytest.mark.parametrize(("method", "phase"), [("fuse", "Computing"), ("spectralift", "Fitting")])
def test_cancelling_ends_within_two_seconds_and_leaves_nothing(folder, method, phase):
    before = sorted(path.name for path in folder.iterdir())
    job = _job(folder, method, {**IMAGES, "model": "safetensors", "report": "html"})
    cancelled_at, reports = [], []

    def on_progress(percent, step):
        if step == phase:
            reports.append(percent)
        if reports and not cancelled_at:
            cancelled_at.append(time.monotonic())

    with pytest.raises(Cancelled):
        run_job(job, PYTHON, Listener(on_progress=on_progress, is_cancelled=lambda: bool(cancelled_at)))
    assert time.monotonic() - cancelled_at[0] < 2.0
    assert sorted(path.name for path in folder.iterdir()) == before
