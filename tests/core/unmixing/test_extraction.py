# SPDX-License-Identifier: GPL-3.0-or-later
"""Extractors find what their model says is there: pure pixels, largest or smallest simplices."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from hyperres.core.errors import InputError
from hyperres.core.quality.endmembers import match_endmembers
from hyperres.core.unmixing.minvol import MinVolSettings, log_volume, minvol
from hyperres.core.unmixing.nfindr import nfindr
from hyperres.core.unmixing.snpa import snpa
from hyperres.core.unmixing.vca import signal_to_noise_db, vca

SYNTHETIC = Path(__file__).parents[4] / "shared/data/unmixing/synthetic"
BANDS = 60


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spectra(count: int) -> np.ndarray:
    """Smooth, well separated spectra, [endmembers, bands]."""
    x, i = np.linspace(0, 1, BANDS), np.arange(count)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / count) / (0.8 / count)) ** 2))
    return (0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps).astype(np.float32)


def pure_scene(count: int, seed: int, pixels: int = 600) -> tuple[torch.Tensor, set[int]]:
    """Noise-free mixtures, each endmember pure in exactly one pixel; the indices of those."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(count), pixels)
    shares = 0.95 * shares + 0.05 / count
    pure = rng.choice(pixels, count, replace=False)
    shares[pure] = np.eye(count)
    return torch.from_numpy((shares @ spectra(count)).astype(np.float32)), set(pure.tolist())


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mean_sad(true: np.ndarray, found: torch.Tensor) -> float:
    return match_endmembers(true, found.numpy()).mean_sad_deg


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", ["snpa", "nfindr", "vca"])
def test_pure_pixels_are_found_exactly(method, count, seed):
    pixels, pure = pure_scene(count, seed)
    found = {
        "snpa": lambda: snpa(pixels, count),
        "nfindr": lambda: nfindr(pixels, count),
        "vca": lambda: vca(pixels, count, seeded(seed)),
    }[method]()
    assert set(found.indices.tolist()) == pure
    torch.testing.assert_close(found.endmembers, pixels[found.indices], atol=0, rtol=0)


def test_snpa_does_not_depend_on_the_order_of_pixels():
    pixels, _ = pure_scene(5, 1)
    order = torch.randperm(len(pixels), generator=seeded(4))
    first, again, shuffled = snpa(pixels, 5), snpa(pixels, 5), snpa(pixels[order], 5)
    assert first.indices.tolist() == again.indices.tolist()
    torch.testing.assert_close(shuffled.endmembers, first.endmembers, atol=0, rtol=0)


def test_a_longer_run_of_snpa_repeats_the_picks_of_a_shorter_one():
    pixels, _ = pure_scene(6, 2)
    longest = snpa(pixels, 6).indices.tolist()
    assert all(snpa(pixels, count).indices.tolist() == longest[:count] for count in range(1, 6))


def test_snpa_starts_with_the_brightest_pixel():
    pixels, _ = pure_scene(4, 3)
    assert int(snpa(pixels, 1).indices) == int(np.linalg.norm(pixels.numpy(), axis=1).argmax())


