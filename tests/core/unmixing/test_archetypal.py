# SPDX-License-Identifier: GPL-3.0-or-later
"""Archetypal analysis finds materials under shade, odd pixels and noise, where picking extreme pixels does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context, Sample
from hyperres.core.engine.moments import StreamingMoments
from hyperres.core.errors import Cancelled, InputError
from hyperres.core.quality.endmembers import match_endmembers
from hyperres.core.unmixing.archetypal import archetypal, onto_simplex
from hyperres.core.unmixing.extract import extract
from hyperres.core.unmixing.nfindr import nfindr
from hyperres.core.unmixing.settings import UnmixSettings
from hyperres.core.unmixing.snpa import snpa

JASPER = Path(__file__).parents[4] / "shared/data/unmixing/jasper/jasperRidge2_R198_Mei.mat"
BANDS, COUNT = 60, 4
NO_NOISE = torch.zeros(BANDS, dtype=torch.float64)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spectra() -> np.ndarray:
    """Smooth, well separated spectra, [endmembers, bands]."""
    x, i = np.linspace(0, 1, BANDS), np.arange(COUNT)[:, None]
    bumps = np.exp(-(((x - (i + 0.5) / COUNT) / (0.8 / COUNT)) ** 2))
    return 0.15 + 0.1 * np.sin(4 * x + i) + 0.5 * bumps


def shaded_scene(outliers: float = 0.0, noise: float = 0.0, pixels: int = 3000, seed: int = 0) -> torch.Tensor:
    """Mixtures, many nearly pure, of brightness 0.3 to 1, and a share of pixels with spectra of something else."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(COUNT, 0.2), pixels)
    values = shares @ spectra() * rng.uniform(0.3, 1.0, (pixels, 1))
    odd = rng.choice(pixels, round(outliers * pixels), replace=False)
    waves = np.cos(np.arange(1, 13)[:, None] * np.linspace(0, np.pi, BANDS))
    values[odd] = np.clip(0.5 + 0.3 * rng.standard_normal((len(odd), 12)) @ waves, 0, 1.5)
    values += noise * rng.standard_normal(values.shape)
    return torch.from_numpy(values.astype(np.float32))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def angles(found: torch.Tensor) -> np.ndarray:
    return np.array(match_endmembers(spectra(), found.numpy()).degrees)


def assert_near(found: torch.Tensor) -> None:
    """Means of nearly pure pixels lie a little inside the simplex: 3 degrees on the mean, none far off."""
    assert angles(found).mean() < 3 and angles(found).max() < 6


def sample_of(pixels: torch.Tensor) -> Sample:
    moments = StreamingMoments(pixels.shape[1])
    moments.add(pixels)
    bands = pixels.shape[1]
    table = BandTable(tuple(str(i) for i in range(bands)), (True,) * bands)
    return Sample(pixels, pixels, moments.result(), table, len(pixels), len(pixels), complete=True)


@pytest.mark.parametrize("seed", range(2))
def test_materials_are_found_under_shade_and_odd_pixels_where_extreme_pixels_mislead(seed):
    pixels = shaded_scene(outliers=0.01, noise=0.002, seed=seed)
    found = archetypal(pixels, COUNT, NO_NOISE + 0.002**2, seeded(seed)).endmembers
    assert_near(found)
    for other in (snpa(pixels, COUNT), nfindr(pixels, COUNT)):
        assert angles(other.endmembers).max() > 10


def test_shade_alone_does_not_matter():
    assert_near(archetypal(shaded_scene(pixels=1500), COUNT, NO_NOISE, seeded(0)).endmembers)


def test_endmembers_are_means_of_real_pixels():
    """So they stay within the range of the pixels in every band, and no abundance model is needed to scale them."""
    pixels = shaded_scene(noise=0.002, pixels=500)
    found = archetypal(pixels, COUNT, NO_NOISE + 0.002**2, seeded(0)).endmembers
    assert bool((found >= pixels.amin(dim=0)).all()) and bool((found <= pixels.amax(dim=0)).all())


