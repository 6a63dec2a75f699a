# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole fusion jobs, from two files to the fused one: truth, grids, nodata, models, and refusals in one sentence."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import safetensors.torch
from jobs import Quiet, go
from scipy.ndimage import gaussian_filter

from hyperres.core.engine.job import Job
from hyperres.core.engine.run import run
from hyperres.core.errors import Cancelled, HyperResError, InputError
from hyperres.core.fusion import paper, spectralift, spectramorph

SIZE, RATIO, BANDS, NODATA = 120, 4, 30, -9999
NM = np.linspace(450, 2300, BANDS)
MSI_NM = (490.0, 560.0, 665.0, 840.0)


def scene(seed=0):
    """Reflectance of five materials in patches, float [bands, rows, columns]."""
    random = np.random.default_rng(seed)
    fields = np.stack([gaussian_filter(random.standard_normal((SIZE, SIZE)), 3) for _ in range(5)])
    shares = np.exp(60 * fields)
    shares /= shares.sum(axis=0)
    axis = np.linspace(0, 1, BANDS)
    spectra = np.stack([0.25 + 0.2 * np.sin((2 + 1.3 * k) * axis + 1.1 * k) for k in range(5)])
    return np.einsum("kb,kij->bij", spectra, shares)


def write(path, cube, size, nm, hole=None, nodata=NODATA):
    stored = np.rint(cube * 10000).astype("int16")
    if hole is not None:
        stored[:, hole[0], hole[1]] = NODATA
    profile = {"driver": "GTiff", "count": len(cube), "dtype": "int16", "nodata": nodata, "crs": "EPSG:32633"}
    place = rasterio.Affine(size, 0, 5e5, 0, -size, 5e6)
    with rasterio.open(path, "w", height=cube.shape[1], width=cube.shape[2], transform=place, **profile) as file:
        file.write(stored)
        for band, wavelength in enumerate(nm or (), 1):
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")
    return str(path)


