"""Whole jobs through the real worker process."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from jobs import run_and_kill

from hyperres.core.engine.client import BOOTSTRAP, Listener, run_job
from hyperres.core.engine.job import Job
from hyperres.core.errors import Cancelled, HyperResError, InputError

PYTHON = Path(sys.executable)
NODATA = -9999


def _spectra(bands, count=4):
    axis = np.linspace(0, 1, bands)
    return np.stack([0.1 + 0.35 * np.abs(np.sin((2 + 1.7 * k) * axis + 0.9 * k)) for k in range(count)])


def write_image(path, rows, cols, bands=40, count=4, margin=3, seed=0, **profile):
    """A mixture of known spectra as int16 x 10000 with a nodata margin; returns spectra and abundances."""
    random = np.random.default_rng(seed)
    spectra = _spectra(bands, count)
    shares = random.dirichlet(np.full(count, 0.5), rows * cols)
    shares[: 8 * count : 8] = np.eye(count)
    shares = random.permutation(shares)
    stored = np.rint(shares @ spectra * 10000).astype("int16").T.reshape(bands, rows, cols)
    stored[:, :, :margin] = NODATA
    wavelengths = np.linspace(450, 900, bands)
    options = {"driver": "GTiff", "count": bands, "dtype": "int16", "nodata": NODATA, "crs": "EPSG:32633", **profile}
    transform = rasterio.Affine(2, 0, 5e5, 0, -2, 5e6)
    with rasterio.open(path, "w", width=cols, height=rows, transform=transform, **options) as file:
        file.write(stored)
        for band, nm in enumerate(wavelengths, 1):
            file.update_tags(band, wavelength=f"{nm:.2f}", wavelength_units="Nanometers")
    return spectra, shares.T.reshape(count, rows, cols)


def _table(path, spectra, bands=40):
    names = [f"<b>material</b> {k}" for k in range(len(spectra))]
    rows = [
        ",".join(map(repr, [float(nm), *spectra[:, i].tolist()])) for i, nm in enumerate(np.linspace(450, 900, bands))
    ]
    path.write_text("\n".join([",".join(["wavelength_nm", *names]), *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def scene(tmp_path):
    """A folder with a small image and its endmember table."""
    spectra, shares = write_image(tmp_path / "image.tif", 70, 90)
    _table(tmp_path / "spectra.csv", spectra)
    return tmp_path, shares


def _job(folder, given=True, outputs=("abundances",), **more):
    suffix = {"report": "html", "result": "json", "endmembers": "csv", "sli": "sli"}
    return Job(
        "unmix",
        {"image": str(folder / "image.tif")},
        outputs={role: str(folder / f"out_{role}.{suffix.get(role, 'tif')}") for role in outputs},
        tables={"endmembers": str(folder / "spectra.csv")} if given else {},
        **{"device": "cpu", **more},
    )


def _read(path):
    with rasterio.open(path) as file:
        return file.read(), file.profile, file.tags(), file.descriptions


def test_known_mixtures_are_recovered_and_nodata_stays_nodata(scene):
    folder, shares = scene
    result = run_job(_job(folder, outputs=("abundances", "rmse", "class", "report", "result")), PYTHON, Listener())
    values, profile, tags, names = _read(result.outputs["abundances"])
    assert (values[:, :, :3] == profile["nodata"]).all()
    assert np.abs(values[:, :, 3:] - shares[:, :, 3:]).max() < 5e-3  # int16 rounding of reflectance, amplified
    assert profile["crs"].to_epsg() == 32633 and profile["transform"][0] == 2
    assert names[0] == "<b>material</b> 0"
    assert tags["HYPERRES_METHOD"] == "unmix" and tags["HYPERRES_SEED"] == "0"
    classes, class_profile, _, _ = _read(result.outputs["class"])
    assert class_profile["nodata"] == 0 and (classes[:, :, :3] == 0).all()
    clear = np.sort(shares, axis=0)[-1] - np.sort(shares, axis=0)[-2] > 0.02
    clear[:, :3] = False
    assert (classes[0][clear] == shares.argmax(axis=0)[clear] + 1).all()
    assert result.numbers["count"] == 4
    assert result.numbers["valid_share"] == pytest.approx(87 / 90)
    assert result.numbers["mean_rmse"] < 1e-4
    report = Path(result.outputs["report"]).read_text(encoding="utf-8")
    assert "<b>material</b>" not in report and "&lt;b&gt;material&lt;/b&gt;" in report
    assert json.loads(Path(result.outputs["result"]).read_text(encoding="utf-8"))["numbers"]["count"] == 4


def test_a_blind_run_finds_the_materials_of_a_scene_with_pure_pixels(scene):
    folder, _ = scene
    result = run_job(_job(folder, given=False, outputs=("abundances", "endmembers", "sli")), PYTHON, Listener())
    assert result.numbers["count"] == 4
    rows = Path(result.outputs["endmembers"]).read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("wavelength_nm,")
    found = np.array([[float(v) for v in row.split(",")[1:]] for row in rows[1:]]).T
    truth = _spectra(40)
    cosine = (found @ truth.T) / np.linalg.norm(found, axis=1)[:, None] / np.linalg.norm(truth, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine.max(axis=0), -1, 1))).max() < 4.0


def test_the_same_job_gives_the_same_bytes_and_leaves_nothing_else(scene):
    folder, _ = scene
    before = {path.name for path in folder.iterdir()}
    job = _job(folder, given=False, outputs=("abundances", "rmse"))
    run_job(job, PYTHON, Listener())
    first = [Path(path).read_bytes() for path in job.outputs.values()]
    run_job(job, PYTHON, Listener())
    assert [Path(path).read_bytes() for path in job.outputs.values()] == first
    assert {path.name for path in folder.iterdir()} - before == {"out_abundances.tif", "out_rmse.tif"}


def test_outputs_that_differ_only_in_their_extension_do_not_disturb_each_other(scene):
    folder, _ = scene
    paths = {"abundances": "same.tif", "rmse": "same.bsq", "report": "same.html", "result": "same.json"}
    job = _job(folder, outputs=())
    run_job(replace(job, outputs={role: str(folder / name) for role, name in paths.items()}), PYTHON, Listener())
    assert {path.name for path in folder.glob("same.*")} >= {*paths.values(), "same.hdr"}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An image of many tiles."""
    folder = tmp_path_factory.mktemp("large")
    spectra, _ = write_image(folder / "image.tif", 1100, 1100, tiled=True, blockxsize=256, blockysize=256)
    _table(folder / "spectra.csv", spectra)
    return folder


