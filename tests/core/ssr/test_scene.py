# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene in tiles gets the response, and the image, that it gets as a whole."""

import pytest
import torch

from hyperres.core.errors import InputError
from hyperres.core.ssr.scene import SceneGrams, SceneTile, scene_responses
from hyperres.core.ssr.solvers import mean_grams
from hyperres.core.ssr.unfolding import RobustNet


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(20, 5, generator=generator)).Q
    r = torch.rand(3, 20, generator=generator)
    r = r / r.sum(dim=1, keepdim=True)
    start = torch.nn.Conv2d(3, 5, 1)
    start.weight.data[:] = torch.linalg.pinv(r @ basis)[..., None, None]
    network = RobustNet(basis, r, r * 0.8, r * 1.2, start, stages=3)
    for parameter in network.parameters():
        parameter.data += 0.03 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def in_tiles(msi, valid, side, reach):
    """Tiles of a side with what surrounds them."""
    rows, columns = valid.shape
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            window = tuple(
                slice(max(0, start - reach), min(size, start + side + reach))
                for start, size in ((top, rows), (left, columns))
            )
            own = torch.zeros_like(valid)
            own[top : top + side, left : left + side] = True
            yield SceneTile(msi[:, window[0], window[1]], (valid & own)[window])


def test_a_scene_in_tiles_has_the_responses_of_the_whole(network):
    msi = torch.rand(3, 70, 50, generator=torch.Generator().manual_seed(1))
    valid = torch.ones(70, 50, dtype=torch.bool)
    whole = network(msi[None])
    found = scene_responses(network, lambda: in_tiles(msi, valid, 24, network.reach))
    assert len(found) == 4
    assert (whole.response - found[0]).abs().max() > 1e-4  # there was something to find
    torch.testing.assert_close(found[-1], whole.response, rtol=0, atol=5e-5)  # sums of floats
    largest = float(whole.stages[-1].abs().max())
    torch.testing.assert_close(network.unfold(msi[None], found[:-1]), whole.stages[-1], rtol=0, atol=2e-4 * largest)


def test_invalid_pixels_do_not_count(network):
    msi = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1))
    x, proposal = torch.rand(1, 5, 1600), torch.rand(1, 3, 5)
    valid, grams = torch.rand(1600) > 0.3, SceneGrams()
    flat = msi.flatten(1)[None]
    for part in torch.arange(1600).split(300):
        keep = part[valid[part]]
        grams.add(x[..., keep], flat[..., keep], proposal)
    for got, wanted in zip(grams.result(x), mean_grams(x[..., valid], flat[..., valid], proposal)):
        torch.testing.assert_close(got, wanted)


def test_a_scene_without_valid_pixels_is_refused_in_words(network):
    tile = SceneTile(torch.zeros(3, 16, 16), torch.zeros(16, 16, dtype=torch.bool))
    with pytest.raises(InputError, match="no valid pixel"):
        scene_responses(network, lambda: [tile])
