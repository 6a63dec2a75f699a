# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample scene on disk is what was simulated, as rasterio reads it."""

from __future__ import annotations

import numpy as np
import pytest

from hyperres.core.raster.demo_scene import NODATA, main
from hyperres.core.raster.spectra_files import read_spectra
from hyperres.core.simulation.scene import simulate_scene

rasterio = pytest.importorskip("rasterio")


def test_the_files_hold_the_scene_and_its_truth(tmp_path):
    assert main([str(tmp_path / "scene.tif"), "--size", "64", "--seed", "4"]) == 0
    scene = simulate_scene(64, 64, seed=4)
    good = np.array(scene.table.good)
    with rasterio.open(tmp_path / "scene.tif") as image:
        stored = image.read()
        assert image.dtypes[0] == "int16" and set(image.nodatavals) == {NODATA}
        assert image.crs.to_epsg() == 32633 and image.res == (4.0, 4.0)
        assert (stored[:, ~scene.valid] == NODATA).all()
        np.testing.assert_allclose(
            stored[good][:, scene.valid] / 10_000, scene.cube[good][:, scene.valid], atol=0.51e-4
        )
    with rasterio.open(tmp_path / "scene_abundances.tif") as truth:
        assert truth.descriptions == scene.endmembers.names
        np.testing.assert_array_equal(truth.read()[:, scene.valid], scene.abundances[:, scene.valid])
    spectra, _ = read_spectra(tmp_path / "scene_endmembers.csv")
    assert spectra.names == scene.endmembers.names
    np.testing.assert_allclose(spectra.values, scene.endmembers.values, atol=1e-6)


@pytest.mark.parametrize("arguments", [["scene.tif", "--size", "3"], ["no/such/folder/scene.tif"], ["scene.docx"]])
def test_bad_requests_are_refused_in_words(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.endswith(".\n") and "Traceback" not in said
    assert not list(tmp_path.iterdir())
