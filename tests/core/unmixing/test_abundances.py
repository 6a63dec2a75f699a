# SPDX-License-Identifier: GPL-3.0-or-later
"""Every model of abundances fulfils what defines it, and a tile's result is that of its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from scipy.optimize import nnls

from hyperres.core.bands import BandTable
from hyperres.core.errors import InputError
from hyperres.core.spectra import Spectra
from hyperres.core.unmixing.abundances import make_solver
from hyperres.core.unmixing.evidence import UnmixEvidence
from hyperres.core.unmixing.model import UnmixModel
from hyperres.core.unmixing.settings import MODELS, UnmixSettings
from hyperres.core.unmixing.sunsal import SPARSITY, SunsalSolver

SYNTHETIC = Path(__file__).parents[4] / "shared/data/unmixing/synthetic"
BANDS, COUNT = 60, 4


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def endmembers() -> np.ndarray:
    """Smooth, well separated spectra, [endmembers, bands]."""
    x, i = np.linspace(0, 1, BANDS), np.arange(COUNT)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / COUNT) / (0.8 / COUNT)) ** 2))
    return (0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps).astype(np.float32)


def mixtures(endmembers: np.ndarray, pixels: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels [bands, pixels], shares [endmembers, pixels] and the light on each pixel."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(len(endmembers), 0.5), pixels).T
    light = rng.uniform(0.3, 1.2, pixels)
    values = endmembers.T @ shares * light + noise * rng.standard_normal((endmembers.shape[1], pixels))
    return values.astype(np.float32), shares, light


def solved(endmembers: np.ndarray, pixels: np.ndarray, model: str) -> np.ndarray:
    solve = make_solver(torch.from_numpy(endmembers), UnmixSettings(model=model))
    return solve(torch.from_numpy(pixels)).numpy().astype(np.float64)


def model_of(endmembers: np.ndarray, model: str = "fcls", normalize: str = "none") -> UnmixModel:
    names = tuple("abcdefgh"[: len(endmembers)])
    bands = tuple(str(i) for i in range(endmembers.shape[1]))
    spectra = Spectra(names, tuple(map(tuple, endmembers.tolist())))
    return UnmixModel(
        BandTable(bands, (True,) * len(bands)),
        names,
        torch.from_numpy(endmembers),
        UnmixSettings(model=model, normalize=normalize),
        UnmixEvidence(spectra, "Given.", "Given.", model, normalize),
    )


def scene(endmembers: np.ndarray, rows: int = 12, columns: int = 17) -> torch.Tensor:
    pixels, _, _ = mixtures(endmembers, rows * columns, noise=0.01)
    return torch.from_numpy(pixels).reshape(-1, rows, columns)


def test_unconstrained_abundances_are_least_squares(endmembers):
    pixels, _, _ = mixtures(endmembers, 200, noise=0.05)
    exact = np.linalg.lstsq(endmembers.T.astype(float), pixels.astype(float), rcond=None)[0]
    assert exact.min() < -0.01, "the case must need negative abundances"
    np.testing.assert_allclose(solved(endmembers, pixels, "ucls"), exact, atol=1e-5)


def test_nonnegative_abundances_are_those_of_scipy(endmembers):
    pixels, _, _ = mixtures(endmembers, 200, noise=0.05)
    exact = np.stack([nnls(endmembers.T.astype(float), y.astype(float))[0] for y in pixels.T], axis=1)
    np.testing.assert_allclose(solved(endmembers, pixels, "nnls"), exact, atol=1e-5)


@pytest.fixture
def crowd(endmembers) -> tuple[np.ndarray, np.ndarray]:
    """More spectra than dimensions: a library of mixtures of a few materials, and noisy pixels [bands, pixels]."""
    random = np.random.default_rng(4)
    library = random.random((100, len(endmembers))) @ endmembers / len(endmembers)
    pixels = (random.dirichlet(np.full(len(endmembers), 0.5), 3000) @ endmembers).T
    return library.astype(np.float32), (np.rint(pixels * 10000) / 10000).astype(np.float32)


def test_a_library_of_mixtures_of_itself_fits_as_well_as_with_scipy(crowd):
    library, pixels = crowd
    found = solved(library, pixels, "nnls")
    assert np.isfinite(found).all() and (found >= 0).all()
    misfit = np.linalg.norm(pixels - library.T @ found, axis=0)
    np.testing.assert_allclose(misfit[:300], [nnls(library.T, pixel)[1] for pixel in pixels.T[:300]], atol=1e-5)


def test_unconstrained_abundances_of_dependent_spectra_stay_small_and_fit(crowd):
    library, pixels = crowd
    found = solved(library, pixels, "ucls")
    exact = np.linalg.lstsq(library.T, pixels, rcond=1e-7)[0]
    np.testing.assert_allclose(library.T @ found, library.T @ exact, atol=1e-4)
    assert np.abs(found).max() < 10


@pytest.mark.parametrize("model", ["nnls", "fcls", "scaled", "sunsal"])
def test_no_abundance_is_negative(endmembers, model):
    pixels, _, _ = mixtures(endmembers, 500, noise=0.1)
    assert solved(endmembers, pixels, model).min() >= 0


def test_scaled_tells_light_from_shares(endmembers):
    pixels, shares, light = mixtures(endmembers, 12 * 17)
    cube = torch.from_numpy(pixels).reshape(BANDS, 12, 17)
    found = model_of(endmembers, "scaled").apply(cube, torch.ones(12, 17, dtype=torch.bool))["abundances"]
    found = found.reshape(COUNT + 1, -1).numpy()
    np.testing.assert_allclose(found[:COUNT].sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(found[COUNT], light, atol=1e-4)
    np.testing.assert_allclose(found[:COUNT], shares, atol=1e-4)


def test_sparse_abundances_are_the_lassos(endmembers):
    """1/2 |y - E^T a|^2 + w sum(a) is, up to a constant, the misfit of a least-squares problem with the same Gram
    matrix L L^T = E E^T and right-hand side L^-1 (E y - w), which SciPy solves."""
    pixels, _, _ = mixtures(endmembers, 300, noise=0.05)
    spectra = endmembers.astype(float)
    match = spectra @ pixels.astype(float)
    lower = np.linalg.cholesky(spectra @ spectra.T)
    for sparsity in (SPARSITY, 0.1):
        right = np.linalg.solve(lower, match - sparsity * match.max(axis=0))
        exact = np.stack([nnls(lower.T, column)[0] for column in right.T], axis=1)
        found = SunsalSolver(torch.from_numpy(endmembers), sparsity).solve(torch.from_numpy(pixels)).numpy()
        assert (exact == 0).mean() > 0.05, "the case must have abundances at the bound"
        np.testing.assert_allclose(found, exact, atol=5e-3)
        assert np.sqrt(np.mean((found - exact) ** 2)) < 1e-3


def test_less_sparsity_comes_down_to_nonnegative_least_squares(endmembers):
    pixels, _, _ = mixtures(endmembers, 200, noise=0.02)
    exact = np.stack([nnls(endmembers.T.astype(float), y.astype(float))[0] for y in pixels.T], axis=1)

    def distance(sparsity: float) -> float:
        found = SunsalSolver(torch.from_numpy(endmembers), sparsity).solve(torch.from_numpy(pixels))
        return float(np.abs(found.numpy() - exact).max())

    assert distance(1e-6) < 2e-3
    assert distance(1e-6) < distance(1e-2) < distance(1e-1)


def test_sparsity_weight_that_makes_everything_zero(endmembers):
    """From lambda = max(E y) on the solution of the lasso is zero, and just below it is not."""
    pixels, _, _ = mixtures(endmembers, 50)
    for sparsity, zero in ((1.01, True), (0.9, False)):
        found = SunsalSolver(torch.from_numpy(endmembers), sparsity).solve(torch.from_numpy(pixels))
        assert bool((found.amax(dim=0) < 1e-6).all()) is zero


def test_a_library_of_hundreds_of_spectra_gives_back_the_few_that_were_mixed():
    if not (SYNTHETIC / "SUnCNN_DC1_EE.mat").exists():
        pytest.skip("the DC1 scene is not here")
    name = str(SYNTHETIC / "SUnCNN_DC1_{}.mat")
    library = scipy.io.loadmat(name.format("EE"))["EE"].T
    shares = scipy.io.loadmat(name.format("XT"))["XT"].reshape(len(library), -1)[:, ::7]
    pixels = scipy.io.loadmat(name.format("Y_clean"))["Y_clean"].reshape(-1, library.shape[1]).T[:, ::7]
    np.testing.assert_allclose(library.T @ shares, pixels, atol=1e-6)
    found = solved(library.astype(np.float32), pixels.astype(np.float32), "sunsal")
    error = found - shares
    active = shares.max(axis=1) > 0
    assert np.sqrt(np.mean(error**2)) < 0.012
    assert 10 * np.log10(np.sum(shares**2) / np.sum(error**2)) > 10
    assert found[~active].sum(axis=0).mean() < 0.15


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("normalize", ["none", "l2"])
def test_parts_of_a_tile_equal_the_whole(endmembers, model, normalize):
    cube, valid = scene(endmembers), torch.ones(12, 17, dtype=torch.bool)
    valid[3:5, 2:9] = False
    unmix = model_of(endmembers, model, normalize)
    whole = unmix.apply(cube, valid)
    parts = [
        unmix.apply(cube[:, r, c], valid[r, c])
        for r in (slice(0, 5), slice(5, 12))
        for c in (slice(0, 1), slice(1, 17))
    ]
    for role, expected in whole.items():
        rows = [torch.cat([parts[i][role], parts[i + 1][role]], dim=2) for i in (0, 2)]
        torch.testing.assert_close(torch.cat(rows, dim=1)[:, valid], expected[:, valid], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_what_invalid_pixels_hold_does_not_matter(endmembers, model):
    cube, valid = scene(endmembers), torch.ones(12, 17, dtype=torch.bool)
    valid[0, :] = valid[7, 3] = False
    unmix = model_of(endmembers, model)
    clean = unmix.apply(cube, valid)
    spoilt = cube.clone()
    spoilt[:, ~valid] = 1e30
    for role, planes in unmix.apply(spoilt, valid).items():
        torch.testing.assert_close(planes, clean[role], atol=0, rtol=0)
        assert not planes[:, ~valid].any()


def test_a_tile_without_valid_pixels_is_empty_but_has_its_shape(endmembers):
    planes = model_of(endmembers).apply(scene(endmembers), torch.zeros(12, 17, dtype=torch.bool))
    assert {role: tuple(p.shape) for role, p in planes.items()} == {
        "abundances": (COUNT, 12, 17),
        "rmse": (1, 12, 17),
        "class": (1, 12, 17),
    }
    assert not any(p.any() for p in planes.values())


@pytest.mark.parametrize("model", MODELS)
def test_class_error_and_reconstruction_belong_together(endmembers, model):
    cube, valid = scene(endmembers), torch.ones(12, 17, dtype=torch.bool)
    planes = {role: p.numpy() for role, p in model_of(endmembers, model).apply(cube, valid).items()}
    abundances = planes["abundances"]
    np.testing.assert_array_equal(planes["class"][0], abundances[:COUNT].argmax(axis=0) + 1)
    if model == "scaled":
        abundances = abundances[:COUNT] * abundances[COUNT]
    residual = cube.numpy() - np.tensordot(endmembers.T, abundances, axes=1)
    np.testing.assert_allclose(planes["rmse"][0], np.sqrt((residual**2).mean(axis=0)), atol=1e-6)


@pytest.mark.parametrize("factor", [2.0, 0.125])
def test_light_does_not_change_abundances_of_unit_length_pixels(endmembers, factor):
    cube, valid = scene(endmembers), torch.ones(12, 17, dtype=torch.bool)
    unmix = model_of(endmembers, "fcls", "l2")
    once, scaled = unmix.apply(cube, valid), unmix.apply(factor * cube, valid)
    torch.testing.assert_close(scaled["abundances"], once["abundances"], atol=1e-6, rtol=0)
    torch.testing.assert_close(scaled["class"], once["class"])
    torch.testing.assert_close(scaled["rmse"], factor * once["rmse"], atol=1e-7, rtol=1e-4)
    raw = model_of(endmembers, "fcls", "none")
    moved = (raw.apply(factor * cube, valid)["abundances"] - raw.apply(cube, valid)["abundances"]).abs().max()
    assert moved > 0.1, "without scaling, light must matter"


def test_pure_pixels_are_pure(endmembers):
    cube = torch.from_numpy(endmembers).T.reshape(BANDS, 1, COUNT).contiguous()
    for model in MODELS:
        planes = model_of(endmembers, model).apply(cube, torch.ones(1, COUNT, dtype=torch.bool))
        found = planes["abundances"][:COUNT, 0]
        torch.testing.assert_close(found, torch.eye(COUNT), atol=5e-3, rtol=0)
        assert planes["class"].flatten().tolist() == [1, 2, 3, 4]


def test_an_endmember_with_a_hole_is_refused_in_words(endmembers):
    holed = endmembers.copy()
    holed[1, 3] = np.nan
    for model in MODELS:
        with pytest.raises(InputError, match="missing value"):
            model_of(holed, model)
