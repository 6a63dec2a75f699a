# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn responses are those of cameras as they may be: the stated ranges, gains in the sums, nothing negative."""

import math

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError
from hyperres.core.ssr.randomise import random_responses

NM = tuple(range(400, 1001, 5))
TABLE = BandTable(tuple(map(str, NM)), (True,) * len(NM), tuple(map(float, NM)), (5.0,) * len(NM))
CENTRES, WIDTHS = (475.0, 560.0, 668.0, 842.0), (32.0, 27.0, 14.0, 57.0)


@pytest.fixture(scope="module")
def law():
    return random_responses(TABLE, CENTRES, WIDTHS)


@pytest.fixture(scope="module")
def drawn(law):
    return law.draw(400, torch.Generator().manual_seed(0)).double()


def centres_of(responses):
    return (responses @ torch.tensor(NM, dtype=torch.float64)) / responses.sum(dim=-1)


def spread_of(responses):
    nm = torch.tensor(NM, dtype=torch.float64)
    away = (nm - centres_of(responses)[..., None]).square()
    return ((responses * away).sum(dim=-1) / responses.sum(dim=-1)).sqrt()


def test_sums_are_gains_of_at_most_five_percent(drawn):
    sums = drawn.sum(dim=-1)
    assert float(drawn.min()) >= 0.0
    assert 0.95 - 1e-6 <= float(sums.min()) < 0.96 and 1.04 < float(sums.max()) <= 1.05 + 1e-6


def test_centres_are_off_by_five_nanometres_at_most(drawn):
    off = centres_of(drawn) - torch.tensor(CENTRES, dtype=torch.float64)
    assert 4.0 < float(off.abs().max()) < 5.5
    assert float(off.mean(dim=0).abs().max()) < 0.6


def test_widths_lie_between_a_narrow_box_and_a_wide_gaussian(drawn):
    """A box of width w has a standard deviation of w / sqrt 12, a Gaussian of w / 2.355; the HSI's bands add theirs."""
    own = 5.0 / 2.3548
    for band, width in enumerate(WIDTHS):
        spread = spread_of(drawn)[:, band]
        assert float(spread.min()) > 0.98 * math.hypot(0.8 * width / math.sqrt(12), 0.9 * own)
        assert float(spread.max()) < 1.02 * math.hypot(1.2 * width / 2.3548, 1.5 * own)
        assert float(spread.max() / spread.min()) > 1.3


def test_the_nominal_response_and_all_draws_lie_within_the_bounds(law, drawn):
    low, high = law.bounds(torch.Generator().manual_seed(1))
    assert bool((low <= law.nominal).all() and (law.nominal <= high).all())
    inside = (drawn >= low - 0.05 * high.max()) & (drawn <= high + 0.05 * high.max())
    assert float(inside.double().mean()) > 0.999
    assert law.nominal.sum(dim=1) == pytest.approx(torch.ones(4).numpy(), abs=1e-5)


def test_a_flat_spectrum_is_seen_as_flat_but_for_gain_and_noise(law):
    hsi = torch.full((300, len(NM), 16, 16), 0.25)
    msi = law.observe(hsi, torch.Generator().manual_seed(2))
    gain = msi.mean(dim=(2, 3)) / 0.25
    noise = msi.std(dim=(2, 3)) / msi.mean(dim=(2, 3))
    decibels = -20 * noise.log10()
    assert 0.94 < float(gain.min()) and float(gain.max()) < 1.06
    assert 29.0 < float(decibels.min()) < 32.0 and 43.0 < float(decibels.max()) < 46.5


def test_the_same_seed_draws_the_same(law):
    one, other = (law.draw(3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, other)


def test_bands_that_the_spectra_do_not_cover_are_refused():
    with pytest.raises(BandsError, match="1610 nm"):
        random_responses(TABLE, (560.0, 1610.0), (30.0, 90.0))
    with pytest.raises(BandsError, match="wavelengths"):
        random_responses(BandTable(("a", "b"), (True, True)), (560.0,), (30.0,))
