# SPDX-License-Identifier: GPL-3.0-or-later
"""The size law against leaves whose law is known, and the variogram against closed forms."""

import math

import pytest
import torch

from hyperres.core.sisr.leaves import general_law
from hyperres.core.sisr.pairs import scene_source
from hyperres.core.sisr.size_law import fit_law, variogram

NOISE = torch.full((3,), 0.02)


def rng(seed):
    return torch.Generator().manual_seed(seed)


def image(smallest, seed):
    """What a sensor sees of leaves, standardised."""
    colours = torch.randn(3, 1, 400, generator=rng(seed))
    law = general_law(2, smallest)
    source = scene_source(2, colours, None, law, 1.0, NOISE, size=64)
    low = source.draw(1, rng(seed + 1)).low[0]
    return (low - low.mean(dim=(1, 2), keepdim=True)) / low.std(dim=(1, 2), keepdim=True)


def everywhere(plane):
    return torch.ones(plane.shape[1:], dtype=torch.bool)


def test_the_variogram_of_a_wave_and_of_noise_are_those_of_the_books():
    place = torch.arange(240.0)
    wave = (math.sqrt(2.0) * torch.sin(2 * math.pi * place / 24)).expand(1, 240, 240)
    both = torch.cat([wave, 0.3 * torch.randn(1, 240, 240, generator=rng(0))])
    none = torch.zeros(2)
    curve = variogram([both], [everywhere(both)], none, (1, 6, 12))
    # along the crests nothing changes, across them 1 - cos; the mean of both, then white noise of variance 0.09
    for lag, found in zip((1, 6, 12), curve.tolist()):
        expected = (0.5 * (1 - math.cos(2 * math.pi * lag / 24)) + 0.09) / 1.09
        assert found == pytest.approx(expected, abs=0.01)


def test_noise_that_is_known_does_not_pass_for_small_fields():
    smooth = image(8.0, seed=3)
    noisy = smooth + 0.3 * torch.randn(smooth.shape, generator=rng(1))
    clean = variogram([smooth], [everywhere(smooth)], 0 * NOISE, (1, 2, 4, 8))
    found = variogram([noisy], [everywhere(noisy)], 0 * NOISE + 0.3, (1, 2, 4, 8))
    assert torch.allclose(found, clean, atol=0.03)


def test_what_does_not_count_does_not_change_it():
    plane = image(4.0, seed=3)
    mask = everywhere(plane)
    mask[10:20, 30:50] = False
    spoilt = torch.where(mask, plane, 1e6)
    for lags in ((1, 2), (8, 12)):
        assert torch.equal(variogram([spoilt], [mask], NOISE, lags), variogram([plane], [mask], NOISE, lags))


def test_planted_sizes_are_found_in_their_order():
    found = {}
    for smallest in (1.0, 8.0):
        part = image(smallest, 7)
        found[smallest] = fit_law([part], [everywhere(part)], 2, 1.0, NOISE, rng(5))
    assert found[1.0][0].smallest <= 2.0
    assert found[8.0][0].smallest >= 4.0
    for law, sizes in found.values():
        assert sizes.smallest == law.smallest / 2
        assert max(abs(math.log(a / b)) for a, b in zip(sizes.image, sizes.leaves)) < 0.5
