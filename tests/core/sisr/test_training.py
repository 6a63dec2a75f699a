# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hyperres.core.engine.method import Context
from hyperres.core.errors import Cancelled, HyperResError
from hyperres.core.learning import Recipe
from hyperres.core.sisr.held_out import KINDS, other_pairs
from hyperres.core.sisr.network import PlaneNet
from hyperres.core.sisr.pairs import PairBatch, generic_source
from hyperres.core.sisr.sources import Grained, Recalled, Source, Standardised
from hyperres.core.sisr.training import root_mean_square, train

CPU = torch.device("cpu")
QUICK = Recipe(steps=30, images=4, average=5, judge_every=10)


class Cells:
    """Other scenes as a source."""

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        return other_pairs("cells", 2, 1.2, 0.02, generator, count, size=10)


class Broken:
    """Pairs with a value that is no number."""

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        batch = Cells().draw(count, generator)
        return replace(batch, high=batch.high / 0.0)


class Counted:
    """Counts the pairs that a source draws."""

    def __init__(self, source: Source) -> None:
        self.source, self.drawn = source, 0

    def draw(self, count: int, generator: torch.Generator) -> PairBatch:
        self.drawn += count
        return self.source.draw(count, generator)


def network() -> PlaneNet:
    torch.manual_seed(5)
    return PlaneNet(2, width=12, blocks=1)


def held_out() -> list[PairBatch]:
    return [Cells().draw(6, torch.Generator().manual_seed(77))]


def test_training_brings_pairs_that_were_never_seen_closer_to_the_truth() -> None:
    learned = network()
    recipe = replace(QUICK, steps=120, rate=5e-3, judge_every=50)
    progress = train(learned, Cells(), held_out(), recipe, Context(CPU, seed=1))
    assert progress.errors[progress.best] < 0.93 * progress.errors[0]
    assert progress.steps == [0, 50, 100, 120]
    kept = root_mean_square(learned, held_out(), Context(CPU))
    assert kept == pytest.approx(progress.errors[progress.best], rel=1e-5)


def test_the_same_seed_gives_the_same_network() -> None:
    made = []
    for _ in range(2):
        learned = network()
        train(learned, Cells(), held_out(), replace(QUICK, steps=10), Context(CPU, seed=4))
        made.append(learned.state_dict())
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())
    assert float(made[0]["tail.weight"].abs().max()) > 0


def test_training_that_only_harms_ends_where_it_began_and_stops_early() -> None:
    learned = network()
    before = {name: value.clone() for name, value in learned.state_dict().items()}
    wild = replace(QUICK, steps=500, rate=100.0, warm_up=0.0, average=1, judge_every=2, patience=2)
    progress = train(learned, Cells(), held_out(), wild, Context(CPU, seed=1))
    assert progress.best == 0
    assert progress.steps[-1] <= 4
    assert all(torch.equal(value, before[name]) for name, value in learned.state_dict().items())


