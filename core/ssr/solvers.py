# SPDX-License-Identifier: GPL-3.0-or-later
"""The two halves of the unfolded problem, solved exactly and differentiably.

With Y = R X for an HSI X [C, N], an MSI Y [c, N] and the spectral transformation function R [c, C] (Li et al. 2026,
arXiv:2606.05759):

    X half (eq. 13):  min over X  |Y - R X|^2 + mu |X - Z|^2
    R half (eq. 18):  min over R  |Y - R X|^2 / N + sigma |R - P|^2

Both are written as a correction of what the priors Z and P propose, which takes the smaller of two possible systems:

    X = Z + R^T (R R^T + mu I_c)^-1 (Y - R Z)            c x c
    R = P + M (G + sigma I_C)^-1                         C x C,   G = X X^T / N,  M = (Y - P X) X^T / N

The printed eq. 18 has the inverse on the wrong side and sums in place of means; with means, sigma has the same meaning
for a patch and for a mosaic. The misfit M, taken before the product, keeps digits that Y X^T / N - P G loses: with
smooth spectra, whose G is all but singular, float32 is then enough down to sigma = 1e-4. X may as well be coordinates
in an orthonormal basis E, with R E in place of R.
"""

from __future__ import annotations

import torch


def solve_x(
    proposal: torch.Tensor, msi: torch.Tensor, response: torch.Tensor, mu: torch.Tensor | float
) -> torch.Tensor:
    """Bring a proposed HSI into line with the MSI (eq. 13).

    Args:
        proposal: Z, [batch, C, pixels].
        msi: Y, [batch, c, pixels].
        response: R, [batch or 1, c, C].
        mu: how much the proposal counts, positive; 0 only where the rows of R are independent.

    Returns:
        X, [batch, C, pixels].
    """
    system = response @ response.mT + mu * _identity(response, response.shape[-2])
    gain = torch.cholesky_solve(response, torch.linalg.cholesky(system)).mT
    return proposal + gain @ (msi - response @ proposal)


def mean_grams(hsi: torch.Tensor, msi: torch.Tensor, proposal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the R half needs to know of the pixels.

    Args:
        hsi: X, [batch, C, pixels].
        msi: Y, [batch, c, pixels].
        proposal: P, [batch or 1, c, C].

    Returns:
        G [batch, C, C] and M [batch, c, C].
    """
    pixels = hsi.shape[-1]
    return hsi @ hsi.mT / pixels, (msi - proposal @ hsi) @ hsi.mT / pixels


def solve_r(
    gram: torch.Tensor, misfit: torch.Tensor, proposal: torch.Tensor, sigma: torch.Tensor | float
) -> torch.Tensor:
    """Bring a proposed response into line with both images (eq. 18).

    Args:
        gram: G, [batch, C, C].
        misfit: M of the proposal, [batch, c, C].
        proposal: P, [batch or 1, c, C].
        sigma: how much the proposal counts, in the unit of G; at least 1e-4 in float32.

    Returns:
        R, [batch, c, C].
    """
    factor = torch.linalg.cholesky(gram + sigma * _identity(gram, gram.shape[-1]))
    return proposal + torch.cholesky_solve(misfit.mT, factor).mT


def _identity(like: torch.Tensor, size: int) -> torch.Tensor:
    return torch.eye(size, dtype=like.dtype, device=like.device)
