# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the way from MSI pixels to spectra once the relation of the two images is settled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..engine.method import Context
from ..physics.blur import Blur
from ..physics.footprint import Footprint, gaussian_footprint
from .contest import aside, consistency, guess_of, judge, judge_interpolation
from .correction import INFLATIONS, LEAST_COVERAGE, Correction, Noise, coarse_errors, make_correction
from .estimator import Estimator, PaperEstimator, SubspaceEstimator, margin_px
from .evidence import Contender
from .footprint_fit import fit_footprint
from .noise import noise_variance
from .pair import PairBlock, Placement
from .paper import ENDMEMBERS, PRIOR_SIDE, fit_spectralift, fit_spectramorph, percentile_scale
from .prior import Prior
from .refined import gather
from .relation import Relation
from .ridge import CoarseView, fit_ridge
from .settings import FusionSettings
from .spectralift import fit_sin
from .spectramorph import find_endmembers, fit_len
from .subspace import Subspace, fit_subspace
from .surroundings import averaged

LEAST_EXPLAINED = 0.5
"""Share of the coarse image's variance that a footprint must explain before the correction is tried."""
LEAST_COVERAGE_ZEROS = 0.2
WORTHWHILE = 0.99
"""The correction is kept if it lowers the held-out error at least to this share of the prior's."""
CHECKED_PX = 256
"""Fine pixels along the side of the block on which agreement with the inputs is measured."""


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator.

    Attributes:
        estimator: from blocks to spectra.
        facts: entries of the evidence that the fit knows.
        endmembers: [count, bands], or None.
    """

    estimator: Estimator
    facts: dict[str, Any] = field(default_factory=dict)
    endmembers: torch.Tensor | None = None


@dataclass(frozen=True)
class Optics:
    """What is known of the coarse image's blur.

    Attributes:
        footprint: what a coarse pixel sees; where nothing better is known, its own area.
        known: True when it was estimated or given, so that the prior may be corrected by it.
        zeros_outside: see :class:`core.fusion.correction.Correction`.
        explained: share of the coarse image's variance that it explains.
        note: one sentence.
    """

    footprint: Footprint
    known: bool
    zeros_outside: bool
    explained: float
    note: str


def fit_refined(kind: str, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
    """Fit a prior and its correction.

    Args:
        kind: ``fuse``, ``spectralift`` or ``spectramorph``.
        relation: the pair.
        settings: the settings.
        context: progress, messages and cancelling.
    """
    subspace = fit_subspace(_valid(relation.blocks).T)
    optics = find_optics(relation, settings)
    context.on_message(optics.note)
    context.check_cancelled()
    blocks, seen_by = _learnt_from(relation, optics)
    views = coarse_views(blocks, relation.response, subspace, seen_by)
    noise = Noise(subspace.noise, _fine_noise(relation.blocks))
    trials: dict[str, tuple[Prior, Prior]] = {
        "fuse": (fit_ridge(_without(views), noise.fine), fit_ridge(views, noise.fine))
    }
    endmembers = None
    if kind != "fuse":
        generator = context.generator()
        lesson = gather(relation.blocks, subspace, relation.response, noise.fine, generator)
        trained = (fit_sin if kind == "spectralift" else fit_len)(lesson, generator, context)
        trials[kind] = trained.pilot, trained.prior
    if kind == "spectramorph":
        endmembers = find_endmembers(relation.blocks, settings.count or ENDMEMBERS, context)
    corrections = {name: choose_correction(*pair, relation, subspace, optics, noise) for name, pair in trials.items()}
    prior, (correction, note) = trials[kind][1], corrections[kind]
    variance = _coarse_variance(prior, blocks, subspace, seen_by)
    margin = 0 if correction is None else margin_px(correction, relation.blocks[0].placement.ratio_y)
    estimator = SubspaceEstimator(subspace, prior, correction, variance, margin)
    contenders = []
    for name in dict.fromkeys((kind, "fuse")):
        trial = trials[name][0]
        ways = [(f"{trial.name}, corrected", corrections[name][0])] if corrections[name][0] is not None else []
        for title, way in (*ways, (trial.name, None)):
            contenders.append(judge(title, trial, way, blocks, subspace, seen_by.footprint, seen_by.zeros_outside))
    contenders.append(judge_interpolation(relation.blocks))
    facts = _facts(relation, optics, noise, estimator, tuple(contenders), note, len(subspace.basis.T))
    return Fitted(estimator, facts, endmembers)


def fit_paper(kind: str, relation: Relation, settings: FusionSettings, context: Context) -> Fitted:
    """Train a network exactly as published; see :mod:`core.fusion.paper`.

    Args:
        kind: ``spectralift`` or ``spectramorph``.
        relation: the pair.
        settings: the settings.
        context: progress, messages and cancelling.
    """
    pixels = _valid(relation.blocks).to(context.device)
    # the MSI is on the HSI's scale already, so one scale serves both and keeps Z = S Y true
    scale = percentile_scale(pixels)
    response = relation.response.to(context.device)
    generator = context.generator()
    around = None
    if kind == "spectralift":
        model = fit_spectralift(pixels, response, (scale, scale), generator, context)
    else:
        if len(response) == 1:
            parts = [averaged(b.hsi, b.hsi_valid, PRIOR_SIDE)[:, b.hsi_valid] for b in relation.blocks]
            around = torch.cat(parts, dim=1).to(context.device)
        count = settings.count or ENDMEMBERS
        model = fit_spectramorph(pixels, response, (scale, scale), generator, context, 1, count, around)
    # of coarse pixels that the network was trained on: fine ones err more rather than less
    variance = float((model.predict(response @ pixels, around) - pixels).square().mean())
    model.to(torch.device("cpu"))
    optics = find_optics(relation, replace(settings, psf="none"))
    estimator = PaperEstimator(model, variance)
    noise = Noise(0.0, _fine_noise(relation.blocks))
    facts = _facts(relation, optics, noise, estimator, (), "As published: the prediction is not corrected.", 0)
    endmembers = None if model.endmembers is None else scale.from_unit(model.endmembers)
    return Fitted(estimator, facts, endmembers)


def find_optics(relation: Relation, settings: FusionSettings) -> Optics:
    """Take or estimate the coarse image's footprint."""
    placement = relation.blocks[0].placement
    ratios = placement.ratio_y, placement.ratio_x
    area = gaussian_footprint(0.0, 0.0, *ratios)
    if settings.psf == "none":
        return Optics(area, False, False, 0.0, "The point spread function was not estimated, as chosen.")
    if not isinstance(settings.psf, str):
        given = gaussian_footprint(settings.psf, settings.psf, *ratios)
        return Optics(given, True, False, 1.0, f"Point spread function: Gaussian, sigma {settings.psf:g} fine pixels.")
    found = fit_footprint(relation.blocks, relation.response)
    if found is None:
        note = "Too few coarse pixels lie within the multispectral image to estimate the point spread function."
        return Optics(area, False, False, 0.0, note)
    shape = "free-form kernel" if found.sigma is None else f"Gaussian, sigma {found.sigma[0]:.2f} fine pixels"
    note = (
        f"Point spread function estimated from the pair: {shape}; it explains {100 * found.explained:.1f} % of what "
        "the coarse image shows in the multispectral bands."
    )
    trusted = found.explained >= LEAST_EXPLAINED
    return Optics(found.footprint, trusted, found.zeros_outside and relation.complete, found.explained, note)


