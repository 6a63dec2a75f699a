# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulations of whole scenes: values, grids, nodata, noise, tiles, refusals."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from hyperres.core.bands import BandTable
from hyperres.core.engine.client import Listener, run_job
from hyperres.core.engine.job import Job
from hyperres.core.engine.protocol import Reporter
from hyperres.core.engine.run import run
from hyperres.core.errors import InputError
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import srf_of_sensor

NODATA = -9999
NM = np.arange(432, 921, 12.0)
SEEN = {"B1": 0, "B2": 1, "B3": 2, "B4": 3, "B5": 4, "B6": 5, "B7": 6, "B8": 7, "B8A": 8}


def write_scene(path, rows=60, cols=80, holes=(), wavelengths=True, seed=0, **profile):
    """Smooth random reflectance as int16 x 10000; returns it as float32 [bands, rows, columns]."""
    random = np.random.default_rng(seed)
    shape = np.exp(-0.5 * ((NM[:, None] - np.linspace(430, 930, 6)) / 60) ** 2)
    stored = np.rint(2000 * np.tensordot(shape, random.random((6, rows, cols)), 1) + 300).astype("int16")
    for window in holes:
        stored[(slice(None), *window)] = NODATA
    options = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 5e5, 0, -3, 5e6), **profile}
    size = {"width": cols, "height": rows, "count": len(NM)}
    with rasterio.open(path, "w", driver="GTiff", dtype="int16", nodata=NODATA, **size, **options) as file:
        file.write(stored)
        for band, nm in enumerate(NM if wavelengths else (), 1):
            file.update_tags(band, wavelength=f"{nm:.2f}", wavelength_units="Nanometers")
    return stored.astype(np.float32) / 10000


def simulate(folder, outputs=("coarse", "msi"), tables=None, name="scene.tif", out="out", **entries):
    suffix = {"report": "html", "result": "json", "srf": "csv"}
    settings = {"ratio": 4, **entries.pop("settings", {})}
    job = Job(
        "simulate",
        {"image": str(folder / name)},
        outputs={role: str(folder / f"{out}_{role}.{suffix.get(role, 'tif')}") for role in outputs},
        tables=tables or {},
        settings=settings,
        **{"device": "cpu", "scale": 1e-4, **entries},
    )
    reporter = Reporter(io.StringIO())
    return run(job, reporter, lambda: False), reporter


def read(path):
    with rasterio.open(path) as file:
        return file.read(), file.profile, [file.tags(i + 1) for i in range(file.count)], file.descriptions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    scene = write_scene(folder / "scene.tif")
    outputs = ("coarse", "msi", "report", "result", "srf")
    result, reporter = simulate(folder, outputs, settings={"sensor": "sentinel-2a"})
    return scene, result, reporter


def test_the_coarse_image_is_the_mean_over_its_pixels_on_the_right_ground(made):
    scene, result, _ = made
    values, profile, tags, _ = read(result.outputs["coarse"])
    assert values == pytest.approx(scene.reshape(len(NM), 15, 4, 20, 4).mean((2, 4)), abs=1e-6)
    assert profile["transform"] == rasterio.Affine(8, 0, 5e5, 0, -12, 5e6)
    assert profile["crs"].to_epsg() == 32633
    assert [float(tag["wavelength"]) for tag in tags] == pytest.approx(NM)


def test_the_multispectral_image_is_what_the_sensor_sees_on_the_scenes_grid(made):
    scene, result, _ = made
    values, profile, tags, names = read(result.outputs["msi"])
    table = BandTable(tuple(map(str, NM)), (True,) * len(NM), tuple(NM))
    matrix = srf_of_sensor(load_sensor("sentinel-2a"), SEEN.values(), table)[0].matrix
    assert values == pytest.approx(np.einsum("mk,kyx->myx", matrix, scene), abs=1e-5)
    assert (profile["width"], profile["height"], profile["transform"].a) == (80, 60, 2)
    centres = [load_sensor("sentinel-2a").bands[i].centre_nm for i in SEEN.values()]
    assert [float(tag["wavelength"]) for tag in tags] == pytest.approx(centres, abs=0.01)
    assert len(names) == len(SEEN)


