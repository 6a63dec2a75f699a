# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.fusion.surroundings import averaged, under


def test_blocks_hold_their_mean_and_the_last_one_takes_the_remainder():
    hsi = torch.arange(35.0).view(1, 5, 7)
    means = averaged(hsi, torch.ones(5, 7, dtype=torch.bool), 2)[0]
    assert torch.equal(means[:2, :2], torch.full((2, 2), float(hsi[0, :2, :2].mean())))
    assert torch.equal(means[2:, 4:], torch.full((3, 3), float(hsi[0, 2:, 4:].mean())))


def test_invalid_pixels_do_not_count():
    hsi = torch.tensor([[[1.0, 3.0], [5.0, 99.0]]])
    valid = torch.tensor([[True, True], [True, False]])
    assert torch.equal(averaged(hsi, valid, 2), torch.full((1, 2, 2), 3.0))
    assert not averaged(hsi, torch.zeros(2, 2, dtype=torch.bool), 2).any()


def test_images_smaller_than_a_block_have_one_mean():
    assert torch.equal(
        averaged(torch.tensor([[[1.0, 3.0]]]), torch.ones(1, 2, dtype=torch.bool), 4), torch.full((1, 1, 2), 2.0)
    )


def test_fine_pixels_take_the_coarse_pixel_they_lie_in():
    hsi = torch.rand(2, 3, 4)
    whole = under(hsi, Placement(2, 3), 6, 12)
    assert torch.equal(whole, hsi.repeat_interleave(2, dim=1).repeat_interleave(3, dim=2))
    shifted = under(hsi, Placement(2.5, 2.5, row=-1.0, col=2.0), 8, 10)
    assert torch.equal(shifted[:, 0, 0], hsi[:, 0, 0])  # left of the coarse array: the nearest
    assert torch.equal(shifted[:, 3, 5], hsi[:, int(4.5 / 2.5), int(3.5 / 2.5)])
