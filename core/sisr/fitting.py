# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits a super-resolution: endmembers, planes, what makes them finer, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..engine.method import Context, Sample
from ..fusion.noise import noise_variance
from ..learning import Progress
from ..unmixing.abundances import make_solver
from ..unmixing.method import Unmix
from ..unmixing.model import UnmixModel
from ..unmixing.settings import UnmixSettings
from .agreement import see
from .block import Block
from .evidence import SisrEvidence, Sizes
from .model import SuperresolveModel, finer_guess
from .planes import PlaneSpace, filled, fit_planes
from .reconstruct import LEAST_COVERAGE, fit_reconstruction, make_blur
from .settings import LEAST_SIGMA, SuperresolveSettings
from .shipped import shipped_network
from .trial import on_own_scale
from .tuning import train_published, tune
from .uncertainty import contrast
from .upscaler import Shared, Upscaler

PAPER_COUNT = 6
"""Endmembers of the published method, for every scene."""
FEW_BANDS = 16
PIXELS_OF_SUMS = 5000
SUM_TOLERANCE, SUM_SHARE = 0.05, 0.9
"""Abundances sum to one in a scene when those of this share of its pixels do, within the tolerance."""
UNTRIED = 4.0
"""How many times larger errors are than what the input tells of them, where the image is too small to measure it."""
AGREES_DB, NEAR_NOISE_DB = 45.0, 1.5
"""PSNR between input and re-degraded result that is good enough; or this much below that of the noise alone."""
AGREEMENT_PX = 48
NARROWER, MOST_BLURS = 0.9, 7
"""Steps by which the blur is narrowed."""
TRAINING = 0.1, 0.9
"""Share of a fit's progress at which training begins and ends."""


@dataclass(frozen=True)
class _Made:
    """What makes planes finer, in words as well, and its training."""

    upscaler: Upscaler
    words: str
    progress: Progress | None = None
    sizes: Sizes | None = None


def fit(sample: Sample, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context) -> SuperresolveModel:
    """Fit a model.

    Args:
        sample: pixels of the whole image.
        blocks: parts spread over it, each with valid pixels in its core.
        settings: the settings.
        context: device, seed, progress, cancel.

    Raises:
        InputError: the sample cannot be used.
    """
    unmixing = Unmix().fit(sample, _unmixing(settings), _part(context, 0.0, TRAINING[0]))
    space = fit_planes(sample, unmixing.endmembers, _quiet_noise(blocks) if len(sample.table) < FEW_BANDS else None)
    on_device = [block.to(context.device) for block in blocks]
    there = space.to(context.device)
    made = _MAKERS[settings.mode](there, unmixing, on_device, settings, _part(context, *TRAINING))
    evidence = _evidence(sample, unmixing, space, made)

    def model(settings: SuperresolveSettings) -> SuperresolveModel:
        misfit, usual = _misfits(there, made.upscaler.to(context.device), settings, on_device, context)
        reconstruction = fit_reconstruction(settings.factor, settings.psf_sigma, misfit, space.coarse_noise)
        return SuperresolveModel(sample.table, space, made.upscaler, reconstruction, settings, evidence, usual)

    found = _agreeing(model, settings, on_device, context)
    if found.settings != settings:
        evidence = replace(evidence, narrowed=(settings.psf_sigma, found.settings.psf_sigma))
    for sentence in evidence.own_cautions():
        context.on_warning(sentence)
    trial = on_own_scale(found.to(context.device), on_device)
    inflation = UNTRIED if trial is None else trial.result / max(trial.said, 1e-12)
    context.on_progress(1.0)
    return found.with_evidence(replace(evidence, trial=trial, inflation=inflation))


def _agreeing(
    model: Callable[[SuperresolveSettings], SuperresolveModel],
    settings: SuperresolveSettings,
    blocks: Sequence[Block],
    context: Context,
) -> SuperresolveModel:
    """The model of the widest blur, up to the one asked for, by which the image can have come about.

    No image that is not negative gives the input again when seen through a blur much wider than the true one; it would
    only get rims and speckles. Should none agree, the one that comes closest is taken.
    """
    tried: list[tuple[float, SuperresolveModel]] = []
    sigma = settings.psf_sigma
    while sigma >= LEAST_SIGMA * settings.factor and len(tried) < MOST_BLURS:
        candidate = model(settings if not tried else replace(settings, sigma=sigma, mtf=None))
        seen = see(candidate.to(context.device), blocks, AGREEMENT_PX)
        if seen is None or not seen.psnr < min(AGREES_DB, seen.psnr_of(candidate.evidence.noise) - NEAR_NOISE_DB):
            return candidate
        tried.append((seen.psnr, candidate))
        sigma *= NARROWER
    return max(tried, key=lambda pair: pair[0])[1]


