# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole super-resolution jobs, from one file to the finer one: truth, grid, nodata, tiles, models and refusals."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import safetensors.torch
from jobs import go, run_and_kill
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from hyperres.core.engine import finer_run, plan
from hyperres.core.engine.client import Listener, run_job
from hyperres.core.engine.job import Job
from hyperres.core.engine.model_file import load_model, save_model
from hyperres.core.errors import Cancelled, HyperResError, InputError
from hyperres.core.sisr.method import MARGINS, Superresolve

PYTHON = Path(sys.executable)
BANDS, NODATA = 24, -9999
NM = np.linspace(450, 900, BANDS)
SIGMA = {2: 1.0, 4: 2.0, 8: 4.0}


def fields(rows, cols, seed=0):
    """Fields of four materials, each a little shaded, and a road: reflectance, [bands, rows, columns]."""
    random = np.random.default_rng(seed)
    seeds = random.uniform((0, 0), (rows, cols), (rows * cols // 250, 2))
    row, col = np.mgrid[: 2 * rows, : 2 * cols] / 2
    nearest = cKDTree(seeds).query(np.stack([row, col], axis=-1))[1]
    kind = random.integers(0, 4, len(seeds))[nearest]
    kind[np.abs(row - 0.6 * col - 20) < 2.5] = 3
    axis = np.linspace(0, 1, BANDS)
    spectra = np.stack([0.25 + 0.2 * np.sin((2 + 1.9 * k) * axis + 0.9 * k) for k in range(4)])
    shade = 1 + 0.05 * random.standard_normal(len(seeds))[nearest]
    cube = np.moveaxis(spectra[kind] * shade[..., None], -1, 0)
    return cube.reshape(BANDS, rows, 2, cols, 2).mean(axis=(2, 4))  # pixels at edges are mixed


def seen(fine, factor, axis):
    """Blur and decimation along one axis; beyond its ends the image goes on as its mirror image."""
    sigma, size = SIGMA[factor], fine.shape[axis]
    reach = math.ceil(4 * sigma)
    centres = (np.arange(size // factor) + 0.5) * factor - 0.5
    places = np.floor(centres).astype(int)[:, None] + np.arange(1 - reach, reach + 1)
    weights = np.exp(-((places - centres[:, None]) ** 2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.where(places < 0, -1 - places, np.where(places >= size, 2 * size - 1 - places, places))
    parts = np.moveaxis(np.take(fine, mirrored, axis=axis), (axis, axis + 1), (0, 1))
    return np.moveaxis((weights[(...,) + (None,) * (fine.ndim - 1)] * parts).sum(axis=1), 0, axis)


def observe(fine, factor):
    return seen(seen(fine, factor, 1), factor, 2)


def cubic(coarse, factor):
    """Spline interpolation at the centres of the small pixels."""
    rows, cols = ((np.arange(n * factor) + 0.5) / factor - 0.5 for n in coarse.shape[1:])
    places = np.meshgrid(rows, cols, indexing="ij")
    return np.stack([map_coordinates(band, places, order=3, mode="reflect") for band in coarse])


def write(path, cube, hole=None):
    stored = np.rint(cube * 50000).astype("uint16")
    if hole is not None:
        stored[:, hole[0], hole[1]] = 65535
    profile = {"driver": "GTiff", "count": len(cube), "dtype": "uint16", "nodata": 65535, "crs": "EPSG:32633"}
    place = rasterio.Affine(8, 0, 5e5, 0, -8, 5e6)
    with rasterio.open(path, "w", height=cube.shape[1], width=cube.shape[2], transform=place, **profile) as file:
        file.write(stored)
        for band, wavelength in enumerate(NM, 1):
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")
    return str(path)


def job(image, folder, outputs=("superresolved",), factor=2, **changes):
    endings = {"report": "html", "result": "json", "model": "safetensors", "endmembers": "csv"}
    files = {role: str(folder / f"{role}.{endings.get(role, 'tif')}") for role in outputs}
    inputs = {"image": image, **changes.pop("inputs", {})}
    settings = {"factor": factor, "sigma": SIGMA[factor], **changes.pop("settings", {})}
    return Job("superresolve", inputs, files, settings, scale=2e-5, device="cpu", **changes)


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def psnr(found, truth):
    return -10 * math.log10(np.mean((found - truth) ** 2))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Truth, its image at half the resolution, and the path of that."""
    truth = fields(96, 120)
    coarse = observe(truth, 2)
    return truth, coarse, write(tmp_path_factory.mktemp("scene") / "image.tif", coarse)


@pytest.fixture(scope="module")
def made(scene, tmp_path_factory):
    """One run with every output."""
    roles = ("superresolved", "abundances", "uncertainty", "report", "result", "model", "endmembers")
    asked = job(scene[2], tmp_path_factory.mktemp("made"), roles)
    return asked, go(asked)


# The result


def test_the_result_is_nearer_to_the_truth_than_interpolation(scene, made):
    truth, coarse, _ = scene
    found = read(made[1].outputs["superresolved"])
    assert psnr(found, truth) > psnr(cubic(coarse, 2), truth) + 1.2


def test_the_result_seen_by_the_sensor_is_the_input(scene, made):
    found = read(made[1].outputs["superresolved"])
    assert psnr(observe(found, 2), scene[1]) > 45
    assert made[1].numbers["psnr_consistency"] > 45


def test_four_and_eight_times_work_as_well(tmp_path):
    truth = fields(128, 160, seed=1)
    for factor, least in ((4, 0.8), (8, 0.2)):
        coarse = observe(truth, factor)
        result = go(job(write(tmp_path / "in.tif", coarse), tmp_path, factor=factor))
        found = read(result.outputs["superresolved"])
        assert found.shape == truth.shape
        assert psnr(found, truth) > psnr(cubic(coarse, factor), truth) + least
        assert psnr(observe(found, factor), coarse) > 45


def test_a_blur_that_cannot_be_is_narrowed_and_said(scene, tmp_path):
    truth, coarse, image = scene
    result = go(job(image, tmp_path, ("superresolved", "result"), settings={"sigma": 1.6 * SIGMA[2]}))
    assert result.numbers["psf_sigma"] < 1.4 * SIGMA[2]
    assert any("cannot have been blurred" in text for text in result.details["warnings"])
    assert psnr(read(result.outputs["superresolved"]), truth) > psnr(cubic(coarse, 2), truth)


def test_a_hole_takes_neither_the_trial_nor_the_look_at_the_agreement_away(scene, tmp_path):
    image = write(tmp_path / "holed.tif", fields(160, 160)[:, :80, :80], hole=(slice(3, 6), slice(4, 9)))
    found = go(job(image, tmp_path, ("superresolved", "result"))).numbers
    assert found["trial_gain"] > 0
    assert found["psnr_consistency"] > 45


def test_an_empty_band_does_not_hide_the_agreement(scene, tmp_path):
    coarse = scene[1].copy()
    coarse[BANDS // 2] = 0.0
    image = write(tmp_path / "empty.tif", coarse)
    assert go(job(image, tmp_path, ("superresolved", "result"))).numbers["psnr_consistency"] > 45


def test_nothing_is_darker_than_black(scene, tmp_path):
    coarse = scene[1] - 0.8 * scene[1].min(axis=(1, 2), keepdims=True)  # a dark scene: overshoot would go below 0
    image = write(tmp_path / "dark.tif", coarse)
    assert read(go(job(image, tmp_path)).outputs["superresolved"]).min() >= 0.0


def test_the_grid_is_the_same_ground_in_smaller_pixels(scene, made):
    with rasterio.open(scene[2]) as coarse, rasterio.open(made[1].outputs["superresolved"]) as fine:
        assert fine.shape == (96, 120) and fine.crs == coarse.crs
        assert fine.bounds == coarse.bounds and fine.res == (4.0, 4.0)
        assert float(fine.tags(3)["wavelength"]) == pytest.approx(NM[2], abs=0.01)
        assert fine.tags()["HYPERRES_METHOD"] == "superresolve"


def test_abundances_are_shares_that_make_up_the_image(made):
    shares = read(made[1].outputs["abundances"])
    assert shares.min() >= 0
    table = np.genfromtxt(made[1].outputs["endmembers"], delimiter=",", skip_header=1)[:, 1:]
    mixed = np.einsum("bk,kij->bij", table, shares)
    found = read(made[1].outputs["superresolved"])
    assert len(shares) == made[1].numbers["count"]
    assert np.sqrt(np.mean((mixed - found) ** 2)) < 0.02


def test_uncertainty_is_as_large_as_the_error_and_lies_where_it_is(scene, made):
    error = np.sqrt(np.mean((read(made[1].outputs["superresolved"]) - scene[0]) ** 2, axis=0))
    said = read(made[1].outputs["uncertainty"])[0]
    assert 1 / 3 < np.sqrt(np.mean(said**2) / np.mean(error**2)) < 3
    ranks = [values.ravel().argsort().argsort() for values in (error, said)]
    assert np.corrcoef(*ranks)[0, 1] > 0.4


def test_report_and_record_tell_what_was_done(made):
    report = Path(made[1].outputs["report"]).read_text(encoding="utf-8")
    for words in ("Before and after", "Agreement with the input", "Power spectra", "MTF 0.29", "How to cite"):
        assert words in report
    record = json.loads(Path(made[1].outputs["result"]).read_text(encoding="utf-8"))
    assert record["numbers"]["trial_gain"] > 0 and record["settings"]["factor"] == 2


def test_the_same_job_gives_the_same_bytes(made, tmp_path):
    again = go(replace(made[0], outputs={"superresolved": str(tmp_path / "superresolved.tif")}))
    first = Path(made[1].outputs["superresolved"])
    assert first.read_bytes() == Path(again.outputs["superresolved"]).read_bytes()
    assert not [path.name for path in (*first.parent.iterdir(), *tmp_path.iterdir()) if path.name.startswith(".")]


def test_some_bands_are_the_same_as_in_the_whole(made, tmp_path):
    asked = replace(
        made[0],
        outputs={"superresolved": str(tmp_path / "some.tif")},
        settings={**made[0].settings, "output_bands": (20, 4)},
    )
    some, whole = read(go(asked).outputs["superresolved"]), read(made[1].outputs["superresolved"])
    np.testing.assert_allclose(some, whole[[4, 20]], atol=1e-6)


def test_four_bands_are_enough(scene, tmp_path):
    truth, coarse, image = scene
    chosen = [1, 8, 15, 22]
    found = read(go(job(image, tmp_path, bands=tuple(chosen))).outputs["superresolved"])
    assert psnr(found, truth[chosen]) > psnr(cubic(coarse[chosen], 2), truth[chosen]) + 1.2


def test_given_endmembers_are_used(scene, made, tmp_path):
    table = made[1].outputs["endmembers"]
    result = go(job(scene[2], tmp_path, tables={"endmembers": table}))
    np.testing.assert_allclose(read(result.outputs["superresolved"]), read(made[1].outputs["superresolved"]), atol=2e-3)


# Gaps and tiles


def test_gaps_stay_gaps_and_do_not_bleed(scene, tmp_path):
    truth, coarse, _ = scene
    hole = np.s_[10:22], np.s_[14:30]
    result = go(job(write(tmp_path / "hole.tif", coarse, hole), tmp_path))
    found = read(result.outputs["superresolved"])
    gap = np.zeros((96, 120), dtype=bool)
    gap[20:44, 28:60] = True
    with rasterio.open(result.outputs["superresolved"]) as file:
        assert (file.read(1) == file.nodata).astype(bool)[gap].all()
    assert not (found == -9999.0)[:, ~gap].any()
    ring = np.zeros_like(gap)
    ring[16:48, 24:64] = True
    ring &= ~gap
    at_rim = np.sqrt(np.mean((found - truth)[:, ring] ** 2))
    assert at_rim < 2.5 * np.sqrt(np.mean((found - truth)[:, ~gap & ~ring] ** 2))
    assert result.numbers["valid_share"] == pytest.approx(1 - 12 * 16 / (48 * 60))


@pytest.mark.parametrize("factor", (2, 4))
def test_tiles_leave_no_seams(tmp_path, factor):
    coarse = observe(fields(288, 320, seed=2), 2)[:, :, : 640 // (2 * factor)]
    image = write(tmp_path / "image.tif", coarse)
    settings = {"count": 4}
    kept = go(job(image, tmp_path, ("model", "superresolved"), factor, settings=settings))
    whole = read(kept.outputs["superresolved"])
    (tmp_path / "tiled").mkdir()
    model = {"model": kept.outputs["model"]}
    asked = job(image, tmp_path / "tiled", factor=factor, settings=settings, inputs=model, memory_mb=40)
    tiled = read(go(asked).outputs["superresolved"])
    assert np.abs(tiled - whole).max() < 1e-3 * (whole.max() - whole.min())


def test_a_killed_run_goes_on_and_gives_the_bytes_of_an_undisturbed_one(tmp_path):
    image = write(tmp_path / "image.tif", observe(fields(240, 320, seed=3), 2))
    asked = job(image, tmp_path, settings={"count": 4}, workers=1, memory_mb=32)
    run_job(asked, PYTHON, Listener())
    target = Path(asked.outputs["superresolved"])
    undisturbed = target.read_bytes()
    target.unlink()
    run_and_kill(asked, at_percent=65)
    assert not target.exists()
    messages = []
    run_job(asked, PYTHON, Listener(on_message=messages.append))
    assert any("interrupted run" in text for text in messages)
    assert target.read_bytes() == undisturbed
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_cancelling_leaves_nothing(scene, tmp_path):
    with pytest.raises(Cancelled):
        go(job(scene[2], tmp_path), is_cancelled=lambda: True)
    assert not list(tmp_path.iterdir())


# Models


def test_a_model_gives_the_same_result_without_fitting(scene, made, tmp_path):
    asked = job(scene[2], tmp_path, inputs={"model": made[1].outputs["model"]})
    result = go(asked)
    assert np.array_equal(read(result.outputs["superresolved"]), read(made[1].outputs["superresolved"]))
    assert "fitting" not in result.details["seconds"]


def test_surroundings_are_as_wide_as_the_mode_of_the_model_needs(scene, made, tmp_path, monkeypatch):
    model = load_model(Path(made[1].outputs["model"]), Superresolve())
    model.settings = replace(model.settings, mode="paper")
    save_model(model, tmp_path / "paper.safetensors", {})
    margins, read_blocks = [], finer_run.read_blocks
    monkeypatch.setattr(
        finer_run, "read_blocks", lambda source, margin: margins.append(margin) or read_blocks(source, margin)
    )
    go(job(scene[2], tmp_path, inputs={"model": str(tmp_path / "paper.safetensors")}))
    assert margins == [MARGINS["paper"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"factor": 4}, "fitted for scale factor 2 but 4"),
        ({"settings": {"sigma": 1.5}}, "fitted for a blur of sigma 1 output pixels but 1.5"),
        ({"bands": tuple(range(20))}, "fitted on 24 bands but 20"),
    ],
)
def test_a_model_for_something_else_is_refused(scene, made, tmp_path, changes, words):
    asked = job(scene[2], tmp_path, inputs={"model": made[1].outputs["model"]}, **changes)
    _refused(asked, words, tmp_path)


def test_a_damaged_model_is_refused(scene, made, tmp_path):
    tensors = safetensors.torch.load_file(made[1].outputs["model"])
    with safetensors.safe_open(made[1].outputs["model"], "pt") as file:
        metadata = file.metadata()
    del tensors["space.basis"]
    path = tmp_path / "damaged.safetensors"
    safetensors.torch.save_file(tensors, str(path), metadata)
    _refused(job(scene[2], tmp_path, inputs={"model": str(path)}), "damaged", tmp_path)


# Refusals


def _refused(asked, words, folder):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(HyperResError, match=words) as refused:
        go(asked)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"sigma": 4.0}}, "impossible at scale factor 2"),
        ({"settings": {"mode": "quick"}}, "fast, tuned, paper"),
        ({"settings": {"mode": "paper"}}, "months on a CPU"),
        ({"settings": {"output_bands": (40,)}}, "Band 41 cannot be written"),
        ({"settings": {"count": 30}}, "at most 24"),
        ({"tables": {"colours": "absent.csv"}}, "absent.csv"),
        ({"inputs": {"model": "absent.safetensors"}}, "absent.safetensors"),
    ],
)
def test_settings_that_cannot_be_are_refused(scene, tmp_path, changes, words):
    _refused(job(scene[2], tmp_path, **changes), words, tmp_path)


def test_outputs_that_there_are_not_are_refused(scene, tmp_path):
    _refused(job(scene[2], tmp_path, ("rmse",)), "'rmse' that there is not", tmp_path)


def test_a_small_image_is_refused(scene, tmp_path):
    image = write(tmp_path / "small.tif", scene[1][:, :40, :12])
    _refused(job(image, tmp_path), "12 x 40 pixels", tmp_path)


def test_a_constant_image_is_refused(tmp_path):
    image = write(tmp_path / "constant.tif", np.full((BANDS, 40, 40), 0.3))
    _refused(job(image, tmp_path), "constant", tmp_path)


def test_numbers_that_are_no_measurements_are_refused(scene, tmp_path):
    cube = scene[1].astype("float32")
    cube[:, 30, 30] = -np.finfo("float32").max  # nodata that the file does not declare
    with rasterio.open(
        tmp_path / "image.tif", "w", driver="GTiff", dtype="float32", count=BANDS, height=48, width=60
    ) as file:
        file.write(cube)
    _refused(job(str(tmp_path / "image.tif"), tmp_path), "declare that value", tmp_path)


def test_an_image_without_a_valid_pixel_is_refused(scene, tmp_path):
    image = write(tmp_path / "empty.tif", scene[1], (slice(None), slice(None)))
    with pytest.raises(InputError):
        go(job(image, tmp_path))


def test_a_result_larger_than_the_disk_is_refused_before_any_work(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "free_disk_bytes", lambda folder: 2**20)
    _refused(job(scene[2], tmp_path, factor=8), "free some space", tmp_path)
