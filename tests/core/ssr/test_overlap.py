# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data from an overlap: on one grid, on the same scale, cut in two without a leak."""

from dataclasses import replace

import pytest
import torch

from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import PairBlock, PairSample, Placement
from hyperres.core.ssr import stf
from hyperres.core.ssr.overlap import GAP, from_pair, split_sample
from hyperres.core.ssr.saturation import find_ceiling
from hyperres.core.ssr.settings import SsrSettings

RATIO = 4


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(stf, "RESAMPLES", 4)


def smooth(part, ratio):
    """A fine ground with structures larger than a pixel."""
    planes = torch.nn.functional.interpolate(part[None], scale_factor=ratio, mode="bicubic", align_corners=False)
    return planes[0]


def make_pair(ground, gain=1.0, offset=0.0, rows=30, cols=60):
    """A fine MSI and an HSI whose pixels are the means over 4 x 4 of its pixels."""
    scene = ground(materials=5)
    fine = smooth(scene.part(rows * RATIO // 8, cols * RATIO // 8).hsi, 8)
    msi = gain * torch.einsum("cb,bij->cij", scene.response, fine) + offset
    hsi = torch.nn.functional.avg_pool2d(fine, RATIO)
    block = PairBlock(
        hsi,
        torch.ones(hsi.shape[1:], dtype=torch.bool),
        msi,
        torch.ones(msi.shape[1:], dtype=torch.bool),
        Placement(float(RATIO), float(RATIO)),
    )
    return scene, PairSample((block,), scene.data.hsi_table, scene.data.msi_table, True), fine


def test_the_cut_leaves_a_gap(ground):
    _, sample, _ = make_pair(ground)
    split = split_sample(sample)
    train, held = split.train.blocks[0], split.held[0]
    whole = sample.blocks[0].hsi
    cols = train.hsi.shape[2]
    assert cols == 42 and held.hsi.shape[2] == 60 - 42 - GAP
    assert torch.equal(train.hsi, whole[:, :, :cols]) and torch.equal(held.hsi, whole[:, :, cols + GAP :])
    # the fine pixels of both parts are apart as well, but for one coarse pixel that blur may reach
    assert train.msi.shape[2] == (cols + 1) * RATIO
    assert torch.equal(held.msi, sample.blocks[0].msi[:, :, (cols + GAP - 1) * RATIO :])


def test_the_parts_hold_what_the_camera_sees_of_the_spectra(ground, context):
    scene, sample, _ = make_pair(ground)
    data = from_pair(sample, SsrSettings(), context)
    for part in (*data.train, *data.held):
        inner = part.valid.clone()
        assert int(inner.sum()) > 300
        seen = torch.einsum("cb,bij->cij", scene.response, part.hsi)
        assert (part.msi - seen)[:, inner].abs().max() < 0.01
    assert torch.linalg.norm(data.response - scene.response) < 0.15 * torch.linalg.norm(scene.response)
    assert bool((data.low <= data.response).all() and (data.response <= data.high).all())


def test_gain_and_offset_of_the_camera_are_taken_off(ground, context):
    """An MSI in raw numbers, 2000 times the reflectance and 150 more, gives the same training data."""
    _, sample, fine = make_pair(ground, 2000.0, 150.0)
    data = from_pair(sample, SsrSettings(), context)
    raw = sample.blocks[0].msi
    scaled = (raw - data.offset[:, None, None]) / data.gain[:, None, None]
    seen = torch.einsum("cb,bij->cij", data.response, fine)
    assert (scaled - seen).abs().mean() < 0.01 * seen.mean()


def test_what_is_held_out_changes_nothing_that_is_learnt(ground, context):
    _, sample, _ = make_pair(ground)
    block = sample.blocks[0]
    hsi, msi = block.hsi.clone(), block.msi.clone()
    hsi[:, :, 42 + GAP :] = hsi[:, :, 42 + GAP :].flip(0)
    msi[:, :, (43 + GAP) * RATIO :] *= 0.5
    other = replace(sample, blocks=(replace(block, hsi=hsi, msi=msi),))
    one, two = (from_pair(each, SsrSettings(), context) for each in (sample, other))
    assert torch.equal(one.response, two.response) and torch.equal(one.gain, two.gain)
    assert torch.equal(one.train[0].msi, two.train[0].msi)
    assert not torch.equal(one.held[0].hsi, two.held[0].hsi)


def test_of_many_blocks_the_last_are_held_without_their_rims(ground):
    _, sample, _ = make_pair(ground)
    many = replace(sample, blocks=sample.blocks * 10, complete=False)
    split = split_sample(many)
    assert len(split.train.blocks) == 7 and len(split.held) == 3
    assert split.held[0].hsi.shape[1:] == (30 - 2 * GAP, 60 - 2 * GAP)


def test_saturated_pixels_are_left_out(ground, context):
    _, sample, _ = make_pair(ground)
    block = sample.blocks[0]
    level = float(block.msi[1].flatten().quantile(0.97))
    clipped = block.msi.clone()
    clipped[1].clamp_(max=level)
    data = from_pair(replace(sample, blocks=(replace(block, msi=clipped),)), SsrSettings(), context)
    assert data.ceiling[1] == pytest.approx(level) and bool(data.ceiling[[0, 2, 3]].isinf().all())
    assert any("Green is saturated" in note for note in data.notes)


def test_ceilings_are_found_where_numbers_pile_up():
    generator = torch.Generator().manual_seed(0)
    counts = (60 * torch.rand(20_000, generator=generator)).floor()  # coarse steps, but no pile
    cut = (400 * torch.rand(20_000, generator=generator)).floor().clamp(max=255)
    assert find_ceiling(torch.stack([counts, cut])).tolist() == [float("inf"), 255.0]


def test_other_ground_is_refused(ground, context):
    _, sample, _ = make_pair(ground)
    other = make_pair(lambda materials: ground(materials=materials, seed=77))[1]
    mixed = replace(sample.blocks[0], hsi=other.blocks[0].hsi.flip(1))
    with pytest.raises(InputError):
        from_pair(replace(sample, blocks=(mixed,)), SsrSettings(), context)
