# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise of a hyperspectral image, by regressing each band on all the others.

Model: y = x + n with a signal x that the other bands predict. The residual of the regression of band i on the others is
(R^-1 y)_i / (R^-1)_ii, so the second moments alone give the noise: no second look at the pixels.
Source: Bioucas-Dias and Nascimento, IEEE TGRS 46(8), 2008, section II and algorithm 1.
"""

from __future__ import annotations

import torch

RELATIVE_RIDGE = 1e-12
"""Share of the mean band power added to the diagonal, so that repeated or constant bands stay invertible."""


def regression_weights(correlation: torch.Tensor) -> torch.Tensor:
    """Matrix W with noise estimate w = W y for second moments R = E[y y^T].

    Args:
        correlation: float64 [bands, bands]; use the covariance where the pixels are centred.

    Returns:
        diag(R^-1)^-1 R^-1, float64 [bands, bands].
    """
    bands = len(correlation)
    ridge = RELATIVE_RIDGE * torch.trace(correlation) / bands
    eye = torch.eye(bands, dtype=correlation.dtype, device=correlation.device)
    precision = torch.linalg.inv(correlation + ridge.clamp_min(1e-300) * eye)
    return precision / precision.diagonal()[:, None]


def noise_variance(correlation: torch.Tensor) -> torch.Tensor:
    """Noise variance of each band, float64 [bands]; see :func:`regression_weights`."""
    weights = regression_weights(correlation)
    return torch.einsum("ij,jk,ik->i", weights, correlation, weights).clamp_min(0.0)
