# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import Placement
from hyperres.core.physics.blur import Blur
from hyperres.core.physics.footprint import point_gaussian_footprint
from hyperres.core.sisr.held_out import other_pairs
from hyperres.core.sisr.network import PlaneNet
from hyperres.core.sisr.pairs import PairBatch
from hyperres.core.sisr.shipped import load_network, save_network, shipped_network, shipped_path
from hyperres.core.sisr.upscaler import interpolated

FACTORS = (2, 4, 8)


@pytest.fixture(scope="module", params=FACTORS)
def network(request: pytest.FixtureRequest) -> PlaneNet:
    return shipped_network(request.param)


def decibels(found: torch.Tensor, truth: torch.Tensor, factor: int) -> float:
    """PSNR over the planes' spread, away from the rim, where the ways continue the image unlike."""
    rim = (..., slice(3 * factor, -3 * factor), slice(3 * factor, -3 * factor))
    return float(-10.0 * torch.log10((found - truth)[rim].square().mean()))


def deconvolved(batch: PairBatch, factor: int, weight: float) -> torch.Tensor:
    """Tikhonov: least squares with a penalty on differences of neighbours, by conjugate gradients."""
    side = batch.low.shape[-1]
    sigma = float(batch.sigma[0])
    footprint = point_gaussian_footprint(sigma, sigma, factor)
    blur = Blur(footprint, Placement(factor, factor), (factor * side, factor * side), (side, side))
    low = batch.low.flatten(0, 1)

    def normal(fine: torch.Tensor) -> torch.Tensor:
        around = torch.nn.functional.pad(fine[None], (1,) * 4, mode="replicate")[0]
        neighbours = around[:, 1:-1, :-2] + around[:, 1:-1, 2:] + around[:, :-2, 1:-1] + around[:, 2:, 1:-1]
        return blur.adjoint(blur(fine)) + weight * (4.0 * fine - neighbours)

    fine = interpolated(low, factor)
    left = blur.adjoint(low) - normal(fine)
    way, power = left.clone(), left.square().sum()
    for _ in range(60):
        moved = normal(way)
        step = power / (way * moved).sum()
        fine, left = fine + step * way, left - step * moved
        before, power = power, left.square().sum()
        way = left + power / before * way
    return fine.reshape(batch.high.shape)


def linear_guess(batch: PairBatch, factor: int) -> torch.Tensor:
    """The best linear guess, which a network without training gives."""
    return PlaneNet(factor)(batch.low, batch.sigma, batch.noise).detach()


@pytest.mark.parametrize("blur", (0.5, 1.0))
@pytest.mark.parametrize("noise", (0.0, 0.02))
def test_it_beats_interpolation_and_deconvolution_where_there_are_edges(
    network: PlaneNet, blur: float, noise: float
) -> None:
    """On Voronoi cells, which it never saw; deconvolution even gets the weight that suits the truth best."""
    s = network.factor
    pairs = other_pairs("cells", s, blur * s, noise, torch.Generator().manual_seed(21), count=1, size=24)
    found = decibels(network(pairs.low, pairs.sigma, pairs.noise), pairs.high, s)
    cubic = decibels(interpolated(pairs.low[0], s)[None], pairs.high, s)
    linear = max(decibels(deconvolved(pairs, s, weight), pairs.high, s) for weight in (3e-4, 3e-3))
    assert found > cubic + {2: 3.0, 4: 2.0, 8: 1.5}[s]
    assert found > linear + 0.25


def test_it_loses_next_to_nothing_where_there_are_no_edges(network: PlaneNet) -> None:
    """On Gaussian fields the best guess is linear; a network that dreamt of edges would fall far below."""
    s = network.factor
    pairs = other_pairs("fields", s, 0.6 * s, 0.02, torch.Generator().manual_seed(22), count=1, size=24)
    found = decibels(network(pairs.low, pairs.sigma, pairs.noise), pairs.high, s)
    assert found > decibels(linear_guess(pairs, s), pairs.high, s) - 0.2
    assert found > decibels(interpolated(pairs.low[0], s)[None], pairs.high, s) + 0.5


def test_roads_over_smooth_ground_come_out_better_than_by_the_linear_guess(network: PlaneNet) -> None:
    s = network.factor
    pairs = other_pairs("lines", s, 0.6 * s, 0.02, torch.Generator().manual_seed(22), count=1, size=24)
    found = decibels(network(pairs.low, pairs.sigma, pairs.noise), pairs.high, s)
    assert found > decibels(linear_guess(pairs, s), pairs.high, s) + 0.2


def test_a_blur_told_wrong_by_a_fifth_still_leaves_it_above_interpolation(network: PlaneNet) -> None:
    s = network.factor
    pairs = other_pairs("cells", s, 0.7 * s, 0.01, torch.Generator().manual_seed(23), count=1, size=24)
    cubic = decibels(interpolated(pairs.low[0], s)[None], pairs.high, s)
    for wrong in (0.8, 1.2):
        assert decibels(network(pairs.low, wrong * pairs.sigma, pairs.noise), pairs.high, s) > cubic + 1.0


def test_a_constant_plane_stays_constant(network: PlaneNet) -> None:
    low = torch.full((1, 3, 40, 40), 0.4)
    found = network(low, torch.tensor([0.5 * network.factor]), torch.full((1, 3), 0.01))
    rim = network.halo * network.factor
    inner = found[..., rim:-rim, rim:-rim]
    assert (inner - 0.4).abs().max() < 0.02


def test_files_are_small_and_say_how_they_were_made(network: PlaneNet) -> None:
    path = shipped_path(network.factor)
    again, about = load_network(path)
    assert path.stat().st_size < 3_000_000
    assert again.factor == network.factor
    assert about["made_by"] == f"dev/train_sisr {network.factor}"
    assert "no image" in about["data"]


def test_half_precision_of_the_file_changes_next_to_nothing(tmp_path: Path) -> None:
    torch.manual_seed(6)
    network = PlaneNet(4, width=24, blocks=3).requires_grad_(False)
    torch.nn.init.normal_(network.tail.weight, std=0.02)
    save_network(network, tmp_path / "x.safetensors", {})
    low, sigma, noise = torch.randn(1, 2, 16, 16), torch.tensor([2.0]), torch.full((1, 2), 0.03)
    again = load_network(tmp_path / "x.safetensors")[0]
    torch.testing.assert_close(again(low, sigma, noise), network(low, sigma, noise), rtol=0, atol=1e-3)


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save_network(shipped_network(2), tmp_path / name, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("harm", ("missing", "cut", "foreign", "lacks", "infinite"))
def test_files_that_cannot_be_used_are_refused_in_words(tmp_path: Path, harm: str) -> None:
    path, good = tmp_path / "net.safetensors", shipped_path(2)
    if harm == "cut":
        path.write_bytes(good.read_bytes()[:1000])
    elif harm == "foreign":
        save_file({"a": torch.zeros(2)}, str(path))
    elif harm == "lacks":
        network = PlaneNet(2, 8, 1)
        network.body = torch.nn.ModuleList()
        save_network(network, path, {})
    elif harm == "infinite":
        network = shipped_network(2)
        network.tail.bias.fill_(float("inf"))
        save_network(network, path, {})
    with pytest.raises(InputError, match=r"net\.safetensors"):
        load_network(path)
