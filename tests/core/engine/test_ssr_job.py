# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole jobs of spectral super-resolution and its training: truth, grid, nodata, tiles, models, crashes, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import safetensors.torch
from jobs import go, run_and_kill

from hyperres.core.engine import checkpoint, plan
from hyperres.core.engine.job import Job
from hyperres.core.engine.journal import Journal
from hyperres.core.errors import Cancelled, InputError
from hyperres.core.ssr import contest, training

NODATA, RATIO, SIDE = -9999, 4, 96
NM = np.arange(420.0, 900.0, 15.0)
CENTRES, WIDTHS = (475.0, 560.0, 668.0, 842.0, 717.0), (32.0, 27.0, 14.0, 57.0, 12.0)
"""The bands of a RedEdge in its own order."""
HOLE = slice(10, 20), slice(30, 44)


def response(centres=CENTRES, widths=WIDTHS):
    sigma = np.array(widths)[:, None] / 2.3548
    rows = np.exp(-0.5 * ((NM[None, :] - np.array(centres)[:, None]) / sigma) ** 2)
    return rows / rows.sum(axis=1, keepdims=True)


def ground(side=SIDE, seed=1):
    """Patches of four materials with soft and sharp edges, [bands, rows, columns]."""
    random = np.random.default_rng(seed)
    spectra = np.stack(
        [
            0.04 + 0.05 * np.exp(-(((NM - 555) / 30) ** 2)) + 0.42 / (1 + np.exp(-(NM - 715) / 15)),
            0.08 + 0.30 * ((NM - 400) / 600) ** 0.8,
            0.07 * np.exp(-(NM - 420) / 200) + 0.01,
            0.20 + 0.10 * np.sin(NM / 90),
        ]
    )
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    fields = np.fft.ifft2(np.fft.fft2(random.normal(size=(4, side, side))) * np.exp(-((frequency * 9) ** 2))).real
    weights = np.exp(6 * fields / fields.std(axis=(1, 2), keepdims=True))
    return np.einsum("kb,krc->brc", spectra, weights / weights.sum(axis=0))


def write(path, cube, nm=None, pixel_m=5, hole=None, names=None, top=0):
    random = np.random.default_rng(len(cube))
    stored = np.rint((cube + random.normal(0, 5e-4, cube.shape)) * 10000).astype("int16")
    if hole is not None:
        stored[0][hole] = NODATA
    place = rasterio.Affine(pixel_m, 0, 5e5, 0, -pixel_m, 5e6 - top * pixel_m)
    shape = {"count": len(cube), "height": cube.shape[1], "width": cube.shape[2]}
    profile = {"driver": "GTiff", "dtype": "int16", "nodata": NODATA, "crs": "EPSG:32633", "transform": place}
    with rasterio.open(path, "w", **shape, **profile) as file:
        file.write(stored)
        for band in range(len(cube)):
            if nm is not None:
                file.update_tags(band + 1, wavelength=f"{nm[band]:.2f}", wavelength_units="Nanometers")
            if names is not None:
                file.set_band_description(band + 1, names[band])
    return str(path)


