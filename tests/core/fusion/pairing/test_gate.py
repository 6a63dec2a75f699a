# SPDX-License-Identifier: GPL-3.0-or-later
"""Spoilt and mismatched pairs are refused, sound ones pass."""

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.fusion.pairing.gate import check_same_scene, check_usable

torch.set_num_threads(1)


def sample(msi, msi_valid=None, hsi_valid=None):
    valid = torch.ones(40, 40, dtype=torch.bool) if msi_valid is None else msi_valid
    coarse = torch.ones(10, 10, dtype=torch.bool) if hsi_valid is None else hsi_valid
    block = PairBlock(torch.rand(5, 10, 10), coarse, msi, valid, Placement(4, 4))
    names = tuple(f"b{i + 1}" for i in range(len(msi)))
    return PairSample((block,), BandTable(tuple("hijkl"), (True,) * 5), BandTable(names, (True,) * len(names)), True)


def scene():
    return torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0)) + 0.1


def test_a_sound_pair_passes_without_a_word():
    assert check_usable(sample(scene())) == ()


@pytest.mark.parametrize(("share", "refused"), [(0.05, False), (0.6, True)])
def test_zeros_that_may_be_nodata(share, refused):
    msi = scene()
    msi[:, : round(40 * share)] = 0.0
    if refused:
        with pytest.raises(InputError, match=r"zero in 60%.*declare 0 as nodata"):
            check_usable(sample(msi))
    else:
        assert "zero in 5%" in check_usable(sample(msi))[0]


def test_declared_nodata_is_not_counted():
    msi, valid = scene(), torch.ones(40, 40, dtype=torch.bool)
    msi[:, :24], valid[:24] = 0.0, False
    assert check_usable(sample(msi, valid)) == ()


@pytest.mark.parametrize(("share", "refused"), [(0.1, False), (0.7, True)])
def test_values_piled_up_at_the_largest(share, refused):
    msi = scene()
    msi[1, : round(40 * share)] = 2.55
    if refused:
        with pytest.raises(InputError, match=r"Band 2 .* saturated: 70%.*2\.55"):
            check_usable(sample(msi))
    else:
        assert "b2" in check_usable(sample(msi))[0]


def test_a_constant_band_is_named():
    msi = scene()
    msi[2] = 0.0
    with pytest.raises(InputError, match=r"Band 3 .* value 0 everywhere"):
        check_usable(sample(msi))


def test_too_few_common_pixels():
    valid = torch.zeros(10, 10, dtype=torch.bool)
    valid[0, :7] = True
    with pytest.raises(InputError, match=r"Only 7 hyperspectral pixels"):
        check_usable(sample(scene(), hsi_valid=valid))


def test_one_poor_band_of_many_does_not_condemn_a_pair():
    check_same_scene(torch.tensor([0.98, 0.3, 0.95]))


@pytest.mark.parametrize(("values", "aligned"), [([0.5, 0.4, 0.9], True), ([-0.7], True), ([0.8], False)])
def test_different_scenes_are_refused(values, aligned):
    with pytest.raises(InputError, match=r"do not seem to show the same ground.*force"):
        check_same_scene(torch.tensor(values), aligned)
