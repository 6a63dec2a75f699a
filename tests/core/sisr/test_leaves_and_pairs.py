# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator against its definition: which leaf lies in front, whole colours, the sensor's blur, the noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hyperres.core.physics.footprint import point_gaussian_footprint
from hyperres.core.sisr.canvas import Canvas, Leaves
from hyperres.core.sisr.colours import FoundColours, MadeUpColours, PurerColours, draw_texture
from hyperres.core.sisr.leaves import _Drawer, draw_leaves, general_law, paper_law
from hyperres.core.sisr.pairs import PaperNoise, degraded, generic_source, painted, paper_source

HEIGHT, WIDTH, LEAVES = 60, 75, 150


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def any_leaves(pictures: int) -> Leaves:
    """Leaves of all shapes, some of them centred beyond the edge."""
    rng = np.random.default_rng(3)
    shape = (pictures, LEAVES)
    parts = (
        rng.uniform(-20, HEIGHT + 20, shape),
        rng.uniform(-20, WIDTH + 20, shape),
        np.exp(rng.uniform(0, 3.5, shape)),
        np.exp(rng.uniform(0, 3, shape)),
        rng.uniform(0, 2 * math.pi, shape),
        rng.random(shape) < 0.3,
        rng.choice([0.2, 0.6, 1.1, 3.0], shape),
    )
    return Leaves(*(torch.tensor(part, dtype=torch.float32) for part in parts))


def leaf_by_leaf(leaves: Leaves, picture: int) -> np.ndarray:
    """The definition: each leaf takes the pixels that are still free."""
    row, col, half_u, half_v, angle, rounded, cut = (
        getattr(leaves, name)[picture].double().numpy()
        for name in ("row", "col", "half_u", "half_v", "angle", "rounded", "cut")
    )
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    index = np.full((HEIGHT, WIDTH), -1)
    for k in range(LEAVES):
        u = ((x - col[k]) * np.cos(angle[k]) + (y - row[k]) * np.sin(angle[k])) / half_u[k]
        v = (-(x - col[k]) * np.sin(angle[k]) + (y - row[k]) * np.cos(angle[k])) / half_v[k]
        cornered = (abs(u) < 1) & (abs(v) < 1) & (u + v < cut[k])
        inside = u**2 + v**2 < 1 if rounded[k] else cornered
        index[(index < 0) & inside] = k
    return index


def test_a_pixel_belongs_to_the_first_leaf_over_it() -> None:
    leaves = any_leaves(2)
    canvas = Canvas(2, HEIGHT, WIDTH, torch.device("cpu"))
    canvas.add(leaves)
    for picture in range(2):
        wrong = canvas.index[picture].numpy() != leaf_by_leaf(leaves, picture)
        assert wrong.mean() < 1e-3  # rounding, for pixels that lie on an edge


def test_leaves_may_fall_in_any_number_of_rounds() -> None:
    leaves = any_leaves(2)
    whole, split = (Canvas(2, HEIGHT, WIDTH, torch.device("cpu")) for _ in range(2))
    whole.add(leaves)
    for part in (slice(0, 40), slice(40, LEAVES)):
        split.add(Leaves(*(value[:, part] for value in vars(leaves).values())))
    assert torch.equal(whole.index, split.index)


@pytest.mark.parametrize("law", [paper_law(4), general_law(4)], ids=["paper", "general"])
def test_leaves_cover_everything_and_come_from_the_seed(law) -> None:
    first, count = draw_leaves(law, 3, 64, 48, seeded())
    again, _ = draw_leaves(law, 3, 64, 48, seeded())
    other, _ = draw_leaves(law, 3, 64, 48, seeded(1))
    assert first.shape == (3, 128, 96)
    assert 0 <= int(first.min()) and int(first.max()) < count
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_sides_and_angles_of_the_published_law() -> None:
    """Whole numbers, uniform from 4 s to 60 s - 1 canvas pixels and from 45 to 89 degrees; centres on the canvas."""
    factor = 2
    drawn = _Drawer(paper_law(factor), 120, 100, seeded()).anywhere(4, 50_000)
    for half in (drawn.half_u, drawn.half_v):
        seen = torch.bincount((2 * half).long().flatten(), minlength=60 * factor)
        assert int(seen[: 4 * factor].sum()) == 0 and len(seen) == 60 * factor
        share = seen[4 * factor :] / half.numel()
        assert torch.allclose(share, torch.tensor(1.0 / (56 * factor)), rtol=0.12)
    degrees = torch.rad2deg(drawn.angle).round()
    assert (int(degrees.min()), int(degrees.max())) == (45, 89)
    assert 0 <= float(drawn.row.min()) and float(drawn.row.max()) == 119 and float(drawn.col.max()) == 99


def test_sizes_of_the_general_law_follow_its_power() -> None:
    """A density of d^-3 over the canvas, times the area of the field from which a leaf of that size reaches it."""
    drawer = _Drawer(general_law(4), 200, 200, seeded())
    sizes = 2.0 * drawer.anywhere(1, 200_000).half_u[0]
    short = sizes[(sizes > 2.0) & (sizes < 20.0)].double()
    edges = torch.tensor([2.0, 3.0, 5.0, 8.0, 12.0, 20.0], dtype=torch.float64)
    seen = torch.histogram(short, edges).hist / len(short)

    def mass(d: float) -> float:
        return -(200.0**2) / (2 * d * d) - 2 * 200.0 / d + math.log(d)  # integral of d^-3 (200 + d)^2

    wanted = torch.tensor([mass(float(b)) - mass(float(a)) for a, b in zip(edges[:-1], edges[1:])])
    assert torch.allclose(seen, wanted.double() / wanted.sum(), atol=0.02)


