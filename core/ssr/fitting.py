# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits a model on training data: a contest of all ways, then what has to be said about the winner."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..engine.method import Context
from ..errors import InputError
from ..learning import Keeper
from .contest import MOST_PIXELS, Entry, choose, estimate, find_peak, fit_network, fit_simple, judge
from .deviation import Deviations, expect, raised
from .evidence import NETWORKS, Example, SsrEvidence, Training
from .kept import keep_spectra
from .model import SsrModel
from .pairs import Pixels, TrainingData, TrainingPart, gather, lesson
from .settings import SsrSettings
from .unseen import blind_note, find_unseen
from .ways import Way

LEAST_PIXELS = 50
"""Valid pixels below which nothing can be learnt or judged."""
EXAMPLES = 6
SIMPLE_SHARE = 0.1
"""Of the progress, where a network is trained as well."""


def fit(data: TrainingData, settings: SsrSettings, context: Context, keeper: Keeper | None = None) -> SsrModel:
    """Fit all ways, choose one, and find out how far it can be trusted.

    Args:
        data: the training data.
        settings: the settings; regressions are fitted whatever the preset, what takes longer only where it is asked
            for.
        context: device, seed, progress, messages and the wish to stop.
        keeper: lets an interrupted training go on.

    Raises:
        InputError: there is too little to learn from.
        Cancelled: the user asked to stop.
    """
    check_data(data)
    peak = find_peak(data.held)
    networks = settings.preset in ("auto", *NETWORKS)
    first, training = _part_of(context, 0.0, SIMPLE_SHARE if networks else 1.0), Training()
    simple = fit_simple(data, first, settings.preset)
    entries = [Entry(way, judge(way, data.held, peak, seconds)) for way, seconds in simple]
    if networks:
        start = max(zip(simple, entries), key=lambda pair: pair[1].score.psnr)[0][0]
        network, training = fit_network(data, start, settings, _part_of(context, SIMPLE_SHARE, 1.0), keeper)
        entries.append(Entry(network, judge(network, data.held, peak, training.seconds)))
    chosen = choose(entries, settings.preset)
    pixels = lesson(data, MOST_PIXELS, context.generator())
    expected = expect(pixels, data.response, data.noise, context.generator())
    deviations, inflation, covered = raised(expected, chosen.way, data.held)
    unseen = find_unseen(torch.cov(pixels.hsi.double()), data.response, data.noise)
    evidence = SsrEvidence(
        mode=settings.mode,
        preset=settings.preset,
        chosen=chosen.way.kind,
        contenders=tuple(sorted((entry.score for entry in entries), key=lambda score: -score.psnr)),
        peak=peak,
        train_pixels=_count(data.train),
        held_pixels=_count(data.held),
        dimensions=chosen.way.basis.shape[1],
        response=_rows(data.response),
        low=_rows(data.low),
        high=_rows(data.high),
        nominal=None if data.nominal is None else _rows(data.nominal),
        gain=_numbers(data.gain),
        offset=_numbers(data.offset),
        unseen=_numbers(unseen.share),
        blind=tuple(unseen.blind.tolist()),
        inflation=inflation,
        covered=covered,
        residual=_residual(chosen.way, data),
        examples=_examples(chosen.way, deviations, data.held),
        training=training,
        notes=(*data.notes, *blind_note(unseen, data.hsi_table)),
    )
    context.on_message(evidence.verdict())
    seen = pixels.msi.mean(dim=1), pixels.msi.amin(dim=1), pixels.msi.amax(dim=1)
    radiometry = torch.stack([data.gain, data.offset, data.ceiling, *seen])
    return SsrModel(
        data.hsi_table,
        data.msi_table,
        chosen.way,
        deviations,
        radiometry,
        settings,
        evidence,
        keep_spectra(data),
        data.kept or None,
    )


def _part_of(context: Context, start: float, end: float) -> Context:
    """A context for a part of the work."""
    return replace(context, on_progress=lambda share: context.on_progress(start + (end - start) * share))


def check_data(data: TrainingData) -> None:
    """Refuse data that nothing can be learnt from.

    Raises:
        InputError: says what is wrong.
    """
    for parts, title in ((data.train, "to learn from"), (data.held, "to validate with")):
        count = _count(parts)
        if count < LEAST_PIXELS:
            raise InputError(
                f"Only {count} pixels with spectra are left {title}; at least {LEAST_PIXELS} are needed: choose "
                "images that share more valid ground, or another source of spectra."
            )
    for part in (*data.train, *data.held):
        if not bool((part.hsi.isfinite().all(dim=0) & part.msi.isfinite().all(dim=0))[part.valid].all()):
            raise InputError("The spectra hold values that are no numbers: check the nodata values of the inputs.")
    _refuse_constant(gather(data.train, MOST_PIXELS), data)


def _refuse_constant(pixels: Pixels, data: TrainingData) -> None:
    spread = pixels.msi.std(dim=1)
    constant = spread <= 1e-6 * pixels.msi.abs().mean(dim=1).clamp_min(1e-12)
    if bool(constant.any()):
        name = data.msi_table.names[int(constant.nonzero()[0])]
        raise InputError(
            f"Band {name} of the multispectral image has the same value everywhere, so nothing can be learnt from it: "
            "leave it out."
        )


def _count(parts: tuple[TrainingPart, ...]) -> int:
    return sum(int(part.valid.sum()) for part in parts)


def _residual(way: Way, data: TrainingData) -> tuple[float, ...]:
    """Root mean square of Y - R X on the validation part."""
    left = [
        (part.msi - torch.einsum("cb,bij->cij", data.response, estimate(way, part)))[:, part.valid]
        for part in data.held
    ]
    return _numbers(torch.cat(left, dim=1).square().mean(dim=1).sqrt())


def _examples(way: Way, deviations: Deviations, held: tuple[TrainingPart, ...]) -> tuple[Example, ...]:
    """Spectra at even steps of brightness, from the darkest tenth to the brightest."""
    bands, found = range(len(way.basis)), []
    for part in held:
        guess, stated = estimate(way, part), deviations.of(part.msi, bands)
        found.append(torch.stack([values[:, part.valid] for values in (part.hsi, guess, stated)]))
    truth, guess, stated = torch.cat(found, dim=2)
    order = truth.mean(dim=0).argsort()
    places = (torch.linspace(0.05, 0.95, EXAMPLES) * (len(order) - 1)).round().long()
    return tuple(
        Example(_numbers(truth[:, i]), _numbers(guess[:, i]), _numbers(stated[:, i])) for i in order[places].tolist()
    )


def _rows(matrix: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(row) for row in matrix)


def _numbers(values: torch.Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
