# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of materials is found where it is known, whatever the size of the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context, Sample
from hyperres.core.engine.moments import StreamingMoments
from hyperres.core.errors import Cancelled
from hyperres.core.unmixing.count import MOST, CountEvidence, estimate_count, hfc, hysime_count, last_fall, nwhfc
from hyperres.core.unmixing.noise import noise_variance, regression_weights

JASPER = Path(__file__).parents[4] / "shared/data/unmixing/jasper/jasperRidge2_R198_Mei.mat"
BANDS = 100


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clean_scene(count: int, seed: int = 0, pixels: int = 4000) -> np.ndarray:
    """Mixtures of smooth, well separated spectra, float64 [pixels, bands]."""
    x, i = np.linspace(0, 1, BANDS), np.arange(count)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / count) / (0.8 / count)) ** 2))
    spectra = 0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps
    return np.random.default_rng(seed).dirichlet(np.full(count, 0.5), pixels) @ spectra


def noisy(clean: np.ndarray, decibel: float, seed: int = 0) -> torch.Tensor:
    sigma = np.sqrt(np.mean(clean**2) * 10 ** (-decibel / 10))
    noise = np.random.default_rng(100 + seed).standard_normal(clean.shape)
    return torch.from_numpy((clean + sigma * noise).astype(np.float32))


def sample_of(pixels: torch.Tensor) -> Sample:
    moments = StreamingMoments(pixels.shape[1])
    moments.add(pixels)
    bands = pixels.shape[1]
    table = BandTable(tuple(str(i) for i in range(bands)), (True,) * bands)
    return Sample(pixels, pixels, moments.result(), table, len(pixels), len(pixels), complete=True)


def estimate(pixels: torch.Tensor, seed: int = 0) -> CountEvidence:
    return estimate_count(sample_of(pixels), Context(torch.device("cpu"), seed))


def jasper_ridge() -> torch.Tensor:
    if not JASPER.exists():
        pytest.skip("the Jasper Ridge scene is not here")
    return torch.from_numpy((scipy.io.loadmat(str(JASPER))["Y"].T / 5000).astype(np.float32))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("true", [3, 5, 7])
def test_known_mixtures_are_counted_within_one(true, seed):
    found = estimate(noisy(clean_scene(true, seed), 30, seed), seed)
    assert abs(found.count - true) <= 1
    assert found.reason.startswith("The median of three elbows")


@pytest.mark.parametrize("seed", range(3))
def test_jasper_ridge_is_counted_within_one(seed):
    assert abs(estimate(jasper_ridge(), seed).count - 4) <= 1


@pytest.mark.parametrize("times", [3, 10])
def test_a_mosaic_of_the_same_scene_has_the_same_count(times):
    pixels = noisy(clean_scene(5), 30)
    assert estimate(pixels.repeat(times, 1)).count == estimate(pixels).count