def test_published_colours_are_whole_pixels_of_the_scene() -> None:
    scene = torch.rand(5, 7, 9, generator=seeded())
    index, leaves = draw_leaves(paper_law(2), 1, 20, 20, seeded())
    canvas = painted(index, FoundColours(scene).draw(1, leaves, seeded()).mT)[0]
    known = {tuple(row) for row in scene.flatten(1).T.tolist()}
    assert {tuple(row) for row in canvas.flatten(1).T.tolist()} <= known


def test_pixels_that_do_not_count_lend_no_colour() -> None:
    scene = torch.rand(2, 6, 6, generator=seeded())
    scene[:, :, 3:] = 99.0
    valid = torch.zeros(6, 6, dtype=torch.bool)
    valid[:, :3] = True
    for palette in (FoundColours(scene, valid), PurerColours(scene, 4, valid)):
        assert float(palette.draw(3, 400, seeded()).max()) <= 1.0


def test_purer_colours_have_more_contrast_and_none_below_zero() -> None:
    scene = torch.rand(4, 20, 20, generator=seeded()) * 0.5
    pure = PurerColours(scene, 4).draw(1, 5000, seeded())[0]
    assert float(pure.min()) >= 0.0
    assert bool((pure.std(dim=0) > 1.2 * scene.flatten(1).std(dim=1)).all())


def test_made_up_colours_are_shares() -> None:
    shares = MadeUpColours(6).draw(8, 300, seeded())
    assert float(shares.min()) >= 0.0
    assert torch.allclose(shares.sum(dim=2), torch.ones(8, 300), atol=1e-5)


def test_texture_moves_within_mixtures() -> None:
    texture = draw_texture(50, 24, 24, seeded())
    assert float(texture.min()) >= 0.0 and float(texture.max()) <= 0.5


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_an_impulse_shows_the_point_spread_function(factor: int) -> None:
    sigma = 0.6 * factor
    size = 12 * factor
    kernel = point_gaussian_footprint(sigma, sigma, factor).kernel
    taps = kernel.shape[0]
    centre = (6 + 0.5) * factor - 0.5  # of coarse pixel 6
    first = round(centre - (taps - 1) / 2)
    response = torch.zeros_like(kernel)
    for down in range(taps):
        fine = torch.zeros(1, taps, size, size)
        fine[0, torch.arange(taps), first + down, first + torch.arange(taps)] = 1.0
        response[down] = degraded(fine, factor, *[torch.full((1,), sigma)] * 2)[0, :, 6, 6]
    assert torch.allclose(response, kernel, atol=2e-4 * float(kernel.max()) + 1e-6)


def test_a_constant_stays_constant_and_nothing_moves() -> None:
    sigma = torch.tensor([2.0])
    assert torch.allclose(degraded(torch.full((1, 1, 48, 48), 0.7), 4, sigma, sigma), torch.tensor(0.7), atol=1e-6)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    row, col = 45.3, 50.8
    blob = torch.exp(-((y - row) ** 2 + (x - col) ** 2) / (2 * 6.0**2))[None, None]
    low = degraded(blob, 4, sigma, sigma)[0, 0]
    places = (torch.arange(24.0) + 0.5) * 4 - 0.5
    found = (low.sum(1) @ places / low.sum(), low.sum(0) @ places / low.sum())
    assert abs(float(found[0]) - row) < 0.05 * 4 and abs(float(found[1]) - col) < 0.05 * 4


def test_published_noise_has_the_covariance_of_the_pseudo_inverse() -> None:
    endmembers = torch.rand(40, 5, generator=seeded()) + torch.eye(40, 5)
    noise = PaperNoise(endmembers).shape(torch.zeros(1, 5, 500, 500), seeded())[0].flatten(1).double()
    found = noise @ noise.T / noise.shape[1]
    wanted = torch.linalg.inv(endmembers.double().T @ endmembers.double())
    assert float((found - wanted).norm() / wanted.norm()) < 0.05


def test_every_other_published_pair_is_free_of_noise() -> None:
    endmembers = torch.rand(40, 3, generator=seeded())
    batch = paper_source(4, torch.rand(3, 12, 12, generator=seeded()), endmembers).draw(4, seeded())
    assert batch.low.shape == (4, 3, 12, 12) and batch.high.shape == (4, 3, 48, 48)
    assert bool((batch.noise[::2] > 0).all()) and bool((batch.noise[1::2] == 0).all())
    again = degraded(batch.high, 4, batch.sigma, batch.sigma, 3.0)
    assert torch.allclose(batch.low[1::2], again[1::2], atol=1e-5)
    assert not torch.allclose(batch.low[::2], again[::2], atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pairs_for_any_scene_are_told_how_they_were_seen(factor: int) -> None:
    batch = generic_source(factor, 3, 10).draw(6, seeded())
    again = degraded(batch.high, factor, batch.sigma, batch.sigma)
    inner = (..., slice(4, -4), slice(4, -4))
    spread = batch.low.flatten(2).std(dim=2).mean(dim=1)
    error = (batch.low - again)[inner].flatten(1).std(dim=1)
    # the noise they tell, and a blur that differs from what they tell by at most 15 percent
    assert bool((error < 2.0 * batch.noise[:, 0] + 0.25 * spread).all())
    assert bool((batch.sigma >= 0.35 * factor).all()) and bool((batch.sigma <= 1.3 * factor).all())
