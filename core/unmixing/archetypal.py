# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust archetypal analysis of spectral directions: endmembers that explain most pixels, each a mean of real pixels.

Model: a pixel's direction y / |y| lies in the cone of the endmembers, up to variability and a minority of pixels that
hold something else; so brightness (shade, slope, water) does not matter. The sum of distances, not of their squares, is
minimised, as far as they exceed what noise alone makes: noise turns dark pixels a lot, and that is no material. An
endmember is a convex combination of local means of pixels, which no single odd pixel can be.

1. Look at pixels in the signal subspace of as many axes as endmembers, scaled to unit length; average each with its
   nearest neighbours (smoothed separable factorisation: Nadisic, Gillis and Kervazo, Linear Algebra Appl. 676, 2023).
2. Pick the local means whose cone is nearest to all pixels: random far starts (archetypal analysis++: Mair and Sjolund,
   ICML 2024), then exchanges while they help (archetypoids: Vinue, Epifanio and Alemany, Comput. Stat. Data Anal. 87,
   2015).
3. Refine to archetypes proper, with some more axes (Cutler and Breiman, Technometrics 36(4), 1994; robust by
   reweighting: Chen, Mairal and Harchaoui, CVPR 2014).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .extraction import (
    Extraction,
    check_count,
    cone_shares,
    signal_subspace,
    simplex_shares,
    too_few_distinct,
    unit_length,
)

DRAWN_PIXELS = 4000
JUDGED_PIXELS = 2000
"""Pixels that exchanges are judged by."""
NEIGHBOUR_SHARE = 0.005
"""Share of the pixels that one local mean is taken over."""
FURTHER_AXES = 3
"""Axes of the signal subspace beyond the count that the refinement sees."""
FRAME_DIRECTIONS = 1000
START_WORK, REFINED_WORK = 40, 16
"""Starts, and starts that are refined, times the number of endmembers: many endmembers cost more and vary less."""
TRIED_ENTRIES, TRIED_EXITS = 4, 2
"""Exchanges judged exactly per round, of those that a bound calls most promising."""
WORTHWHILE = 1e-4
"""Relative fall of the objective below which an exchange is not made."""
REFINEMENTS, GRADIENT_STEPS = 40, 50
VANISHED = 1e-5