def test_bands_that_the_scene_does_not_cover_are_left_out_by_name(made):
    _, _, reporter = made
    for name in ("B9", "B10", "B11", "B12"):
        assert any(f"Sentinel-2A {name} (" in text and "left out" in text for text in reporter.warnings)


def test_the_report_the_figures_and_the_response(made):
    _, result, _ = made
    record = json.loads(Path(result.outputs["result"]).read_text(encoding="utf-8"))
    assert record["numbers"]["ratio"] == 4 and record["numbers"]["bands_msi"] == 9
    assert (record["numbers"]["coarse_width"], record["numbers"]["coarse_height"]) == (20, 15)
    page = Path(result.outputs["report"]).read_text(encoding="utf-8")
    assert "Sentinel-2A" in page and "<script" not in page
    lines = Path(result.outputs["srf"]).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(NM) and lines[0].startswith("wavelength_nm,B1,B2,B3")


def test_a_response_that_was_written_gives_the_same_image_again(made, tmp_path):
    _, result, _ = made
    write_scene(tmp_path / "scene.tif")
    again, _ = simulate(tmp_path, ("msi",), tables={"srf": result.outputs["srf"]})
    assert read(again.outputs["msi"])[0] == pytest.approx(read(result.outputs["msi"])[0], abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "size"), [(3, (20, 26)), (7.5, (8, 10)), (1, (60, 80)), (60, (1, 1)), (8.33, (7, 9))]
)
def test_partial_pixels_at_the_rim_are_dropped_whatever_the_ratio(tmp_path, ratio, size):
    scene = write_scene(tmp_path / "scene.tif")
    result, _ = simulate(tmp_path, ("coarse",), settings={"ratio": ratio})
    values, profile, _, _ = read(result.outputs["coarse"])
    assert values.shape[1:] == size
    assert profile["transform"].a == pytest.approx(2 * ratio) and profile["transform"].e == pytest.approx(-3 * ratio)
    if ratio == 7.5:
        first = scene[:, :7, :7].sum((1, 2)) + 0.5 * (scene[:, 7, :7] + scene[:, :7, 7]).sum(1) + scene[:, 7, 7] / 4
        assert values[:, 0, 0] == pytest.approx(first / 7.5**2, abs=1e-6)


def test_a_blur_is_given_as_a_width_or_as_the_contrast_it_leaves(tmp_path):
    write_scene(tmp_path / "scene.tif")
    sigma = 4 / np.pi * np.sqrt(-2 * np.log(0.3))
    by_width, _ = simulate(tmp_path, ("coarse",), settings={"psf_sigma": sigma}, out="width")
    by_contrast, _ = simulate(tmp_path, ("coarse",), settings={"mtf": 0.3}, out="contrast")
    sharp, _ = simulate(tmp_path, ("coarse",), out="sharp")
    a, b, c = (read(result.outputs["coarse"])[0] for result in (by_width, by_contrast, sharp))
    assert np.array_equal(a, b)
    assert a.std() < 0.8 * c.std()
    assert by_contrast.numbers["psf_sigma"] == pytest.approx(sigma) and by_width.numbers["mtf"] == pytest.approx(0.3)


def test_nodata_stays_nodata_and_does_not_leak(tmp_path):
    holes = [(slice(0, 8), slice(0, 8)), (slice(20, 21), slice(41, 42))]
    scene = write_scene(tmp_path / "scene.tif", holes=holes)
    result, _ = simulate(tmp_path, settings={"sensor": "mavic-3m"})
    coarse, profile, _, _ = read(result.outputs["coarse"])
    assert profile["nodata"] == NODATA
    missing = np.zeros((15, 20), dtype=bool)
    missing[:2, :2] = True
    assert np.array_equal((coarse == NODATA).all(0), missing) and coarse[:, ~missing].min() > 0
    around = np.delete(scene[:, 20:24, 40:44].reshape(len(NM), 16), 1, axis=1)
    assert coarse[:, 5, 10] == pytest.approx(around.mean(1), abs=1e-6)
    msi = read(result.outputs["msi"])[0]
    assert np.array_equal((msi == NODATA).all(0), scene[0] < 0)
    assert result.numbers["valid_share"] == pytest.approx((scene[0] >= 0).mean())


