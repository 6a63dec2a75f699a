# SPDX-License-Identifier: GPL-3.0-or-later
"""Both networks: shapes, gradients, what each promises of its response, and tiles that agree with the whole."""

import pytest
import torch

from hyperres.core.ssr.solvers import mean_grams
from hyperres.core.ssr.unfolding import PaperNet, RobustNet

SIZES = [(31, 3), (31, 4), (144, 4), (224, 12)]


def pair(hsi_bands, msi_bands, dimensions, side=12, batch=1, seed=0):
    """Spectra in a few dimensions, a basis, a response and what it sees."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(hsi_bands, dimensions, generator=generator)).Q
    a = 0.3 * torch.randn(batch, dimensions, side, side, generator=generator)
    r = torch.rand(msi_bands, hsi_bands, generator=generator) ** 4
    r = r / r.sum(dim=1, keepdim=True)
    x = torch.einsum("cd,bdij->bcij", basis, a)
    return basis, x, r, torch.einsum("kc,bcij->bkij", r, x)


def linear_start(weights, offset=0.0):
    """X_0 = weights Y + offset."""
    start = torch.nn.Conv2d(weights.shape[1], len(weights), 1)
    start.weight.data[:], start.bias.data[:] = weights[..., None, None], offset
    return start


def robust(basis, r, spread=0.2, stages=3):
    return RobustNet(basis, r, r * (1 - spread), r * (1 + spread), linear_start(torch.linalg.pinv(r @ basis)), stages)


@pytest.mark.parametrize(("hsi_bands", "msi_bands"), SIZES)
def test_shapes_fit_and_gradients_reach_every_parameter(hsi_bands, msi_bands):
    basis, x, r, y = pair(hsi_bands, msi_bands, 8 if msi_bands < 8 else 14, side=8)
    for network in (PaperNet(hsi_bands, msi_bands, 2), robust(basis, r)):
        found = network(y)
        cube = network.expand(found.stages[-1])
        assert cube.shape == x.shape and found.response.shape == (1, msi_bands, hsi_bands)
        errors = [(network.expand(stage) - x).abs().mean() for stage in found.stages]
        (sum(errors) + (found.response @ x.flatten(2) - y.flatten(2)).abs().mean()).backward()
        for name, parameter in network.named_parameters():
            if isinstance(network, RobustNet) and name == "stages.2.log_sigma":
                continue  # the last stage leaves the response as it is
            assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name


def test_the_paper_network_has_the_size_specified():
    def count(network):
        return sum(part.numel() for part in network.parameters())

    assert count(PaperNet(31, 3)) == 6 * (77_799 + 14_561 + 2) + 31 * 3 + 31 * 3 + 31
    assert count(PaperNet(144, 4)) == 6 * (352_634 + 18_177 + 2) + 144 * 4 + 144 * 4 + 144


def test_the_response_of_the_paper_network_is_one_of_a_sensor_for_each_image():
    y = torch.rand(3, 3, 10, 9)
    response = PaperNet(31, 3, 2)(y).response
    assert response.shape == (3, 3, 31) and bool((response >= 0).all())
    torch.testing.assert_close(response.sum(dim=-1), torch.ones(3, 3))
    assert (response[0] - response[1]).abs().max() > 0


def test_before_training_the_robust_network_is_the_regression_it_starts_from():
    basis, _, r, y = pair(40, 3, 6)
    network = robust(basis, r)
    regression = torch.einsum("dk,bkij->bdij", torch.linalg.pinv(r @ basis), y)
    torch.testing.assert_close(network(y).stages[-1], regression, rtol=0, atol=2e-4)


def test_a_robust_network_that_trusts_the_image_explains_it_with_the_response_it_reports_within_the_bounds():
    torch.manual_seed(0)
    basis, _, r, y = pair(40, 3, 6)
    network = robust(basis, r)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    network.trust_image(1e-6)
    y = 1.1 * y + 0.01 * torch.rand_like(y)  # a gain that R_0 does not know
    found = network(y)
    assert bool((found.response >= network.low).all() and (found.response <= network.high).all())
    assert (found.response - r).abs().max() > 0
    seen = found.response @ network.expand(found.stages[-1]).flatten(2)
    assert (seen - y.flatten(2)).abs().max() < 2e-3 * y.abs().max()


def test_the_robust_response_moves_towards_the_truth_when_the_image_is_true():
    basis, x, r, _ = pair(40, 3, 6)
    truth = r * 1.1
    network = robust(basis, r)
    a, y = torch.einsum("cd,bcij->bdij", basis, x).flatten(2), truth @ x.flatten(2)
    proposal = network.propose(0, r[None])
    grams = mean_grams(a, y, network.in_coordinates(proposal))
    moved = network.update_response(0, proposal, *grams)
    before, after = ((response - truth) @ basis for response in (r, moved[0]))
    assert after.norm() < 0.5 * before.norm()


def test_tiles_agree_with_the_whole_image_under_a_common_response():
    torch.manual_seed(0)
    basis, _, r, y = pair(30, 3, 5, side=96)
    network = robust(basis, r, stages=2).eval()
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    common, reach, half = (r[None], r[None] * 1.1), network.reach, 48
    whole = network.unfold(y, common)
    left = network.unfold(y[..., : half + reach], common)[..., :half]
    right = network.unfold(y[..., half - reach :], common)[..., reach:]
    torch.testing.assert_close(torch.cat([left, right], dim=-1), whole, rtol=0, atol=1e-4)


def test_one_pair_can_be_learned_by_heart():
    torch.manual_seed(0)
    # what the MSI cannot see depends on what it sees, not linearly
    basis, x, r, y = pair(31, 3, 6, side=16)
    a = torch.einsum("cd,bcij->bdij", basis, x)
    blind = torch.linalg.svd(r @ basis).Vh[3:]
    a = a + 0.3 * torch.einsum("nd,bnij->bdij", blind, torch.sin(4 * y))
    x = torch.einsum("cd,bdij->bcij", basis, a)
    y = torch.einsum("kc,bcij->bkij", r, x)
    network = robust(basis, r, stages=2)
    adam, errors = torch.optim.Adam(network.parameters(), 3e-3), []
    for _ in range(200):
        adam.zero_grad()
        error = (network.expand(network(y).stages[-1]) - x).abs().mean()
        error.backward()
        adam.step()
        errors.append(float(error.detach()))
    assert errors[-1] < errors[0] / 10


def test_digital_numbers_give_what_reflectance_gives():
    torch.manual_seed(0)
    basis, _, r, y = (part.double() for part in pair(30, 3, 5, side=16))
    start, largest = torch.linalg.pinv(r @ basis), 5000.0
    made = []
    for unit in (1.0, largest):
        torch.manual_seed(1)
        network = RobustNet(basis, r, r * 0.9, r * 1.1, linear_start(start, 0.1 * unit), unit=unit).double().eval()
        for parameter in network.stages.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
        found = network(unit * y)
        made.append((found.stages[-1] / unit, found.response))
    for one, other in zip(*made):
        torch.testing.assert_close(one, other)
