# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of land cover: told apart where they differ, not where only the spectra do."""

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.ssr import stf_classes
from hyperres.core.ssr.stf_classes import estimate_classes, try_classes
from hyperres.core.ssr.stf_pixels import StfPixels

NM = np.arange(400, 701, 10.0)
SIDE, FIELD = 96, 8
CONTEXT = Context(torch.device("cpu"))


def bells(*centres, sigma=40):
    rows = np.array([np.exp(-0.5 * ((NM - centre) / sigma) ** 2) for centre in centres])
    return rows / rows.sum(1, keepdims=True)


def scene(seed, own_response, noise=2e-3):
    """Two classes in patches, of different materials; the second one with a response of its own if wanted."""
    rng = np.random.default_rng(seed)
    covariance = np.exp(-0.5 * ((NM[:, None] - NM) / 30) ** 2) + 1e-9 * np.eye(len(NM))
    materials = 1 / (1 + np.exp(-(np.linalg.cholesky(covariance) @ rng.standard_normal((len(NM), 24)))))
    patches = rng.integers(1, 3, (SIDE // 16, SIDE // 16)).repeat(16, 0).repeat(16, 1)
    label = patches.ravel()
    shares = np.zeros((SIDE * SIDE, 24))
    for k in (1, 2):
        inside = label == k
        shares[inside, (k - 1) * 12 : k * 12] = rng.dirichlet(np.full(12, 0.3), inside.sum())
    hsi = shares @ materials.T
    first, second = bells(450, 550, 650), bells(460, 550, 640)
    msi = hsi @ first.T
    if own_response:
        msi[label == 2] = hsi[label == 2] @ second.T
    msi += noise * rng.standard_normal(msi.shape)
    row, col = (part.ravel() for part in np.indices((SIDE, SIDE)))
    field = row // FIELD * (SIDE // FIELD) + col // FIELD
    pixels = StfPixels(hsi.astype("f4"), msi.astype("f4"), row, col, field, label)
    return pixels.chosen(np.argsort(field, kind="stable"))


def test_classes_with_responses_of_their_own_are_told_apart():
    trials = try_classes(scene(0, own_response=True), [1, 2], CONTEXT, permutations=199)
    for trial in trials.values():
        assert trial.distinguishable
        assert trial.better > 5 * max(trial.by_chance, 0.01)


def test_one_response_for_all_classes_is_seldom_taken_for_several():
    trials = [try_classes(scene(seed, False), [1, 2], CONTEXT, permutations=99) for seed in range(10)]
    wrong = sum(any(trial.distinguishable for trial in found.values()) for found in trials)
    assert wrong <= 1
    assert max(trial.better for found in trials for trial in found.values()) < 0.01


def test_labels_need_not_be_in_order():
    pixels = scene(0, own_response=True)
    swapped = StfPixels(*(getattr(pixels, n) for n in ("hsi", "msi", "row", "col", "field")), 3 - pixels.label)
    straight = try_classes(pixels, [1, 2], CONTEXT, permutations=19)
    turned = try_classes(swapped, [2, 1], CONTEXT, permutations=19)
    assert straight[1].better == pytest.approx(turned[2].better, rel=1e-6)
    assert straight[2].better == pytest.approx(turned[1].better, rel=1e-6)


def test_small_classes_are_left_out_in_words_and_the_others_get_curves_with_bands(monkeypatch):
    monkeypatch.setattr(stf_classes, "LEAST_PIXELS", 1000)
    pixels = scene(1, own_response=True)
    few = pixels.label.copy()
    few[np.flatnonzero(few == 2)[40:]] = 0
    names = {1: "meadow", 2: "roof"}
    tables = tuple(BandTable(tuple(f"{i}" for i in range(n)), (True,) * n) for n in (len(NM), 3))
    lone = StfPixels(*(getattr(pixels, n) for n in ("hsi", "msi", "row", "col", "field")), few)
    classes, sentences = estimate_classes(lone, names, tables, CONTEXT)
    assert [(one.name, one.trial) for one in classes] == [("meadow", None)]
    assert len(sentences) == 1 and "Left out is the class 'roof' (40)" in sentences[0]
    assert np.all(classes[0].stf.low <= classes[0].stf.high)
    assert classes[0].pixels == int((few == 1).sum())
