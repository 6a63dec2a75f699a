# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a model serve another camera than the one that it was trained for.

What spectra look like does not depend on the camera. A model keeps some of those that it learnt from; what the other
camera may see of them follows from the centres and widths of its bands (:mod:`core.ssr.randomise`). With their mean m
and covariance S, responses R_t of the trained camera and R, N of the other one and its noise, two ways lead on:

    x = way(y_t),     y_t = R_t m + R_t S R^T (R S R^T + N)^-1 (y - R m)    what the trained camera would have seen
    x = W_k f(y)      a clustered ridge, fitted on the kept spectra         what only the other one sees counts too

and the result is the mean of both. The ridge stays within a few standard deviations of the best linear estimate, for
what it makes of ground that was never met is arbitrary. Bands of the trained camera that y does not tell are lost:

    1 - diag(R_t S' R_t^T) / diag(R_t S R_t^T),    S' = S - S R^T (R S R^T + N)^-1 R S

is the share of each that is still shown. The same S' (:mod:`core.ssr.unseen`) tells by how much errors grow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..bands import BandTable
from ..engine.method import Context
from ..errors import BandsError, InputError
from .baselines import fit_clustered_ridge
from .changed_way import Affine, ChangedWay
from .deviation import Deviations, expect
from .evidence import SsrEvidence
from .factory import find_limits
from .matching import is_same_camera, listed
from .model import UNFAMILIAR, SsrModel
from .pairs import Pixels, seen_by
from .pixel_way import PixelWay
from .randomise import RandomResponses, random_responses
from .unseen import blind_note, find_unseen
from .ways import Way

LESSON = 4096
"""Pixels to learn from."""
REACH = 3.0
"""How many standard deviations of what is left open the regression may lead away from the best linear estimate."""
LEAST_SHOWN = 0.5
"""Share of what the trained camera shows that another one has to show."""


@dataclass(frozen=True)
class OtherCamera:
    """A camera as its data sheet has it, and what it would see.

    Attributes:
        table: its bands that the spectra cover.
        bands: their positions in the image.
        law: of its responses.
        low, high: between which these lie, [c, C].
        pixels: kept spectra as it may see them.
        noise: variance of what its bands show beyond the nominal response, [c].
    """

    table: BandTable
    bands: tuple[int, ...]
    law: RandomResponses
    low: torch.Tensor
    high: torch.Tensor
    pixels: Pixels
    noise: torch.Tensor


def fit_for_image(model: SsrModel, image: BandTable, context: Context) -> SsrModel:
    """The model with its bands found in an image; changed to the image's camera where that is another.

    Args:
        model: any model.
        image: the used bands of the image.
        context: seed, messages, warnings and the wish to stop.

    Raises:
        InputError: a band that the model needs is missing, and the model cannot be changed or the image's camera shows
            too little.
    """
    if is_same_camera(model.msi_table, image):
        return model.matched(image)
    if _tells(image) and model.table.wavelength_nm is not None:
        return change_camera(model, image, context)
    matched = model.matched(image)
    context.on_warning(
        f"The image's bands ({listed(image)}) lie beside those of the model ({listed(model.msi_table)}) but are taken "
        "for them, because their widths are not known: choose the image's camera under 'Sensor'."
    )
    return matched


def _tells(image: BandTable) -> bool:
    """Whether centres and widths of the bands are known; some files hold zeros for those that are not."""
    if image.wavelength_nm is None or image.fwhm_nm is None:
        return False
    return all(math.isfinite(nm) and nm > 0 for nm in (*image.wavelength_nm, *image.fwhm_nm))


def change_camera(model: SsrModel, image: BandTable, context: Context) -> SsrModel:
    """The model for another camera.

    Args:
        model: any model but one of the network as published, as it was trained.
        image: the used bands of the image, with centres and widths.
        context: seed, messages, warnings and the wish to stop.

    Raises:
        InputError: the other camera shows too little of what the model needs, or the model was changed already.
    """
    if isinstance(model.way, ChangedWay):
        raise InputError(
            f"The model was changed to another camera already ({listed(model.msi_table)}): take the model that it was "
            "made from, which loses less."
        )
    if model.way.kind == "paper":
        raise InputError(
            f"The network as published serves no other camera than the one that it was trained for "
            f"({listed(model.msi_table)}): take a model of another kind, or train one for this camera."
        )
    camera = _look(model, image, context)
    lost = _check_shown(model, camera)
    way = _learn(model, camera, context)
    deviations, loss = _restate(model, camera, context)
    sentence = _in_words(model, camera, lost, loss)
    context.on_warning(sentence)
    seen = camera.pixels.msi
    ones, zeros = torch.ones(len(seen)), torch.zeros(len(seen))
    ranges = seen.mean(dim=1), seen.amin(dim=1), seen.amax(dim=1)
    radiometry = torch.stack([ones, zeros, torch.full_like(ones, torch.inf), *ranges])
    evidence, kept = _evidence(model, camera, way, sentence, loss), replace(model.kept, noise=camera.noise)
    return SsrModel(
        model.table, camera.table, way, deviations, radiometry, model.settings, evidence, kept, camera.bands
    )


def _look(model: SsrModel, image: BandTable, context: Context) -> OtherCamera:
    """Let the image's camera look at the kept spectra."""
    bands = _covered(model.table, image)
    if not bands:
        raise BandsError(
            f"None of the image's bands ({listed(image)}) lies within the spectra of the model: choose a model of "
            "another spectral range."
        )
    table, generator = image.subset(bands), context.generator()
    law = random_responses(model.table, table.wavelength_nm or (), table.fwhm_nm or ())
    pixels = seen_by(law, model.kept.seen(law.nominal), LESSON, generator)
    low, high = law.bounds(generator)
    noise = (pixels.msi - law.nominal @ pixels.hsi).square().mean(dim=1)
    return OtherCamera(table, bands, law, low, high, pixels, noise)


def _covered(spectra: BandTable, image: BandTable) -> tuple[int, ...]:
    """Bands of the image that the spectra cover."""

    def covers(nm: float, width: float) -> bool:
        try:
            random_responses(spectra, [nm], [width])
        except BandsError:
            return False
        return True

    places = zip(image.wavelength_nm or (), image.fwhm_nm or ())
    return tuple(i for i, place in enumerate(places) if covers(*place))


def _check_shown(model: SsrModel, camera: OtherCamera) -> list[str]:
    """Refuse a camera that shows too little of what the model relied on.

    Returns:
        names of the trained camera's bands that the other one hardly shows.
    """
    trained = torch.tensor(model.evidence.response)
    shown = share_shown(torch.cov(camera.pixels.hsi.double()), trained, camera.law.nominal, camera.noise)
    if float(shown.mean()) < LEAST_SHOWN:
        worst = int(shown.argmin())
        raise BandsError(
            f"The image's bands ({listed(camera.table)}) show only {100 * float(shown.mean()):.0f} % of what the model "
            f"needs, least of all its band {model.msi_table.names[worst]}: take a model that was trained for a camera "
            "with such bands, or train one."
        )
    return [name for name, share in zip(model.msi_table.names, shown.tolist()) if share < LEAST_SHOWN]


def share_shown(
    covariance: torch.Tensor, trained: torch.Tensor, other: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Share of each band's variance that the bands of another camera tell, [c].

    Args:
        covariance: S of spectra, [C, C].
        trained: responses of the bands in question, [c, C].
        other: responses of the bands that tell, [o, C].
        noise: variance of each of those, [o].
    """
    s, ours, theirs = covariance.double(), trained.double(), other.double()
    cross = theirs @ s @ ours.mT
    told = (cross * torch.linalg.solve(theirs @ s @ theirs.mT + _diagonal(noise, s), cross)).sum(dim=0)
    varied = (ours @ s * ours).sum(dim=1)
    return (told / varied.clamp_min(1e-300)).clamp(0.0, 1.0)


def _learn(model: SsrModel, camera: OtherCamera, context: Context) -> ChangedWay:
    """The way for another camera."""
    spectra, pixels, way = model.kept.seen(camera.law.nominal).hsi, camera.pixels, model.way
    other, noise = camera.law.nominal, camera.law.noise(spectra)
    least, most = model.radiometry[4:]
    margin = UNFAMILIAR * (most - least)
    translation = translate(spectra, torch.tensor(model.evidence.response), other, noise)
    target = way.basis.mT @ pixels.hsi
    fitted = fit_clustered_ridge(pixels.msi, target, pixels.folds, context.generator())
    # a copy of the basis, for files hold no tensor twice
    fresh = PixelWay("clustered", fitted, way.basis.clone(), find_limits(target))
    covariance = torch.cov(spectra.double())
    left = 1.0 - share_shown(covariance, way.basis.mT, other, noise)
    reach = REACH * (left * (way.basis.mT @ spectra).var(dim=1)).sqrt().float()
    limits = torch.stack([least - margin, most + margin])
    return ChangedWay(way, translation, limits, fresh, translate(spectra, way.basis.mT, other, noise), reach)


def translate(spectra: torch.Tensor, trained: torch.Tensor, other: torch.Tensor, noise: torch.Tensor) -> Affine:
    """What one camera would have seen of what another one sees; coordinates of spectra are a camera as well.

    Args:
        spectra: usual ones, [C, pixels].
        trained: responses R_t of the bands to tell, [c, C].
        other: responses R of the bands that tell, [o, C].
        noise: variance of each of those, N [o].
    """
    mean, covariance = spectra.double().mean(dim=1), torch.cov(spectra.double())
    ours, theirs = trained.double(), other.double()
    system = theirs @ covariance @ theirs.mT + _diagonal(noise, covariance)
    gain = torch.linalg.solve(system, theirs @ covariance @ ours.mT).mT
    return Affine(gain.float().contiguous(), (ours @ mean - gain @ (theirs @ mean)).float())


def _diagonal(noise: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """N; bands that see the same, without noise, would leave systems without a solution."""
    return torch.diag(noise.double() + 1e-9 * covariance.diagonal().mean())


def _restate(model: SsrModel, camera: OtherCamera, context: Context) -> tuple[Deviations, float]:
    """The deviations for another camera, and by how many decibels errors grow.

    What the validation part of the training showed beyond the least deviations is added here as well.
    """
    trained = torch.tensor(model.evidence.response)
    usual, bands = model.kept.seen(trained), range(len(model.table))

    def power(of: Deviations, msi: torch.Tensor) -> torch.Tensor:
        return of.of(msi[..., None], bands)[..., 0].square().mean(dim=1)

    before = expect(usual, trained, model.kept.noise, context.generator())
    stated = power(model.deviations, usual.msi)
    beyond = (stated - power(before, usual.msi)).clamp_min(0.0)
    after = expect(camera.pixels, camera.law.nominal, camera.noise, context.generator())
    raised = replace(after, table=(after.table.square() + beyond).sqrt())
    loss = 10.0 * math.log10(float(power(raised, camera.pixels.msi).sum() / stated.sum().clamp_min(1e-30)))
    return raised, loss


def _in_words(model: SsrModel, camera: OtherCamera, lost: Sequence[str], loss: float) -> str:
    """What the user should know."""
    change = f"{abs(loss):.1f} dB {'worse' if loss > 0 else 'better'} than"
    hardly = f" It hardly shows what the model's band {', '.join(lost)} showed." if lost else ""
    return (
        f"The model was trained for another camera ({listed(model.msi_table)}) and was changed to that of the image "
        f"({listed(camera.table)}), of which it knows centres and widths only; the image has to hold reflectance. "
        f"Its spectra are expected to be {change} for the camera that it was trained for; the figures of the "
        f"validation part are about that one.{hardly}"
    )


def _evidence(model: SsrModel, camera: OtherCamera, way: Way, sentence: str, loss: float) -> SsrEvidence:
    """The account of how the model came about, with what holds for the other camera."""
    nominal, pixels = camera.law.nominal, camera.pixels
    unseen = find_unseen(torch.cov(pixels.hsi.double()), nominal, camera.noise)
    made = way.basis @ way.coordinates(pixels.msi[:, : len(model.kept.folds), None])[..., 0]
    left = pixels.msi[:, : made.shape[1]] - nominal @ made
    bands = len(nominal)

    def rows(matrix: torch.Tensor) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(row) for row in matrix.tolist())

    return replace(
        model.evidence,
        response=rows(nominal),
        low=rows(camera.low),
        high=rows(camera.high),
        nominal=rows(nominal),
        gain=(1.0,) * bands,
        offset=(0.0,) * bands,
        unseen=tuple(unseen.share.tolist()),
        blind=tuple(unseen.blind.tolist()),
        residual=tuple(left.square().mean(dim=1).sqrt().tolist()),
        notes=(
            sentence,
            *blind_note(unseen, model.table),
            "What was noted when it was trained, about the camera that it was trained for:",
            *model.evidence.notes,
        ),
        change_db=-loss,
    )