def test_tiles_and_workers_change_nothing(tmp_path):
    write_scene(tmp_path / "scene.tif", rows=150, cols=700, tiled=True, blockxsize=256, blockysize=256)
    settings = {"ratio": 2.5, "psf_sigma": 1.2, "sensor": "rededge-mx", "hsi_snr_db": 30, "msi_snr_db": 35}
    whole, _ = simulate(tmp_path, settings=settings, out="whole", workers=1)
    tiled, reporter = simulate(tmp_path, settings=settings, out="tiled", memory_mb=6, workers=2)
    assert any(int(text.split(" pixels, ")[1].split()[0]) > 3 for text in reporter.messages if text.startswith("Plan"))
    for role in ("coarse", "msi"):
        a, b = read(whole.outputs[role])[0], read(tiled.outputs[role])[0]
        assert a == pytest.approx(b, abs=2e-6)


def test_noise_has_the_ratio_that_was_asked_for_and_follows_the_seed(tmp_path):
    write_scene(tmp_path / "scene.tif", rows=200, cols=200)
    clean, _ = simulate(tmp_path, settings={"ratio": 2, "sensor": "rgb"}, out="clean")
    settings = {"ratio": 2, "sensor": "rgb", "hsi_snr_db": 30, "msi_snr_db": 20}
    noisy, _ = simulate(tmp_path, settings=settings, out="noisy")
    other, _ = simulate(tmp_path, settings=settings, out="other", seed=1)
    again, _ = simulate(tmp_path, settings=settings, out="again")
    for role, snr in (("coarse", 30), ("msi", 20)):
        a, b = read(clean.outputs[role])[0].astype(float), read(noisy.outputs[role])[0].astype(float)
        measured = 10 * np.log10((a**2).mean((1, 2)) / ((b - a) ** 2).mean((1, 2)))
        assert measured == pytest.approx(np.full(len(a), snr), abs=0.3)
        assert Path(noisy.outputs[role]).read_bytes() == Path(again.outputs[role]).read_bytes()
        assert not np.array_equal(b, read(other.outputs[role])[0])


def test_a_panchromatic_camera_gives_one_band(tmp_path):
    write_scene(tmp_path / "scene.tif")
    result, _ = simulate(tmp_path, ("msi",), settings={"sensor": "pan"})
    assert read(result.outputs["msi"])[0].shape == (1, 60, 80)


