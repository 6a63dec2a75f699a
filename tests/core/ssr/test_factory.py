# SPDX-License-Identifier: GPL-3.0-or-later
"""Subspaces hold what they have to, and a network starts no worse than the regression inside it."""

import torch

from hyperres.core.ssr.baselines import fit_ridge
from hyperres.core.ssr.contest import fit_simple, judge
from hyperres.core.ssr.factory import make_basis, make_network, make_seeing_basis
from hyperres.core.ssr.pairs import gather
from hyperres.core.ssr.ways import NetworkWay


def test_a_basis_holds_spectra_of_few_materials(ground):
    pixels = gather(ground(materials=5).data.train).hsi
    basis = make_basis(pixels)
    assert basis.shape[1] == 5
    assert torch.allclose(basis.mT @ basis, torch.eye(5), atol=1e-5)
    assert (basis @ (basis.mT @ pixels) - pixels).abs().max() < 1e-4
    assert make_basis(pixels, 3).shape[1] == 3


def test_a_seeing_basis_holds_all_that_the_msi_sees(ground):
    """However narrow a band: what any spectrum shows in it is not lost."""
    data = ground(materials=5).data
    response = data.response.clone()
    response[1] = 0.0
    response[1, 17] = 1.0
    basis = make_seeing_basis(gather(data.train).hsi, response, 3)
    assert basis.shape == (30, 7)
    assert torch.allclose(basis.mT @ basis, torch.eye(7), atol=1e-5)
    anything = torch.rand(30, 40, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(response @ basis @ (basis.mT @ anything), response @ anything, atol=1e-5)
    assert not torch.allclose(
        response @ make_basis(anything, 7) @ make_basis(anything, 7).mT @ anything, response @ anything, atol=1e-2
    )


def test_a_network_starts_as_good_as_its_regression(ground, context):
    """Twelve materials fill more dimensions than a camera of four bands sees; consistency costs nothing."""
    data = ground(materials=12, noise=0.001).data
    pixels = gather(data.train)
    linear = fit_ridge(pixels.msi, pixels.hsi, pixels.folds, degrees=(1,))
    errors = [(linear.predict(part.msi.flatten(1)) - part.hsi.flatten(1)).square().mean() for part in data.held]
    score = judge(NetworkWay(make_network(data, fit_simple(data, context, "ridge")[0][0], context)), data.held, 1.0)
    assert score.psnr > -10 * float(torch.log10(errors[0])) - 0.3
