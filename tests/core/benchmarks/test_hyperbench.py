# SPDX-License-Identifier: GPL-3.0-or-later
"""HyperBench's protocol: recorded scores, closed forms, and the package itself where it is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"


def load(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


hyperbench = load("hyperbench")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not there (../shared/data)")


def cubic(coarse, shape):
    """OpenCV's bicubic upsampling: Keys' kernel with a = -0.75, edge pixels repeated."""

    def matrix(fine, size):
        at = (np.arange(fine) + 0.5) * size / fine - 0.5
        rows = np.zeros((fine, size))
        for tap in range(-1, 3):
            whole = np.floor(at).astype(int) + tap
            t, a = np.abs(at - whole), -0.75
            near = (a + 2) * t**3 - (a + 3) * t**2 + 1
            far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
            np.add.at(rows, (np.arange(fine), whole.clip(0, size - 1)), np.where(t <= 1, near, far))
        return rows

    return matrix(shape[0], coarse.shape[1]) @ coarse @ matrix(shape[1], coarse.shape[2]).T


@needs_data
@pytest.mark.parametrize(
    ("name", "ratio", "recorded"),
    [
        ("jasper", 4, (18.38, 10.88, 0.5479, 0.1205, 9.16, 0.8813)),
        ("jasper", 8, (17.83, 13.06, 0.4489, 0.1283, 9.84, 0.8365)),
        ("pavia", 4, (19.67, 13.17, 0.6467, 0.1039, 13.83, 0.8915)),
        ("pines", 4, (25.27, 4.23, 0.7364, 0.0545, 5.93, 0.9680)),
    ],
)
def test_bicubic_scores_what_was_recorded(name, ratio, recorded):
    case = hyperbench.make_case(hyperbench.load_scene(name, DATA), ratio, 4)
    found = hyperbench.score(case.truth, cubic(case.hsi, case.truth.shape[1:]).clip(0, 1).astype(np.float32))
    names = ("psnr", "sam", "ssim", "rmse", "ergas", "uiqi")
    assert [found[key] for key in names] == pytest.approx(recorded, abs=0.0051, rel=2e-4)


def scene(bands=12, rows=36, cols=40):
    random = np.random.default_rng(5)
    smooth = map_coordinates(
        random.random((bands, 8, 8)), np.mgrid[0:bands, 0 : 7 : rows * 1j, 0 : 7 : cols * 1j], order=1
    )
    return (1000 * smooth).astype(np.float32)


def test_a_delta_without_noise_is_the_plain_mean_and_the_response():
    case = hyperbench.make_case(scene(), 4, 3, "delta", spatial_snr=300, spectral_snr=300)
    assert case.hsi == pytest.approx(case.truth.reshape(12, 9, 4, 10, 4).mean((2, 4)), abs=1e-6)
    assert case.msi == pytest.approx(np.einsum("mk,kyx->myx", case.srf, case.truth), abs=1e-6)


def test_what_lies_outside_is_black():
    case = hyperbench.make_case(np.tile(np.linspace(0, 1, 12, dtype=np.float32)[:, None, None], (1, 40, 40)), 4, 3)
    ratio = case.hsi[-1] / case.truth[-1, 0, 0]
    assert ratio[0, 0] < 0.55 < 0.95 < ratio[5, 5]


def test_noise_has_the_asked_power_in_every_band():
    clean = hyperbench.make_case(scene(8, 96, 96), 4, 4, spatial_snr=300, spectral_snr=300)
    noisy = hyperbench.make_case(scene(8, 96, 96), 4, 4, spatial_snr=20, spectral_snr=30)
    for name, snr in (("hsi", 20), ("msi", 30)):
        before, after = getattr(clean, name), getattr(noisy, name)
        power = (before**2).mean((1, 2)) / ((after - before) ** 2).mean((1, 2))
        assert 10 * np.log10(power) == pytest.approx(snr, abs=1.0)


@pytest.mark.parametrize("name", sorted(hyperbench.PSFS))
def test_kernels_sum_to_one_and_have_two_axes_of_symmetry(name):
    kernel = hyperbench.make_psf(name)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel == pytest.approx(kernel[::-1]) and kernel == pytest.approx(kernel[:, ::-1])


def test_perfect_black_and_shifted_predictions():
    truth = np.full((4, 16, 16), 0.5, np.float32)
    assert hyperbench.score(truth, truth)["psnr"] == float("inf")
    offset = hyperbench.score(truth, truth + np.float32(0.1))
    assert offset["psnr"] == pytest.approx(20 * np.log10(255 / 26), abs=1e-6)  # 153 - 127 grey levels
    assert offset["rmse"] == pytest.approx(0.1) and offset["ergas"] == pytest.approx(25 * 0.2)
    assert hyperbench.honest(truth, truth + np.float32(0.1), 10)["psnr"] == pytest.approx(20, abs=1e-4)
    assert hyperbench.honest(truth, truth + np.float32(0.1), 10)["ergas"] == pytest.approx(10 * 0.2)
    truth[:, :8] = 0
    assert hyperbench.score(truth, truth)["sam"] == pytest.approx(45, abs=0.1)
    assert hyperbench.honest(truth, truth, 4)["sam"] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("ratio", "bands", "psf"), [(4, 4, "gaussian"), (8, 8, "airy"), (4, 3, "sinc"), (4, 16, "gabor")]
)
def test_equals_the_package(ratio, bands, psf):
    pytest.importorskip("hyperbench", reason="the package hyperbench is not installed")
    from hyperbench.degradations.psf import make_psf
    from hyperbench.degradations.spatial import spatial_degradation
    from hyperbench.degradations.spectral import spectral_degradation
    from hyperbench.metrics.core import evaluate_metrics

    cube = scene(60, 36, 44)  # neither side a multiple of 8
    ours = hyperbench.make_case(cube, ratio, bands, psf)
    last = cube.transpose(1, 2, 0)
    snr = hyperbench.SPATIAL_SNR_DB[ratio]
    hsi = spatial_degradation(last, make_psf(psf, 3.4, 7), ratio, snr, rng=np.random.default_rng(42))
    msi, srf, _, _ = spectral_degradation(last, 40.0, num_bands=bands, rng=np.random.default_rng(43))
    assert ours.hsi == pytest.approx(hsi.transpose(2, 0, 1), abs=2e-6)
    assert ours.msi == pytest.approx(msi.transpose(2, 0, 1), abs=2e-6) and ours.srf == pytest.approx(srf, abs=2e-5)
    guess = cubic(ours.hsi, ours.truth.shape[1:]).clip(0, 1).astype(np.float32)
    theirs = evaluate_metrics(ours.truth.transpose(1, 2, 0), guess.transpose(1, 2, 0))
    assert hyperbench.score(ours.truth, guess) == pytest.approx({k.lower(): v for k, v in theirs.items()}, rel=1e-4)