def test_snpa_finds_dependent_spectra_that_projections_onto_spans_cannot():
    """An endmember inside the span, but outside the hull, of the others (Gillis 2014, section 1)."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) + 0.5
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    shares[:4] = np.eye(4)
    plane = np.random.default_rng(1).uniform(0.1, 1, (3, 20))
    points = np.column_stack([shares @ corners, np.ones(300)])
    pixels = torch.from_numpy((points @ plane).astype(np.float32))
    assert set(snpa(pixels, 4).indices.tolist()) == {0, 1, 2, 3}


def simplex_volume(points: np.ndarray) -> float:
    """Volume of a simplex from its Gram determinant, whatever the dimension around it."""
    edges = points[1:].astype(float) - points[0]
    return float(np.sqrt(max(0.0, np.linalg.det(edges @ edges.T)))) / factorial(len(edges))


def in_axes(pixels: torch.Tensor, axes: int) -> np.ndarray:
    centred = pixels.double().numpy() - pixels.double().numpy().mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:axes].T


@pytest.mark.parametrize("seed", range(5))
def test_nfindr_never_ends_below_its_start_and_never_steps_down(seed):
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.uniform(0, 1, (200, 12)).astype(np.float32))
    start = torch.from_numpy(rng.choice(200, 4, replace=False))
    found = nfindr(pixels, 4, start)
    axes = in_axes(pixels, 3)
    assert simplex_volume(axes[found.indices]) >= simplex_volume(axes[start]) * (1 - 1e-6)
    assert all(after > before for before, after in zip(found.objective, found.objective[1:]))
    growth = simplex_volume(axes[found.indices]) / simplex_volume(axes[start])
    assert found.objective[-1] / found.objective[0] == pytest.approx(growth, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_no_single_exchange_enlarges_what_nfindr_found(seed):
    pixels = torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, (60, 8)).astype(np.float32))
    indices = nfindr(pixels, 3).indices.tolist()
    axes = in_axes(pixels, 2)
    largest = simplex_volume(axes[indices])
    for vertex in range(3):
        for pixel in range(60):
            trial = [*indices[:vertex], pixel, *indices[vertex + 1 :]]
            assert simplex_volume(axes[trial]) <= largest * (1 + 1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_nfindr_on_a_simplex_is_the_largest_of_all_choices(seed):
    pixels, pure = pure_scene(3, seed, pixels=25)
    axes = in_axes(pixels, 2)
    best = max(combinations(range(25), 3), key=lambda chosen: simplex_volume(axes[list(chosen)]))
    assert set(best) == pure == set(nfindr(pixels, 3).indices.tolist())


def test_vca_repeats_itself_with_the_same_seed():
    pixels = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (500, 30)).astype(np.float32))
    runs = [vca(pixels, 4, seeded(seed)).indices.tolist() for seed in (1, 1, 2, 3, 4)]
    assert runs[0] == runs[1]
    assert len({tuple(run) for run in runs}) > 1, "on pixels without vertices the directions must matter"


@pytest.mark.parametrize("decibel", [15.0, 30.0])
def test_vca_measures_the_noise_that_was_added(decibel):
    """The part of the noise within the signal subspace is known only on average: equation 13 allows for it."""
    pixels, _ = pure_scene(4, 0, pixels=5000)
    sigma = float(pixels.square().mean().sqrt()) * 10 ** (-decibel / 20)
    noisy = pixels + sigma * torch.randn(pixels.shape, generator=seeded(0))
    assert signal_to_noise_db(noisy, 4) == pytest.approx(decibel, abs=0.5)


def test_light_does_not_mislead_vca_at_high_signal_to_noise():
    """Its projection takes brightness away: pure pixels in half light are still vertices."""
    pixels, pure = pure_scene(4, 5)
    light = torch.rand(len(pixels), 1, generator=seeded(5)) * 0.7 + 0.3
    assert set(vca(pixels * light, 4, seeded(0)).indices.tolist()) == pure


@pytest.mark.parametrize("method", [snpa, nfindr, lambda p, k: vca(p, k, seeded(0)), minvol])
def test_more_endmembers_than_pixels_or_bands_are_refused_in_words(method):
    pixels, _ = pure_scene(3, 0)
    for cut in (pixels[:4], pixels[:, :4]):
        with pytest.raises(InputError, match="ask for at most 4"):
            method(cut.contiguous(), 5)


@pytest.mark.parametrize("method", [snpa, nfindr])
def test_more_endmembers_than_different_spectra_are_refused_in_words(method):
    pixels = torch.from_numpy(spectra(3)).repeat(20, 1)
    with pytest.raises(InputError, match="Only 3 different spectra"):
        method(pixels, 4)


# Minimum volume


def mixed_scene(count: int = 4, most: float = 0.75, pixels: int = 1500) -> torch.Tensor:
    """Noise-free mixtures in which no endmember ever fills more than a share of a pixel."""
    shares = np.random.default_rng(0).dirichlet(np.full(count, 0.7), 6 * pixels)
    shares = shares[shares.max(axis=1) <= most][:pixels]
    return torch.from_numpy((shares @ spectra(count)).astype(np.float32))


@pytest.mark.parametrize("settings", [MinVolSettings(), MinVolSettings(sum_to_one=True), MinVolSettings(weight=1.0)])
def test_minvol_never_raises_its_objective(settings):
    pixels = mixed_scene() + 0.005 * torch.randn(1500, BANDS, generator=seeded(0))
    objective = np.array(minvol(pixels, 4, settings).objective)
    assert np.diff(objective).max() <= 1e-6 * abs(objective[0])
    assert objective[-1] < objective[0]


def test_minvol_finds_spectra_that_no_pixel_is():
    pixels, true = mixed_scene(), spectra(4)
    blind = np.mean([mean_sad(true, vca(pixels, 4, seeded(seed)).endmembers) for seed in range(5)])
    found = mean_sad(true, minvol(pixels, 4).endmembers)
    print(f"mean SAD: VCA {blind:.2f}, min-vol {found:.2f} degrees")
    assert found < blind / 3


def test_minvol_beats_vca_on_a_published_scene_without_pure_pixels():
    if not (SYNTHETIC / "MiSiCNet_Sim1_E.mat").exists():
        pytest.skip("the Sim1 scene is not here")
    cube = scipy.io.loadmat(str(SYNTHETIC / "MiSiCNet_Sim1_Y_clean.mat"))["Y_clean"]
    true = scipy.io.loadmat(str(SYNTHETIC / "MiSiCNet_Sim1_E.mat"))["E"].T
    pixels = torch.from_numpy(cube.reshape(-1, cube.shape[2])[::4].astype(np.float32))
    blind = np.mean([mean_sad(true, vca(pixels, 6, seeded(seed)).endmembers) for seed in range(10)])
    short, long = (mean_sad(true, minvol(pixels, 6, MinVolSettings(rounds=rounds)).endmembers) for rounds in (100, 400))
    print(f"mean SAD: VCA {blind:.2f}, min-vol {short:.2f}, four times as many rounds {long:.2f} degrees")
    assert short < 0.9 * blind
    assert long < 0.75 * blind


def test_minvol_keeps_spectra_that_are_already_right():
    """With pure pixels and hardly any weight on the volume, the pure pixels explain everything."""
    pixels, _ = pure_scene(4, 0)
    found = minvol(pixels, 4, MinVolSettings(weight=1e-6))
    assert mean_sad(spectra(4), found.endmembers) < 0.1


def test_minvol_spectra_are_not_negative_and_smaller_with_more_weight():
    pixels = mixed_scene() + 0.005 * torch.randn(1500, BANDS, generator=seeded(0))
    light, heavy = (minvol(pixels, 4, MinVolSettings(weight=weight)).endmembers for weight in (0.1, 10.0))
    assert light.min() >= 0 and heavy.min() >= 0
    assert log_volume(heavy, 0.1) < log_volume(light, 0.1)


def test_minvol_steers_towards_a_wanted_misfit():
    pixels = mixed_scene() + 0.005 * torch.randn(1500, BANDS, generator=seeded(0))
    settings = MinVolSettings(target=0.05, rounds=200)
    found = minvol(pixels, 4, settings).endmembers.double().numpy()
    # The nearest points of the hull, by plain projected gradient, as a witness.
    values, shares = pixels.double().numpy(), np.full((len(pixels), 4), 0.2)
    step = 1 / np.linalg.norm(found @ found.T, 2)
    for _ in range(3000):
        shares = np.clip(shares - step * (shares @ found - values) @ found.T, 0, None)
        excess = np.clip(shares.sum(axis=1, keepdims=True) - 1, 0, None)
        shares = np.clip(shares - excess / 4, 0, None)
    misfit = np.linalg.norm(values - shares @ found) / np.linalg.norm(values)
    assert misfit == pytest.approx(0.05, abs=0.01)


def test_log_volume_is_that_of_the_gram_matrix():
    true = spectra(3).astype(float)
    expected = np.log(np.linalg.det(true @ true.T + 0.1 * np.eye(3)))
    assert log_volume(torch.from_numpy(spectra(3)), 0.1) == pytest.approx(expected, rel=1e-5)


def test_minvol_can_be_stopped_between_rounds():
    class Stop(Exception):  # noqa: N818
        pass

    seen = []

    def on_round(share: float) -> None:
        seen.append(share)
        if len(seen) == 3:
            raise Stop

    with pytest.raises(Stop):
        minvol(mixed_scene(), 4, MinVolSettings(rounds=10), on_round=on_round)
    assert seen == pytest.approx([0.1, 0.2, 0.3])
