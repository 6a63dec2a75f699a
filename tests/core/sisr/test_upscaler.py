# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes planes finer, in several views and after being saved."""

import pytest
import torch

from hyperres.core.sisr.network import PlaneNet
from hyperres.core.sisr.upscaler import Shared, restore_upscaler


def network():
    """A small network that prefers a direction."""
    torch.manual_seed(3)
    net = PlaneNet(2, width=8, blocks=1)
    torch.nn.init.normal_(net.tail.weight, std=0.1)
    return net


PLANES = torch.randn(1, 4, 12, 15, generator=torch.Generator().manual_seed(5))
NOISE = torch.full((4,), 0.05)


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
def test_eight_views_treat_all_directions_alike(axes):
    alike, one = Shared(network(), turned=True), Shared(network())
    for upscaler, same in ((alike, True), (one, False)):
        straight = upscaler.predict(PLANES, 1.0, NOISE)
        flipped = upscaler.predict(PLANES.flip(axes), 1.0, NOISE).flip(axes)
        assert torch.allclose(straight, flipped, atol=1e-5) == same
    across = alike.predict(PLANES.mT.contiguous(), 1.0, NOISE).mT
    assert torch.allclose(alike.predict(PLANES, 1.0, NOISE), across, atol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_a_saved_upscaler_predicts_the_same(turned):
    upscaler = Shared(network(), turned)
    again = restore_upscaler(upscaler.header(), upscaler.tensors())
    assert torch.equal(again.predict(PLANES, 1.0, NOISE), upscaler.predict(PLANES, 1.0, NOISE))