def test_a_killed_run_goes_on_and_gives_the_bytes_of_an_undisturbed_one(large):
    job = _job(large, given=False, outputs=("abundances", "rmse", "report"), workers=1)
    run_job(job, PYTHON, Listener())
    undisturbed = {role: Path(path).read_bytes() for role, path in job.outputs.items() if role != "report"}
    for path in job.outputs.values():
        Path(path).unlink()
    run_and_kill(job, at_percent=65)
    assert not any(Path(path).exists() for path in job.outputs.values())
    messages = []
    run_job(job, PYTHON, Listener(on_message=messages.append))
    assert any("interrupted run" in text for text in messages)
    assert {role: Path(job.outputs[role]).read_bytes() for role in undisturbed} == undisturbed
    assert not [path.name for path in large.iterdir() if path.name.startswith(".")]


def test_a_journal_with_a_damaged_model_fits_again(large):
    job = _job(large, outputs=("rmse",), workers=1)
    run_job(job, PYTHON, Listener())
    undisturbed = Path(job.outputs["rmse"]).read_bytes()
    run_and_kill(job, at_percent=70)
    (model,) = large.glob(".*journal/model.safetensors")
    model.write_bytes(b"")
    run_job(job, PYTHON, Listener())
    assert Path(job.outputs["rmse"]).read_bytes() == undisturbed