def test_a_scene_without_place_and_wavelengths_can_be_made_coarse(tmp_path):
    scene = write_scene(tmp_path / "scene.tif", wavelengths=False, crs=None, transform=None)
    result, _ = simulate(tmp_path, ("coarse", "report"))
    values, profile, _, _ = read(result.outputs["coarse"])
    assert values == pytest.approx(scene.reshape(len(NM), 15, 4, 20, 4).mean((2, 4)), abs=1e-6)
    assert profile["crs"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"ratio": 0.5, "sensor": "rgb"}}, "must be at least 1"),
        ({"settings": {"ratio": 61, "sensor": "rgb"}}, "larger than the image of 80 x 60 pixels"),
        ({"settings": {"ratio": "four", "sensor": "rgb"}}, "'ratio' must be a number"),
        ({"settings": {"psf_sigma": 1, "mtf": 0.3, "sensor": "rgb"}}, "not both"),
        ({"settings": {"psf_sigma": -1, "sensor": "rgb"}}, "width of the blur"),
        ({"settings": {"mtf": 2, "sensor": "rgb"}}, "above 0 and be at most 1"),
        ({"settings": {"sensor": "landsat-99"}}, "no sensor called 'landsat-99'"),
        ({"settings": {"sensor": "rgb", "hsi_snr_db": 500}}, "from 0 to 120 dB"),
        ({"settings": {"sensor": "rgb", "speed": 3}}, "no setting 'speed'"),
        ({}, "no sensor is chosen"),
        ({"outputs": ("report",)}, "No output is chosen"),
        ({"outputs": ("abundances",)}, "'abundances' that there is not"),
        ({"settings": {"sensor": "rgb"}, "tables": {"srf": "x.csv"}}, "not both"),
        ({"tables": {"srf": "x.csv"}}, "x.csv does not exist"),
        ({"settings": {"sensor": "rgb"}, "name": "plain.tif"}, "has no wavelengths"),
        ({"settings": {"sensor": "rgb"}, "name": "none.tif"}, r"none\.tif"),
    ],
)
def test_bad_input_is_refused_in_one_sentence_and_leaves_nothing(tmp_path, changes, said):
    write_scene(tmp_path / "scene.tif")
    write_scene(tmp_path / "plain.tif", wavelengths=False)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match=said) as refused:
        simulate(tmp_path, **changes)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_scene_without_valid_pixels_is_refused_and_leaves_nothing(tmp_path):
    write_scene(tmp_path / "scene.tif", holes=[(slice(None), slice(None))])
    with pytest.raises(InputError):
        simulate(tmp_path, ("coarse",))
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_the_worker_runs_the_same_job(tmp_path):
    scene = write_scene(tmp_path / "scene.tif")
    outputs = {role: str(tmp_path / f"{role}.tif") for role in ("coarse", "msi")}
    settings = {"ratio": 4, "sensor": "p4-multispectral"}
    job = Job("simulate", {"image": str(tmp_path / "scene.tif")}, outputs, settings, scale=1e-4, device="cpu")
    result = run_job(job, Path(sys.executable), Listener())
    assert read(result.outputs["coarse"])[0] == pytest.approx(scene.reshape(-1, 15, 4, 20, 4).mean((2, 4)), abs=1e-6)
    assert read(result.outputs["msi"])[0].shape == (5, 60, 80)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coarse.tif", "msi.tif", "scene.tif"]


KILLED = """
import io, os, sys
sys.path.insert(0, sys.argv[1])
from hyperres.core.engine import simulate_work
from hyperres.core.engine.job import Job
from hyperres.core.engine.protocol import Reporter
from hyperres.core.engine.run import run

compute = simulate_work.MsiWork.compute
def dying(self, tile):
    if tile.index == 3:
        os._exit(9)
    return compute(self, tile)
simulate_work.MsiWork.compute = dying
run(Job.load(sys.argv[2]), Reporter(io.StringIO()), lambda: False)
"""


def test_a_killed_run_goes_on_where_it_was_and_gives_the_same_bytes(tmp_path):
    write_scene(tmp_path / "scene.tif", rows=520, cols=300, tiled=True, blockxsize=256, blockysize=256)
    outputs = {role: str(tmp_path / f"{role}.tif") for role in ("coarse", "msi")}
    settings = {"ratio": 2, "sensor": "rgb", "hsi_snr_db": 30}
    entries = {"settings": settings, "scale": 1e-4, "device": "cpu", "workers": 1}
    job = Job("simulate", {"image": str(tmp_path / "scene.tif")}, outputs, **entries)
    (tmp_path / "job.json").write_text(job.to_json(), encoding="utf-8")
    package = Path(__file__).parents[3] / ".venv" / "plugins"
    done = subprocess.run([sys.executable, "-c", KILLED, package, tmp_path / "job.json"], capture_output=True)
    assert done.returncode == 9
    assert not any(Path(path).exists() for path in outputs.values())
    reporter = Reporter(io.StringIO())
    run(job, reporter, lambda: False)
    assert sum("taken from the interrupted run" in text for text in reporter.messages) == 2
    resumed = {role: Path(path).read_bytes() for role, path in outputs.items()}
    run(job, Reporter(io.StringIO()), lambda: False)
    assert {role: Path(path).read_bytes() for role, path in outputs.items()} == resumed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coarse.tif", "job.json", "msi.tif", "scene.tif"]