def coarse(truth, seed=1):
    blurred = np.stack([gaussian_filter(band, 0.45 * RATIO) for band in truth])
    small = blurred.reshape(len(truth), SIZE // RATIO, RATIO, SIZE // RATIO, RATIO).mean(axis=(2, 4))
    return small + 0.001 * np.random.default_rng(seed).standard_normal(small.shape)


def fine(truth, seed=2):
    rows = np.exp(-0.5 * ((NM[None] - np.array(MSI_NM)[:, None]) / 60) ** 2)
    seen = np.einsum("cb,bij->cij", rows / rows.sum(axis=1, keepdims=True), truth)
    return seen + 0.002 * np.random.default_rng(seed).standard_normal(seen.shape)


@pytest.fixture
def pair(tmp_path):
    truth = scene()
    hsi = write(tmp_path / "hsi.tif", coarse(truth), 4.0, list(NM))
    msi = write(tmp_path / "msi.tif", fine(truth), 1.0, MSI_NM)
    return truth, hsi, msi


@pytest.fixture
def few_steps(monkeypatch):
    """Networks that learn for a moment only."""
    for module in (spectralift, spectramorph):
        monkeypatch.setattr(module, "RECIPE", replace(module.RECIPE, steps=(60,), members=2))
    monkeypatch.setattr(paper, "STEPS", 60)


def job(hsi, msi, folder, method="fuse", outputs=("fused",), **changes):
    endings = {"report": "html", "result": "json", "model": "safetensors", "srf": "csv", "endmembers": "csv"}
    files = {role: str(folder / f"{role}.{endings.get(role, 'tif')}") for role in outputs}
    inputs = {"hsi": hsi, "msi": msi, **changes.pop("inputs", {})}
    return Job(method=method, inputs=inputs, outputs=files, device="cpu", skip_water_vapour=False, **changes)


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def test_the_result_is_near_the_truth_on_the_fine_grid_with_the_coarse_bands(pair, tmp_path):
    truth, hsi, msi = pair
    outputs = ("fused", "uncertainty", "report", "result", "srf", "model")
    done = go(job(hsi, msi, tmp_path, outputs=outputs))
    fused = read(tmp_path / "fused.tif")
    blocks = np.kron(coarse(truth), np.ones((1, RATIO, RATIO)))
    rmse = [float(np.sqrt(np.mean((image - truth) ** 2))) for image in (fused, blocks)]
    assert rmse[0] < 0.5 * rmse[1]
    with rasterio.open(msi) as fine_file, rasterio.open(tmp_path / "fused.tif") as made:
        assert (made.transform, made.crs, made.shape) == (fine_file.transform, fine_file.crs, fine_file.shape)
        assert [float(made.tags(i)["wavelength"]) for i in made.indexes] == pytest.approx(list(NM), abs=0.01)
    assert (read(tmp_path / "uncertainty.tif") > 0).all()
    assert done.numbers["ratio"] == pytest.approx(RATIO)
    assert "Side by side" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["method"] == "fuse"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_is_nodata_in_either_image_is_nodata_and_harms_nothing_else(pair, tmp_path):
    truth, *sound = pair
    go(job(*sound, tmp_path))
    usual = np.abs(read(tmp_path / "fused.tif") - truth)
    hsi = write(tmp_path / "holed_hsi.tif", coarse(truth), 4.0, list(NM), (slice(10, 13), slice(5, 9)))
    msi = write(tmp_path / "holed_msi.tif", fine(truth), 1.0, MSI_NM, (slice(80, 101), slice(70, 83)))
    go(job(hsi, msi, tmp_path))
    fused = read(tmp_path / "fused.tif")
    expected = np.zeros((SIZE, SIZE), bool)
    expected[40:52, 20:36] = expected[80:101, 70:83] = True
    np.testing.assert_array_equal((fused == NODATA).all(axis=0), expected)
    errors = np.abs(fused - truth)[:, ~expected]
    assert float(errors.max()) < 1.3 * float(usual.max())
    assert float(np.sqrt(np.mean(errors**2))) < 1.2 * float(np.sqrt(np.mean(usual**2)))


@pytest.mark.parametrize("method", ["fuse", "spectralift", "spectramorph"])
def test_the_same_seed_gives_the_same_bytes(pair, tmp_path, few_steps, method):
    _, hsi, msi = pair
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        go(job(hsi, msi, tmp_path / name, method))
    # provenance names files, not folders, so even the headers agree
    first, second = ((tmp_path / name / "fused.tif").read_bytes() for name in ("first", "second"))
    assert first == second


def test_some_bands_are_those_of_the_whole(pair, tmp_path):
    _, hsi, msi = pair
    go(job(hsi, msi, tmp_path))
    whole = read(tmp_path / "fused.tif")
    (tmp_path / "some").mkdir()
    go(job(hsi, msi, tmp_path / "some", settings={"output_bands": [2, 17]}))
    np.testing.assert_allclose(read(tmp_path / "some" / "fused.tif"), whole[[2, 17]], atol=1e-6)


@pytest.mark.parametrize("method", ["fuse", "spectralift", "spectramorph"])
def test_a_saved_model_gives_the_same_image_also_on_a_tile(pair, tmp_path, few_steps, method):
    truth, hsi, msi = pair
    go(job(hsi, msi, tmp_path, method, ("fused", "uncertainty", "model")))
    again = tmp_path / "again"
    again.mkdir()
    model = {"model": str(tmp_path / "model.safetensors")}
    result = go(job(hsi, msi, again, method, ("fused", "uncertainty", "report"), inputs=model))
    assert "psnr_consistency_hsi" not in result.numbers
    assert "fitted by an earlier run" in (again / "report.html").read_text("utf-8")
    for name in ("fused.tif", "uncertainty.tif"):
        np.testing.assert_array_equal(read(again / name), read(tmp_path / name))
    tile = write(tmp_path / "tile.tif", fine(truth)[:, :100], 1.0, MSI_NM)
    go(job(hsi, tile, again, method, inputs=model))
    difference = np.abs(read(again / "fused.tif")[:, :60] - read(tmp_path / "fused.tif")[:, :60])
    assert float(difference.max()) < 1e-3 * float(truth.max() - truth.min())


@pytest.mark.parametrize("method", ["spectralift", "spectramorph"])
def test_the_networks_as_published_run(pair, tmp_path, few_steps, method):
    _, hsi, msi = pair
    done = go(job(hsi, msi, tmp_path, method, ("fused", "result"), settings={"mode": "paper"}))
    fused = read(tmp_path / "fused.tif")
    assert np.isfinite(fused).all()
    assert float(fused.max()) < 1.0
    assert done.details["model"]["evidence"]["components"] == 0
    published = {"spectralift": 64 * 4 + 65 * BANDS + 20864, "spectramorph": 1024 * 4 + 1024 + 1025 * 7}
    assert done.details["model"]["evidence"]["parameters"] == published[method]


def test_latent_maps_are_shares_of_the_endmembers_in_the_table(pair, tmp_path, few_steps):
    _, hsi, msi = pair
    outputs = ("fused", "latent", "endmembers")
    go(job(hsi, msi, tmp_path, "spectramorph", outputs, settings={"count": 5}))
    shares = read(tmp_path / "latent.tif")
    assert shares.shape == (5, SIZE, SIZE)
    assert float(shares.min()) >= 0.0
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-4)
    assert (tmp_path / "endmembers.csv").read_text(encoding="utf-8").startswith("wavelength_nm,Endmember 1")