def _quiet_noise(blocks: Sequence[Block]) -> torch.Tensor:
    """Noise variance of each band in the quietest parts of blocks; few bands do not predict one another."""
    return torch.stack([noise_variance(block.cube, block.valid) for block in blocks]).amax(dim=0)


def _shipped(
    space: PlaneSpace, unmixing: UnmixModel, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context
) -> _Made:
    return _Made(Shared(shipped_network(settings.factor)), "the network that comes with the plugin")


def _tuned(
    space: PlaneSpace, unmixing: UnmixModel, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context
) -> _Made:
    network = shipped_network(settings.factor).requires_grad_(True)
    progress, sizes = tune(network, space, blocks, settings.psf_sigma, context)
    steps = progress.steps[-1]
    words = f"the network that comes with the plugin, trained further for this image in {steps} steps, in eight views"
    return _Made(Shared(network.cpu(), turned=True), words, progress, sizes)


def _published(
    space: PlaneSpace, unmixing: UnmixModel, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context
) -> _Made:
    block = blocks[0]
    rows, cols = block.core
    endmembers = unmixing.endmembers.cpu()
    cube, valid = block.cube[:, rows, cols].cpu(), block.valid[rows, cols].cpu()
    shares = make_solver(endmembers, UnmixSettings(model="nnls"))(cube.flatten(1)).reshape(-1, *valid.shape)
    upscaler, progress = train_published(space, endmembers, shares, valid, settings.psf_sigma, settings.factor, context)
    return _Made(upscaler.to(torch.device("cpu")), "the published network, trained for this image", progress)


_MAKERS: dict[str, Callable[[PlaneSpace, UnmixModel, Sequence[Block], SuperresolveSettings, Context], _Made]] = {
    "fast": _shipped,
    "tuned": _tuned,
    "paper": _published,
}


def _unmixing(settings: SuperresolveSettings) -> dict[str, object]:
    """How endmembers are found."""
    if settings.mode == "paper":
        return {"count": settings.count or PAPER_COUNT, "extraction": "minvolnmf"}
    return {"count": settings.count}


def _evidence(sample: Sample, unmixing: UnmixModel, space: PlaneSpace, made: _Made) -> SisrEvidence:
    unexplained, sums_hold = _shares_alone(unmixing, sample)
    progress = made.progress
    return SisrEvidence(
        unmixing=unmixing.evidence,
        components=max(0, space.basis.shape[1] - len(space.endmembers)),
        unexplained=unexplained,
        noise=float(space.band_noise.mean().sqrt()),
        sums_hold=sums_hold,
        network=made.words,
        training=() if progress is None else tuple(zip(progress.steps, progress.errors)),
        sizes=made.sizes,
    )


def _misfits(
    space: PlaneSpace,
    upscaler: Upscaler,
    settings: SuperresolveSettings,
    blocks: Sequence[Block],
    context: Context,
) -> tuple[torch.Tensor, float]:
    """What guesses leave of the input, [dimensions, pixels], and the mean contrast of the input."""
    errors, contrasts = [], []
    for done, block in enumerate(blocks):
        context.check_cancelled()
        context.on_progress(TRAINING[1] + (1.0 - TRAINING[1]) * done / len(blocks))
        coarse = filled(space.project(block.cube), block.valid)
        blur = make_blur(settings.factor, settings.psf_sigma, block.valid.shape, coarse.device)
        missing = coarse - blur(finer_guess(space, upscaler, coarse, settings.psf_sigma))
        rows, cols = block.core
        usable = (block.valid & (blur.coverage > LEAST_COVERAGE))[rows, cols]
        errors.append(missing[:, rows, cols][:, usable])
        contrasts.append(contrast(coarse, block.valid)[rows, cols][usable])
    return torch.cat(errors, dim=1), float(torch.cat(contrasts).mean())


def _shares_alone(unmixing: UnmixModel, sample: Sample) -> tuple[float, bool]:
    """What abundances alone leave of a scene, and whether they sum to one without being made to.

    Returns:
        share of the power around the mean that is left, and True where sums hold.
    """
    pixels = sample.pixels[:: max(1, len(sample.pixels) // PIXELS_OF_SUMS)].T
    endmembers = unmixing.endmembers.cpu()
    shares = make_solver(endmembers, UnmixSettings(model="nnls"))(pixels)
    power = (pixels - pixels.mean(dim=1, keepdim=True)).square().sum().clamp_min(1e-30)
    left = float((pixels - endmembers.T @ shares).square().sum() / power)
    return left, float(((shares.sum(dim=0) - 1.0).abs() < SUM_TOLERANCE).float().mean()) > SUM_SHARE


def _part(context: Context, low: float, high: float) -> Context:
    """The same surroundings, for a step whose progress is part of the whole."""
    return replace(context, on_progress=lambda share: context.on_progress(low + (high - low) * share))
