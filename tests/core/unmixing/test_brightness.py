# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from hyperres.core.unmixing.brightness import STRONG, brightness_spread


@pytest.fixture
def mixture():
    random = np.random.default_rng(0)
    axis = np.linspace(0, 1, 60)
    spectra = np.stack(
        [level * (0.4 + np.abs(np.sin(k + 3 * k * axis))) for k, level in ((1, 0.1), (2, 0.4), (3, 0.7))]
    )
    shares = random.dirichlet(np.ones(3), 3000)
    return spectra.astype(np.float32), (shares @ spectra).astype(np.float32)


def test_materials_of_any_brightness_show_no_spread_where_the_linear_model_holds(mixture):
    spectra, pixels = mixture
    assert brightness_spread(torch.from_numpy(spectra), torch.from_numpy(pixels)) == pytest.approx(0.0, abs=1e-4)


def test_the_spread_of_a_known_shading_is_measured(mixture):
    spectra, pixels = mixture
    shade = np.random.default_rng(1).uniform(0.4, 1.0, (len(pixels), 1)).astype(np.float32)
    spread = brightness_spread(torch.from_numpy(spectra), torch.from_numpy(pixels * shade))
    assert spread == pytest.approx(0.2 / 0.7, rel=0.05)  # uniform: the middle two thirds span 0.4, the median is 0.7
    assert spread > STRONG
