# SPDX-License-Identifier: GPL-3.0-or-later
"""Real scenes seen by simulated cameras: what is learnt on one side predicts the other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import srf_of_sensor
from hyperres.core.ssr import stf
from hyperres.core.ssr.archive import Scene, from_archive, sensor_table
from hyperres.core.ssr.fitting import fit
from hyperres.core.ssr.overlap import from_pair
from hyperres.core.ssr.settings import SsrSettings

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
JASPER = DATA / "unmixing" / "jasper" / "jasperRidge2_R198_Mei.mat"
WAVELENGTHS = DATA / "unmixing" / "synthetic" / "variability_AVIRIS_wavelengths.mat"
CAMERA = "p4-multispectral"

pytestmark = pytest.mark.skipif(not JASPER.is_file(), reason="needs ../shared/data (Jasper Ridge)")


@pytest.fixture(scope="module")
def jasper():
    from scipy.io import loadmat

    scene, nm = loadmat(JASPER), loadmat(WAVELENGTHS)
    nm = next(value for name, value in nm.items() if not name.startswith("__")).ravel()
    nm = nm[scene["SlectBands"].ravel() - 1].astype(float)
    nm = nm * 1000 if nm.max() < 100 else nm
    cube = scene["Y"].reshape(198, 100, 100, order="F").astype(np.float32) / 5000
    seen = np.nonzero(nm < 900)[0]
    table = BandTable(tuple(f"{x:.0f} nm" for x in nm[seen]), (True,) * len(seen), tuple(nm[seen].tolist()))
    return torch.from_numpy(np.ascontiguousarray(cube[seen])), table


def seen_by(camera, cube, table):
    sensor = load_sensor(camera)
    srf, _ = srf_of_sensor(sensor, range(len(sensor.bands)), table)
    return torch.einsum("cb,bij->cij", torch.from_numpy(srf.matrix), cube), sensor_table(camera)


def test_an_overlap_of_jasper_ridge(jasper, context, monkeypatch):
    monkeypatch.setattr(stf, "RESAMPLES", 2)
    cube, table = jasper
    msi, msi_table = seen_by(CAMERA, cube, table)
    valid = torch.ones(100, 100, dtype=torch.bool)
    sample = PairSample((PairBlock(cube, valid, msi, valid, Placement(1.0, 1.0)),), table, msi_table, True)
    model = fit(from_pair(sample, SsrSettings(), context), SsrSettings(preset="clustered"), context)
    evidence = model.evidence
    assert evidence.held_pixels > 2500
    assert evidence.of("clustered").psnr > 33
    assert evidence.of("clustered").sam < 3
    assert 0.9 < evidence.covered <= 1


def test_an_archive_serves_another_part_of_the_world_worse_but_serves_it(jasper, context):
    """Learnt on the left half of Jasper Ridge with drawn cameras, applied to the right half and the nominal camera."""
    cube, table = jasper
    settings = SsrSettings(mode="archive", preset="ridge", sensor=CAMERA)
    left = Scene(cube[:, :, :50], torch.ones(100, 50, dtype=torch.bool))
    model = fit(from_archive([left], table, None, settings, context), settings, context)
    msi, msi_table = seen_by(CAMERA, cube[:, :, 50:], table)
    found = model.matched(msi_table).apply(msi, torch.ones(100, 50, dtype=torch.bool))["spectra"]
    truth = cube[:, :, 50:]
    psnr = 10 * torch.log10(truth.max().square() / (found - truth).square().mean())
    assert psnr > 27
