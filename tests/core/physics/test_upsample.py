# SPDX-License-Identifier: GPL-3.0-or-later
"""Upsampling against what cubic convolution reproduces exactly, and gaps."""

import pytest
import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.physics.upsample import upsample


@pytest.mark.parametrize("placement", [Placement(4, 4), Placement(8.33, 5.2, -2.2, 1.7)])
def test_a_parabola_stays_one_away_from_the_rim(placement):
    y = placement.row + (torch.arange(9) + 0.5) * placement.ratio_y
    x = placement.col + (torch.arange(8) + 0.5) * placement.ratio_x
    surface = lambda a, b: 0.01 * (a[:, None] - 20) ** 2 + 0.3 * b[None] + 2  # noqa: E731
    fine = upsample(surface(y, x)[None], torch.ones(9, 8), placement, (40, 40))[0]
    truth = surface(torch.arange(40) + 0.5, torch.arange(40) + 0.5)
    rows = slice(int(y[1]) + 1, min(40, int(y[-2])))
    cols = slice(int(x[1]) + 1, min(40, int(x[-2])))
    torch.testing.assert_close(fine[rows, cols], truth[rows, cols], rtol=1e-4, atol=1e-3)


def test_what_does_not_count_does_not_bleed():
    coarse = torch.ones(1, 5, 5)
    coarse[0, 2, 2] = 1e6
    weight = torch.ones(5, 5)
    weight[2, 2] = 0.0
    assert float(upsample(coarse, weight, Placement(3, 3), (15, 15)).max()) <= 1.0 + 1e-5
