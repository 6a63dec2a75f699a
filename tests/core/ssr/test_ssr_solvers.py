# SPDX-License-Identifier: GPL-3.0-or-later
"""Both solvers against the dense formulas of the paper, their limits and numerical derivatives."""

import pytest
import torch

from hyperres.core.ssr.solvers import mean_grams, solve_r, solve_x

SIZES = [(31, 3), (31, 4), (144, 4), (224, 12)]

EXACT = 1e-6


def problem(hsi_bands, msi_bands, pixels=500, batch=2, dtype=torch.float32, seed=0):
    """Random X, R with rows that sum to 1, Y = R X."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(batch, hsi_bands, pixels, generator=generator, dtype=dtype)
    r = torch.rand(batch, msi_bands, hsi_bands, generator=generator, dtype=dtype)
    r = r / r.sum(dim=-1, keepdim=True)
    return x, r, r @ x


def smooth_scene(bands=31, pixels=4096, seed=0):
    """Mixtures of random smooth spectra in [0, 1], [1, bands, pixels]: a Gram matrix that is all but singular."""
    generator = torch.Generator().manual_seed(seed)
    at = torch.linspace(0, 1, bands, dtype=torch.float64)
    covariance = torch.exp(-0.5 * ((at[:, None] - at) / 0.15) ** 2) + 1e-9 * torch.eye(bands)
    noise = torch.randn(bands, 20, generator=generator, dtype=torch.float64)
    spectra = torch.sigmoid(torch.linalg.cholesky(covariance) @ noise)
    shares = torch.rand(20, pixels, generator=generator, dtype=torch.float64) ** 8
    return (spectra @ (shares / shares.sum(0)))[None]


@pytest.mark.parametrize(("hsi_bands", "msi_bands"), SIZES)
@pytest.mark.parametrize("mu", [1e-3, 1e-2, 1.0])
def test_the_x_solver_equals_the_dense_formula(hsi_bands, msi_bands, mu):
    x, r, y = problem(hsi_bands, msi_bands)
    z = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    wide, other = r.double(), z.double()
    dense = torch.linalg.inv(wide.mT @ wide + mu * torch.eye(hsi_bands)) @ (wide.mT @ y.double() + mu * other)
    torch.testing.assert_close(solve_x(z, y, r, mu).double(), dense, rtol=0, atol=1e-5)


def test_without_weight_the_proposal_yields_to_the_data_and_with_much_it_stays():
    x, r, y = problem(31, 3, dtype=torch.float64)
    z = torch.zeros_like(x)
    assert (y - r @ solve_x(z, y, r, 1e-12)).abs().max() < 1e-9
    torch.testing.assert_close(solve_x(x.flip(-1), y, r, 1e12), x.flip(-1))


def test_data_consistency_holds_in_float32_and_changes_nothing_that_the_msi_cannot_see():
    x, r, y = problem(60, 4)
    z = x + 0.2
    found = solve_x(z, y, r, EXACT)
    assert (y - r @ found).abs().max() < 1e-4 * y.abs().max()
    # the change lies in the rows of R
    unseen = torch.linalg.qr(r.mT, mode="complete").Q[..., 4:]
    assert (unseen.mT @ (found - z)).abs().max() < 1e-5
    torch.testing.assert_close(solve_x(found, y, r, EXACT), found, rtol=0, atol=1e-4)


def test_bands_that_see_the_same_are_no_trouble_for_data_consistency():
    x, r, _ = problem(31, 3)
    r = torch.cat([r, r[:, :1]], dim=1)
    found = solve_x(torch.zeros_like(x), r @ x, r, EXACT)
    assert found.isfinite().all() and (r @ found - r @ x).abs().max() < 1e-3


def test_the_r_solver_equals_the_dense_formula():
    x, r, y = problem(31, 3)
    p, sigma = torch.full_like(r, 1 / 31), 1e-2
    wide = x.double()
    gram = wide @ wide.mT / 500 + sigma * torch.eye(31)
    dense = (y.double() @ wide.mT / 500 + sigma * p) @ torch.linalg.inv(gram)
    torch.testing.assert_close(solve_r(*mean_grams(x, y, p), p, sigma).double(), dense, rtol=0, atol=1e-5)


def test_the_r_solver_recovers_the_response_of_rich_data_and_keeps_the_proposal_without_trust_in_data():
    x, r, y = problem(31, 3, pixels=20000, dtype=torch.float64)
    p = torch.full_like(r, 1 / 31)
    grams = mean_grams(x, y, p)
    assert (solve_r(*grams, p, 1e-8) - r).abs().max() < 1e-4
    torch.testing.assert_close(solve_r(*grams, p, 1e12), p)


def test_the_r_solver_does_not_depend_on_how_many_pixels_there_are():
    x, r, y = problem(31, 3)
    p = torch.full_like(r, 1 / 31)
    once, thrice = (solve_r(*mean_grams(x.repeat(1, 1, n), y.repeat(1, 1, n), p), p, 1e-2) for n in (1, 3))
    torch.testing.assert_close(once, thrice, rtol=0, atol=1e-5)


def test_float32_is_enough_for_smooth_spectra():
    x, r = smooth_scene(), problem(31, 3, batch=1, dtype=torch.float64)[1]
    p = torch.full_like(r, 1 / 31)
    double = solve_r(*mean_grams(x, r @ x, p), p, 1e-4)
    single = solve_r(*mean_grams(x.float(), (r @ x).float(), p.float()), p.float(), 1e-4)
    assert (single - double).abs().max() < 1e-3 * double.abs().max()


def test_the_r_solver_in_coordinates_is_the_one_in_bands_for_spectra_of_few_dimensions():
    x, r, _ = problem(40, 3, dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(40, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))).Q
    a = basis.mT @ x
    x = basis @ a
    y, p = r @ x, torch.full_like(r, 1 / 40)
    in_bands = solve_r(*mean_grams(x, y, p), p, 1e-3)
    step = solve_r(*mean_grams(a, y, p @ basis), p @ basis, 1e-3) - p @ basis
    torch.testing.assert_close(p + step @ basis.mT, in_bands)


def test_derivatives_are_right():
    x, r, y = problem(6, 2, pixels=5, dtype=torch.float64)
    mu = torch.tensor(0.05, dtype=torch.float64)
    gram, misfit = mean_grams(x, y + 0.1, r)
    gram = gram @ gram.mT  # any symmetric positive matrix
    arguments = [part.clone().requires_grad_() for part in (x.flip(-1), y, r, mu)]
    assert torch.autograd.gradcheck(solve_x, arguments)

    def symmetric(half, *rest):
        return solve_r((half + half.mT) / 2, *rest)

    assert torch.autograd.gradcheck(symmetric, [part.clone().requires_grad_() for part in (gram, misfit, r, mu)])