def archetypal(
    pixels: torch.Tensor,
    count: int,
    noise: torch.Tensor,
    generator: torch.Generator,
    on_round: Callable[[float], None] = lambda share: None,
) -> Extraction:
    """Find endmembers as archetypes.

    Args:
        pixels: float32 [pixels, bands].
        count: endmembers wanted.
        noise: variance of the noise per band, [bands].
        generator: source of the draw, the directions and the starts (on the CPU).
        on_round: called with the finished share now and then; may raise to stop.

    Raises:
        InputError: there are fewer different spectra than endmembers asked for.
    """
    check_count(pixels, count)
    if count == 1:
        return Extraction(pixels.mean(dim=0, keepdim=True))
    drawn = pixels[torch.randperm(len(pixels), generator=generator)[:DRAWN_PIXELS].to(pixels.device)]
    basis = signal_subspace(pixels, count + FURTHER_AXES)
    axes = drawn @ basis
    coarse, fine = unit_length(axes[:, :count]), unit_length(axes)
    blur = (
        (noise.to(basis) @ basis.square()).clamp_min(0.0).cumsum(dim=0).sqrt()
    )  # length of the noise in 1, 2, ... axes
    length = torch.linalg.vector_norm(axes, dim=1).clamp_min(torch.finfo(axes.dtype).tiny)
    near = nearest(coarse, max(1, round(NEIGHBOUR_SHARE * len(drawn))))
    frame = _outermost(fine[near].mean(dim=1), generator)
    search = _Search(
        coarse[:JUDGED_PIXELS], (blur[count - 1] / length)[:JUDGED_PIXELS], coarse[near[frame]].mean(dim=1)
    )
    found = []
    starts = max(2, START_WORK // count)
    for start in range(starts):
        found.append(search.improve(search.start(count, generator)))
        on_round((start + 1) / (starts + 1))
    promising = sorted(found, key=lambda result: result[0])[: max(1, REFINED_WORK // count)]
    refined = [_refine(fine, blur[-1] / length, fine[near[frame]].mean(dim=1), chosen) for _, chosen in promising]
    shares, objective = min(refined, key=lambda result: result[1][-1])
    return Extraction(shares @ drawn[near[frame]].mean(dim=1), None, objective)


def nearest(points: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the nearest points of each point, itself included, int64 [points, count]."""
    rows = [torch.cdist(part, points).topk(count, largest=False).indices for part in points.split(1000)]
    return torch.cat(rows)


class _Search:
    """Exchanges of local means for one another, judged by the mean distance of pixels to the cone beyond their noise.

    Args:
        pixels: unit length, [pixels, axes].
        blur: distance that noise alone makes, [pixels].
        frame: local means to choose from, [candidates, axes].
    """

    def __init__(self, pixels: torch.Tensor, blur: torch.Tensor, frame: torch.Tensor) -> None:
        self._pixels = pixels
        self._blur = blur
        self._frame = frame
        self._power = frame.square().sum(dim=1).clamp_min(torch.finfo(frame.dtype).tiny)

    def start(self, count: int, generator: torch.Generator) -> list[int]:
        """Draw candidates, each with a chance that grows with its squared distance to the cone of those before."""
        chosen = [int(torch.randint(len(self._frame), (1,), generator=generator))]
        while len(chosen) < count:
            cone = self._frame[chosen]
            distance = (self._frame - cone_shares(cone, self._frame) @ cone).square().sum(dim=1)
            if float(distance.max()) < VANISHED**2:
                raise too_few_distinct(len(chosen), count)
            chosen.append(int(torch.multinomial(distance.cpu(), 1, generator=generator)))
        return chosen

    def improve(self, chosen: list[int]) -> tuple[float, list[int]]:
        """Exchange while it helps; return the objective and the choice."""
        objective = self._objective(chosen)
        while True:
            trials = [self._exchanged(chosen, entry) for entry in self._entries(chosen)]
            judged = [(self._objective(trial), trial) for exits in trials for trial in exits]
            lowest, trial = min(judged, key=lambda result: result[0])
            if lowest >= objective * (1 - WORTHWHILE):
                return objective, chosen
            objective, chosen = lowest, trial

    def _objective(self, chosen: list[int]) -> float:
        return float(self._beyond_noise(torch.linalg.vector_norm(self._residual(chosen)[0], dim=1)).mean())

    def _beyond_noise(self, distance: torch.Tensor) -> torch.Tensor:
        """What is left of distances [pixels] without the noise."""
        return (distance - self._blur).clamp_min(0.0)

    def _residual(self, chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        cone = self._frame[chosen]
        shares = cone_shares(cone, self._pixels)
        return self._pixels - shares @ cone, shares

    def _entries(self, chosen: list[int]) -> list[int]:
        """Candidates with the lowest bound: each pixel goes towards the candidate as far as that brings it nearer."""
        residual = self._residual(chosen)[0]
        progress = (residual @ self._frame.T).clamp_min(0.0).square() / self._power
        distance = (residual.square().sum(dim=1, keepdim=True) - progress).clamp_min(0.0).sqrt()
        left = (distance - self._blur[:, None]).clamp_min(0.0).mean(dim=0)
        left[chosen] = torch.inf
        return left.argsort()[:TRIED_ENTRIES].tolist()

    def _exchanged(self, chosen: list[int], entry: int) -> list[list[int]]:
        """The choice with the entry in place of those missed least: used little, or near to the cone of the others."""
        residual, shares = self._residual([*chosen, entry])
        missed = []
        for exit_ in range(len(chosen)):
            others = chosen[:exit_] + chosen[exit_ + 1 :] + [entry]
            cone, lost = self._frame[others], self._frame[chosen[exit_]][None]
            gap = torch.linalg.vector_norm(lost - cone_shares(cone, lost) @ cone)
            distance = (residual.square().sum(dim=1) + (shares[:, exit_] * gap).square()).sqrt()
            missed.append((float(self._beyond_noise(distance).mean()), others))
        return [others for _, others in sorted(missed)[:TRIED_EXITS]]


def _outermost(points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Sorted indices of the extreme points along random directions, all axes weighing alike."""
    centred = points - points.mean(dim=0)
    whitened = centred / centred.std(dim=0).clamp_min(torch.finfo(points.dtype).tiny)
    directions = torch.randn(points.shape[1], FRAME_DIRECTIONS, generator=generator).to(points)
    along = whitened @ directions
    return torch.unique(torch.cat([along.argmax(dim=0), along.argmin(dim=0)]))


def _refine(
    points: torch.Tensor, blur: torch.Tensor, frame: torch.Tensor, chosen: list[int]
) -> tuple[torch.Tensor, tuple[float, ...]]:
    """Minimise the sum of distances |x - a B F| beyond the noise over B and a, rows of both summing to one.

    Returns:
        B and the objective after each round.
    """
    mixing = torch.zeros(len(chosen), len(frame), dtype=frame.dtype, device=frame.device)
    mixing[range(len(chosen)), chosen] = 1.0
    objective: list[float] = []
    for _ in range(REFINEMENTS):
        archetypes = mixing @ frame
        shares = simplex_shares(archetypes, points)
        distance = torch.linalg.vector_norm(points - shares @ archetypes, dim=1)
        beyond = (distance - blur).clamp_min(0.0)
        objective.append(float(beyond.mean()))
        weights = (beyond / distance.clamp_min(VANISHED)) / distance.clamp_min(
            0.5 * float(distance.median()) + VANISHED
        )
        weighted = shares * (weights / weights.max().clamp_min(VANISHED))[:, None]
        mixing = _mixing_step(mixing, frame, weighted.T @ shares, weighted.T @ points)
    return mixing, tuple(objective)


def _mixing_step(
    mixing: torch.Tensor, frame: torch.Tensor, quadratic: torch.Tensor, linear: torch.Tensor
) -> torch.Tensor:
    """Nesterov's projected gradient for min tr(Z^T Q Z) - 2 tr(Z^T C), Z = B F, rows of B on the simplex.

    Rows that sum to one do not see a shift of the frame, so centring it only makes steps longer.
    """
    centred = frame - frame.mean(dim=0)
    steepest = torch.linalg.matrix_norm(quadratic, 2) * torch.linalg.matrix_norm(centred, 2) ** 2
    ahead, pace = mixing, 1.0
    for _ in range(GRADIENT_STEPS):
        gradient = (quadratic @ (ahead @ frame) - linear) @ centred.T
        moved = onto_simplex(ahead - gradient / steepest.clamp_min(torch.finfo(frame.dtype).tiny))
        next_pace = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        ahead = moved + (pace - 1) / next_pace * (moved - mixing)
        mixing, pace = moved, next_pace
    return mixing


def onto_simplex(rows: torch.Tensor) -> torch.Tensor:
    """Nearest rows that are not negative and sum to one (Held, Wolfe and Crowder, Math. Program. 6, 1974)."""
    falling = rows.sort(dim=1, descending=True).values
    excess = falling.cumsum(dim=1) - 1
    rank = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    last = (falling - excess / rank > 0).sum(dim=1, keepdim=True)
    return (rows - excess.gather(1, last - 1) / last).clamp_min(0.0)