def read(path):
    with rasterio.open(path) as file:
        return file.read()


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Short trainings: what is tested here are the runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "PIXEL_STEPS", 20)
        patch.setattr(contest, "RECIPE", replace(contest.RECIPE, steps=6, images=2, judge_every=2))
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ssr")
    cube = ground()
    coarse = cube.reshape(len(NM), SIDE // RATIO, RATIO, SIDE // RATIO, RATIO).mean(axis=(2, 4))
    msi = np.einsum("mb,brc->mrc", response(), cube)
    return {
        "truth": cube,
        "hsi": write(folder / "hsi.tif", coarse, NM, 5 * RATIO),
        "msi": write(folder / "msi.tif", msi, CENTRES, hole=HOLE),
        "folder": folder,
    }


@pytest.fixture(scope="module")
def made(files):
    """One run with every output."""
    names = {"spectra": "out.tif", "uncertainty": "unc.tif", "model": "m.safetensors", "stf": "stf.csv"}
    outputs = {role: str(files["folder"] / name) for role, name in {**names, "report": "r.html"}.items()}
    job = Job("spectralsuperresolve", {"hsi": files["hsi"], "msi": files["msi"]}, outputs, {"preset": "ridge"})
    return go(job), outputs


def network_model(files, folder):
    outputs = {"model": str(folder / "network.safetensors")}
    go(Job("trainssr", {"hsi": files["hsi"], "msi": files["msi"]}, outputs, {"preset": "network"}))
    return outputs["model"]


def apply(model, msi, out, **changes):
    settings = changes.pop("settings", {})
    job = Job("spectralsuperresolve", {"model": model, "msi": msi}, {"spectra": str(out)}, settings, **changes)
    go(job)
    return read(out)


def test_an_overlap_gives_the_truth_on_the_grid_of_the_msi(made, files):
    result, outputs = made
    with rasterio.open(files["msi"]) as msi, rasterio.open(outputs["spectra"]) as out:
        assert (out.transform, out.crs, out.shape) == (msi.transform, msi.crs, msi.shape)
        assert [float(out.tags(i + 1)["wavelength"]) for i in range(out.count)] == pytest.approx(NM.tolist())
        found = out.read()
    valid = found[0] != NODATA
    # 0.05 is how far spectra of this ground lie from their mean
    error = (found - files["truth"])[:, valid]
    assert np.sqrt(np.square(error).mean()) < 0.005
    assert result.numbers["held_out_psnr"] > 40
    deviation = read(outputs["uncertainty"])
    assert deviation.shape == found.shape
    within = (np.abs(error) <= 2 * deviation[:, valid]).mean()
    assert 0.8 < within <= 1.0


def test_nodata_stay_nodata_to_the_pixel(made, files):
    expected = np.zeros((SIDE, SIDE), bool)
    expected[HOLE] = True
    for role in ("spectra", "uncertainty"):
        assert np.array_equal((read(made[1][role]) == NODATA).all(axis=0), expected)
        assert np.array_equal((read(made[1][role]) == NODATA).any(axis=0), expected)
    assert made[0].numbers["valid_share"] == pytest.approx(1 - expected.mean())


def test_the_table_of_the_transformation_peaks_where_the_bands_lie(made):
    table = np.loadtxt(made[1]["stf"], delimiter=",", skiprows=1)
    assert table[:, 0] == pytest.approx(NM)
    assert table[:, 1:].argmax(axis=0) == pytest.approx(response().argmax(axis=1), abs=1)
    assert table[:, 1:].sum(axis=0) == pytest.approx(np.ones(5), abs=0.1)


def test_the_report_says_how_far_to_trust_it(made):
    text = (made[1]["report"] and open(made[1]["report"], encoding="utf-8").read()) or ""
    for words in ("Key figures", "Is it better than simpler ways?", "Between the two sensors", "Uncertainty"):
        assert words in text


def test_an_overlap_with_pixels_of_one_size_is_nothing_to_warn_of(files, tmp_path):
    """No detail is wanted from the multispectral image here, as it is in a fusion."""
    part = write(tmp_path / "part.tif", files["truth"][:, :48], NM)
    outputs = {"spectra": str(tmp_path / "out.tif"), "report": str(tmp_path / "r.html")}
    result = go(Job("spectralsuperresolve", {"hsi": part, "msi": files["msi"]}, outputs, {"preset": "ridge"}))
    assert result.details["warnings"] == []
    assert "hardly finer" not in open(outputs["report"], encoding="utf-8").read()
    found = read(outputs["spectra"])[:, 48:]
    valid = found[0] != NODATA
    assert np.sqrt(np.square(found - files["truth"][:, 48:])[:, valid].mean()) < 0.005


def test_bands_are_found_by_wavelength_in_any_order(made, files, tmp_path):
    order = [3, 0, 4, 2, 1]
    whole = read(files["msi"]) / 10000
    turned = write(tmp_path / "turned.tif", np.where(whole < 0, 0, whole)[order], np.array(CENTRES)[order])
    found = apply(made[1]["model"], turned, tmp_path / "out.tif")
    expected = read(made[1]["spectra"])
    valid = expected[0] != NODATA
    # the file is written with new noise
    assert np.abs(found - expected)[:, valid].mean() < 0.003


def test_a_sensor_names_the_bands_of_a_mosaic_without_wavelengths(made, files, tmp_path):
    msi = np.einsum("mb,brc->mrc", response(), files["truth"])
    bare = write(tmp_path / "bare.tif", msi)
    found = apply(made[1]["model"], bare, tmp_path / "out.tif", settings={"sensor": "rededge-mx"})
    assert np.sqrt(np.square(found - files["truth"]).mean()) < 0.005
    with pytest.raises(InputError, match="Choose the camera"):
        apply(made[1]["model"], bare, tmp_path / "none.tif")
    assert not (tmp_path / "none.tif").exists()


def test_a_table_names_the_bands_of_a_mosaic(made, files, tmp_path):
    msi = np.einsum("mb,brc->mrc", response(), files["truth"])
    bare, table = write(tmp_path / "bare.tif", msi), tmp_path / "bands.csv"
    table.write_text("name,centre_nm,width_nm\n" + "".join(f"b{c:g},{c},{w}\n" for c, w in zip(CENTRES, WIDTHS)))
    found = apply(made[1]["model"], bare, tmp_path / "out.tif", tables={"bands": str(table)})
    assert np.sqrt(np.square(found - files["truth"]).mean()) < 0.005


def test_a_model_serves_another_camera(made, files, tmp_path, monkeypatch):
    """The bands of another drone camera, in a mosaic without wavelengths: found, said, and as good in tiles."""
    p4m = (450.0, 560.0, 650.0, 730.0, 840.0), (32.0, 32.0, 32.0, 32.0, 52.0)
    bare = write(tmp_path / "p4m.tif", np.einsum("mb,brc->mrc", response(*p4m), files["truth"]), hole=HOLE)
    names = {"spectra": "out.tif", "uncertainty": "unc.tif", "model": "m.safetensors", "stf": "s.csv"}
    outputs = {role: str(tmp_path / name) for role, name in {**names, "report": "r.html"}.items()}
    inputs, settings = {"model": made[1]["model"], "msi": bare}, {"sensor": "p4-multispectral"}
    result = go(Job("spectralsuperresolve", inputs, outputs, settings))
    found, valid = read(outputs["spectra"]), read(outputs["spectra"])[0] != NODATA
    assert not valid[HOLE].any() and valid.sum() == SIDE * SIDE - 140
    error = (found - files["truth"])[:, valid]
    assert np.sqrt(np.square(error).mean()) < 0.006
    assert (np.abs(error) <= 2 * read(outputs["uncertainty"])[:, valid]).mean() > 0.9
    assert result.numbers["camera_change_db"] < 0
    report = open(outputs["report"], encoding="utf-8").read()
    assert "trained for another camera" in report and "Expected change" in report
    assert np.loadtxt(outputs["stf"], delimiter=",", skiprows=1).shape == (len(NM), 6)
    monkeypatch.setattr(plan, "TILE_PIXELS", 16 * SIDE)
    np.testing.assert_allclose(apply(made[1]["model"], bare, tmp_path / "t.tif", settings=settings), found, atol=2e-5)
    # the changed model is one for the other camera
    again = apply(outputs["model"], bare, tmp_path / "again.tif", settings=settings)
    np.testing.assert_allclose(again, found, atol=1e-6)


def test_a_camera_that_sees_none_of_the_spectra_is_refused(made, files, tmp_path):
    bare, table = write(tmp_path / "thermal.tif", files["truth"][:2]), tmp_path / "bands.csv"
    table.write_text("name,centre_nm,width_nm\nT1,10800,600\nT2,12000,1000\n")
    inputs, outputs = {"model": made[1]["model"], "msi": bare}, {"spectra": str(tmp_path / "out.tif")}
    job = Job("spectralsuperresolve", inputs, outputs, tables={"bands": str(table)})
    assert "None of the image's bands" in refused(job, tmp_path)


def test_some_bands_only(made, files, tmp_path):
    found = apply(made[1]["model"], files["msi"], tmp_path / "some.tif", settings={"output_bands": [3, 7]})
    np.testing.assert_allclose(found, read(made[1]["spectra"])[[3, 7]], atol=1e-5)


def test_one_model_for_a_batch_gives_what_the_whole_gives(made, files, tmp_path):
    whole = read(made[1]["spectra"])
    with rasterio.open(files["msi"]) as file:
        profile, stored = file.profile, file.read()
        tags = [file.tags(i + 1) for i in range(file.count)]
    for name, rows in {"top": slice(0, 40), "bottom": slice(40, SIDE)}.items():
        part = tmp_path / f"{name}.tif"
        with rasterio.open(part, "w", **{**profile, "height": rows.stop - rows.start}) as file:
            file.write(stored[:, rows])
            for band, tag in enumerate(tags, 1):
                file.update_tags(band, **tag)
        np.testing.assert_allclose(
            apply(made[1]["model"], str(part), tmp_path / f"{name}_out.tif"), whole[:, rows], atol=1e-5
        )


@pytest.mark.parametrize("way", ["ridge", "network"])
def test_tiles_equal_the_whole(way, made, files, tmp_path, monkeypatch):
    model = made[1]["model"] if way == "ridge" else network_model(files, tmp_path)
    whole = apply(model, files["msi"], tmp_path / "whole.tif")
    monkeypatch.setattr(plan, "TILE_PIXELS", 16 * SIDE)
    tiled = apply(model, files["msi"], tmp_path / "tiled.tif")
    np.testing.assert_allclose(tiled, whole, atol=2e-5)


def test_archive_and_library_know_no_image_of_the_ground(files, tmp_path):
    """Both are told the camera and no more; the spectra they find are still near the truth."""
    library = tmp_path / "library.csv"
    random = np.random.default_rng(5)
    names = [f"s{i}" for i in range(12)]
    spectra = files["truth"].reshape(len(NM), -1)[:, random.integers(0, SIDE * SIDE, 12)]
    rows = [f"{nm:g}," + ",".join(f"{v:.5f}" for v in row) for nm, row in zip(NM, spectra)]
    library.write_text("\n".join(["wavelength_nm," + ",".join(names), *rows]) + "\n")
    settings = {"preset": "ridge", "sensor": "rededge-mx"}
    jobs = {
        "archive": Job("trainssr", {"hsi": files["hsi"], "hsi2": files["hsi"]}, {}, {**settings, "mode": "archive"}),
        "library": Job("trainssr", {}, {}, {**settings, "mode": "library"}, {"library": str(library)}),
    }
    for mode, job in jobs.items():
        model = str(tmp_path / f"{mode}.safetensors")
        result = go(replace(job, outputs={"model": model, "report": str(tmp_path / f"{mode}.html")}))
        assert result.numbers["held_out_sam"] < 12
        out = tmp_path / f"{mode}.tif"
        found = apply(model, files["msi"], out)
        valid = found[0] != NODATA
        with rasterio.open(out) as file:
            nm = [float(file.tags(i + 1)["wavelength"]) for i in range(file.count)]
        truth = np.array([[np.interp(nm, NM, pixel)] for pixel in files["truth"][:, valid].T[::50]])[:, 0].T
        assert np.sqrt(np.square(found[:, valid][:, ::50] - truth).mean()) < 0.03


def test_an_archive_of_images_on_unlike_scales_is_refused(files, tmp_path):
    counts = write(tmp_path / "counts.tif", 4 * files["truth"], NM)  # too large for reflectance times 10000
    inputs, outputs = {"hsi1": files["hsi"], "hsi2": counts}, {"model": str(tmp_path / "m.safetensors")}
    settings = {"mode": "archive", "preset": "ridge", "sensor": "rededge-mx"}
    sentence = refused(Job("trainssr", inputs, outputs, settings), tmp_path)
    assert "counts.tif" in sentence and "scale" in sentence
    go(Job("trainssr", inputs, outputs, {**settings, "hsi_scale": 1e-4}))


def test_saturated_pixels_are_nodata(made, files, tmp_path):
    msi = np.einsum("mb,brc->mrc", response(), files["truth"])
    with rasterio.open(files["msi"]) as file:
        profile = file.profile
    noise = np.random.default_rng(3).normal(0, 5e-4, msi.shape)
    stored = np.rint((msi + noise) * 10000).astype("int16")
    stored[1, :8, :8] = 32767
    path = tmp_path / "saturated.tif"
    with rasterio.open(path, "w", **profile) as file:
        file.write(stored)
        for band, nm in enumerate(CENTRES, 1):
            file.update_tags(band, wavelength=f"{nm}", wavelength_units="Nanometers")
    found = apply(made[1]["model"], str(path), tmp_path / "out.tif", settings={"msi_scale": 1e-4})
    assert (found[:, :8, :8] == NODATA).all()
    assert (found[0] == NODATA).sum() == 64


def test_a_killed_run_goes_on_to_the_same_bytes(made, files, tmp_path):
    job = Job(
        "spectralsuperresolve",
        {"model": made[1]["model"], "msi": files["msi"]},
        {"spectra": str(tmp_path / "out.tif")},
        memory_mb=3,
        workers=1,
    )
    run_and_kill(job, 60)
    assert list(tmp_path.glob(".*journal"))
    go(job)
    again = replace(job, outputs={"spectra": str(tmp_path / "again.tif")})
    go(again)
    assert read(tmp_path / "out.tif").tobytes() == read(tmp_path / "again.tif").tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.tif", "out.tif"]


def test_a_killed_training_goes_on_from_its_checkpoint(files, tmp_path, monkeypatch):
    """A training that dies right after its second checkpoint ends where one that was never disturbed ends."""
    inputs, settings = {"hsi": files["hsi"], "msi": files["msi"]}, {"preset": "network"}
    undisturbed = Job("trainssr", inputs, {"model": str(tmp_path / "undisturbed.safetensors")}, settings)
    go(undisturbed)
    job = replace(undisturbed, outputs={"model": str(tmp_path / "model.safetensors")})
    saved, loaded = [], []
    save, load = checkpoint.Checkpoint.save, checkpoint.Checkpoint.load

    def dying(self, state):
        save(self, state)
        saved.append(int(state["steps"][-1]))
        if len(saved) == 2:
            raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "save", dying)
        patch.setattr(Journal, "remove", Journal.close)  # what dies does not tidy up
        with pytest.raises(MemoryError):
            go(job)
    monkeypatch.setattr(checkpoint.Checkpoint, "load", lambda self: loaded.append(load(self)) or loaded[-1])
    go(job)
    assert saved == [2, 4] and int(loaded[0]["steps"][-1]) == 4
    one, other = (safetensors.torch.load_file(run.outputs["model"]) for run in (undisturbed, job))
    assert all(one[name].equal(other[name]) for name in one)
    assert not list(tmp_path.glob(".*journal"))