def _learnt_from(relation: Relation, optics: Optics) -> tuple[Sequence[PairBlock], Optics]:
    """The blocks and footprint by which guesses are learnt and judged.

    Where the blur is not known, the coarse image as the MSI's bands would see it takes the MSI's place: it is blurred
    just as the spectra are, whatever by.
    """
    if optics.known:
        return relation.blocks, optics
    itself = replace(optics, footprint=gaussian_footprint(0.0, 0.0, 1.0, 1.0), zeros_outside=False)
    blocks = [
        replace(block, msi=_as_msi(block, relation.response), msi_valid=block.hsi_valid, placement=Placement(1.0, 1.0))
        for block in relation.blocks
    ]
    return blocks, itself


def _as_msi(block: PairBlock, response: torch.Tensor) -> torch.Tensor:
    """The coarse pixels as the MSI would see them, [msi_bands, h, w]."""
    return (response @ block.hsi.flatten(1)).reshape(-1, *block.coarse_shape)


def coarse_views(
    blocks: Sequence[PairBlock], response: torch.Tensor, subspace: Subspace, optics: Optics
) -> list[CoarseView]:
    """The blocks as fitting at the coarse scale needs them."""
    views = []
    for block in blocks:
        blur = Blur(optics.footprint, block.placement, block.fine_shape, block.coarse_shape)
        least = LEAST_COVERAGE_ZEROS if optics.zeros_outside else LEAST_COVERAGE
        whole = blur(block.msi_valid[None].float())[0] > LEAST_COVERAGE * blur.coverage
        usable = block.hsi_valid & whole & (blur.coverage > least)
        coefficients = subspace.project(block.hsi, blur.coverage if optics.zeros_outside else None)
        seen = _as_msi(block, response)
        msi = torch.where(block.msi_valid, block.msi, 0.0)
        views.append(CoarseView(msi, seen, coefficients, blur, usable))
    return views


