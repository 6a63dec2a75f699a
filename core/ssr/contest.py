# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits all ways on the training part and judges them by the validation part.

None of them learns from that. It chooses more than the winner, though: what the network begins with, how far that
trusts the MSI at first, and which of its weights are kept. So figures there are a little better than elsewhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..engine.method import Context
from ..learning import DivergenceError, Keeper, Progress
from ..quality.reference import ReferenceQuality, measure
from .baselines import STEPS, SpectralMap, fit_clustered_ridge, fit_pixel_network, fit_ridge
from .evidence import Contender, Training
from .factory import find_limits, make_basis, make_network, make_paper_network
from .pairs import Pixels, TrainingData, TrainingPart, lesson
from .pixel_way import PixelWay
from .scene import SceneTile, scene_responses
from .settings import SsrSettings
from .training import PAPER_RECIPE, RECIPE, train_network
from .ways import NetworkWay, Way

MOST_PIXELS = 20_000
COORDINATES = 20
"""Of the simple ways: so many that what is left out cannot be told from an MSI."""
PEAK = 0.999
PIXEL_STEPS = STEPS
SIMPLE = ("ridge", "clustered", "pixel")
QUICK = SIMPLE[:2]
"""Those that take a second; who asks for one of them does not wait for the others."""
_MOST_VALUES = 2_000_000


@dataclass(frozen=True)
class Entry:
    """A way and how it did."""

    way: Way
    score: Contender


def fit_simple(data: TrainingData, context: Context, preset: str = "auto") -> list[tuple[PixelWay, float]]:
    """Fit the simple ways on the training part; each with the seconds it took."""
    kinds = QUICK if preset in QUICK else SIMPLE
    pixels = lesson(data, MOST_PIXELS, context.generator())
    basis = make_basis(pixels.hsi, COORDINATES)
    target = basis.mT @ pixels.hsi
    found: list[tuple[PixelWay, float]] = []
    for number, kind in enumerate(kinds):
        context.check_cancelled()
        context.on_progress(number / len(kinds))
        started = time.perf_counter()
        fitted = PixelWay(kind, _FITS[kind](pixels, target, context), basis, find_limits(target))
        found.append((fitted, time.perf_counter() - started))
    return found


def fit_network(
    data: TrainingData, start: PixelWay, settings: SsrSettings, context: Context, keeper: Keeper | None = None
) -> tuple[Way, Training]:
    """Train a network on the training part; one that diverges stays as it was at its best.

    Args:
        data: the training data.
        start: what the network begins with, if it is not the published one.
        settings: the settings.
        context: device, seed, progress, messages and the wish to stop.
        keeper: lets an interrupted training go on.

    Raises:
        Cancelled: the user asked to stop.
    """
    started = time.perf_counter()
    published = settings.preset == "paper"
    if published and context.device.type == "cpu":
        context.on_warning("The network as published is large: its training takes hours without a GPU.")
    network = make_paper_network(data, context) if published else make_network(data, start, context)
    recipe = PAPER_RECIPE if published else RECIPE
    recipe = recipe if settings.steps is None else replace(recipe, steps=settings.steps, patience=settings.steps)
    try:
        progress = train_network(network, data, recipe, context, keeper)
    except DivergenceError as error:
        context.on_warning(f"{error} The state before that is used.")
        progress = Progress()
    seconds = time.perf_counter() - started
    way = NetworkWay(network.to(torch.device("cpu")))
    return way, Training(tuple(progress.steps), tuple(progress.errors), seconds)


def judge(way: Way, held: Sequence[TrainingPart], peak: float, seconds: float = 0.0) -> Contender:
    """Judge a way by parts that it did not learn from.

    Args:
        way: the way, on the parts' device.
        held: the parts.
        peak: of PSNR and SSIM.
        seconds: that fitting it took.
    """
    quality = ReferenceQuality(len(way.basis), None, peak)
    for part in held:
        whole = slice(0, part.valid.shape[0]), slice(0, part.valid.shape[1])
        quality.add(measure(estimate(way, part), part.hsi, part.valid, (0, 0), whole, peak)[0])
    scores = quality.result()
    ssim = None if math.isnan(scores.ssim) else scores.ssim
    return Contender(way.kind, way.name, scores.rmse, scores.psnr, scores.sam, ssim, seconds)


def estimate(way: Way, part: TrainingPart) -> torch.Tensor:
    """Spectra of a part, [C, rows, columns]; networks find its response by themselves, as in a new scene."""
    if isinstance(way, NetworkWay):
        way = way.with_responses(scene_responses(way.network, lambda: [SceneTile(part.msi, part.valid)]))
    return torch.einsum("cd,dij->cij", way.basis, way.coordinates(part.msi))


def find_peak(held: Sequence[TrainingPart]) -> float:
    """A value that only the brightest of the validation part exceed; 1 where it is black."""
    values = torch.cat([part.hsi[:, part.valid].flatten() for part in held])
    values = values[:: max(1, len(values) // _MOST_VALUES)]
    # quantile() takes no more than 16 million values
    peak = float(torch.quantile(values, PEAK))
    return peak if peak > 0 else 1.0


def choose(entries: Sequence[Entry], preset: str) -> Entry:
    """The way that was asked for, or under ``auto`` the one with the highest PSNR on the validation part."""
    asked = [entry for entry in entries if preset in ("auto", entry.way.kind)]
    return max(asked, key=lambda entry: entry.score.psnr)


def _ridge(pixels: Pixels, target: torch.Tensor, context: Context) -> SpectralMap:
    return fit_ridge(pixels.msi, target, pixels.folds)


def _clustered(pixels: Pixels, target: torch.Tensor, context: Context) -> SpectralMap:
    return fit_clustered_ridge(pixels.msi, target, pixels.folds, context.generator())


def _pixel(pixels: Pixels, target: torch.Tensor, context: Context) -> SpectralMap:
    return fit_pixel_network(pixels.msi, target, context, PIXEL_STEPS)


_FITS: dict[str, Callable[[Pixels, torch.Tensor, Context], SpectralMap]] = {
    "ridge": _ridge,
    "clustered": _clustered,
    "pixel": _pixel,
}