def test_size_does_not_matter_on_jasper_ridge():
    pixels = jasper_ridge()
    whole = estimate(pixels)
    mosaic, half = estimate(pixels.repeat(4, 1)), estimate(pixels[::2].contiguous())
    assert mosaic.count == whole.count
    assert abs(half.count - whole.count) <= 1
    assert mosaic.hysime == whole.hysime
    np.testing.assert_allclose(mosaic.eigenvalues, whole.eigenvalues, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("true", [3, 6, 10])
@pytest.mark.parametrize("decibel", [25, 40])
def test_hysime_is_exact_on_white_noise(true, decibel):
    assert hysime_count(sample_of(noisy(clean_scene(true, pixels=20_000), decibel)).moments) == true


def test_hysime_finds_no_more_in_pure_noise_than_its_mean():
    pixels = torch.from_numpy((0.5 + 0.1 * np.random.default_rng(0).standard_normal((20_000, 50))).astype(np.float32))
    assert hysime_count(sample_of(pixels).moments) == 1


@pytest.mark.parametrize("true", [3, 5, 7])
def test_nwhfc_counts_sources_up_to_faint_ones(true):
    """The test looks for sources in the mean only, so it may miss one that adds little to it."""
    moments = sample_of(noisy(clean_scene(true), 30)).moments
    assert true - 1 <= nwhfc(moments) <= true
    assert true - 1 <= hfc(moments) <= true


def test_more_false_alarms_allowed_more_sources_counted():
    moments = sample_of(noisy(clean_scene(7), 15)).moments
    counts = [nwhfc(moments, probability) for probability in (1e-8, 1e-4, 1e-2, 0.4)]
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_false_alarms_come_as_often_as_asked_for():
    """Centred white noise holds no source: each band is a chance for a false alarm of half the asked kind at most."""
    noise = np.random.default_rng(2).standard_normal((50_000, BANDS)).astype(np.float32)
    moments = sample_of(torch.from_numpy(noise)).moments
    assert nwhfc(moments, 1e-4) == 0
    assert hfc(moments, 1e-4) == 0


def test_noise_of_every_band_is_found_from_the_moments():
    clean = clean_scene(4, pixels=20_000)
    sigma = np.linspace(0.002, 0.02, BANDS)
    values = clean + sigma * np.random.default_rng(1).standard_normal(clean.shape)
    found = noise_variance(sample_of(torch.from_numpy(values.astype(np.float32))).moments.correlation)
    np.testing.assert_allclose(found.sqrt().numpy(), sigma, rtol=0.1)


def test_noise_is_the_residual_of_regressing_each_band_on_the_others():
    values = noisy(clean_scene(4, pixels=500), 25)[:, ::10].double().numpy()
    correlation = torch.from_numpy(values.T @ values / len(values))
    residual = values @ regression_weights(correlation).numpy().T
    for band in range(values.shape[1]):
        others = np.delete(values, band, axis=1)
        expected = values[:, band] - others @ np.linalg.lstsq(others, values[:, band], rcond=None)[0]
        np.testing.assert_allclose(residual[:, band], expected, atol=1e-6)
    np.testing.assert_allclose(noise_variance(correlation).numpy(), (residual**2).mean(axis=0), rtol=1e-6)


def test_repeated_and_constant_bands_do_not_break_the_noise():
    values = noisy(clean_scene(3), 30).double().numpy()
    values = np.column_stack([values, values[:, 0], np.full(len(values), 0.5), np.zeros(len(values))])
    found = noise_variance(torch.from_numpy(values.T @ values / len(values)))
    assert bool(found.isfinite().all()) and float(found.min()) >= 0


def test_evidence_is_consistent():
    """A larger hull explains no less; eigenvalues sum to the power; noise is the same along any axes."""
    pixels = noisy(clean_scene(5), 30)
    found = estimate(pixels)
    counts, errors = zip(*found.errors_by_count)
    assert counts == tuple(range(1, MOST + 1))
    assert all(after <= before * (1 + 1e-5) for before, after in zip(errors, errors[1:]))
    assert list(found.eigenvalues) == sorted(found.eigenvalues, reverse=True)
    assert sum(found.eigenvalues) == pytest.approx(float(pixels.double().square().sum(dim=1).mean()), rel=1e-5)
    total = float(noise_variance(sample_of(pixels).moments.correlation).sum())
    assert sum(found.noise_eigenvalues) == pytest.approx(total, rel=1e-9)


def test_the_elbow_is_the_last_clear_fall():
    assert last_fall([1.0, 0.5, 0.2, 0.19, 0.18], 0.25) == 3
    assert last_fall([1.0, 0.99, 0.98], 0.25) == 1
    assert last_fall([1.0, 0.5, 1e-9, 1e-12], 0.25) == 3, "rounding of a perfect fit is no fall"


def test_counting_can_be_cancelled():
    context = Context(torch.device("cpu"), is_cancelled=lambda: True)
    with pytest.raises(Cancelled):
        estimate_count(sample_of(noisy(clean_scene(3), 30)), context)


@pytest.mark.parametrize("shape", [(3, 5), (20, 3), (50, 8)])
def test_small_images_have_a_count_too(shape):
    pixels = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert 1 <= estimate(pixels).count <= min(MOST, *shape)
