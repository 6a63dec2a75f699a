# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from hyperres.core.errors import InputError
from hyperres.core.unmixing import active_set, support_table
from hyperres.core.unmixing.active_set import ActiveSetSolver, rmse

JASPER = Path(__file__).parents[4] / "shared/data/unmixing/jasper/jasperRidge2_R198_Mei.mat"
BOTH_MODELS = pytest.mark.parametrize("sum_to_one", [True, False], ids=["fcls", "nnls"])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Two threads on a busy machine are many times slower than one, and the worker uses one as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["float32 table", "float64 table", "lawson-hanson"])
def path(request, monkeypatch):
    """Each way the solver can go, whatever the endmembers would have it choose."""
    if request.param != "float32 table":
        monkeypatch.setattr(active_set, "FLOAT32_AMPLIFICATION", 0.0)
    if request.param == "lawson-hanson":
        monkeypatch.setattr(active_set, "MAX_ENDMEMBERS", 0)
    return request.param


def spectra(count: int, bands: int = 60) -> np.ndarray:
    """Smooth, well separated spectra."""
    x, i = np.linspace(0, 1, bands), np.arange(count)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / count) / (0.8 / count)) ** 2))
    return (0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps).astype(np.float32)


def mixtures(endmembers: np.ndarray, pixels: int, noise: float = 0.02, seed: int = 1) -> np.ndarray:
    """Pixels [bands, pixels] of which most have few materials."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(len(endmembers), 0.3), pixels).T
    clean = endmembers.T @ shares * rng.uniform(0.7, 1.3, pixels)
    return (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32)


def solve(endmembers: np.ndarray, pixels: np.ndarray, sum_to_one: bool) -> np.ndarray:
    solver = ActiveSetSolver(torch.from_numpy(endmembers), sum_to_one)
    return solver.solve(torch.from_numpy(pixels)).numpy().astype(np.float64)


def reference(endmembers: np.ndarray, pixels: np.ndarray, sum_to_one: bool) -> np.ndarray:
    """SciPy's NNLS; with the sum, its exact form as the point of a polytope nearest to the origin.

    min |sum a_i (e_i - y)| over the simplex is, up to a factor, min |sum x_i (e_i - y)|^2 + (1 - sum x_i)^2 over x >= 0
    (Lawson & Hanson, chapter 23: least distance programming).
    """
    endmembers, pixels = endmembers.astype(np.float64), pixels.astype(np.float64)
    if not sum_to_one:
        return np.stack([nnls(endmembers.T, y)[0] for y in pixels.T], 1)
    basis, corners = np.linalg.qr(endmembers.T)
    aim = np.append(np.zeros(len(corners)), 1.0)
    columns = []
    for z in (basis.T @ pixels).T:
        x, _ = nnls(np.vstack([corners - z[:, None], np.ones(len(endmembers))]), aim)
        columns.append(x / x.sum())
    return np.stack(columns, 1)


def misfit(endmembers: np.ndarray, pixels: np.ndarray, abundances: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.float64) - endmembers.T.astype(np.float64) @ abundances) ** 2).sum(0)


def brute_force_misfit(endmembers: np.ndarray, pixel: np.ndarray, sum_to_one: bool) -> float:
    """Least misfit over all faces of the feasible set, each by a bordered least-squares system."""
    e, y = endmembers.astype(np.float64), pixel.astype(np.float64)
    best = np.inf if sum_to_one else float(y @ y)
    for size in range(1, len(e) + 1):
        for face in combinations(range(len(e)), size):
            s = e[list(face)]
            system, right = s @ s.T, s @ y
            if sum_to_one:
                system = np.block([[system, np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
                right = np.append(right, 1.0)
            a = np.linalg.lstsq(system, right, rcond=1e-12)[0][:size]
            if (a >= -1e-9).all() and (not sum_to_one or abs(a.sum() - 1) < 1e-9):
                best = min(best, float(((y - s.T @ a) ** 2).sum()))
    return best


@BOTH_MODELS
@pytest.mark.parametrize("count", [1, 2, 4, 6, 9, 12])
def test_karush_kuhn_tucker_holds(path, count, sum_to_one):
    e = spectra(count)
    y = mixtures(e, 500)
    a = solve(e, y, sum_to_one)
    e64 = e.astype(np.float64)
    slope = e64 @ (e64.T @ a - y) / (e64**2).sum(1).max()
    if sum_to_one:
        assert np.abs(a.sum(0) - 1).max() < 1e-6
        slope -= (slope * a).sum(0)
    assert a.min() >= 0
    assert slope.min() > -1e-5
    assert np.abs(slope * a).max() < 1e-5


@BOTH_MODELS
@pytest.mark.parametrize("count", [3, 6, 12])
def test_agrees_with_scipy(path, count, sum_to_one):
    e = spectra(count)
    y = mixtures(e, 300)
    assert np.abs(solve(e, y, sum_to_one) - reference(e, y, sum_to_one)).max() < 2e-5


@BOTH_MODELS
@pytest.mark.parametrize("count", [13, 25, 60])
def test_many_endmembers_agree_with_scipy(count, sum_to_one):
    e = spectra(count, 180)
    y = mixtures(e, 150)
    assert np.abs(solve(e, y, sum_to_one) - reference(e, y, sum_to_one)).max() < 1e-5


def awkward_cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    e = spectra(4, 20)
    y = mixtures(e, 12)
    few_bands = rng.random((6, 3)).astype(np.float32)
    return {
        "random": (rng.random((5, 20)).astype(np.float32), rng.random((20, 20)).astype(np.float32)),
        "duplicate endmembers": (np.vstack([e, e[1:3]]), y),
        "an endmember inside the others' hull": (np.vstack([e, e.mean(0)]), y),
        "a zero endmember": (np.vstack([e, 0 * e[:1]]), y),
        "zero pixels": (e, 0 * y),
        "negative pixels": (e, -y),
        "bright and dark pixels": (e, y * np.float32(10.0) ** np.linspace(-4, 3, 12, dtype=np.float32)),
        "pixels equal endmembers": (e, e.T.copy()),
        "one endmember": (e[:1], y),
        "equal endmembers only": (np.vstack([e[:1]] * 3), y),
        "more endmembers than bands": (few_bands, rng.random((3, 12)).astype(np.float32)),
        "as many free shares as bands": (few_bands[:4], rng.random((3, 12)).astype(np.float32)),
        "one band": (few_bands[:3, :1], rng.random((1, 12)).astype(np.float32)),
    }


@BOTH_MODELS
@pytest.mark.parametrize("name", awkward_cases())
def test_no_face_of_the_feasible_set_fits_better(path, name, sum_to_one):
    e, y = awkward_cases()[name]
    a = solve(e, y, sum_to_one)
    least = [brute_force_misfit(e, pixel, sum_to_one) for pixel in y.T]
    size = (y.astype(np.float64) ** 2).sum(0) + (e.astype(np.float64) ** 2).sum(1).max()
    assert a.min() >= 0
    assert not sum_to_one or np.abs(a.sum(0) - 1).max() < 1e-6
    assert ((misfit(e, y, a) - least) / size).max() < 2e-6


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 15),
    bands=st.integers(1, 25),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([2, 5, 10_000]),
    sum_to_one=st.booleans(),
)
def test_any_input_gives_the_best_feasible_abundances(count, bands, seed, levels, sum_to_one):
    rng = np.random.default_rng(seed)
    e = (rng.integers(0, levels, (count, bands)) / (levels - 1)).astype(np.float32)
    y = (rng.integers(-levels, 2 * levels, (bands, 20)) / (levels - 1)).astype(np.float32)
    a = solve(e, y, sum_to_one)
    assert a.min() >= 0
    assert not sum_to_one or np.abs(a.sum(0) - 1).max() < 1e-6
    excess = misfit(e, y, a) - misfit(e, y, reference(e, y, sum_to_one))
    assert (excess / ((y.astype(np.float64) ** 2).sum(0) + bands)).max() < 1e-5


@BOTH_MODELS
def test_trying_all_supports_finds_what_pivoting_finds(monkeypatch, sum_to_one):
    e = spectra(6)
    y = mixtures(e, 300)
    pivoted = solve(e, y, sum_to_one)
    monkeypatch.setattr(support_table, "BLOCK_ROUNDS", 0)
    monkeypatch.setattr(support_table, "SINGLE_ROUNDS", 0)
    assert np.abs(solve(e, y, sum_to_one) - pivoted).max() < 1e-5


@BOTH_MODELS
def test_pivoting_one_endmember_at_a_time_finds_the_same(monkeypatch, sum_to_one):
    e = spectra(6)
    y = mixtures(e, 300)
    in_blocks = solve(e, y, sum_to_one)
    monkeypatch.setattr(support_table, "BLOCK_ROUNDS", 0)
    assert np.abs(solve(e, y, sum_to_one) - in_blocks).max() < 1e-5


@BOTH_MODELS
def test_a_pixel_does_not_depend_on_its_tile(path, monkeypatch, sum_to_one):
    e = spectra(6)
    y = mixtures(e, 3000)
    whole = solve(e, y, sum_to_one)
    monkeypatch.setattr(active_set, "CHUNK", 200)
    monkeypatch.setattr(active_set, "STRIP", 77)
    assert np.abs(solve(e, y, sum_to_one) - whole).max() < 2e-6


def test_abundances_do_not_depend_on_the_unit_of_reflectance(path):
    e = spectra(5)
    y = mixtures(e, 300)
    assert np.abs(solve(e * 1e4, y * np.float32(1e4), True) - solve(e, y, True)).max() < 1e-5


def test_nearly_parallel_endmembers_are_solved_in_float64():
    e = spectra(4)
    twin = e[:1] + 1e-3 * np.cos(np.arange(60) / 3, dtype=np.float32)
    assert ActiveSetSolver(torch.from_numpy(e), True).dtype == torch.float32
    assert ActiveSetSolver(torch.from_numpy(np.vstack([e, twin])), True).dtype == torch.float64


def test_missing_values_in_endmembers_are_refused():
    e = spectra(3)
    e[1, 2] = np.nan
    with pytest.raises(InputError, match="missing value"):
        ActiveSetSolver(torch.from_numpy(e), True)


def test_no_pixels_give_no_abundances(path):
    e = spectra(3)
    none = np.zeros((60, 0), np.float32)
    assert solve(e, none, True).shape == (3, 0)
    assert rmse(*map(torch.from_numpy, (e, none, none[:3]))).shape == (0,)


def test_a_pixel_without_values_harms_no_other(path):
    e = spectra(4)
    y = mixtures(e, 50)
    broken = y.copy()
    broken[:, 7] = np.nan
    kept = np.arange(50) != 7
    assert np.abs(solve(e, broken, True) - solve(e, y, True))[:, kept].max() < 1e-6


@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_rmse_is_that_of_float64(noise):
    e = spectra(6, 162)
    y = mixtures(e, 20_000, noise)
    a = solve(e, y, True).astype(np.float32)
    expected = np.sqrt(misfit(e, y, a) / 162)
    found = rmse(*map(torch.from_numpy, (e, y, a))).numpy()
    assert np.allclose(found, expected, rtol=1e-3, atol=2e-7)


@pytest.fixture(scope="module")
def jasper() -> tuple[np.ndarray, np.ndarray]:
    if not JASPER.exists():
        pytest.skip("needs the Jasper Ridge scene in ../shared/data")
    scene = scipy.io.loadmat(str(JASPER))
    return scene["M"].T.astype(np.float32), (scene["Y"] / 5000).astype(np.float32)


@BOTH_MODELS
@pytest.mark.parametrize("twin_degrees", [None, 1.0, 0.1])
def test_jasper_ridge_agrees_with_scipy_on_every_pixel(jasper, twin_degrees, sum_to_one):
    """Also with a near twin of one endmember, at angles below what the spectrometer tells apart."""
    e, y = jasper
    if twin_degrees:
        tree = e[0] / np.linalg.norm(e[0])
        ripple = np.cos(np.arange(198) / 9)
        ripple -= ripple @ tree * tree
        turn = np.radians(twin_degrees)
        twin = np.linalg.norm(e[0]) * (np.cos(turn) * tree + np.sin(turn) * ripple / np.linalg.norm(ripple))
        e = np.vstack([e, twin]).astype(np.float32)
    assert np.abs(solve(e, y, sum_to_one) - reference(e, y, sum_to_one)).max() < 1e-4