def test_a_loss_that_is_no_number_ends_the_training_at_the_last_good_state(files, tmp_path, monkeypatch):
    """The user is told why, and gets the network as it was when it was last saved."""
    saved, losses, usual = [], [], training.robust_loss

    def failing(*arguments):
        losses.append(usual(*arguments))
        return losses[-1] * (float("nan") if len(losses) > 3 else 1.0)

    save = checkpoint.Checkpoint.save
    monkeypatch.setattr(checkpoint.Checkpoint, "save", lambda self, state: (saved.append(state), save(self, state)))
    monkeypatch.setattr(training, "robust_loss", failing)
    outputs = {"model": str(tmp_path / "m.safetensors"), "report": str(tmp_path / "r.html")}
    result = go(Job("trainssr", {"hsi": files["hsi"], "msi": files["msi"]}, outputs, {"preset": "network"}))
    assert len(losses) == 4 and [int(state["steps"][-1]) for state in saved] == [2]
    sentence = next(text for text in result.details["warnings"] if "diverged" in text)
    assert "extreme values" in sentence and "state before" in sentence
    assert "diverged" in open(outputs["report"], encoding="utf-8").read()
    model = safetensors.torch.load_file(outputs["model"])
    best = {name[5:]: value for name, value in saved[-1].items() if name.startswith("best.")}
    assert all(model[f"way.{name}"].equal(value) for name, value in best.items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "r.html"]


