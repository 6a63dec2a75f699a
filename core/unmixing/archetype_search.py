# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing points whose cone is nearest to all pixels, by exchanging one for another while that helps.

All promising exchanges of a round are judged together: the cones of all trials are stacked and their shares found by
coordinate descent. Its unfinished shares are still shares, so the distances are never too small and an exchange that
looks worthwhile is.
"""

from __future__ import annotations

import torch

from .extraction import cone_shares, too_few_distinct

TRIED_ENTRIES, TRIED_EXITS = 8, 4
"""Points that may come in and that may go per round, of those that a bound calls most promising."""
SWEEPS = 8
"""Rounds of coordinate descent over the shares."""
WORTHWHILE = 1e-4
"""Relative fall of the objective below which an exchange is not made."""
VANISHED = 1e-5
RIDGE = 1e-6


class Search:
    """Exchanges of candidates, judged by the mean distance of pixels to the cone beyond their noise.

    Args:
        pixels: unit length, [pixels, axes].
        blur: distance that noise alone makes, [pixels].
        candidates: points to choose from, [candidates, axes].
    """

    def __init__(self, pixels: torch.Tensor, blur: torch.Tensor, candidates: torch.Tensor) -> None:
        self._pixels = pixels
        self._blur = blur
        self._candidates = candidates
        self._power = candidates.square().sum(dim=1).clamp_min(torch.finfo(candidates.dtype).tiny)

    def start(self, count: int, generator: torch.Generator) -> list[int]:
        """Draw candidates, each with a chance that grows with its squared distance to the cone of those before.

        Raises:
            InputError: the cone of fewer candidates already holds all.
        """
        chosen = [int(torch.randint(len(self._candidates), (1,), generator=generator))]
        while len(chosen) < count:
            cone = self._candidates[chosen]
            distance = (self._candidates - cone_shares(cone, self._candidates) @ cone).square().sum(dim=1)
            if float(distance.max()) < VANISHED**2:
                raise too_few_distinct(len(chosen), count)
            chosen.append(int(torch.multinomial(distance.cpu(), 1, generator=generator)))
        return chosen

    def improve(self, chosen: list[int]) -> tuple[float, list[int]]:
        """Exchange while it helps; return the objective and the choice."""
        while True:
            cone = self._candidates[chosen]
            shares = cone_shares(cone, self._pixels)
            residual = self._pixels - shares @ cone
            objective = float(self._beyond_noise(torch.linalg.vector_norm(residual, dim=1)).mean())
            exits = self._exits(cone, shares, residual)
            trials = [
                chosen[:i] + chosen[i + 1 :] + [entry] for entry in self._entries(chosen, residual) for i in exits
            ]
            judged = self._judged(trials)
            best = int(judged.argmin())
            if float(judged[best]) >= objective * (1 - WORTHWHILE):
                return objective, chosen
            chosen = trials[best]

    def _beyond_noise(self, distance: torch.Tensor) -> torch.Tensor:
        """What is left of distances [..., pixels] without the noise."""
        return (distance - self._blur).clamp_min(0.0)

    def _entries(self, chosen: list[int], residual: torch.Tensor) -> list[int]:
        """Candidates of the lowest bound: each pixel goes towards the candidate as far as that brings it nearer."""
        progress = (self._candidates @ residual.T).clamp_min(0.0).square() / self._power[:, None]
        distance = (residual.square().sum(dim=1) - progress).clamp_min(0.0).sqrt()
        left = self._beyond_noise(distance).mean(dim=1)
        left[chosen] = torch.inf
        return left.argsort()[:TRIED_ENTRIES].tolist()

    def _exits(self, cone: torch.Tensor, shares: torch.Tensor, residual: torch.Tensor) -> list[int]:
        """Places of those missed least: used little, or near to the cone of the others."""
        if len(cone) <= TRIED_EXITS:
            return list(range(len(cone)))
        power = residual.square().sum(dim=1)
        missed = []
        for place in range(len(cone)):
            others = torch.cat([cone[:place], cone[place + 1 :]])
            gap = cone[place] - cone_shares(others, cone[place : place + 1])[0] @ others
            distance = (power + shares[:, place].square() * gap.square().sum()).sqrt()
            missed.append(self._beyond_noise(distance).mean())
        return torch.stack(missed).argsort()[:TRIED_EXITS].tolist()

    def _judged(self, trials: list[list[int]]) -> torch.Tensor:
        """Objective of each trial, [trials]."""
        cones = self._candidates[torch.tensor(trials, device=self._candidates.device)]
        shares = stacked_cone_shares(cones, self._pixels)
        distance = torch.linalg.vector_norm(self._pixels - shares.transpose(1, 2) @ cones, dim=2)
        return self._beyond_noise(distance).mean(dim=1)


def stacked_cone_shares(cones: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Shares a >= 0 of the nearest points of many cones, nearly: coordinate descent from the unconstrained solution.

    Args:
        cones: [cones, endmembers, axes].
        pixels: [pixels, axes].

    Returns:
        [cones, endmembers, pixels].
    """
    gram = cones @ cones.transpose(1, 2)
    match = cones @ pixels.T
    ridge = RIDGE * torch.eye(cones.shape[1], dtype=cones.dtype, device=cones.device)
    shares = torch.linalg.solve(gram + ridge, match).clamp_min(0.0)
    scale = gram.diagonal(dim1=1, dim2=2).clamp_min(RIDGE)
    for _ in range(SWEEPS):
        for j in range(cones.shape[1]):
            slope = match[:, j] - torch.bmm(gram[:, j : j + 1], shares)[:, 0]
            shares[:, j] = (shares[:, j] + slope / scale[:, j : j + 1]).clamp_min_(0.0)
    return shares