def test_a_cancelled_run_leaves_nothing(pair, tmp_path):
    _, hsi, msi = pair
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(Cancelled):
        go(job(hsi, msi, tmp_path, outputs=("fused", "report")), lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def _one_sentence(error):
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


def test_models_that_do_not_fit_are_refused(pair, tmp_path, few_steps):
    truth, hsi, msi = pair
    go(job(hsi, msi, tmp_path, outputs=("model",)))
    model = tmp_path / "model.safetensors"
    fewer = write(tmp_path / "fewer.tif", fine(truth)[:3], 1.0, MSI_NM[:3])
    moved = write(tmp_path / "moved.tif", fine(truth), 1.0, [nm + 9 for nm in MSI_NM])
    whole = model.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "pickle": b"\x80\x04}\x94.", "text": b"model"}
    cases = [(msi, "spectralift", whole), (fewer, "fuse", whole), (moved, "fuse", whole)]
    tensors = safetensors.torch.load(whole)
    header = {"hyperres": safetensors.safe_open(str(model), "pt").metadata()["hyperres"]}
    tensors.pop("estimator.mean")
    damaged["without a tensor"] = safetensors.torch.save(tensors, header)
    newer = {"hyperres": header["hyperres"].replace('"format": 1', '"format": 99')}
    damaged["newer"] = safetensors.torch.save(safetensors.torch.load(whole), newer)
    cases += [(msi, "fuse", content) for content in damaged.values()]
    for number, (image, method, content) in enumerate(cases):
        file = tmp_path / f"case{number}.safetensors"
        file.write_bytes(content)
        with pytest.raises(HyperResError) as error:
            go(job(hsi, image, tmp_path, method, inputs={"model": str(file)}))
        _one_sentence(error)
        assert not (tmp_path / "fused.tif").exists()


def test_a_model_of_another_ratio_is_refused(pair, tmp_path):
    truth, hsi, msi = pair
    go(job(hsi, msi, tmp_path, outputs=("model",)))
    half = truth.reshape(BANDS, SIZE // 2, 2, SIZE // 2, 2).mean(axis=(2, 4))
    finer = write(tmp_path / "finer.tif", half, 2.0, list(NM))
    with pytest.raises(InputError, match="ratio of 4 but these images have 2") as error:
        go(job(finer, msi, tmp_path, inputs={"model": str(tmp_path / "model.safetensors")}))
    _one_sentence(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda msi: msi[:, ::-1, ::-1], "same ground"),
        (lambda msi: 0 * msi, "same ground"),
        (lambda msi: msi / 5, "times as bright as the model expects"),
    ],
)
def test_a_model_is_not_applied_to_images_unlike_those_it_was_fitted_on_unless_forced(pair, tmp_path, change, words):
    truth, hsi, msi = pair
    go(job(hsi, msi, tmp_path, outputs=("model",)))
    other = write(tmp_path / "other.tif", change(fine(truth)), 1.0, MSI_NM)
    model = {"model": str(tmp_path / "model.safetensors")}
    with pytest.raises(InputError, match=words) as error:
        go(job(hsi, other, tmp_path, inputs=model))
    _one_sentence(error)
    assert not (tmp_path / "fused.tif").exists()
    go(job(hsi, other, tmp_path, inputs=model, settings={"force": True}))
    assert (tmp_path / "fused.tif").is_file()


