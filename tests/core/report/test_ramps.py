# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours can be told apart, by colour-blind eyes too (Vienot et al. 1999; OKLab distances)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hyperres.core.report import png, ramps

TO_LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
BLIND = {
    "normal": np.eye(3),
    "protanopia": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deuteranopia": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


def linear(colours):
    share = np.asarray(colours, dtype=float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.cbrt(np.clip(rgb, 0, None) @ cones.T) @ lab.T


@pytest.mark.parametrize("sight", BLIND)
def test_the_first_six_colours_differ_clearly(sight):
    view = np.linalg.inv(TO_LMS) @ BLIND[sight] @ TO_LMS
    seen = oklab(np.clip(linear(ramps.CATEGORICAL[:6]) @ view.T, 0, 1))
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 0.09


@pytest.mark.parametrize("ramp, sign", [(ramps.ABUNDANCE, 1), (ramps.ERROR, -1)])
def test_ramps_change_lightness_evenly(ramp, sign):
    steps = sign * np.diff(oklab(linear(ramp))[:, 0])
    assert steps.min() > 0.6 * steps.mean()
    assert steps.max() < 1.4 * steps.mean()


def test_sixty_classes_get_colours_that_recur_only_late():
    colours = [ramps.categorical(i) for i in range(48)]
    assert len(set(colours)) == 48
    assert len(png.ramp_table(ramps.ABUNDANCE)) == 255
