# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch

from hyperres.core.errors import InputError
from hyperres.core.sisr.mcnet import McNet, paper_recipe, require_gpu


@pytest.mark.parametrize(("factor", "count"), [(2, 5_357_366), (4, 5_780_726), (8, 7_135_478)])
def test_the_published_networks_have_as_many_parameters_as_released(factor: int, count: int) -> None:
    assert sum(part.numel() for part in McNet(factor, torch.zeros(6)).parameters()) == count


def small(planes: int = 3, **options: float) -> McNet:
    torch.manual_seed(2)
    return McNet(2, torch.linspace(0.1, 0.3, planes), features=6, units=1, **options).requires_grad_(False)


def test_planes_become_finer() -> None:
    low = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(1))
    high = small()(low, torch.ones(2), torch.zeros(2, 3))
    assert high.shape == (2, 3, 14, 18)


def test_the_noise_plane_holds_the_variance_in_the_image() -> None:
    """Noise of variance v in the image is v times the gain in the planes."""
    low = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    variance, gain = 0.3, 4.0
    one = small(gain=1.0)(low, torch.ones(1), torch.full((1, 3), variance**0.5))
    other = small(gain=gain)(low, torch.ones(1), torch.full((1, 3), (gain * variance) ** 0.5))
    torch.testing.assert_close(one, other)
    assert not torch.allclose(one, small()(low, torch.ones(1), torch.zeros(1, 3)))


def test_rows_and_columns_are_treated_unlike_as_released() -> None:
    """A first layer of a unit sees the next column and plane but not the next row."""
    first = small().body[0].steps[0][0][0]
    volume = torch.zeros(1, 6, 5, 5, 5)
    volume[0, 0, 2, 2, 2] = 1.0
    answer = (first(volume) - first(torch.zeros_like(volume))).abs().sum(dim=(0, 1))
    assert answer[2, 1, 2] > 0
    assert answer[2, 2, 1] > 0
    assert answer[1].max() == answer[3].max() == 0


def test_what_lies_beyond_the_halo_does_not_matter() -> None:
    network = small(planes=2)
    size = 2 * network.halo + 6
    low = torch.rand(1, 2, size, size, generator=torch.Generator().manual_seed(1))
    other = low.clone()
    other[..., :2] += 1.0
    other[..., :2, :] += 1.0
    inner = (..., slice(2 * (2 + network.halo), None), slice(2 * (2 + network.halo), None))
    found, changed = (network(part, torch.ones(1), torch.zeros(1, 2)) for part in (low, other))
    assert torch.equal(found[inner], changed[inner])
    assert not torch.equal(found, changed)


def test_the_recipe_is_the_published_one() -> None:
    recipe = paper_recipe()
    assert recipe.steps * recipe.images == 200 * 5000
    assert {recipe.rate_at(step) for step in (1, 1000, recipe.steps)} == {1e-4}
    assert recipe.average == 1


def test_training_it_on_a_cpu_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="graphics card"):
        require_gpu(torch.device("cpu"))
    require_gpu(torch.device("cuda"))
