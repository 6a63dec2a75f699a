# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperres.core.fusion.networks import BatchedLen, BatchedSin

# Parameter counts in the authors' result files.
SIN = {  # bands of the HSI: {bands of the MSI: parameters}
    191: {1: 33343, 3: 33471, 4: 33535, 8: 33791, 16: 34303},  # Washington DC Mall
    176: {1: 32368, 3: 32496, 4: 32560, 8: 32816, 16: 33328},  # Kennedy Space Center
    145: {1: 30353, 3: 30481, 4: 30545, 8: 30801, 16: 31313},  # Botswana
    103: {1: 27623, 3: 27751, 4: 27815, 8: 28071, 16: 28583},  # Pavia University
    102: {1: 27558, 3: 27686, 4: 27750, 8: 28006, 16: 28518},  # Pavia Center
}
LEN = {  # (bands of the HSI, endmembers): {bands of the MSI: parameters}; one band comes with the coarse prior
    (191, 7): {3: 11271, 4: 12295, 8: 16391, 16: 24583, 1: 204807},
    (176, 13): {3: 17421, 4: 18445, 8: 22541, 16: 30733, 1: 195597},
    (103, 9): {3: 13321, 4: 14345, 8: 18441, 16: 26633, 1: 116745},
    (102, 9): {3: 13321, 4: 14345, 8: 18441, 16: 26633, 1: 115721},
    (145, 14): {3: 18446, 4: 19470, 8: 23566, 16: 31758, 1: 164878},
}


@pytest.mark.parametrize(("bands", "msi", "count"), [(b, c, n) for b, row in SIN.items() for c, n in row.items()])
def test_spectralift_has_the_published_number_of_parameters(bands, msi, count):
    assert BatchedSin(msi, bands, members=3).parameters_per_member == count
    assert BatchedSin(msi, bands, members=3).values.numel() == 3 * count


@pytest.mark.parametrize(("blocks", "count"), [(0, 16895), (1, 25215), (3, 41855)])
def test_the_ablations_with_other_depths_have_the_published_numbers_too(blocks, count):
    assert BatchedSin(4, 191, 1, blocks=blocks).parameters_per_member == count


@pytest.mark.parametrize(("key", "msi", "count"), [(k, c, n) for k, row in LEN.items() for c, n in row.items()])
def test_spectramorph_has_the_published_number_of_parameters(key, msi, count):
    bands, endmembers = key
    inputs = msi + bands if msi == 1 else msi
    assert BatchedLen(inputs, endmembers, members=2).parameters_per_member == count


def layers_of(network, member):
    return [(w[member].numpy().astype(float), b[member].numpy().astype(float)) for w, b in network.views()]


def test_every_member_of_sin_computes_the_published_formula(rng):
    network = BatchedSin(3, 7, 2, rng, width=5)
    for _, bias in network.views():
        bias.uniform_(-1, 1, generator=rng)
    pixels = torch.rand(3, 11, generator=rng)
    predicted = network(pixels).detach().numpy()
    for member in range(2):
        layers = layers_of(network, member)

        def active(index, x, layers=layers):
            y = layers[index][0] @ x + layers[index][1]
            return np.where(y > 0, y, 0.3 * y)

        u1 = active(0, pixels.numpy())
        u2 = active(1, u1) + u1
        u4 = active(3, active(2, u2)) + u2
        u6 = active(5, active(4, u4)) + u4
        np.testing.assert_allclose(predicted[member], layers[6][0] @ u6 + layers[6][1], atol=1e-5)


def test_every_member_of_len_computes_the_published_formula(rng):
    network = BatchedLen(2, 3, 2, rng, width=6)
    for _, bias in network.views():
        bias.uniform_(-1, 1, generator=rng)
    pixels = torch.rand(2, 9, generator=rng)
    for member, predicted in enumerate(network(pixels).detach().numpy()):
        (first, one), (last, two) = layers_of(network, member)
        expected = last @ np.maximum(first @ pixels.numpy() + one, 0.0) + two
        np.testing.assert_allclose(predicted, expected, atol=1e-5)


def test_weights_begin_glorot_uniform_with_zero_biases_and_differ_between_members(rng):
    network = BatchedSin(4, 200, 2, rng)
    for (inputs, outputs), (weight, bias) in zip(network.layers, network.views()):
        limit = np.sqrt(6.0 / (inputs + outputs))
        assert float(weight.abs().max()) <= limit
        assert float(weight.var()) == pytest.approx(limit**2 / 3, rel=0.15)
        assert not torch.equal(weight[0], weight[1])
        assert not bias.any()


def test_gradients_of_a_loss_land_in_the_common_vector(rng):
    network = BatchedLen(2, 1, 2, rng, width=4)
    pixels = torch.rand(2, 20, generator=rng)
    network(pixels).square().sum().backward()
    step, before = 1e-4, network(pixels).square().sum().item()
    slope = network.gradients.square().sum().item()
    network.values -= step * network.gradients
    assert before - network(pixels).square().sum().item() == pytest.approx(step * slope, rel=0.05)


def test_a_restored_network_predicts_the_same_and_a_wrong_size_is_refused(rng):
    network = BatchedSin(3, 7, 2, rng, width=8)
    pixels = torch.rand(3, 5, generator=rng)
    assert torch.equal(BatchedSin(3, 7, 2, width=8).restore(network.values)(pixels), network(pixels))
    with pytest.raises(ValueError, match="weights"):
        BatchedSin(3, 7, 1, width=8).restore(network.values)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)