def test_cancelling_ends_within_two_seconds_and_leaves_nothing(large):
    before = sorted(path.name for path in large.iterdir())
    job = _job(large, given=False, outputs=("rmse", "class"), workers=1)
    cancelled_at = []

    def on_progress(percent, step):
        if percent > 55 and not cancelled_at:
            cancelled_at.append(time.monotonic())

    with pytest.raises(Cancelled):
        run_job(job, PYTHON, Listener(on_progress=on_progress, is_cancelled=lambda: bool(cancelled_at)))
    assert time.monotonic() - cancelled_at[0] < 2.0
    assert sorted(path.name for path in large.iterdir()) == before


def test_a_worker_whose_client_is_gone_ends_by_itself(large):
    job = _job(large, given=False)
    command = [str(PYTHON), "-I", str(BOOTSTRAP), "--supervised"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(json.loads(job.to_json())) + "\n")
    process.stdin.close()
    threading.Thread(target=process.stdout.read, daemon=True).start()
    assert process.wait(timeout=20) == 3


def test_small_and_large_tiles_agree(large):
    job = _job(large, outputs=("abundances",))
    run_job(job, PYTHON, Listener())
    wide, *_ = _read(job.outputs["abundances"])
    messages = []
    run_job(_job(large, outputs=("abundances",), memory_mb=8), PYTHON, Listener(on_message=messages.append))
    small, *_ = _read(job.outputs["abundances"])
    assert np.abs(wide - small).max() < 1e-5


def _refused(job, words, folder):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(HyperResError, match=words) as caught:
        run_job(job, PYTHON, Listener())
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == before


def _overwrite(path, change):
    with rasterio.open(path, "r+") as file:
        values = file.read()
        change(values)
        file.write(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.fill(NODATA), "no valid pixel"),
        (lambda values: values.fill(1234), "constant"),
    ],
)
def test_images_without_information_are_refused(scene, change, words):
    folder, _ = scene
    _overwrite(folder / "image.tif", change)
    _refused(_job(folder, given=False), words, folder)


@pytest.mark.parametrize("nonsense", [np.nan, np.inf])
def test_a_band_of_nan_or_infinity_is_refused_but_may_be_left_out(tmp_path, nonsense):
    write_image(tmp_path / "image.tif", 40, 40, dtype="float32")
    _overwrite(tmp_path / "image.tif", lambda values: values[6].fill(nonsense))
    _refused(_job(tmp_path, given=False), "Band 7 ", tmp_path)
    result = run_job(_job(tmp_path, given=False, bands=tuple(i for i in range(40) if i != 6)), PYTHON, Listener())
    assert result.numbers["count"] == 4


def test_a_band_that_is_declared_nodata_everywhere_is_left_out_and_said(scene):
    folder, _ = scene
    _overwrite(folder / "image.tif", lambda values: values[6].fill(NODATA))
    messages = []
    result = run_job(_job(folder, given=False), PYTHON, Listener(on_message=messages.append))
    assert result.numbers["count"] == 4
    assert any("without a single valid value" in text and "7" in text for text in messages)


@pytest.mark.parametrize("given", [True, False])
def test_pixels_that_all_lack_one_band_or_another_are_refused(scene, given):
    folder, _ = scene

    def punch(values):
        values[3, :40] = NODATA
        values[7, 40:] = NODATA

    _overwrite(folder / "image.tif", punch)
    _refused(_job(folder, given=given), "valid in all used bands", folder)


def test_more_endmembers_than_distinct_pixels_are_refused(scene):
    folder, _ = scene

    def two_spectra(values):
        values[:, :, :45] = (_spectra(40)[0] * 10000)[:, None, None].astype("int16")
        values[:, :, 45:] = (_spectra(40)[1] * 10000)[:, None, None].astype("int16")

    _overwrite(folder / "image.tif", two_spectra)
    _refused(_job(folder, given=False, settings={"count": 5}), "different spectra", folder)


