# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of a pair: in their places, field by field, and alike in sharpness."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import PairBlock, Placement
from hyperres.core.ssr.stf_pixels import make_pixels

RATIO, SIDE = 4, 48
ROWS = np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]], dtype="float32")


def block(psf=0.0, origin=(0, 0), side=SIDE, seed=0):
    """A scene with detail down to single fine pixels, seen by a sensor with blur and by one without."""
    random = np.random.default_rng(seed)
    shape = (3, side * RATIO, side * RATIO)
    fine = gaussian_filter(random.standard_normal(shape), (0, 1.5, 1.5)) + 0.4 * random.standard_normal(shape)
    fine = fine.astype("float32")
    blurred = gaussian_filter(fine, (0, psf * RATIO, psf * RATIO)) if psf else fine
    hsi = blurred.reshape(3, side, RATIO, side, RATIO).mean(axis=(2, 4))
    msi = np.einsum("cb,bij->cij", ROWS, fine)
    valid = [torch.ones(cube.shape[1:], dtype=torch.bool) for cube in (hsi, msi)]
    place = Placement(float(RATIO), float(RATIO))
    return PairBlock(torch.tensor(hsi), valid[0], torch.tensor(msi), valid[1], place, origin=origin)


def slopes(pixels):
    """Of each MSI band on what its response makes of the HSI."""
    predicted = pixels.hsi @ ROWS.T
    return [np.polyfit(x, y, 1)[0] for x, y in zip(predicted.T, pixels.msi.T)]


@pytest.mark.parametrize("psf", [0.0, 0.45, 0.75])
def test_blur_of_the_hsi_is_not_taken_for_a_gain(psf):
    labels = [np.zeros((SIDE, SIDE), dtype=int)]
    assert slopes(make_pixels([block(psf)], torch.tensor(ROWS), labels)) == pytest.approx([1, 1], abs=0.03)


def test_pixels_lie_in_their_places_and_neighbours_follow_one_another():
    blocks = [block(origin=(200, 0), side=16), block(origin=(0, 400), side=16, seed=1)]
    blocks[1].hsi_valid[3, 5] = False
    labels = [np.full((16, 16), 1), np.full((16, 16), 2)]
    pixels = make_pixels(blocks, torch.tensor(ROWS), labels)
    assert len(pixels) == 2 * 256 - 1
    first, second = (pixels.chosen(pixels.label == label) for label in (1, 2))
    assert (first.row.min(), first.row.max(), first.col.min(), first.col.max()) == (50, 65, 0, 15)
    assert (second.row.min(), second.row.max(), second.col.min(), second.col.max()) == (0, 15, 100, 115)
    assert not np.any((second.row == 3) & (second.col == 105))
    assert np.all(np.diff(pixels.field) >= 0)
    for field in np.unique(pixels.field):
        inside = pixels.chosen(pixels.field == field)
        assert np.ptp(inside.row) < 16 and np.ptp(inside.col) < 16


def test_too_few_common_pixels_are_refused():
    lonely = block()
    lonely.hsi_valid[:] = False
    with pytest.raises(InputError, match="at least 30"):
        make_pixels([lonely], torch.tensor(ROWS), [np.zeros((SIDE, SIDE), dtype=int)])
