# SPDX-License-Identifier: GPL-3.0-or-later
"""Non-negative matrix factorisation by coordinate descent: the endmembers of SpectraMorph.

    min  1/2 |V - W E|_F^2   over   W >= 0, E >= 0

Every column of W, then every row of E, takes its exact minimiser in turn (HALS; Cichocki & Phan, IEICE Trans. E92-A(3),
2009), until the projected gradient has fallen to ``TOLERANCE`` of that of the first sweep. It begins at NNDSVDa: the
non-negative parts of the singular vectors, zeros replaced by the mean of V (Boutsidis & Gallopoulos, Pattern
Recognition 41(4), 2008). Same start, sweeps and stop as scikit-learn's ``NMF(init="nndsvda")``.
"""

from __future__ import annotations

import torch

from ..engine.method import Context

TOLERANCE = 1e-4
MAX_SWEEPS = 5000
TINY = 1e-6
"""Entries of the start below this are taken as zero."""
LOOK_EVERY = 20


def factorise(pixels: torch.Tensor, count: int, context: Context) -> torch.Tensor:
    """Non-negative spectra of which every pixel is nearly a non-negative mixture.

    Args:
        pixels: non-negative, [pixels, bands].
        count: number of spectra; at most the smaller size of ``pixels``.
        context: is asked whether to stop.

    Returns:
        E, [count, bands], neither sorted nor scaled.

    Raises:
        Cancelled: the user asked to stop.
    """
    weights, spectra = nndsvda(pixels, count)
    first = 0.0
    for sweep in range(MAX_SWEEPS):
        if sweep % LOOK_EVERY == 0:
            context.check_cancelled()
        violation = _descend(weights, spectra @ spectra.T, spectra @ pixels.T)
        violation += _descend(spectra, weights @ weights.T, weights @ pixels)
        first = first or violation
        if violation <= TOLERANCE * first:
            break
    return spectra


def nndsvda(pixels: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The start of both factors: weights transposed, [count, pixels], and spectra [count, bands]."""
    left, sizes, right = torch.linalg.svd(pixels.double(), full_matrices=False)
    weights, spectra = [], []
    for axis in range(count):
        u, v = left[:, axis], right[axis]
        if axis == 0:
            u, v, share = u.abs(), v.abs(), 1.0
        else:
            u, v, share = max((_part(u, v), _part(-u, -v)), key=lambda part: part[2])
        root = (sizes[axis] * share).sqrt()
        weights.append(root * u)
        spectra.append(root * v)
    mean = float(pixels.double().mean())
    start = []
    for factor in (torch.stack(weights), torch.stack(spectra)):
        start.append(torch.where(factor < TINY, mean, factor).to(pixels.dtype))
    return start[0], start[1]


def _part(u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Positive parts of a pair of singular vectors at unit length, and the product of their lengths."""
    u, v = u.clamp_min(0.0), v.clamp_min(0.0)
    lengths = u.norm().clamp_min(1e-300), v.norm().clamp_min(1e-300)
    return u / lengths[0], v / lengths[1], float(lengths[0] * lengths[1])


def _descend(factor: torch.Tensor, gram: torch.Tensor, target: torch.Tensor) -> float:
    """One sweep over the rows of a factor, in place; returns the sum of its projected gradients' sizes."""
    violation = torch.zeros((), dtype=factor.dtype, device=factor.device)
    for row in range(len(factor)):
        if float(gram[row, row]) == 0.0:
            continue
        gradient = gram[row] @ factor - target[row]
        projected = torch.where(factor[row] == 0.0, gradient.clamp_max(0.0), gradient)
        violation += projected.abs().sum()
        factor[row] = (factor[row] - gradient / gram[row, row]).clamp_min(0.0)
    return float(violation)
