# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of both networks to the unit, and what they keep."""

import pytest
import torch

from hyperres.core.ssr.prior_networks import PNet, ZNet


def parameters(network):
    return sum(part.numel() for part in network.parameters())


@pytest.mark.parametrize(("bands", "z_size", "p_size"), [(31, 77_799, 14_561), (144, 352_634, 18_177)])
def test_the_networks_have_as_many_parameters_as_specified(bands, z_size, p_size):
    assert parameters(ZNet(bands)) == z_size
    assert parameters(PNet(bands)) == p_size


@pytest.mark.parametrize(("bands", "rows", "columns"), [(31, 8, 8), (3, 9, 20), (144, 16, 11)])
def test_any_size_of_image_goes_in_and_comes_out(bands, rows, columns):
    planes = torch.rand(1, bands, rows, columns)
    assert ZNet(bands)(planes).shape == planes.shape
    assert ZNet(bands, window=5)(planes).shape == planes.shape


def test_a_neutral_z_net_changes_nothing_but_can_learn():
    network, planes = ZNet(10, 5), torch.rand(2, 10, 12, 12)
    network.start_neutral()
    torch.testing.assert_close(network(planes), planes, rtol=0, atol=0)
    (network(planes) - 1).square().mean().backward()
    assert network.merge.weight.grad.abs().max() > 0


@pytest.mark.parametrize("window", [1, 5])
def test_a_pixel_has_a_say_within_the_reach_and_no_farther(window):
    torch.manual_seed(0)
    network = ZNet(16, window).double()
    planes = torch.rand(1, 16, 41, 41, dtype=torch.float64)
    changed = planes.clone()
    changed[..., 20, 20] += 10
    rows = (network(changed) - network(planes)).abs().amax(dim=(0, 1, 3))
    touched = (rows > 1e-12).nonzero()
    assert touched.min() == 20 - network.reach and touched.max() == 20 + network.reach
    assert ZNet(4).reach is None


def test_responses_stay_positive_with_rows_that_sum_to_one():
    response = torch.rand(2, 4, 31) - 0.5
    found = PNet(31)(response)
    assert found.shape == response.shape and bool((found > 0).all())
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, 4))


def test_rows_are_looked_at_one_by_one():
    network, response = PNet(31), torch.rand(1, 3, 31)
    other = response.clone()
    other[0, 2] = 0
    torch.testing.assert_close(network(other)[0, :2], network(response)[0, :2])
