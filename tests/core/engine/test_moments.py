# SPDX-License-Identifier: GPL-3.0-or-later
"""Streamed moments are those of all pixels at once, however the pixels arrive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperres.core.engine import moments as module
from hyperres.core.engine.moments import StreamingMoments
from hyperres.core.errors import InputError

BANDS = 7


def pixels(count: int, level: float = 0.3, spread: float = 0.1) -> np.ndarray:
    """Correlated pixels, float32 [pixels, bands]."""
    rng = np.random.default_rng(count)
    return (level + spread * rng.standard_normal((count, BANDS)) @ rng.uniform(-1, 1, (BANDS, BANDS))).astype("float32")


def streamed(parts: list[np.ndarray]):
    moments = StreamingMoments(BANDS)
    for part in parts:
        moments.add(torch.from_numpy(part))
    return moments.result()


def assert_equals_numpy(result, values: np.ndarray, share: float = 5e-6) -> None:
    exact = values.astype(np.float64)
    assert result.count == len(values)
    np.testing.assert_allclose(result.mean.numpy(), exact.mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(result.correlation.numpy(), exact.T @ exact / len(exact), rtol=1e-6, atol=1e-7)
    covariance = np.cov(exact, rowvar=False, bias=True)
    np.testing.assert_allclose(result.covariance.numpy(), covariance, atol=share * covariance.diagonal().max())


@given(cuts=st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_split_gives_the_moments_of_the_whole(cuts):
    values = pixels(500)
    assert_equals_numpy(streamed(np.split(values, sorted(cuts))), values)


def test_blocks_inside_one_tile_do_not_show():
    values = pixels(3 * module.BLOCK_PIXELS + 17)
    assert_equals_numpy(streamed([values]), values)


def test_small_spread_around_a_large_mean_keeps_its_digits():
    values = pixels(20_000, level=1000.0, spread=0.5)
    assert_equals_numpy(streamed([values[:37], values[37:]]), values, share=1e-5)


def test_a_dark_first_tile_does_not_spoil_a_bright_scene():
    values = np.concatenate([0.01 * pixels(50), pixels(20_000, level=0.8, spread=0.01)])
    assert_equals_numpy(streamed([values[:50], values[50:]]), values, share=1e-5)


def test_an_image_without_valid_pixels_is_refused_in_words():
    with pytest.raises(InputError, match="no valid pixel"):
        streamed([np.empty((0, BANDS), "float32")])