def test_same_seed_same_endmembers():
    pixels = shaded_scene(outliers=0.01, noise=0.002, pixels=200)
    first, again = (archetypal(pixels, COUNT, NO_NOISE, seeded(7)) for _ in range(2))
    torch.testing.assert_close(first.endmembers, again.endmembers, atol=0, rtol=0)
    assert first.objective == again.objective


def test_dark_noisy_pixels_do_not_become_a_material():
    """A tenth of the scene lies in deep shade: there, noise turns spectra by tens of degrees."""
    sigma = 0.01
    pixels = shaded_scene()
    pixels[:300] *= 0.05
    clean = pixels[:300].clone()
    pixels += sigma * torch.randn(pixels.shape, generator=seeded(1))
    turned = np.degrees(torch.nn.functional.cosine_similarity(clean, pixels[:300]).arccos().numpy())
    assert np.median(turned) > 20, "the case must have pixels that noise turns a lot"
    found = archetypal(pixels, COUNT, NO_NOISE + sigma**2, seeded(0)).endmembers
    assert angles(found).max() < 8, "noise would be tens of degrees away"
    assert float(found.mean(dim=1).min()) > 0.1


def test_pixels_of_zero_brightness_are_survived():
    pixels = shaded_scene(noise=0.002, pixels=1000)
    pixels[:50] = 0
    found = archetypal(pixels, COUNT, NO_NOISE + 0.002**2, seeded(0)).endmembers
    assert bool(found.isfinite().all())
    assert_near(found)


def test_one_endmember_is_the_mean():
    pixels = shaded_scene()
    found = archetypal(pixels, 1, NO_NOISE, seeded(0)).endmembers
    np.testing.assert_allclose(found[0].numpy(), pixels.double().numpy().mean(axis=0), rtol=1e-5)


def test_progress_rises_to_one_and_can_stop_the_search():
    shares: list[float] = []
    pixels = shaded_scene(pixels=500)
    archetypal(pixels, COUNT, NO_NOISE, seeded(0), shares.append)
    assert shares == sorted(shares) and 0 < shares[0] and shares[-1] <= 1

    class Stop(Exception):  # noqa: N818
        pass

    def stop(share: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        archetypal(pixels, COUNT, NO_NOISE, seeded(0), stop)


def test_a_cancelled_extraction_ends_at_the_next_round():
    asked: list[None] = []

    def is_cancelled() -> bool:
        asked.append(None)
        return len(asked) >= 2

    context = Context(torch.device("cpu"), is_cancelled=is_cancelled)
    with pytest.raises(Cancelled):
        extract(sample_of(shaded_scene(pixels=500)), COUNT, UnmixSettings(), context)
    assert len(asked) == 2


def test_fewer_different_spectra_than_endmembers_are_refused_in_words():
    pixels = torch.from_numpy(spectra()[:3].astype(np.float32)).repeat(50, 1)
    with pytest.raises(InputError, match="different spectra can be told apart"):
        archetypal(pixels, COUNT, NO_NOISE, seeded(0))


@pytest.mark.parametrize("seed", range(3))
def test_jasper_ridge_is_unmixed_blindly_within_four_degrees(seed):
    if not JASPER.exists():
        pytest.skip("the Jasper Ridge scene is not here")
    scene = scipy.io.loadmat(str(JASPER))
    pixels = torch.from_numpy((scene["Y"].T / 5000).astype(np.float32))
    found = extract(sample_of(pixels), 4, UnmixSettings(), Context(torch.device("cpu"), seed))
    match = match_endmembers(scene["M"].T, found.numpy())
    print(f"seed {seed}: mean SAD {match.mean_sad_deg:.2f} degrees, {np.round(match.degrees, 1)}")
    assert match.mean_sad_deg <= 4


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_projection_onto_the_simplex_is_the_nearest_point(row):
    found = onto_simplex(torch.tensor([row], dtype=torch.float64))[0].numpy()
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    exact = minimize(
        lambda x: np.sum((x - row) ** 2),
        np.full(len(row), 1 / len(row)),
        bounds=[(0, 1)] * len(row),
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        method="SLSQP",
    )
    assert np.sum((found - row) ** 2) <= exact.fun + 1e-6