def test_the_rate_rises_and_falls() -> None:
    recipe = Recipe(steps=100, rate=1.0, warm_up=0.1)
    rates = [recipe.rate_at(step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert all(later < earlier for earlier, later in zip(rates[9:], rates[10:]))
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)


def test_a_training_can_be_stopped_and_tells_how_far_it_is() -> None:
    shares: list[float] = []
    context = Context(CPU, on_progress=shares.append, is_cancelled=lambda: len(shares) >= 1)
    with pytest.raises(Cancelled):
        train(network(), Cells(), [], QUICK, context)
    assert shares == [pytest.approx(10 / QUICK.steps)]


def test_a_training_that_diverges_says_so() -> None:
    with pytest.raises(HyperResError, match="diverged"):
        train(network(), Broken(), [], QUICK, Context(CPU))


def test_scaled_pairs_still_belong_together() -> None:
    """Scale, sign and shift are those of both resolutions, and the noise has the same scale."""
    plain = Cells().draw(5, torch.Generator().manual_seed(3))
    scaled = Standardised(Cells()).draw(5, torch.Generator().manual_seed(3))
    factors = (scaled.low - scaled.low.mean(dim=(2, 3), keepdim=True)) / (
        plain.low - plain.low.mean(dim=(2, 3), keepdim=True)
    )
    factor = factors.flatten(2).median(dim=2).values
    shift = scaled.low.mean(dim=(2, 3)) - factor * plain.low.mean(dim=(2, 3))
    torch.testing.assert_close(
        scaled.high, plain.high * factor[..., None, None] + shift[..., None, None], rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(scaled.noise, plain.noise * factor.abs(), rtol=1e-3, atol=1e-6)
    assert (factor > 0).any()
    assert (factor < 0).any()
    assert 0.2 < float(scaled.low.flatten(2).std(dim=2).mean()) < 2.0


def test_a_plane_that_is_hardly_there_is_not_blown_up() -> None:
    class Empty:
        def draw(self, count: int, generator: torch.Generator) -> PairBatch:
            batch = Cells().draw(count, generator)
            batch.low[:, 0] *= 1e-6
            return batch

    scaled = Standardised(Empty()).draw(3, torch.Generator().manual_seed(3))
    assert float(scaled.low[:, 0].flatten(1).std(dim=1).max()) < 1e-4


def test_grain_lies_over_both_resolutions_and_keeps_the_power() -> None:
    plain = Cells().draw(12, torch.Generator().manual_seed(8))
    grained = Grained(Cells()).draw(12, torch.Generator().manual_seed(8))
    torch.testing.assert_close(grained.noise, plain.noise)
    powers = grained.high.var(dim=(2, 3)).sum(dim=1) / plain.high.var(dim=(2, 3)).sum(dim=1)
    assert 0.6 < float(powers.median()) < 1.4
    # what grain adds to the coarse planes is what it adds to the fine ones, seen coarsely
    added = [after - before for after, before in zip((grained.low, grained.high), (plain.low, plain.high))]
    coarse = torch.nn.functional.avg_pool2d(added[1], 2)
    seen = torch.stack(
        [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(added[0].flatten(1), coarse.flatten(1))]
    )
    assert float(seen.min()) > 0.8
    assert float(seen.median()) > 0.95


def test_recalled_pairs_are_drawn_a_few_times_each_and_stay_together() -> None:
    counted = Counted(Cells())
    recalled, generator = Recalled(counted, times=4, kept=8), torch.Generator().manual_seed(9)
    for _ in range(20):
        batch = recalled.draw(4, generator)
    assert counted.drawn == 4 + 19
    assert batch.low.shape == (4, 4, 10, 10)
    for low, high in zip(batch.low, batch.high):
        coarse = torch.nn.functional.avg_pool2d(high, 2)
        seen = torch.corrcoef(torch.stack([coarse.flatten(), low.flatten()]))[0, 1]
        assert seen > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_other_scenes_are_seen_through_the_blur_they_claim(kind: str) -> None:
    """Where neither noise nor aliasing is, the coarse planes' powers are the fine ones' times the blur's, squared."""
    generator = torch.Generator().manual_seed(4)
    sharp = other_pairs(kind, 4, 1.6, 0.0, generator, count=3)
    blurred = other_pairs(kind, 4, 4.0, 0.0, generator.manual_seed(4), count=3)
    torch.testing.assert_close(sharp.high, blurred.high)
    assert sharp.low.std() > blurred.low.std()
    powers = [
        torch.fft.rfft(part.low - part.low.mean(), dim=-1).abs().square().mean(dim=(0, 1, 2))
        for part in (sharp, blurred)
    ]
    frequency = torch.arange(1, 5) / 32 / 4  # cycles per fine pixel
    expected = torch.exp(-((2 * torch.pi * frequency) ** 2) * (4.0**2 - 1.6**2))
    # a cut-out wave leaks into its neighbours, so only the first waves are clean enough to compare
    torch.testing.assert_close((powers[1] / powers[0])[1:5], expected, rtol=0.25, atol=0.05)


def test_generic_leaves_are_a_source() -> None:
    batch = Standardised(generic_source(2, 3, 12)).draw(2, torch.Generator().manual_seed(1))
    error = root_mean_square(network(), [batch], Context(CPU))
    assert 0.0 < error < 2.0
