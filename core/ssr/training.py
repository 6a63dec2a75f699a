# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the unfolded networks on patches drawn from the training part.

Every step sees other patches, turned and mirrored by chance, and seen with another response where that is only known
roughly. They are never made brighter or darker: how bright ground is says what it is. The validation part judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..engine.method import Context
from ..learning import Keeper, Progress, Recipe, Training
from .losses import paper_loss, robust_loss
from .pairs import TrainingData, TrainingPart
from .unfolding import RobustNet, Unfolding

RECIPE = Recipe(steps=1000, images=16, rate=2e-3, average=200, judge_every=100, patience=4)
"""A single scene is learnt by heart soon: what watches ends the training."""
PAPER_RECIPE = Recipe(steps=20_000, images=64, rate=4e-4, average=1000, judge_every=500)
SIDE = 32
"""Pixels along a patch, where the parts are as large."""
COMPARED = 48
"""Bands, by chance others in every step, that the robust loss compares; neighbours tell nearly the same."""
PENALTIES = (1e-5, 1e-2, 1e-1, 1.0, 100.0)
"""mu to begin with: how far an untrained network departs from its start to explain the MSI."""
LEAST_VALID = 0.5
"""Share of a patch's pixels that must be valid."""
_TRIES = 8


def train_network(
    network: Unfolding,
    data: TrainingData,
    recipe: Recipe,
    context: Context,
    keeper: Keeper | None = None,
) -> Progress:
    """Train a network in place.

    Args:
        network: :class:`RobustNet`, or :class:`~.unfolding.PaperNet`, which gets the published loss.
        data: what to learn from.
        recipe: how long and how fast.
        context: device, seed, progress and the wish to stop.
        keeper: lets an interrupted training go on.

    Returns:
        the judgements, root mean square errors on the validation part; the weights of the best are in ``network``.

    Raises:
        DivergenceError: the loss is no finite number any more; the best weights are in ``network`` nevertheless.
        Cancelled: the user asked to stop.
    """
    patches = Patches(data, context.device)
    robust = isinstance(network, RobustNet)

    def loss(generator: torch.Generator) -> torch.Tensor:
        hsi, msi = patches.draw(recipe.images, generator)
        found = network(msi)
        if not robust:
            return paper_loss(network, found, hsi)
        bands = torch.randperm(hsi.shape[1], generator=generator)[:COMPARED].to(hsi.device)
        return robust_loss(network, found, hsi, msi, bands)

    held = [TrainingPart(*(x.to(context.device) for x in (part.hsi, part.msi, part.valid))) for part in data.held]
    if isinstance(network, RobustNet):
        settle(network.eval(), held)
    network.train()  # which computes in half precision where that is fast
    training = Training(network, lambda judged: root_mean_square(judged.eval(), held), recipe, context)

    def tell(judged: torch.nn.Module, progress: Progress) -> None:
        context.on_message(
            f"Step {progress.steps[-1]} of {recipe.steps}: RMSE on the validation part {progress.errors[-1]:.4g}."
        )

    try:
        return training.whole(loss, tell, keeper)
    finally:
        training.take_best()


def settle(network: RobustNet, held: Sequence[TrainingPart]) -> None:
    """Begin with the penalty that suits: exact consistency blows up noise and whatever is wrong in the response."""

    def error(penalty: float) -> float:
        network.trust_image(penalty)
        return root_mean_square(network, held)

    network.trust_image(min(PENALTIES, key=error))


@torch.no_grad()
def root_mean_square(network: torch.nn.Module, parts: Sequence[TrainingPart]) -> float:
    """Root mean square error over valid pixels and bands."""
    squares, count = 0.0, 0
    for part in parts:
        found = network(part.msi[None])
        error = (network.expand(found.stages[-1])[0] - part.hsi)[:, part.valid]  # type: ignore[operator]
        squares += float(error.double().square().sum())
        count += error.numel()
    return math.sqrt(squares / max(count, 1))


class Patches:
    """Draws patches; invalid pixels get the mean of the valid ones, in both images, so that they tell nothing new.

    Args:
        data: what to draw from.
        device: where patches go.
    """

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        self._parts, self._random, self._device = data.train, data.randomised, device
        self._side = min(SIDE, *(min(part.valid.shape) for part in data.train))
        areas = [float(part.valid.sum()) for part in data.train]
        self._shares = torch.tensor(areas) / sum(areas)

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """X [count, C, side, side] and Y [count, c, side, side]."""
        parts = torch.multinomial(self._shares, count, replacement=True, generator=generator)
        pairs = [self._patch(self._parts[int(part)], generator) for part in parts]
        hsi, msi = (torch.stack(images) for images in zip(*pairs))
        if self._random is not None:
            msi = self._random.observe(hsi, generator)
        turns = torch.randint(2, (3,), generator=generator).tolist()
        hsi, msi = (_turned(images, turns).contiguous() for images in (hsi, msi))
        return hsi.to(self._device), msi.to(self._device)

    def _patch(self, part: TrainingPart, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A patch of a part; after some tries one that lacks many pixels is taken as well."""
        best = self._place(part, generator)
        for _ in range(_TRIES):
            if part.valid[best].float().mean() >= LEAST_VALID:
                break
            best = max(best, self._place(part, generator), key=lambda place: int(part.valid[place].sum()))
        hsi, msi, valid = (image[..., best[0], best[1]] for image in (part.hsi, part.msi, part.valid))
        return _filled(hsi, valid), _filled(msi, valid)

    def _place(self, part: TrainingPart, generator: torch.Generator) -> tuple[slice, slice]:
        corner = [int(torch.randint(n - self._side + 1, (), generator=generator)) for n in part.valid.shape]
        return slice(corner[0], corner[0] + self._side), slice(corner[1], corner[1] + self._side)


def _filled(image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    if bool(valid.all()):
        return image
    mean = image[:, valid].mean(dim=1) if bool(valid.any()) else torch.zeros(len(image))
    return torch.where(valid, image, mean[:, None, None])


def _turned(images: torch.Tensor, turns: Sequence[int]) -> torch.Tensor:
    """Mirrored along rows, along columns, and transposed, or not."""
    axes = [axis for axis, turn in zip((-2, -1), turns) if turn]
    images = images.flip(axes) if axes else images
    return images.mT if turns[2] else images
