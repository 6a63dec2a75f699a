# SPDX-License-Identifier: GPL-3.0-or-later
"""The image made coarser once more, mirrored surroundings, and where errors are expected."""

import numpy as np
import pytest
import torch

from hyperres.core.sisr.block import Block, surrounded
from hyperres.core.sisr.reconstruct import make_blur
from hyperres.core.sisr.trial import coarsened, largest_square
from hyperres.core.sisr.uncertainty import contrast, disagreement, spread_out


def test_a_mirrored_fine_image_makes_a_mirrored_coarse_one():
    fine = np.random.default_rng(0).random((1, 24, 32)).astype("float32")
    mask = np.ones((24, 32), dtype=bool)
    rim = ((24, 24), (24, 24))
    whole = torch.from_numpy(surrounded(fine, mask, rim)[0])
    coarse = make_blur(4, 2.0, (18, 20), torch.device("cpu"))(whole).numpy()
    expected = surrounded(coarse[:, 6:12, 6:14], mask[:6, :8], ((3, 3), (3, 3)))[0]
    np.testing.assert_allclose(coarse[:, 3:15, 3:17], expected, atol=1e-6)


def test_a_coarsened_block_is_the_blur_of_all_around_it():
    cube = torch.rand(3, 60, 68, generator=torch.Generator().manual_seed(1))
    block = Block(cube, torch.ones(60, 68, dtype=torch.bool), 14)
    truth, view = coarsened(block, 2, 1.0)
    assert torch.equal(truth, cube[:, 14:46, 14:54])
    whole = make_blur(2, 1.0, (30, 34), torch.device("cpu"))(cube)
    torch.testing.assert_close(view, whole[:, 7:23, 7:27])


@pytest.mark.parametrize("holes", [0, 1, 30, 400])
def test_the_largest_square_without_a_hole_is_found(holes):
    random = np.random.default_rng(holes)
    valid = np.ones((20, 27), dtype=bool)
    valid[random.integers(0, 20, holes), random.integers(0, 27, holes)] = False
    (row, col), side = largest_square(valid)
    assert valid[row : row + side, col : col + side].all()
    larger = (
        np.lib.stride_tricks.sliding_window_view(valid, (side + 1, side + 1)) if side < 20 else np.zeros((1, 1, 1, 1))
    )
    assert not larger.all(axis=(2, 3)).any()


def test_nothing_valid_has_no_square():
    assert largest_square(np.zeros((5, 6), dtype=bool))[1] == 0


def test_contrast_is_the_variance_of_the_neighbours_that_there_are():
    generator = torch.Generator().manual_seed(2)
    planes = torch.rand(2, 9, 9, generator=generator)
    valid = torch.ones(9, 9, dtype=torch.bool)
    valid[3, 3] = False
    found = contrast(planes, valid)
    around = planes[:, 3:6, 3:6].reshape(2, 9)[:, 1:]
    assert float(found[4, 4]) == pytest.approx(float(around.var(dim=1, correction=0).sum()), rel=1e-4)


def test_errors_are_expected_where_the_input_changes():
    step = torch.zeros(1, 16, 16)
    step[:, :, 8:] = 1.0
    valid = torch.ones(16, 16, dtype=torch.bool)
    local = contrast(step, valid)
    spread = spread_out(2.0, local, float(local.mean()), valid, 4)
    assert spread.shape == (64, 64)
    assert float(spread[32, 32]) > 5 * float(spread[32, 4]) > 0
    assert float(spread.mean()) == pytest.approx(2.0, rel=0.1)


def test_guesses_that_agree_are_sure():
    guess = torch.rand(3, 8, 8)
    assert not disagreement(torch.stack([guess] * 4)).any()
    other = guess.clone()
    other[1, 2, 3] += 2.0
    found = disagreement(torch.stack([guess, other]))
    assert float(found[2, 3]) == pytest.approx(2.0, rel=1e-4) and int((found > 0).sum()) == 1
