# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions between sensors found from pairs: the accuracies asked for, honest bands, the rank of the data."""

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled
from hyperres.core.ssr.stf import MOST_PIXELS, draw_runs, effective_rank, estimate_stf

NM = np.arange(400, 701, 10.0)
# the camera of the spectral super-resolution literature, on 31 bands
NIKON = np.array(
    [
        [2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 11, 17, 21, 22, 21, 20, 20, 19, 19, 18, 18, 17, 17],
        [1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 11, 16, 19, 21, 20, 18, 16, 14, 11, 7, 5, 3, 2, 2, 1, 1, 2, 2, 2, 2, 2],
        [7, 10, 15, 19, 25, 29, 30, 29, 27, 22, 16, 9, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ],
    dtype=float,
)


def bells(*centres, sigma=45):
    return np.array([np.exp(-0.5 * ((NM - centre) / sigma) ** 2) for centre in centres])


def boxes(*edges):
    return np.array([((low <= NM) & (high >= NM)).astype(float) for low, high in edges])


RESPONSES = {
    "Nikon": NIKON,
    "Gaussian": bells(450, 550, 650),
    "Landsat-7": boxes((450, 515), (525, 605), (630, 690)),
    "Sentinel-2": boxes((433, 453), (458, 523), (543, 578), (650, 680)),
}


def rows_of(name):
    return RESPONSES[name] / RESPONSES[name].sum(1, keepdims=True)


def scene(pixels=2048, materials=60, correlation_nm=20, seed=0):
    """Mixtures of random smooth spectra in [0, 1], [pixels, bands]."""
    rng = np.random.default_rng(seed)
    covariance = np.exp(-0.5 * ((NM[:, None] - NM) / correlation_nm) ** 2) + 1e-9 * np.eye(len(NM))
    spectra = 1 / (1 + np.exp(-(np.linalg.cholesky(covariance) @ rng.standard_normal((len(NM), materials)))))
    return rng.dirichlet(np.full(materials, 0.15), pixels) @ spectra.T


def tables(msi_bands):
    def table(names, nm=None):
        return BandTable(names, (True,) * len(names), nm)

    hsi = table(tuple(f"{nm:.0f}" for nm in NM), tuple(map(float, NM)))
    return hsi, table(tuple(f"Band {i + 1}" for i in range(msi_bands)))


def estimate(x, matrix, noise=1e-3, offset=0.0, **context):
    y = x @ matrix.T + offset + noise * np.random.default_rng(5).standard_normal((len(x), len(matrix)))
    return estimate_stf(x, y, tables(len(matrix)), Context(torch.device("cpu"), **context))


@pytest.fixture(scope="module")
def found():
    """All four responses, each seen with a gain and an offset."""
    return {name: estimate(scene(), 1.4 * rows_of(name), offset=0.03) for name in RESPONSES}


@pytest.mark.parametrize(
    ("name", "largest"), [("Nikon", 0.06), ("Gaussian", 0.06), ("Landsat-7", 0.15), ("Sentinel-2", 0.15)]
)
def test_responses_are_found_as_well_as_asked_for(found, name, largest):
    true = 1.4 * rows_of(name)
    assert np.linalg.norm(found[name].matrix - true) / np.linalg.norm(true) < largest
    assert found[name].offset == pytest.approx(0.03, abs=0.02)


@pytest.mark.parametrize("correlation_nm", [20, 45])
@pytest.mark.parametrize(
    ("name", "least"), [("Nikon", 0.93), ("Gaussian", 0.93), ("Landsat-7", 0.85), ("Sentinel-2", 0.85)]
)
def test_the_bands_hold_the_estimate_and_nearly_all_of_the_truth(name, least, correlation_nm):
    inside = []
    for seed in (1, 2):
        stf, true = estimate(scene(correlation_nm=correlation_nm, seed=seed), rows_of(name)), rows_of(name)
        assert np.all(stf.low <= stf.matrix) and np.all(stf.matrix <= stf.high)
        slack = 0.005 * true.max(1, keepdims=True)
        inside.append(np.mean((stf.low - slack <= true) & (true <= stf.high + slack)))
    # edges of boxes are sharper than smoothness lets a curve be
    assert np.mean(inside) >= least


def test_a_poor_scene_has_a_low_rank():
    rich, poor = (estimate(scene(1000, materials=n), rows_of("Gaussian")) for n in (60, 3))
    assert poor.effective_rank < 2.1 < 4 < rich.effective_rank


def test_the_effective_rank_counts_directions():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    for count in (1, 4, 20):
        pixels = 3 + rng.standard_normal((50000, count)) @ directions[:, :count].T
        assert effective_rank(pixels) == pytest.approx(count, rel=0.01)
    assert effective_rank(np.ones((10, 5))) == 0


def test_draws_are_whole_runs_in_order_and_bounded():
    rng = np.random.default_rng(1)
    chosen = draw_runs(6400, rng)
    assert len(chosen) <= MOST_PIXELS and np.all(np.diff(chosen) >= -99)
    assert 0.5 < len(np.unique(draw_runs(640, rng))) / 640 < 0.75  # 1 - 1/e of the runs
    assert sorted(set(draw_runs(20, rng))) != list(range(20))


def test_the_same_seed_gives_the_same_bands_and_a_wish_to_stop_is_heard():
    x = scene(300)
    once, again = (estimate(x, rows_of("Gaussian")) for _ in range(2))
    assert np.array_equal(once.low, again.low) and np.array_equal(once.high, again.high)
    with pytest.raises(Cancelled):
        estimate(x, rows_of("Gaussian"), is_cancelled=lambda: True)