def _damaged(tensors, header):
    """Models that a reader of safetensors takes for whole: name, tensors, header."""

    def changed(name, change):
        return {**tensors, name: change(tensors[name].clone())}

    def put(tensor, value):
        tensor.view(-1)[0] = value
        return tensor

    yield "not a number", changed("estimator.prior.weights", lambda t: put(t, float("nan"))), header
    yield "infinite", changed("gain", lambda t: put(t, float("inf"))), header
    yield "slightly wrong", changed("estimator.basis", lambda t: put(t, float(t.view(-1)[0]) + 0.1)), header
    yield "too short", changed("offset", lambda t: t[:-1].clone()), header
    yield "transposed", changed("estimator.basis", lambda t: t.T.contiguous()), header
    yield "of integers", changed("grey", lambda t: t.int()), header
    yield "halo", tensors, {**header, "model": _with(header["model"], ("estimator", "halo_px"), -1)}
    yield "huge", tensors, {**header, "model": _with(header["model"], ("estimator", "prior", "degree"), 10**9)}
    yield "a word", tensors, {**header, "model": _with(header["model"], ("evidence", "noise_msi"), "x")}
    yield "nothing", tensors, _with(header, ("bands", "good"), None)
    yield "no bands", tensors, {key: value for key, value in header.items() if key != "bands"}
    yield "no model", tensors, {**header, "model": {}}
    yield "no mapping", tensors, {**header, "model": [1, 2]}


def _with(record, keys, value):
    """A nested mapping with one value changed."""
    if not keys:
        return value
    return {**record, keys[0]: _with(record[keys[0]], keys[1:], value)}


def test_every_damaged_number_of_a_model_is_noticed(pair, tmp_path):
    _, hsi, msi = pair
    model, spoilt = tmp_path / "model.safetensors", tmp_path / "spoilt.safetensors"
    go(job(hsi, msi, tmp_path, outputs=("model",)))
    with safetensors.safe_open(str(model), "pt") as file:
        metadata = file.metadata()
    tensors, header = safetensors.torch.load_file(model), json.loads(metadata["hyperres"])
    for what, spoilt_tensors, spoilt_header in _damaged(tensors, header):
        told = {**metadata, "hyperres": json.dumps(spoilt_header, sort_keys=True)}
        safetensors.torch.save_file(spoilt_tensors, spoilt, told)
        with pytest.raises(InputError, match="damaged") as error:
            go(job(hsi, msi, tmp_path, inputs={"model": str(spoilt)}))
        _one_sentence(error)
        assert not (tmp_path / "fused.tif").exists(), what


def test_models_of_the_first_format_are_read_unless_they_hold_no_numbers(pair, tmp_path):
    _, hsi, msi = pair
    model, first = tmp_path / "model.safetensors", tmp_path / "first.safetensors"
    result = go(job(hsi, msi, tmp_path, outputs=("model", "fused")))
    with safetensors.safe_open(str(model), "pt") as file:
        header = {**json.loads(file.metadata()["hyperres"]), "format": 1}
    tensors = safetensors.torch.load_file(model)
    safetensors.torch.save_file(tensors, first, {"hyperres": json.dumps(header)})
    again = tmp_path / "again"
    again.mkdir()
    reused = go(job(hsi, msi, again, inputs={"model": str(first)}))
    assert np.array_equal(read(reused.outputs["fused"]), read(result.outputs["fused"]), equal_nan=True)
    tensors["gain"][0] = float("nan")
    safetensors.torch.save_file(tensors, first, {"hyperres": json.dumps(header)})
    with pytest.raises(InputError, match="damaged"):
        go(job(hsi, msi, again, inputs={"model": str(first)}))


def test_another_place_is_refused_unless_forced(pair, tmp_path):
    truth, hsi, _ = pair
    other = write(tmp_path / "other.tif", fine(truth)[:, ::-1, ::-1], 1.0, MSI_NM)
    with pytest.raises(InputError) as error:
        go(job(hsi, other, tmp_path))
    _one_sentence(error)
    go(job(hsi, other, tmp_path, settings={"force": True}))
    assert (tmp_path / "fused.tif").is_file()


