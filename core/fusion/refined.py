# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the ensembles of the refined methods on coarse pixels so that they hold on fine ones.

    loss = mean |f(Z + n) - T| / sqrt(k) + 0.3 mean |S (V f(M) + mean) - M|

T are the k coefficients of coarse pixels in the spectral subspace, Z the same pixels seen by the MSI's bands, M fine
pixels. Three things differ between the coarse pixels one learns from and the fine ones one predicts, and each is met:

* Fine pixels are noisier than Z, an average over many bands: noise n of the MSI's own strength is added.
* Fine pixels are more diverse than coarse ones, which are their averages: pixels are pushed away from the mean of
  their block, T + a (T - mean T) and Z likewise, a = 0 to 1. Mixing is linear, so both stay true to each other.
* Where no coarse pixel is like a fine one, its spectrum must at least explain what the MSI sees of it (second term).

How long to train depends on the scene (few or noisy pixels are soon over-fitted), so pilots of a few lengths predict
blocks of pixels that are kept aside, and the best length is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..engine.method import Context
from ..physics.upsample import blend
from .contest import aside
from .distillation import distil
from .network_prior import NetworkPrior
from .networks import BatchedLen, BatchedSin
from .pair import PairBlock
from .subspace import Subspace
from .surroundings import averaged
from .training import OneCycle, Strata, train

BLOCK = 3
"""Coarse pixels along the side of the blocks whose mean pixels are pushed away from."""
BATCH = 1024
FINE_BATCH = 256
FINE_SAMPLE = 1 << 15
SEEN_WEIGHT = 0.3
MOST_NOISE = 0.01
"""Noise is taken to be at most this share of a band's root mean square: texture passes for noise in busy images, and
too much of it costs more accuracy than it brings."""
PUPIL_WORK = 500
"""What teaching the pupil costs, in steps of one network."""
PAN_PLANES = 8
PAN_BLOCK = 2
"""Side of the blocks whose mean stands for the coarse pixel in training."""
SMOOTHING = 1e-6
"""Makes the loss round at zero, relative to the square of the data's range."""

Maker = Callable[[int, int, int, torch.Generator], "BatchedSin | BatchedLen"]
"""Makes a network from inputs, outputs, members and a generator."""


@dataclass(frozen=True)
class Recipe:
    """What differs between the methods.

    Attributes:
        make: the network.
        pupil: the smaller one that is taught what the ensemble says.
        members: of the ensemble.
        steps: lengths of training to choose from, rising.
        peak: highest learning rate.
    """

    make: Maker
    pupil: Maker
    members: int
    steps: tuple[int, ...]
    peak: float = 1e-2


@dataclass(frozen=True)
class Lesson:
    """Pixels to learn from.

    Attributes:
        seen: Z, coarse pixels as the MSI sees them, [msi_bands, pixels]; below them the context, where there is one.
        target: their coefficients, [components, pixels].
        seen_mean: mean of Z in each pixel's block, as large as ``seen`` (the context itself in its rows).
        target_mean: mean of the targets there, [components, pixels].
        aside: pixels that pilots are judged by, bool [pixels].
        fine: M with context, [inputs, pixels].
        fine_noise: variance of the MSI's noise, [msi_bands].
        fine_rms: root mean square of M, [msi_bands].
        response: what the MSI sees of the coefficients, S V, [msi_bands, components].
        grey: what it sees of the mean spectrum, [msi_bands].
        scale: range of the data, by which networks see it divided.
        context_planes: rows of context.
    """

    seen: torch.Tensor
    target: torch.Tensor
    seen_mean: torch.Tensor
    target_mean: torch.Tensor
    aside: torch.Tensor
    fine: torch.Tensor
    fine_noise: torch.Tensor
    fine_rms: torch.Tensor
    response: torch.Tensor
    grey: torch.Tensor
    scale: float
    context_planes: int

    def without(self) -> Lesson:
        """The lesson without what is kept aside."""
        kept = ~self.aside
        names = ("seen", "target", "seen_mean", "target_mean")
        return replace(self, **{name: getattr(self, name)[:, kept] for name in names})