def test_a_cancelled_training_leaves_nothing(files, tmp_path):
    job = Job("trainssr", {"hsi": files["hsi"], "msi": files["msi"]}, {"model": str(tmp_path / "m.safetensors")})
    asked = []
    with pytest.raises(Cancelled):
        go(job, lambda: asked.append(1) or len(asked) > 3)
    assert list(tmp_path.iterdir()) == []


def refused(job, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        go(job)
    assert sorted(tmp_path.iterdir()) == before
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_an_msi_alone_is_refused(files, tmp_path):
    job = Job("spectralsuperresolve", {"msi": files["msi"]}, {"spectra": str(tmp_path / "out.tif")})
    assert "alone does not tell" in refused(job, tmp_path)


def test_other_bands_than_the_models_are_refused(made, files, tmp_path):
    msi = read(files["msi"])[:3] / 10000
    few = write(tmp_path / "few.tif", msi, CENTRES[:3])
    other = write(tmp_path / "other.tif", np.repeat(msi[:1], 5, axis=0), (450, 520, 600, 640, 880))
    inputs = {"model": made[1]["model"]}
    outputs = {"spectra": str(tmp_path / "out.tif")}
    assert "needs 5" in refused(Job("spectralsuperresolve", {**inputs, "msi": few}, outputs), tmp_path)
    assert "no band near" in refused(Job("spectralsuperresolve", {**inputs, "msi": other}, outputs), tmp_path)


def test_an_hsi_that_does_not_cover_the_msi_is_refused(files, tmp_path):
    msi = np.einsum("mb,brc->mrc", response(), files["truth"])[:4]
    beyond = write(tmp_path / "beyond.tif", msi, (475, 560, 668, 1600))
    for mode in ("overlap", "archive"):
        job = Job(
            "spectralsuperresolve",
            {"msi": beyond, "hsi": files["hsi"]},
            {"spectra": str(tmp_path / "out.tif")},
            {"mode": mode},
        )
        assert "1600 nm" in refused(job, tmp_path)


def test_a_small_overlap_is_refused(files, tmp_path):
    away = write(tmp_path / "away.tif", read(files["msi"]) / 10000, CENTRES, top=90)
    job = Job("trainssr", {"msi": away, "hsi": files["hsi"]}, {"model": str(tmp_path / "m.safetensors")})
    assert "overlap" in refused(job, tmp_path).lower()


def test_a_constant_band_is_refused(files, tmp_path):
    cube = np.einsum("mb,brc->mrc", response(), files["truth"])
    path = tmp_path / "flat.tif"
    write(path, cube, CENTRES)
    with rasterio.open(path, "r+") as file:
        file.write(np.full((SIDE, SIDE), 1500, "int16"), 2)
    job = Job("trainssr", {"msi": str(path), "hsi": files["hsi"]}, {"model": str(tmp_path / "m.safetensors")})
    assert refused(job, tmp_path)


@pytest.mark.parametrize("harm", ["cut", "other method", "changed"])
def test_harmed_models_are_refused(made, files, tmp_path, harm):
    path, data = tmp_path / "harmed.safetensors", open(made[1]["model"], "rb").read()
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "changed":
        path.write_bytes(data[:-8] + bytes(8))
    else:
        path.write_bytes(
            data.replace(b'\\"method\\": \\"spectralsuperresolve\\"', b'\\"method\\": \\"spectralsuperresolvx\\"')
        )
    job = Job("spectralsuperresolve", {"msi": files["msi"], "model": str(path)}, {"spectra": str(tmp_path / "out.tif")})
    assert str(path) in refused(job, tmp_path)


@pytest.mark.parametrize(
    ("inputs", "tables", "settings", "words"),
    [
        ((), {}, {"mode": "overlap"}, "alone does not tell"),
        (("hsi",), {}, {"mode": "overlap"}, "one of the same ground"),
        (("hsi",), {}, {"mode": "archive"}, "not known which bands"),
        ((), {}, {"mode": "library", "sensor": "rededge-mx"}, "needs a spectral library"),
        (("hsi",), {}, {"mode": "archive", "sensor": "landsat-9", "preset": "none"}, "no known preset"),
    ],
)
def test_a_training_that_lacks_something_is_refused(files, tmp_path, inputs, tables, settings, words):
    job = Job("trainssr", {name: files[name] for name in inputs}, {"model": str(tmp_path / "m")}, settings, tables)
    assert words in refused(job, tmp_path)


def test_the_record_is_json(made):
    assert json.loads(json.dumps(made[0].details))["model"]["evidence"]["chosen"] == "ridge"
