# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled
from hyperres.core.fusion.nmf import factorise, nndsvda

CONTEXT = Context(torch.device("cpu"))


@pytest.fixture
def mixtures():
    """Mixtures of four smooth spectra with a little noise, and zeros in them."""
    rng = np.random.default_rng(0)
    axis = np.linspace(0, 1, 60)
    spectra = np.stack([np.exp(-(((axis - centre) / 0.2) ** 2)) for centre in (0.1, 0.4, 0.6, 0.9)])
    pixels = rng.dirichlet(np.full(4, 0.5), 300) @ spectra + 0.01 * rng.standard_normal((300, 60))
    return np.clip(pixels, 0.0, None)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_endmembers_equal_those_of_scikit_learn(mixtures, count):
    sklearn = pytest.importorskip("sklearn.decomposition", reason="scikit-learn, the oracle, is not installed")
    oracle = sklearn.NMF(n_components=count, init="nndsvda", max_iter=5000, random_state=42).fit(mixtures)
    found = factorise(torch.tensor(mixtures), count, CONTEXT).numpy()
    np.testing.assert_allclose(found, oracle.components_, atol=1e-4 * oracle.components_.max())


def test_the_factors_explain_the_pixels_and_are_not_negative(mixtures):
    spectra = factorise(torch.tensor(mixtures, dtype=torch.float32), 4, CONTEXT).numpy()
    assert spectra.min() >= 0.0
    weights = np.linalg.lstsq(spectra.T.astype(float), mixtures.T, rcond=None)[0]
    assert np.sqrt(np.mean((weights.T @ spectra - mixtures) ** 2)) < 0.012  # the noise is 0.01


def test_the_start_is_positive_and_holds_the_mean_where_singular_vectors_are_negative(mixtures):
    weights, spectra = nndsvda(torch.tensor(mixtures), 4)
    assert weights.shape == (4, 300)
    assert spectra.shape == (4, 60)
    assert float(weights.min()) > 0.0
    at_mean = np.isclose(spectra[1:].numpy(), mixtures.mean(), rtol=1e-12)
    assert at_mean.any(axis=1).all()


def test_black_pixels_do_not_stop_it():
    assert not factorise(torch.zeros(20, 5), 2, CONTEXT).any()


def test_it_can_be_cancelled(mixtures):
    with pytest.raises(Cancelled):
        factorise(torch.tensor(mixtures), 4, Context(torch.device("cpu"), is_cancelled=lambda: True))
