# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages over coarse pixels against sums written out by hand."""

import pytest
import torch

from hyperres.core.fusion.pair import Placement
from hyperres.core.fusion.pairing.averaging import area_average, smooth

torch.set_num_threads(1)


def by_hand(fine, valid, placement, i, j, steps=200):
    """Average over a coarse pixel by looking at many points in it."""
    at = (torch.arange(steps) + 0.5) / steps
    rows = (placement.row + placement.ratio_y * (i + at)).floor().long()
    cols = (placement.col + placement.ratio_x * (j + at)).floor().long()
    inside_y, inside_x = (rows >= 0) & (rows < fine.shape[1]), (cols >= 0) & (cols < fine.shape[2])
    rows, cols = rows[inside_y], cols[inside_x]
    seen = valid[rows][:, cols]
    values = fine[:, rows][:, :, cols]
    return values[:, seen].mean(1), float(seen.sum()) / steps**2


@pytest.mark.parametrize(
    "placement", [Placement(4, 4), Placement(25 / 3, 25 / 3, 0.4, -1 / 3), Placement(2.5, 3.7, -1.2, 4.6)]
)
def test_the_average_is_that_of_many_points_in_the_pixel(placement):
    random = torch.Generator().manual_seed(1)
    fine = torch.rand(2, 41, 37, generator=random)
    valid = torch.rand(41, 37, generator=random) > 0.2
    fine[:, ~valid] = float("nan")
    averages, coverage = area_average(fine, valid, placement, (4, 4))
    for i, j in ((0, 0), (1, 2), (3, 3)):
        expected, share = by_hand(fine, valid, placement, i, j)
        assert coverage[i, j] == pytest.approx(share, abs=0.02)
        assert averages[:, i, j] == pytest.approx(expected, abs=0.02)


def test_a_whole_ratio_averages_blocks_exactly():
    fine = torch.rand(3, 12, 8, generator=torch.Generator().manual_seed(2))
    averages, coverage = area_average(fine, torch.ones(12, 8, dtype=torch.bool), Placement(4, 4), (3, 2))
    assert torch.allclose(averages, torch.nn.functional.avg_pool2d(fine, 4), atol=1e-6)
    assert torch.allclose(coverage, torch.ones(3, 2))


def test_pixels_outside_the_fine_image_are_not_covered():
    averages, coverage = area_average(
        torch.ones(1, 8, 8), torch.ones(8, 8, dtype=torch.bool), Placement(4, 4, -6, 2), (3, 2)
    )
    assert torch.allclose(coverage, torch.tensor([[0.0, 0.0], [0.5, 0.25], [1.0, 0.5]]))
    assert averages[0, 0, 0] == 0.0
    assert averages[0, 1, 0] == pytest.approx(1.0)


def test_smoothing_ignores_invalid_pixels_and_keeps_constants():
    values = torch.full((1, 20, 30), 0.3)
    valid = torch.rand(20, 30, generator=torch.Generator().manual_seed(3)) > 0.3
    values[:, ~valid] = float("nan")
    assert torch.allclose(smooth(values, valid, 1.5), torch.full((1, 20, 30), 0.3), atol=1e-6)


def test_smoothing_widens_a_point_to_the_gaussian_asked_for():
    values = torch.zeros(1, 41, 41)
    values[0, 20, 20] = 1.0
    spread = smooth(values, torch.ones(41, 41, dtype=torch.bool), 2.0)[0]
    at = torch.arange(41.0) - 20
    assert float((spread.sum(1) * at**2).sum() / spread.sum()) == pytest.approx(4.0, rel=1e-3)
