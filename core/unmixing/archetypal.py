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

from .archetype_search import Search
from .extraction import Extraction, check_count, signal_subspace, simplex_shares, unit_length

DRAWN_PIXELS = 4000
JUDGED_PIXELS = 1000
"""Pixels that exchanges are judged by."""
NEIGHBOUR_SHARE, CORE_SHARE = 0.01, 0.0025
"""Largest share of the pixels that one local mean is taken over, and the share that shows how dense they lie there."""
REACH = 2.0
"""How far neighbours may be, in distances of the last neighbour of the core: a small patch is not mixed with others."""
FURTHER_AXES = 3
"""Axes of the signal subspace beyond the count that the refinement sees."""
FRAME_DIRECTIONS = 200
STARTS = 24
REFINED_WORK = 12
"""Choices that are refined, times the number of endmembers: many endmembers cost more and vary less."""
REFINEMENTS, GRADIENT_STEPS = 40, 50
VANISHED = 1e-5
EVERYWHERE = slice(None)


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
    length = torch.linalg.vector_norm(axes, dim=1).clamp_min(torch.finfo(axes.dtype).tiny)
    # Length of the noise in the first 1, 2, ... axes.
    noise_length = (noise.to(basis) @ basis.square()).clamp_min(0.0).cumsum(dim=0).sqrt()
    local = LocalMeans(coarse)
    frame = torch.unique(torch.cat([_outermost(local.of(points), generator) for points in (coarse, fine)]))
    blur = noise_length[count - 1] / length
    search = Search(coarse[:JUDGED_PIXELS], blur[:JUDGED_PIXELS], local.of(coarse, frame))
    found = []
    for start in range(STARTS):
        found.append(search.improve(search.start(count, generator)))
        on_round((start + 1) / (STARTS + 1))
    promising = _distinct(found)[: max(1, REFINED_WORK // count)]
    refined = [_refine(fine, noise_length[-1] / length, local.of(fine, frame), chosen) for chosen in promising]
    mixing, objective = min(refined, key=lambda result: result[1][-1])
    return Extraction(mixing @ local.of(drawn, frame), None, objective)


class LocalMeans:
    """Means of points over their nearest neighbours.

    Args:
        points: where neighbours are looked for, [points, axes].
    """

    def __init__(self, points: torch.Tensor) -> None:
        core = max(1, round(CORE_SHARE * len(points)))
        self._indices = nearest(points, max(1, round(NEIGHBOUR_SHARE * len(points))))
        distance = torch.linalg.vector_norm(points[self._indices] - points[:, None], dim=2)
        near = (distance <= REACH * distance[:, core - 1 : core]).to(points.dtype)
        self._weights = near / near.sum(dim=1, keepdim=True)

    def of(self, values: torch.Tensor, where: torch.Tensor | slice = EVERYWHERE) -> torch.Tensor:
        """Local means of any values of the points, [points, anything], at all points or at the given indices."""
        return torch.einsum("pn,pnv->pv", self._weights[where], values[self._indices[where]])


def nearest(points: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the nearest points of each point, itself included, nearest first, int64 [points, count]."""
    rows = [torch.cdist(part, points).topk(count, largest=False).indices for part in points.split(1000)]
    return torch.cat(rows)


def _distinct(found: list[tuple[float, list[int]]]) -> list[list[int]]:
    """Choices in order of their objective, each once."""
    choices: dict[frozenset[int], list[int]] = {}
    for _, chosen in sorted(found, key=lambda result: result[0]):
        choices.setdefault(frozenset(chosen), chosen)
    return list(choices.values())


def _outermost(points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Indices of the extreme points along random directions, all axes weighing alike."""
    centred = points - points.mean(dim=0)
    whitened = centred / centred.std(dim=0).clamp_min(torch.finfo(points.dtype).tiny)
    directions = torch.randn(points.shape[1], FRAME_DIRECTIONS, generator=generator).to(points)
    along = whitened @ directions
    return torch.cat([along.argmax(dim=0), along.argmin(dim=0)])


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
        floor = 0.5 * float(distance.median()) + VANISHED
        weights = beyond / distance.clamp_min(VANISHED) / distance.clamp_min(floor)
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
