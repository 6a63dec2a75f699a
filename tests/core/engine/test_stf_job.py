# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole jobs that estimate the function between two sensors: truth, land cover on other grids, and refusals."""

import json

import numpy as np
import pytest
import rasterio
from jobs import Quiet, go
from rasterio.warp import Resampling, reproject
from scipy.ndimage import gaussian_filter

from hyperres.core.bands import BandTable
from hyperres.core.engine.job import Job
from hyperres.core.engine.run import run
from hyperres.core.errors import Cancelled, HyperResError, InputError
from hyperres.core.sensors.srf_file import read_srf
from hyperres.core.ssr import stf_classes

SIZE, RATIO, METRES = 160, 2, 10.0
NM = np.linspace(420, 980, 57)
MSI_NM = (490.0, 560.0, 665.0, 840.0)
GAINS = np.array([1.3, 0.8, 1.0, 1.1])
UTM = "EPSG:32633"


def rows(centres=MSI_NM, sigma=30):
    found = np.exp(-0.5 * ((NM[None] - np.array(centres)[:, None]) / sigma) ** 2)
    return found / found.sum(axis=1, keepdims=True)


def land():
    """Two classes in patches of 20 fine pixels, int [rows, columns]."""
    return np.random.default_rng(4).integers(1, 3, (SIZE // 20, SIZE // 20)).repeat(20, 0).repeat(20, 1)


def scene(seed=0):
    """Mixtures of ten random smooth materials, [bands, rows, columns]."""
    random = np.random.default_rng(seed)
    covariance = np.exp(-0.5 * ((NM[:, None] - NM) / 60) ** 2) + 1e-9 * np.eye(len(NM))
    materials = 0.5 / (1 + np.exp(-(np.linalg.cholesky(covariance) @ random.standard_normal((len(NM), 10)))))
    fields = np.stack([gaussian_filter(random.standard_normal((SIZE, SIZE)), 2.5) for _ in range(10)])
    shares = np.exp(3 * fields / fields.std())
    return np.einsum("bk,kij->bij", materials, shares / shares.sum(axis=0))


def write(path, cube, size, nm=None, crs=UTM, dtype="float32", place=None, nodata=-9999):
    place = place or rasterio.Affine(size, 0, 5e5, 0, -size, 5e6)
    profile = {"driver": "GTiff", "count": len(cube), "dtype": dtype, "nodata": nodata, "crs": crs}
    with rasterio.open(path, "w", height=cube.shape[1], width=cube.shape[2], transform=place, **profile) as file:
        file.write(cube.astype(dtype))
        for band, wavelength in enumerate([] if nm is None else nm, 1):
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")
    return str(path)


def images(folder, own_response=False):
    truth, random = scene(), np.random.default_rng(1)
    coarse = truth.reshape(len(NM), SIZE // RATIO, RATIO, SIZE // RATIO, RATIO).mean(axis=(2, 4))
    seen = np.einsum("cb,bij->cij", GAINS[:, None] * rows(), truth) + 0.02
    if own_response:
        other = np.einsum("cb,bij->cij", GAINS[:, None] * rows((505, 545, 680, 820)), truth) + 0.02
        seen = np.where(land() == 2, other, seen)
    seen += 1e-3 * random.standard_normal(seen.shape)
    coarse += 5e-4 * random.standard_normal(coarse.shape)
    hsi = write(folder / "hsi.tif", coarse, METRES * RATIO, NM)
    return {"hsi": hsi, "msi": write(folder / "msi.tif", seen, METRES, MSI_NM)}


@pytest.fixture
def few_pixels(monkeypatch):
    """Classes of this small scene are large enough."""
    monkeypatch.setattr(stf_classes, "LEAST_PIXELS", 500)


def job(inputs, folder, outputs=("stf",), **more):
    endings = {"report": "html", "result": "json"}
    files = {role: str(folder / f"{role}.{endings.get(role, 'csv')}") for role in outputs}
    return Job(method="estimatestf", inputs=inputs, outputs=files, device="cpu", **more)


def test_gain_offset_and_response_are_found_and_read_again(tmp_path):
    outputs = ("stf", "stf_bands", "report", "result")
    result = go(job(images(tmp_path), tmp_path, outputs, settings={"sensor": "sentinel-2a"}))
    bands = json.loads((tmp_path / "result.json").read_text())["bands"]
    np.testing.assert_allclose([band["gain"] for band in bands], GAINS, rtol=0.08)
    np.testing.assert_allclose([band["offset"] for band in bands], 0.02, atol=0.02)
    tables = [BandTable(tuple(map(str, nm)), (True,) * len(nm), tuple(nm)) for nm in (NM, MSI_NM)]
    again = read_srf(result.outputs["stf"], *tables).matrix
    assert np.linalg.norm(again - rows()) / np.linalg.norm(rows()) < 0.25
    np.testing.assert_allclose(again @ NM, MSI_NM, atol=12)
    assert result.numbers["psnr"] > 55
    ends = np.loadtxt(result.outputs["stf_bands"], delimiter=",", skiprows=1)
    true = (GAINS[:, None] * rows()).T
    slack = 0.02 * true.max(axis=0)
    assert np.mean((ends[:, 2::3] - slack <= true) & (true <= ends[:, 3::3] + slack)) > 0.85
    page = (tmp_path / "report.html").read_text()
    assert "Sentinel-2A" in page and "effective rank" in page and "Where it does not fit" in page
    assert "Spectral response of msi.tif" in page and "-0.00" not in page


def test_classes_on_another_grid_and_crs_are_told_apart_where_they_differ(tmp_path, few_pixels):
    inputs = images(tmp_path, own_response=True)
    place = rasterio.Affine(8.3e-5, 0, 14.9985, 0, -8.3e-5, 45.154)
    geographic = np.zeros((240, 280), dtype="int16")
    here = rasterio.Affine(METRES, 0, 5e5, 0, -METRES, 5e6)
    reproject(
        land().astype("int16"),
        geographic,
        src_transform=here,
        src_crs=UTM,
        dst_transform=place,
        dst_crs="EPSG:4326",
        resampling=Resampling.nearest,
        init_dest_nodata=True,
        dst_nodata=0,
    )
    classes = write(tmp_path / "land.tif", geographic[None], 0, crs="EPSG:4326", dtype="int16", place=place, nodata=0)
    result = go(job({**inputs, "classes": classes}, tmp_path, ("stf_bands", "report")))
    assert [one["name"] for one in result.details["classes"]] == ["Class 1", "Class 2"]
    assert sum(one["pixels"] for one in result.details["classes"]) > 0.95 * (SIZE / RATIO) ** 2
    assert result.numbers["classes_distinguishable"] == 2
    assert "Class 2: " in (tmp_path / "stf_bands.csv").read_text().splitlines()[0]


def test_polygons_with_one_response_are_not_distinguishable(tmp_path, few_pixels):
    half = SIZE * METRES / 2

    def box(left):
        x = 5e5 + left
        ring = [[x, 5e6], [x + half, 5e6], [x + half, 5e6 - 2 * half], [x, 5e6 - 2 * half], [x, 5e6]]
        return {"type": "Polygon", "coordinates": [ring]}

    samples = ({"name": "west", "geometry": box(0.0)}, {"name": "<east>", "geometry": box(half)})
    result = go(job(images(tmp_path), tmp_path, ("report",), samples=samples))
    assert result.numbers["classes"] == 2 and result.numbers["classes_distinguishable"] == 0
    assert {one["pixels"] for one in result.details["classes"]} == {(SIZE // RATIO) ** 2 // 2}
    page = (tmp_path / "report.html").read_text()
    assert "not distinguishable" in page and "&lt;east&gt;" in page and "<east>" not in page


def test_bands_beyond_the_hyperspectral_range_are_left_out_in_words(tmp_path):
    inputs = images(tmp_path)
    with rasterio.open(inputs["msi"], "r+") as file:
        file.update_tags(4, wavelength="1600", wavelength_units="Nanometers")
    result = go(job(inputs, tmp_path))
    assert len(result.details["bands"]) == 3
    assert any("(1600 nm) is left out" in sentence for sentence in result.details["messages"])


def test_the_same_seed_gives_the_same_table(tmp_path):
    inputs, texts = images(tmp_path), []
    for _ in range(2):
        texts.append(open(go(job(inputs, tmp_path, ("stf_bands",), seed=3)).outputs["stf_bands"]).read())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {"sensor": "sonar"}}, "no known sensor"),
        ({"settings": {"colour": 1}}, "knows no setting"),
        ({"outputs": ("fused",)}, "there is not"),
    ],
)
def test_impossible_wishes_are_refused_in_one_sentence(tmp_path, change, words):
    with pytest.raises(HyperResError, match=words):
        go(job(images(tmp_path), tmp_path, **change))


def test_rasters_that_hold_no_classes_are_refused(tmp_path):
    inputs = images(tmp_path)
    shares = write(tmp_path / "shares.tif", np.full((1, SIZE, SIZE), 0.5), METRES)
    with pytest.raises(InputError, match="no classes"):
        go(job({**inputs, "classes": shares}, tmp_path))
    far = write(tmp_path / "far.tif", np.ones((1, 9, 9)), 10.0, place=rasterio.Affine(10, 0, 6e5, 0, -10, 4e6))
    with pytest.raises(InputError, match="no class where"):
        go(job({**inputs, "classes": far}, tmp_path))
    with pytest.raises(InputError, match="has 4 bands"):
        go(job({**inputs, "classes": inputs["msi"]}, tmp_path))


def test_images_of_different_ground_and_a_wish_to_stop(tmp_path):
    inputs = images(tmp_path)
    mirrored = write(tmp_path / "other.tif", scene(seed=9)[:4, ::-1], METRES, MSI_NM)
    with pytest.raises(HyperResError, match=r"same ground|explained"):
        go(job({**inputs, "msi": mirrored}, tmp_path))
    with pytest.raises(Cancelled):
        run(job(inputs, tmp_path), Quiet(), lambda: True)
    assert not list(tmp_path.glob("*.csv"))
