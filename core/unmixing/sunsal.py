# SPDX-License-Identifier: GPL-3.0-or-later
"""SUnSAL: sparse non-negative abundances from a library that may hold more spectra than a pixel has bands.

    minimise 1/2 |y - E^T a|^2 + lambda |a|_1   subject to   a >= 0

by the alternating direction method of multipliers (Bioucas-Dias & Figueiredo, WHISPERS 2010,
doi:10.1109/WHISPERS.2010.5594963). Each pixel stops by its own residuals, so that its result does not depend on which
other pixels it is solved with.
"""

from __future__ import annotations

import torch

SPARSITY = 1e-3
"""lambda as a share of the one from which on all abundances of the pixel are zero."""
TOLERANCE = 1e-4
"""Largest primal and dual residual of a finished pixel, relative to its abundances."""
MAX_STEPS = 1000
STEPS_PER_CHECK = 20
OVER_RELAXATION = 1.7
PENALTY_SHARE = 1e-3
"""ADMM penalty as a share of the largest eigenvalue of E E^T."""
CHUNK_PIXELS = 4096


class SunsalSolver:
    """Sparse abundances for given endmembers.

    Args:
        endmembers: float32 [endmembers, bands].
        sparsity: see ``SPARSITY``.
    """

    def __init__(self, endmembers: torch.Tensor, sparsity: float = SPARSITY) -> None:
        self._sparsity = sparsity
        self._scale = torch.linalg.vector_norm(endmembers, dim=1).max()
        self._spectra = endmembers / self._scale
        gram = self._spectra.double() @ self._spectra.double().T
        eigenvalues, vectors = torch.linalg.eigh(gram)
        self._penalty = float(PENALTY_SHARE * eigenvalues[-1])
        self._inverse = (vectors / (eigenvalues.clamp_min(0.0) + self._penalty) @ vectors.T).to(endmembers.dtype)

    def solve(self, pixels: torch.Tensor) -> torch.Tensor:
        """Abundances of pixels, float32 [bands, pixels] in, [endmembers, pixels] out, none negative."""
        parts = [self._solve_chunk(part) for part in pixels.split(CHUNK_PIXELS, dim=1)]
        return torch.cat(parts, dim=1) / self._scale

    def _solve_chunk(self, pixels: torch.Tensor) -> torch.Tensor:
        match = self._spectra @ pixels
        weight = self._sparsity * match.amax(dim=0).clamp_min(0.0)
        result = torch.zeros_like(match)
        open_pixels = torch.arange(match.shape[1], device=match.device)
        sparse, dual = result.clone(), result.clone()
        for _ in range(0, MAX_STEPS, STEPS_PER_CHECK):
            sparse, dual, converged = self._steps(match, weight, sparse, dual)
            result[:, open_pixels] = sparse
            left = ~converged
            if not left.any():
                break
            open_pixels, weight = open_pixels[left], weight[left]
            match, sparse, dual = match[:, left], sparse[:, left], dual[:, left]
        return result

    def _steps(
        self, match: torch.Tensor, weight: torch.Tensor, sparse: torch.Tensor, dual: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Go some steps; tell which pixels have converged."""
        penalty = self._penalty
        for _ in range(STEPS_PER_CHECK):
            before = sparse
            smooth = self._inverse @ (match + penalty * (sparse + dual))
            relaxed = OVER_RELAXATION * smooth + (1 - OVER_RELAXATION) * sparse
            sparse = (relaxed - dual - weight / penalty).clamp_min(0.0)
            dual = dual - relaxed + sparse
        size = torch.linalg.vector_norm(sparse, dim=0).clamp_min(torch.finfo(sparse.dtype).tiny)
        primal = torch.linalg.vector_norm(smooth - sparse, dim=0)
        change = torch.linalg.vector_norm(sparse - before, dim=0)
        return sparse, dual, torch.maximum(primal, change) <= TOLERANCE * size