def test_other_refusals_come_before_any_work(scene):
    folder, _ = scene
    _refused(_job(folder, given=False, settings={"count": 41}), "at most", folder)
    _refused(_job(folder, settings={"extraction": "magic"}), "magic", folder)
    _refused(_job(folder, device="abacus"), "no device", folder)
    _refused(_job(folder, bands=(99,)), "Band 100 does not exist", folder)
    _refused(_job(folder, bands=(1, 2)), "at least 3", folder)
    missing = Job("unmix", {"image": str(folder / "none.tif")}, {"abundances": str(folder / "a.tif")})
    _refused(missing, "none.tif", folder)
    itself = Job("unmix", {"image": str(folder / "image.tif")}, {"abundances": str(folder / "image.tif")})
    _refused(itself, "input", folder)
    twice = replace(itself, outputs={"abundances": str(folder / "a.tif"), "rmse": str(folder / "a.tif")})
    _refused(twice, "overwrite each other", folder)
    header = replace(itself, outputs={"abundances": str(folder / "a.bsq"), "sli": str(folder / "a.sli")})
    _refused(header, "overwrite each other", folder)
    _refused(Job("sharpen", {"image": "x"}), "no method", folder)
    _refused(_job(folder, outputs=("abundances", "shade")), "'shade'", folder)
    _refused(replace(_job(folder), tables={"library": str(folder / "spectra.csv")}), "'library'", folder)
    point = {"name": "a", "geometry": {"type": "Point", "coordinates": [5e5 + 21, 5e6 - 21]}}
    _refused(_job(folder, samples=(point,)), "not both", folder)


def test_more_than_255_materials_keep_their_numbers(scene):
    folder, _ = scene
    random = np.random.default_rng(0)
    true = _spectra(40)
    decoys = random.dirichlet(np.ones(4), 296) @ true * 0.5  # dimmer mixtures come first, the true spectra last
    _table(folder / "spectra.csv", np.vstack([decoys, true]))
    job = _job(folder, outputs=("abundances", "class"), settings={"model": "sunsal"})
    result = run_job(job, PYTHON, Listener())
    shares, *_ = _read(result.outputs["abundances"])
    classes, profile, _, _ = _read(result.outputs["class"])
    assert profile["dtype"] == "uint16" and profile["nodata"] == 0
    np.testing.assert_array_equal(classes[0, :, 3:], shares[:, :, 3:].argmax(axis=0) + 1)
    assert (classes > 255).any()


def test_a_job_with_labelled_polygons_uses_their_mean_spectra(scene):
    folder, _ = scene
    squares = []
    for k, col in enumerate((10, 30, 50)):
        x, y = 5e5 + 2 * col, 5e6 - 2 * 20
        ring = [[x, y], [x + 20, y], [x + 20, y - 20], [x, y - 20], [x, y]]
        squares.append({"name": f"field {k}", "geometry": {"type": "Polygon", "coordinates": [ring]}})
    job = _job(folder, given=False, outputs=("abundances", "endmembers"), samples=tuple(squares))
    result = run_job(job, PYTHON, Listener())
    with rasterio.open(folder / "image.tif") as file:
        expected = file.read()[:, 20:30, 10:20].mean(axis=(1, 2)) / 10000
    rows = Path(result.outputs["endmembers"]).read_text(encoding="utf-8").splitlines()
    assert rows[0] == "wavelength_nm,field 0,field 1,field 2"
    np.testing.assert_allclose([float(row.split(",")[1]) for row in rows[1:]], expected, atol=1e-6)
    outside = {"name": "far", "geometry": {"type": "Point", "coordinates": [0.0, 0.0]}}
    with pytest.raises(InputError, match="far"):
        run_job(_job(folder, given=False, samples=(outside,)), PYTHON, Listener())
