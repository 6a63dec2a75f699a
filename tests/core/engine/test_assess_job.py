# SPDX-License-Identifier: GPL-3.0-or-later
"""Assessments of whole rasters: figures, maps, report, refusals."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from hyperres.core.engine.job import Job
from hyperres.core.engine.protocol import Reporter
from hyperres.core.engine.run import run
from hyperres.core.errors import InputError

NM = np.linspace(430, 890, 24)
SIDE, RATIO = 96, 4
RESPONSE = np.exp(-0.5 * ((NM[None] - np.array([490, 560, 665, 842])[:, None]) / 25) ** 2)
RESPONSE /= RESPONSE.sum(1, keepdims=True)
MSI_NM = RESPONSE @ NM
NODATA = -9999.0


def scene(seed=0):
    """Patches of four smooth spectra with texture, reflectance."""
    random = np.random.default_rng(seed)
    spectra = 0.05 + 0.5 * np.exp(
        -0.5 * ((NM[:, None] - random.uniform(420, 900, 5)) / random.uniform(60, 200, 5)) ** 2
    )
    maps = random.random((5, SIDE // 6, SIDE // 6)).repeat(6, 1).repeat(6, 2) ** 3
    maps = maps / maps.sum(0) * (0.8 + 0.2 * random.random((SIDE, SIDE)))
    return np.einsum("bk,kyx->byx", spectra, maps).astype("float32")


def write(path, cube, pixel=2.0, nm=NM, crs="EPSG:32633", origin=(5e5, 5e6), dtype="float32", nodata=NODATA):
    size = {"count": len(cube), "height": cube.shape[1], "width": cube.shape[2]}
    transform = rasterio.Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    with rasterio.open(
        path, "w", driver="GTiff", dtype=dtype, nodata=nodata, crs=crs, transform=transform, **size
    ) as file:
        file.write(cube.astype(dtype))
        for band, value in enumerate(() if nm is None else nm, 1):
            file.update_tags(band, wavelength=f"{value:.3f}", wavelength_units="Nanometers")
    return str(path)


class Case:
    """A truth, its pair, and a result with known errors."""

    def __init__(self, folder):
        self.folder = folder
        self.truth = scene()
        self.result = (self.truth + np.random.default_rng(1).normal(0, 0.01, self.truth.shape)).astype("float32")
        coarse = self.truth.reshape(len(NM), SIDE // RATIO, RATIO, SIDE // RATIO, RATIO).mean((2, 4))
        self.paths = {
            "result": write(folder / "result.tif", self.result),
            "reference": write(folder / "reference.tif", self.truth),
            "hsi": write(folder / "hsi.tif", coarse, pixel=2.0 * RATIO),
            "msi": write(folder / "msi.tif", np.einsum("mb,byx->myx", RESPONSE, self.truth), nm=MSI_NM),
        }

    def assess(self, roles, outputs=("result",), settings=None, **other):
        inputs = {role: other.get(role, self.paths[role]) for role in roles}
        suffix = {"errors": "tif", "report": "html", "result": "json"}
        targets = {role: str(self.folder / f"out_{role}.{suffix[role]}") for role in outputs}
        reporter = Reporter(io.StringIO())
        job = Job("assess", inputs, outputs=targets, settings=settings or {}, device="cpu")
        return run(job, reporter, lambda: False), reporter


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("assessed"))


def refusal(case, roles=("result", "reference"), outputs=("result",), **other):
    with pytest.raises(InputError) as error:
        case.assess(roles, outputs, **other)
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text
    return text


@pytest.fixture(scope="module")
def whole(case):
    return case.assess(("result", "reference", "hsi", "msi"), ("errors", "report", "result"))


def test_figures_against_the_reference_are_those_of_numpy(case, whole):
    numbers = whole[0].numbers
    error = (case.result - case.truth).astype(float)
    mse = (error**2).mean()
    assert numbers["rmse"] == pytest.approx(np.sqrt(mse), rel=1e-4)
    assert numbers["psnr"] == pytest.approx(-10 * np.log10(mse), abs=1e-3)
    relative = (error**2).mean((1, 2)) / case.truth.mean((1, 2), dtype=float) ** 2
    assert numbers["ergas"] == pytest.approx(100 / RATIO * np.sqrt(relative.mean()), rel=1e-4)
    norms = np.linalg.norm(case.truth, axis=0) * np.linalg.norm(case.result, axis=0)
    angles = np.degrees(np.arccos((case.truth * case.result).sum(0) / norms))
    assert numbers["sam"] == pytest.approx(angles.mean(), rel=1e-3)
    assert numbers["ratio"] == pytest.approx(RATIO) and numbers["valid_share"] == 1


def test_maps_of_errors_lie_on_the_results_grid(case, whole):
    with rasterio.open(whole[0].outputs["errors"]) as file:
        maps = file.read()
        assert file.transform.a == 2 and file.crs.to_epsg() == 32633 and file.nodata == NODATA
        assert file.descriptions == ("RMSE", "Spectral angle (degrees)")
    assert maps[0] == pytest.approx(np.sqrt(((case.result - case.truth) ** 2).mean(0)), rel=1e-3)


def test_agreement_with_the_inputs_is_that_of_the_noise(whole):
    numbers = whole[0].numbers
    assert numbers["rmse_consistency_hsi"] == pytest.approx(0.01 / RATIO, rel=0.1)
    assert 30 < numbers["psnr_consistency_msi"] < 60
    assert 0 < numbers["qnr"] < 1 and 0 < numbers["hqnr"] < 1
    assert numbers["qnr"] == pytest.approx((1 - numbers["d_lambda"]) * (1 - numbers["d_s"]))


def test_the_report_and_the_result_file(whole):
    page = Path(whole[0].outputs["report"]).read_text(encoding="utf-8")
    for words in ("PSNR", "Spectral angle", "Best:", "Median:", "Worst:", "does not prove", "QNR", "Band by band"):
        assert words in page
    assert "<script" not in page
    record = json.loads(Path(whole[0].outputs["result"]).read_text(encoding="utf-8"))
    assert len(record["against_reference"]["band_rmse"]) == len(NM)
    assert record["against_inputs"]["psnr_hsi"] == pytest.approx(record["numbers"]["psnr_consistency_hsi"])


def test_without_a_reference_the_truth_agrees_best(case):
    roles = ("result", "hsi", "msi")
    noisy, _ = case.assess(roles, ("report", "result"))
    true, _ = case.assess(roles, result=case.paths["reference"])
    coarse = case.truth.reshape(len(NM), SIDE // RATIO, RATIO, SIDE // RATIO, RATIO).mean((2, 4))
    enlarged = write(case.folder / "enlarged.tif", coarse.repeat(RATIO, 1).repeat(RATIO, 2))
    poor, _ = case.assess(roles, result=enlarged)
    assert "psnr" not in noisy.numbers
    found = [one.numbers["psnr_consistency_msi"] for one in (true, noisy, poor)]
    assert found == sorted(found, reverse=True) and true.numbers["psnr_consistency_hsi"] > 60
    assert true.numbers["d_s"] < poor.numbers["d_s"]


def test_an_image_is_perfect_against_itself(case):
    result, _ = case.assess(
        ("result", "reference"), ("report", "result"), result=case.paths["reference"], settings={"ratio": 4}
    )
    assert "psnr" not in result.numbers and result.numbers["rmse"] == 0  # infinite
    assert [result.numbers[name] for name in ("ssim", "uiqi", "q2n", "cc")] == pytest.approx([1] * 4, abs=1e-5)
    assert "∞" in Path(result.outputs["report"]).read_text(encoding="utf-8")


def test_pixels_that_are_nodata_in_either_do_not_count(case):
    holed = case.result.copy()
    holed[:, :10, :10] = NODATA
    result, _ = case.assess(
        ("result", "reference"),
        ("errors", "result"),
        result=write(case.folder / "holed.tif", holed),
        settings={"ratio": 4},
    )
    inner = np.ones((SIDE, SIDE), bool)
    inner[:10, :10] = False
    assert result.numbers["valid_share"] == pytest.approx(inner.mean())
    assert result.numbers["rmse"] == pytest.approx(
        np.sqrt(((case.result - case.truth)[:, inner] ** 2).mean()), rel=1e-4
    )
    with rasterio.open(result.outputs["errors"]) as file:
        assert (file.read()[:, ~inner] == NODATA).all()


def test_stored_integers_and_other_band_counts_are_brought_together(case):
    stored = write(case.folder / "stored.tif", np.rint(case.truth[::2] * 1e4), nm=NM[::2], dtype="int16")
    result, reporter = case.assess(("result", "reference"), reference=stored, settings={"ratio": 4})
    by_hand = np.sqrt(((case.result - case.truth)[::2] ** 2).mean())
    assert result.numbers["rmse"] == pytest.approx(by_hand, rel=1e-3)
    assert any("not judged" in text for text in reporter.warnings)


def test_without_a_ratio_there_is_no_ergas(case):
    result, reporter = case.assess(("result", "reference"))
    assert "ergas" not in result.numbers and any("ERGAS" in text for text in reporter.warnings)


def test_many_tiles_give_the_same_figures(case):
    inputs = {role: case.paths[role] for role in ("result", "reference")}
    small = Job("assess", inputs, settings={"ratio": 4}, device="cpu", memory_mb=12, workers=2)
    cut = run(small, Reporter(io.StringIO()), lambda: False).numbers
    large, _ = case.assess(("result", "reference"), settings={"ratio": 4})
    assert cut == pytest.approx(large.numbers, rel=1e-5)


def test_what_cannot_be_compared_is_refused(case):
    folder = case.folder
    assert "nothing to compare" in refusal(case, ("result",))
    assert "Only one" in refusal(case, ("result", "hsi"))
    assert "need a reference" in refusal(case, ("result", "hsi", "msi"), ("errors",))
    assert "90 x 96" in refusal(case, reference=write(folder / "narrow.tif", case.truth[:, :, :90]))
    assert "different places" in refusal(case, reference=write(folder / "moved.tif", case.truth, origin=(5.1e5, 5e6)))
    assert "reference systems" in refusal(case, reference=write(folder / "zone.tif", case.truth, crs="EPSG:32632"))
    assert "wavelength in common" in refusal(case, reference=write(folder / "swir.tif", case.truth, nm=NM + 1000))
    few = write(folder / "few.tif", case.truth[:7], nm=None)
    assert "7" in refusal(case, reference=few) and "wavelengths" in refusal(case, reference=few)
    assert "ratio" in refusal(case, settings={"ratio": 0.5}) and "ratio" in refusal(case, settings={"ratio": "4"})
    assert "no known sensor" in refusal(case, settings={"sensor": "hubble"})
    assert "no setting" in refusal(case, settings={"colour": 1})
    empty = write(folder / "empty.tif", np.full_like(case.truth, NODATA))
    assert "no valid pixel" in refusal(case, reference=empty)