def gather(
    blocks: Sequence[PairBlock],
    subspace: Subspace,
    response: torch.Tensor,
    fine_noise: torch.Tensor,
    generator: torch.Generator,
) -> Lesson:
    """Collect what networks learn from.

    With a single MSI band, the coarse coefficients of the place become further inputs.

    Args:
        blocks: parts of the pair, with the MSI on the HSI's scale.
        subspace: of the HSI.
        response: S, [msi_bands, hsi_bands].
        fine_noise: variance of the MSI's noise, [msi_bands].
        generator: draws fine pixels.
    """
    planes = min(PAN_PLANES, subspace.basis.shape[1]) if len(response) == 1 else 0
    columns: list[tuple[torch.Tensor, ...]] = []
    fine = []
    for block in blocks:
        target = subspace.project(block.hsi)
        seen = (response @ block.hsi.flatten(1)).reshape(-1, *target.shape[1:])
        valid, around = block.hsi_valid, averaged(target[:planes], block.hsi_valid, PAN_BLOCK)
        # with context nothing is pushed: the context says what the block's mean is
        means = [part if planes else averaged(part, valid, BLOCK) for part in (seen, target)]
        rows = torch.cat([seen, around]), target, torch.cat([means[0], around]), means[1], aside(valid)[None]
        columns.append(tuple(part[:, valid] for part in rows))
        known = torch.where(valid, target[:planes], around)
        fine.append(torch.cat([block.msi, blend(known, block.placement, block.fine_shape)])[:, block.msi_valid])
    seen, target, seen_mean, target_mean, kept = (torch.cat(parts, dim=1) for parts in zip(*columns))
    drawn = torch.cat(fine, dim=1)
    some = torch.randint(drawn.shape[1], (min(FINE_SAMPLE, drawn.shape[1]),), generator=generator)
    return Lesson(
        seen,
        target,
        seen_mean,
        target_mean,
        kept[0],
        drawn[:, some.to(drawn.device)],
        fine_noise,
        drawn[: len(response)].square().mean(dim=1).sqrt(),
        response @ subspace.basis,
        response @ subspace.mean,
        float(torch.quantile(seen[: len(response)].abs().amax(dim=0)[: 1 << 20], 0.99).clamp_min(1e-12)),
        planes,
    )


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Attributes:
        prior: what the ensemble says, in the units of the data.
        pilot: the best network among those that did not see the pixels kept aside; the prior where there were none.
    """

    prior: NetworkPrior
    pilot: NetworkPrior


def fit_ensemble(lesson: Lesson, recipe: Recipe, generator: torch.Generator, context: Context) -> Trained:
    """Choose the length of training, then train.

    Args:
        lesson: what to learn from.
        recipe: which networks.
        generator: draws first weights, batches and noise.
        context: is told the progress and asked whether to stop.
    """
    work = sum(recipe.steps) + recipe.members * recipe.steps[-1] + PUPIL_WORK
    done = 0.0
    best, steps = float("inf"), recipe.steps[0]
    pilot = None
    pilots = lesson.without()
    enough = bool(lesson.aside.any()) and pilots.target.shape[1] >= len(lesson.target)
    for length in recipe.steps if enough else ():
        network = _train(pilots, recipe, 1, length, generator, _part(context, done / work, length / work))
        done += length
        error = _held_out(network, lesson)
        if error < best:
            best, steps, pilot = error, length, network
    share = (work - PUPIL_WORK - done) / work
    network = _train(lesson, recipe, recipe.members, steps, generator, _part(context, done / work, share))
    rest = _part(context, 1 - PUPIL_WORK / work, PUPIL_WORK / work)
    pixels = torch.cat([lesson.seen, lesson.fine], dim=1) / lesson.scale
    pupil = recipe.pupil(len(pixels), len(lesson.target), 1, generator)
    pupil.to(pixels.device)
    distil(network, pupil, pixels, recipe.peak, generator, rest)
    for trained in (network, pupil):
        _fold(trained, lesson.scale)
    context.on_message(f"Trained {recipe.members} networks side by side for {steps} steps.")
    prior = NetworkPrior(pupil, lesson.context_planes, network)
    if pilot is None:
        return Trained(prior, prior)
    _fold(pilot, lesson.scale)
    return Trained(prior, NetworkPrior(pilot, lesson.context_planes))


def _train(
    lesson: Lesson, recipe: Recipe, members: int, steps: int, generator: torch.Generator, context: Context
) -> BatchedSin | BatchedLen:
    """Train on data divided by their scale."""
    bands, scale = len(lesson.grey), lesson.scale
    seen, target, fine = lesson.seen / scale, lesson.target / scale, lesson.fine / scale
    seen_push, target_push = seen - lesson.seen_mean / scale, target - lesson.target_mean / scale
    grey, response = lesson.grey[:, None] / scale, lesson.response
    noise = (torch.minimum(lesson.fine_noise.sqrt(), MOST_NOISE * lesson.fine_rms) / scale)[:, None]
    norm = len(target) ** 0.5
    device = target.device
    network = recipe.make(len(seen), len(target), members, generator)
    network.to(device)
    strata = Strata(seen[:bands], BATCH, generator)

    def loss() -> torch.Tensor:
        drawn = strata.draw()
        inputs, wanted, push, pull = seen, target, seen_push, target_push
        if drawn is not None:
            inputs, wanted, push, pull = (part[:, drawn] for part in (inputs, wanted, push, pull))
        count = inputs.shape[1]
        share = torch.rand(count, generator=generator).to(device)
        inputs, wanted = inputs + share * push, wanted + share * pull
        inputs[:bands] += noise * torch.randn(bands, count, generator=generator).to(device)
        some = fine[:, torch.randint(fine.shape[1], (FINE_BATCH,), generator=generator).to(device)]
        guess = network(torch.cat([inputs, some], dim=1))
        errors = (guess[..., :count] - wanted).square().sum(dim=1).add(SMOOTHING).sqrt().mean(dim=1) / norm
        views = response @ guess[..., count:] + grey - some[:bands]
        return errors + SEEN_WEIGHT * views.abs().mean(dim=(1, 2))

    train(network, loss, OneCycle(steps, peak=recipe.peak), context)
    return network


@torch.no_grad()
def _held_out(network: BatchedSin | BatchedLen, lesson: Lesson) -> float:
    """Mean distance between guessed and true coefficients of the pixels kept aside, on the scale of networks."""
    guess = network(lesson.seen[:, lesson.aside] / lesson.scale).mean(dim=0)
    return float((guess - lesson.target[:, lesson.aside] / lesson.scale).norm(dim=0).mean())


def _fold(network: BatchedSin | BatchedLen, scale: float) -> None:
    """Let a network see and predict the data in their own units; both activations are linear along rays."""
    views = network.views()
    views[0][0].div_(scale)
    for part in views[-1]:
        part.mul_(scale)


def _part(context: Context, start: float, share: float) -> Context:
    """A context whose progress is a part of that of another."""
    return replace(context, on_progress=lambda done: context.on_progress(start + share * done))
