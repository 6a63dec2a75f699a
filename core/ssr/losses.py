# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unfolded networks are trained to make small (Li et al. 2026, arXiv:2606.05759, section 4).

    paper:   MAE(X_K, X) + 0.1 SAM(X_K, X)
    robust:  paper + 0.1 mean over k < K of MAE(X_k, X) + MAE(R_K X, Y) + 0.001 |D2 R_K|^2

MAE is in the network's unit, SAM is the mean angle in radians, D2 the second difference over bands. As published
nothing ties R to the data: other responses give the same MSI from other images. In the robust loss R_K has to explain
the MSI from the true X.
"""

from __future__ import annotations

import torch

from .unfolding import Estimate, Unfolding

ANGLE_WEIGHT, DEEP_WEIGHT, RESPONSE_WEIGHT, ROUGHNESS_WEIGHT = 0.1, 0.1, 1.0, 1e-3
_MOST_ALIKE = 1 - 1e-6
"""Cosine beyond which the angle's slope grows without bound."""


def paper_loss(network: Unfolding, found: Estimate, hsi: torch.Tensor) -> torch.Tensor:
    """The published loss.

    Args:
        network: that found it.
        found: from Y.
        hsi: true X, [batch, C, rows, columns].
    """
    last = network.expand(found.stages[-1])
    return (last - hsi).abs().mean() / network.unit + ANGLE_WEIGHT * mean_angle(last, hsi)


def robust_loss(
    network: Unfolding,
    found: Estimate,
    hsi: torch.Tensor,
    msi: torch.Tensor,
    bands: torch.Tensor | None = None,
) -> torch.Tensor:
    """The published loss with supervision of all stages and of R.

    Args:
        network: that found it.
        found: from Y.
        hsi: true X, [batch, C, rows, columns].
        msi: Y, [batch, c, rows, columns].
        bands: the bands of X that are compared, None for all; a few by chance stand for all of them in training.
    """
    truth = hsi if bands is None else hsi[:, bands]
    stages = [network.expand(stage, bands) for stage in found.stages]
    errors = [(stage - truth).abs().mean() / network.unit for stage in stages]
    loss = errors[-1] + ANGLE_WEIGHT * mean_angle(stages[-1], truth)
    if len(errors) > 1:
        loss = loss + DEEP_WEIGHT * torch.stack(errors[:-1]).mean()
    misfit = (found.response @ hsi.flatten(2) - msi.flatten(2)).abs().mean()
    loss = loss + RESPONSE_WEIGHT * misfit / network.unit
    return loss + ROUGHNESS_WEIGHT * found.response.diff(n=2, dim=-1).square().sum(dim=(1, 2)).mean()


def mean_angle(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean angle between spectra, radians; black pixels count as at a right angle."""
    cosine = torch.nn.functional.cosine_similarity(one, other, dim=1, eps=1e-8)
    return cosine.clamp(-_MOST_ALIKE, _MOST_ALIKE).arccos().mean()
