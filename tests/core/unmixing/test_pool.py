# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim collected tile by tile holds the pixels that extraction from the whole image would pick."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from hyperres.core.quality.endmembers import match_endmembers
from hyperres.core.unmixing.extraction import Extraction
from hyperres.core.unmixing.nfindr import nfindr
from hyperres.core.unmixing.pool import DIRECTIONS, ExtremePool, rim, smooth_directions, successive_projections
from hyperres.core.unmixing.snpa import snpa

JASPER = Path(__file__).parents[4] / "shared/data/unmixing/jasper/jasperRidge2_R198_Mei.mat"
BANDS, TILE = 60, 32
Method = Callable[[torch.Tensor, int], Extraction]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def synthetic(count: int = 5, side: int = 100, noise: float = 0.0, seed: int = 0) -> torch.Tensor:
    """A scene with one pure pixel of each material, float32 [bands, rows, columns]."""
    rng = np.random.default_rng(seed)
    x, i = np.linspace(0, 1, BANDS), np.arange(count)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / count) / (0.8 / count)) ** 2))
    spectra = 0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps
    shares = 0.95 * rng.dirichlet(np.ones(count), side * side) + 0.05 / count
    shares[rng.choice(side * side, count, replace=False)] = np.eye(count)
    values = shares @ spectra + noise * rng.standard_normal((side * side, BANDS))
    return torch.from_numpy(values.T.reshape(BANDS, side, side).astype(np.float32))


def jasper_ridge() -> torch.Tensor:
    if not JASPER.exists():
        pytest.skip("the Jasper Ridge scene is not here")
    return torch.from_numpy((scipy.io.loadmat(str(JASPER))["Y"] / 5000).astype(np.float32)).reshape(198, 100, 100)


def tiles(cube: torch.Tensor) -> list[torch.Tensor]:
    """Tiles of 32 x 32 pixels, smaller at the edges, each [bands, pixels]."""
    rows = cube.split(TILE, dim=1)
    return [tile.reshape(len(cube), -1) for row in rows for tile in row.split(TILE, dim=2)]


def pooled(cube: torch.Tensor) -> torch.Tensor:
    pool = ExtremePool(len(cube))
    for tile in tiles(cube):
        pool.add(pool.candidates(tile))
    return pool.pixels()


def as_set(spectra: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in spectra}


def both_ways(method: Method, cube: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Picks from the whole image and from the pool, along the axes of the whole image, as the engine does."""
    whole, pool = cube.reshape(len(cube), -1).T.contiguous(), pooled(cube)
    assert len(pool) < 0.4 * len(whole)
    axes = torch.linalg.eigh((whole.T @ whole).double()).eigenvectors[:, -24:].float()
    return whole[method(whole @ axes, count).indices], pool[method(pool @ axes, count).indices]


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize("method", [snpa, nfindr])
def test_extraction_from_the_pool_equals_that_from_the_whole_image(method, noise):
    whole, pool = both_ways(method, synthetic(noise=noise), 5)
    assert as_set(pool) == as_set(whole)


def test_the_pool_of_jasper_ridge_spans_the_same_simplex():
    whole, pool = both_ways(nfindr, jasper_ridge(), 4)
    assert as_set(pool) == as_set(whole)


def test_picks_one_by_one_from_the_pool_of_jasper_ridge_are_the_same_or_next_to_it():
    """Where real materials vary, the farthest pixel may be none of the rim's; then a neighbour stands in for it."""
    whole, pool = both_ways(snpa, jasper_ridge(), 4)
    assert len(as_set(pool) & as_set(whole)) >= 3
    assert max(match_endmembers(whole.numpy(), pool.numpy()).degrees) < 2


def test_candidates_are_pixels_of_the_tile():
    tile = tiles(synthetic(noise=0.01))[0]
    candidates = ExtremePool(BANDS).candidates(tile)
    assert 0 < len(candidates) < tile.shape[1]
    assert as_set(candidates) <= as_set(tile.T.contiguous())


def test_threads_do_not_change_the_pool():
    cube = synthetic(noise=0.01)
    pool = ExtremePool(BANDS)
    with ThreadPoolExecutor(4) as threads:
        for candidates in threads.map(pool.candidates, tiles(cube)):
            pool.add(candidates)
    torch.testing.assert_close(pool.pixels(), pooled(cube), atol=0, rtol=0)


def test_order_of_tiles_changes_only_the_order_of_pixels():
    cube = synthetic(noise=0.01)
    pool = ExtremePool(BANDS)
    for tile in reversed(tiles(cube)):
        pool.add(pool.candidates(tile))
    assert as_set(pool.pixels()) == as_set(pooled(cube))


def test_capacity_holds_however_much_comes_in_and_pure_pixels_stay():
    cube = synthetic(side=160)
    pool = ExtremePool(BANDS, capacity=300)
    sizes = []
    for tile in tiles(cube):
        pool.add(pool.candidates(tile))
        sizes.append(len(pool.pixels()))
    assert max(sizes) <= 300
    assert any(after < before for before, after in zip(sizes, sizes[1:])), "the case must overflow"
    whole = cube.reshape(BANDS, -1).T.contiguous()
    assert as_set(whole[snpa(whole, 5).indices]) <= as_set(pool.pixels())


def test_a_tile_without_valid_pixels_adds_nothing():
    pool = ExtremePool(BANDS)
    pool.add(pool.candidates(torch.empty(BANDS, 0)))
    assert pool.pixels().shape == (0, BANDS)


def test_rim_holds_the_extremes_along_every_direction():
    tile = tiles(synthetic(noise=0.01))[0]
    scores = smooth_directions(BANDS, DIRECTIONS, 0) @ tile
    kept = set(rim(scores).tolist())
    assert set(scores.argmax(dim=1).tolist()) <= kept
    assert set(scores.argmin(dim=1).tolist()) <= kept


def test_directions_are_the_mean_and_contrasts():
    directions = smooth_directions(BANDS, 8, 0)
    torch.testing.assert_close(directions[0], torch.full((BANDS,), 1 / BANDS))
    torch.testing.assert_close(directions[1:].sum(dim=1), torch.zeros(7), atol=1e-5, rtol=0)


def test_successive_projections_take_the_point_farthest_from_the_span_of_those_before():
    points = torch.randn(6, 200, generator=torch.Generator().manual_seed(0))
    values = points.double().numpy()
    picks: list[int] = []
    for _ in range(5):
        span = values[:, picks]
        fitted = span @ np.linalg.lstsq(span, values, rcond=None)[0] if picks else 0
        picks.append(int(np.linalg.norm(values - fitted, axis=0).argmax()))
    assert successive_projections(points, 5).tolist() == picks


def test_successive_projections_stop_where_nothing_new_is_left():
    points = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)) @ torch.rand(2, 50)
    assert len(successive_projections(points, 6)) == 2