def choose_correction(
    trial: Prior, prior: Prior, relation: Relation, subspace: Subspace, optics: Optics, noise: Noise
) -> tuple[Correction | None, str]:
    """Choose the correction's strength, or none, by coarse pixels that were kept aside.

    Args:
        trial: the prior fitted without those pixels.
        prior: the same fitted on all of them.
        relation: the pair.
        subspace: of the coefficients.
        optics: the footprint.
        noise: of both images.

    Returns:
        the correction for ``prior``, and a sentence.
    """
    if not optics.known:
        return None, "The prediction is not corrected, because the point spread function is not known well enough."
    footprint, zeros = optics.footprint, optics.zeros_outside
    rest = [replace(block, hsi_valid=block.hsi_valid & ~aside(block.hsi_valid)) for block in relation.blocks]

    def make(guess: Prior, blocks: Sequence[PairBlock], inflation: float) -> Correction:
        errors = torch.cat([_errors(guess, block, subspace, optics) for block in blocks], dim=1)
        return make_correction(footprint, zeros, errors, noise, relation.response, subspace, inflation)

    alone = judge("", trial, None, relation.blocks, subspace, footprint, zeros)
    trials = [
        (judge("", trial, make(trial, rest, mu), relation.blocks, subspace, footprint, zeros).rmse, mu)
        for mu in INFLATIONS
    ]
    error, inflation = min(trials)
    if not error <= WORTHWHILE * alone.rmse:
        return None, "The prediction is not corrected: on coarse pixels kept aside the correction does not help."
    note = (
        f"The prediction is corrected so that it agrees with both images within their noise; on coarse pixels kept "
        f"aside the error falls from {alone.rmse:.4g} to {error:.4g}."
    )
    return make(prior, relation.blocks, inflation), note


def _valid(blocks: Sequence[PairBlock]) -> torch.Tensor:
    """Valid coarse pixels, [hsi_bands, pixels]."""
    return torch.cat([block.hsi[:, block.hsi_valid] for block in blocks], dim=1)


def _without(views: Sequence[CoarseView]) -> list[CoarseView]:
    """The views without the pixels that are kept aside."""
    return [replace(view, usable=view.usable & ~aside(view.usable)) for view in views]


def _fine_noise(blocks: Sequence[PairBlock]) -> torch.Tensor:
    return torch.stack([noise_variance(block.msi, block.msi_valid) for block in blocks]).median(dim=0).values


def _errors(prior: Prior, block: PairBlock, subspace: Subspace, optics: Optics) -> torch.Tensor:
    """A prior's coarse errors where they can be judged, [components, pixels]."""
    guess = guess_of(prior, block, subspace)
    errors, usable = coarse_errors(guess, block, subspace, optics.footprint, optics.zeros_outside)
    return errors[:, usable]


def _coarse_variance(prior: Prior, blocks: Sequence[PairBlock], subspace: Subspace, optics: Optics) -> float:
    errors = torch.cat([_errors(prior, block, subspace, optics) for block in blocks], dim=1)
    if not errors.shape[1]:
        return subspace.noise
    return float(errors.square().sum(dim=0).mean()) / len(subspace.mean) + subspace.noise


def _facts(
    relation: Relation,
    optics: Optics,
    noise: Noise,
    estimator: Estimator,
    contenders: tuple[Contender, ...],
    note: str,
    components: int,
) -> dict[str, Any]:
    """What the report tells about the fit."""
    blocks = [_cropped(block) for block in relation.blocks[:2]]
    whole = [(slice(0, block.msi.shape[1]), slice(0, block.msi.shape[2])) for block in blocks]
    cubes = [estimator.expand(estimator.estimate(block, core).planes(), None) for block, core in zip(blocks, whole)]
    agreement = consistency(cubes, blocks, relation.response, optics.footprint, optics.zeros_outside)
    kernel = optics.footprint.kernel if optics.known else torch.empty(0, 0)
    return {
        "kernel": tuple(tuple(round(float(value), 6) for value in row) for row in kernel),
        "psf_confidence": optics.explained,
        "psf_note": optics.note,
        "noise_hsi": math.sqrt(noise.coarse),
        "noise_msi": math.sqrt(float(noise.fine.median())),
        "components": components,
        "correction_note": note,
        "contenders": contenders,
        "consistency_hsi": agreement[0],
        "consistency_msi": agreement[1],
        "parameters": estimator.parameters,
    }


def _cropped(block: PairBlock) -> PairBlock:
    """The upper left part of a block, small enough for a whole cube."""
    height, width = min(CHECKED_PX, block.msi.shape[1]), min(CHECKED_PX, block.msi.shape[2])
    if (height, width) == tuple(block.msi.shape[1:]):
        return block
    place = block.placement
    rows = max(1, min(block.hsi.shape[1], int((height - place.row) / place.ratio_y)))
    cols = max(1, min(block.hsi.shape[2], int((width - place.col) / place.ratio_x)))
    top, bottom, left, right = block.edges
    return PairBlock(
        block.hsi[:, :rows, :cols],
        block.hsi_valid[:rows, :cols],
        block.msi[:, :height, :width],
        block.msi_valid[:height, :width],
        place,
        (top, bottom and height == block.msi.shape[1], left, right and width == block.msi.shape[2]),
    )