def test_forcing_goes_on_with_a_warning_where_no_response_can_be_estimated(pair, tmp_path):
    truth, hsi, _ = pair
    # darker wherever any band is brighter: no response that is not negative does that
    unrelated = write(tmp_path / "unrelated.tif", 0.9 - truth.sum(axis=0, keepdims=True) / BANDS, 1.0, None)
    with pytest.raises(InputError, match=r"cannot be explained.* force the fusion") as error:
        go(job(hsi, unrelated, tmp_path))
    _one_sentence(error)
    reporter = Quiet()
    run(job(hsi, unrelated, tmp_path, settings={"force": True}), reporter, lambda: False)
    assert np.isfinite(read(tmp_path / "fused.tif")).all()
    assert any("cannot be explained" in text and "do not rely" in text for text in reporter.warnings)


def _spoilt(kind, truth, folder, hsi):
    """An MSI, or a swapped pair, that cannot be used."""
    msi = fine(truth)
    if kind == "swapped":
        return write(folder / "m.tif", msi, 1.0, MSI_NM), hsi
    if kind == "zero":
        return hsi, write(folder / "m.tif", 0 * msi, 1.0, MSI_NM)
    if kind == "saturated":
        return hsi, write(folder / "m.tif", 0 * msi + 3.2767, 1.0, MSI_NM)
    if kind == "outside":
        return hsi, write(folder / "m.tif", msi, 1.0, (490.0, 560.0, 665.0, 9000.0))
    if kind == "coarser":
        return hsi, write(folder / "m.tif", msi[:, ::8, ::8], 8.0, MSI_NM)
    if kind == "small":
        return hsi, write(folder / "m.tif", msi[:, :20, :20], 1.0, MSI_NM)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("swapped", "swapped"),
        ("zero", "zero|no valid pixel|nodata"),
        ("saturated", "32767 everywhere"),
        ("outside", "outside the hyperspectral range"),
        ("coarser", "coarser"),
        ("small", "8|share|overlap"),
    ],
)
def test_unusable_pairs_are_refused_in_one_sentence(pair, tmp_path, kind, words):
    truth, hsi, _ = pair
    with pytest.raises(HyperResError, match=words) as error:
        go(job(*_spoilt(kind, truth, tmp_path, hsi), tmp_path))
    _one_sentence(error)
    assert not (tmp_path / "fused.tif").exists()


def test_a_sensor_needs_wavelengths_on_the_hyperspectral_image(pair, tmp_path):
    truth, _, msi = pair
    nameless = write(tmp_path / "nameless.tif", coarse(truth), 4.0, None)
    with pytest.raises(InputError) as error:
        go(job(nameless, msi, tmp_path, settings={"sensor": "sentinel-2a"}))
    assert "wavelengths" in _one_sentence(error)
    assert math.isfinite(go(job(nameless, msi, tmp_path)).numbers["psnr_consistency_hsi"])


def test_a_band_of_the_table_that_the_hsi_does_not_cover_is_left_out_and_reported(pair, tmp_path):
    truth, hsi, _ = pair
    cube = fine(truth)
    msi = write(tmp_path / "more.tif", np.concatenate([cube, cube[:1]]), 1.0, [*MSI_NM, 2800.0])
    axis = np.arange(300, 3100, 5.0)
    curves = np.exp(-0.5 * ((axis[:, None] - np.array([*MSI_NM, 2800.0])) / 60) ** 2)
    rows = ["wavelength_nm," + ",".join(f"c{i}" for i in range(curves.shape[1]))]
    rows += [",".join(f"{value:.6g}" for value in (nm, *row)) for nm, row in zip(axis, curves)]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    tables = {"srf": str(tmp_path / "table.csv")}
    done = go(job(hsi, msi, tmp_path, outputs=("fused", "report"), tables=tables))
    said = f"does not cover the response of table.csv c{len(MSI_NM)} (around 2800 nm), so it is left out."
    assert any(said in sentence for sentence in done.details["warnings"])
    assert said in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert np.isfinite(read(tmp_path / "fused.tif")).all()
