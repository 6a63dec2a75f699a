# SPDX-License-Identifier: GPL-3.0-or-later
"""Fusion as a link of something larger: models, batches, a shell."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import processing
import pytest
from helpers import ENGINE, ROOT, read_raster, run_batch
from modelling import From, draw, run_saved
from osgeo import gdal
from pairs import NM, response_text
from qgis.core import QgsProcessingContext, QgsProcessingFeedback

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    """The true response as a file."""
    path = tmp_path_factory.mktemp("response") / "response.csv"
    path.write_text(response_text(), encoding="utf-8")
    return str(path)


def test_simulate_fuse_assess(provider, pair, table, tmp_path):
    """How good would a fusion be on this kind of scene: three steps, one model."""
    steps = {
        "simulate": (
            "hyperres:simulate",
            {"INPUT": From("scene"), "RATIO": 4, "SRF": table, "SENSOR": "none", "HSI_SNR": 40, "MSI_SNR": 40},
        ),
        "fuse": (
            "hyperres:fuse",
            {"HSI": ("simulate", "OUTPUT_COARSE"), "MSI": ("simulate", "OUTPUT_MSI"), "SRF": table},
        ),
        "assess": ("hyperres:assess", {"INPUT": ("fuse", "OUTPUT"), "REFERENCE": From("scene"), "RATIO": 4}),
    }
    wanted = [("simulate", "OUTPUT_COARSE"), ("simulate", "OUTPUT_MSI"), ("fuse", "OUTPUT")]
    wanted += [("assess", "REPORT"), ("assess", "RESULT")]
    names = ("coarse.tif", "msi.tif", "fused.tif", "report.html", "result.json")
    targets = {output: tmp_path / name for (_, output), name in zip(wanted, names)}
    run_saved(draw(["scene"], steps, wanted), tmp_path, {"scene": pair.truth}, targets)
    numbers = json.loads(targets["RESULT"].read_text(encoding="utf-8"))["numbers"]
    made, truth = read_raster(targets["OUTPUT"]), read_raster(pair.truth) / 1e4
    assert numbers["rmse"] == pytest.approx(np.sqrt(np.mean((made - truth) ** 2)), rel=0.02)
    assert numbers["psnr"] > 35
    assert numbers["sam"] < 3
    assert read_raster(targets["OUTPUT_COARSE"]).shape == (len(NM), 24, 24)
    assert read_raster(targets["OUTPUT_MSI"]).shape == (4, 96, 96)


def test_fuse_then_unmix(provider, pair, table, tmp_path):
    """Abundances in the pixels of the fine image, from the spectra of the coarse one."""
    steps = {
        "fuse": ("hyperres:fuse", {"HSI": From("coarse"), "MSI": From("fine"), "SRF": table}),
        "unmix": ("hyperres:unmix", {"INPUT": ("fuse", "OUTPUT"), "COUNT": 4}),
    }
    model = draw(["coarse", "fine"], steps, [("unmix", "OUTPUT")])
    targets = {"OUTPUT": tmp_path / "abundances.tif"}
    run_saved(model, tmp_path, {"coarse": pair.hsi, "fine": pair.msi}, targets)
    shares = read_raster(targets["OUTPUT"])
    assert shares.shape == (4, 96, 96)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-3)


def test_a_batch_of_tiles_with_one_model(provider, pair, table, real_iface, qgis_app, tmp_path, shots):
    """Fitted once on the whole, applied to each tile from the batch dialog."""
    model, whole = str(tmp_path / "model.safetensors"), str(tmp_path / "whole.tif")
    values = {"HSI": pair.hsi, "MSI": pair.msi, "SRF": table, "OUTPUT": whole, "OUTPUT_MODEL": model}
    processing.run("hyperres:fuse", values)
    tiles = [tmp_path / f"tile{i}.tif" for i in range(2)]
    for i, tile in enumerate(tiles):
        gdal.Translate(str(tile), pair.msi, srcWin=[0, 48 * i, 96, 48])
    rows = {tile.stem: {"HSI": pair.hsi, "MSI": str(tile), "MODEL": model} for tile in tiles}
    found = run_batch(provider.algorithm("fuse"), rows, tmp_path, qgis_app, shots / "batch_fuse.png")
    made, expected = np.concatenate(list(found.values()), axis=1), read_raster(whole)
    away = np.r_[0:40, 56:96]  # rows away from the cut, where each tile lacks its neighbours
    np.testing.assert_allclose(made[:, away], expected[:, away], atol=3e-3)


def test_from_a_shell(pair, table, tmp_path):
    out, log = tmp_path / "out.tif", tmp_path / "log.txt"
    with open(log, "w") as stream:
        values = [f"HSI={pair.hsi}", f"MSI={pair.msi}", f"SRF={table}", "OUTPUT_BANDS=2", "OUTPUT_BANDS=5"]
        done = subprocess.run(
            [str(ROOT / "dev" / "qgis_process"), "run", "hyperres:fuse", "--", *values, f"OUTPUT={out}"],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "HYPERRES_PYTHON": str(ENGINE)},
            timeout=120,
        )
    assert done.returncode == 0, log.read_text()
    assert read_raster(out).shape == (2, 96, 96)


@pytest.mark.parametrize("percent", [1, 30])
def test_cancel_ends_soon_and_leaves_nothing(provider, pair, tmp_path, percent):
    import time

    feedback, asked = QgsProcessingFeedback(), []

    def cancel(value):
        if value >= percent and not asked:
            asked.append(time.monotonic())
            feedback.cancel()

    feedback.progressChanged.connect(cancel)
    values = {"HSI": pair.hsi, "MSI": pair.msi, "OUTPUT": str(tmp_path / "out.tif")}
    made, fine = provider.algorithm("spectralift").create().run(values, QgsProcessingContext(), feedback)
    ended = time.monotonic()
    assert asked, "the run was too quick to be cancelled"
    assert fine
    assert made == {}
    assert ended - asked[0] < 2.0
    assert list(tmp_path.iterdir()) == []
