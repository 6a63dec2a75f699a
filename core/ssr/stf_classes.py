# SPDX-License-Identifier: GPL-3.0-or-later
"""A function between two sensors for each class of land cover, and whether the classes truly have their own.

One class has few spectral dimensions, so that the shape of its curve is mostly smoothness: curves that look different
prove nothing. What can be proved is prediction. In the directions that the scene's spectra show (principal components,
each of variance 1), regressions with an offset are fitted to the fields of all classes, and to those of one class:

    W_all = argmin |Y - A W|^2,   W_class = argmin |Y - A W|^2 + ridge n |W - W_all|^2   over the class,

and both predict fields of the class that were held out. The share by which the error of W_class is smaller is compared
with what it is when the labels of whole fields of neighbours are exchanged at random (Good 2005, Permutation,
Parametric and Bootstrap Tests of Hypotheses, ch. 3), with Bonferroni's correction for the number of classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..bands import BandTable
from ..engine.method import Context
from ..errors import InputError
from .stf import StfEstimate, estimate_stf
from .stf_pixels import StfPixels

LEAST_PIXELS = 5000
"""Pixels of the HSI without which a class is left out."""
LEAST_FIELDS = 6
PERMUTATIONS = 999
LEVEL = 0.05
LEAST_BETTER = 0.01
"""Smaller gains prove nothing: directions that were left out may do as much."""
_VARIANCE, _MOST_DIRECTIONS = 0.9999, 30
_RIDGE, _TINY = 1e-2, 1e-9


@dataclass(frozen=True)
class Trial:
    """How a class's own function predicts held-out pixels of it.

    Attributes:
        better: share by which its squared error is smaller than that of the common function; below 0 it is larger.
        by_chance: what that share reaches in one of twenty exchanges of labels.
        p_value: share of exchanges that do as well, corrected for the number of classes.
    """

    better: float
    by_chance: float
    p_value: float

    @property
    def distinguishable(self) -> bool:
        """Whether the class has a function of its own, beyond chance."""
        return self.better >= LEAST_BETTER and self.p_value <= LEVEL


@dataclass(frozen=True)
class ClassStf:
    """The function of one class.

    Attributes:
        name: of the class.
        pixels: of the HSI that show it.
        stf: its function.
        trial: against the common function; None where there is no other class to compare with.
    """

    name: str
    pixels: int
    stf: StfEstimate
    trial: Trial | None

    @property
    def distinguishable(self) -> bool:
        """Whether it was shown to have a function of its own."""
        return self.trial is not None and self.trial.distinguishable


def estimate_classes(
    pixels: StfPixels,
    names: Mapping[int, str],
    tables: tuple[BandTable, BandTable],
    context: Context,
) -> tuple[tuple[ClassStf, ...], tuple[str, ...]]:
    """Estimate the function of every class that has enough pixels.

    Args:
        pixels: of the scene, with labels.
        names: of the classes, by label.
        tables: bands of the HSI and of the MSI.
        context: is told the progress and asked whether to stop; its seed is used.

    Returns:
        the classes, and a sentence for each that is left out.

    Raises:
        Cancelled: the user asked to stop.
    """
    usable, left_out = _usable(pixels, names)
    found: dict[int, StfEstimate] = {}
    for i, label in enumerate(usable):
        part, step = pixels.chosen(pixels.label == label), _share(context, i, len(usable))
        try:
            found[label] = estimate_stf(part.hsi, part.msi, tables, step, context.seed)
        except InputError as error:
            left_out.append(f"The class {names[label]!r} is left out: {error}")
    trials = try_classes(pixels, list(found), context) if len(found) > 1 else {}
    classes = tuple(
        ClassStf(names[label], int((pixels.label == label).sum()), stf, trials.get(label))
        for label, stf in found.items()
    )
    return classes, tuple(left_out)


def try_classes(
    pixels: StfPixels, labels: Sequence[int], context: Context, permutations: int = PERMUTATIONS
) -> dict[int, Trial]:
    """Test which of at least two classes have functions of their own.

    Args:
        pixels: of the scene.
        labels: the classes to compare; pixels of others are not used.
        context: its seed is that of the exchanges.
        permutations: how often labels are exchanged.
    """
    part = pixels.chosen(np.isin(pixels.label, labels))
    fields = _Fields.of(part, labels)
    generator = np.random.default_rng(context.seed)
    seen = fields.better(fields.owner)
    exchanged = np.empty((permutations, len(labels)))
    for i in range(permutations):
        context.check_cancelled()
        exchanged[i] = fields.better(fields.exchanged(generator))
    as_well = (1 + (exchanged >= seen).sum(0)) / (1 + permutations)
    by_chance = np.quantile(exchanged, 1 - LEVEL, axis=0)
    return {
        label: Trial(float(seen[i]), float(by_chance[i]), float(min(1.0, as_well[i] * len(labels))))
        for i, label in enumerate(labels)
    }


@dataclass(frozen=True)
class _Fields:
    """Sums over fields of one class each: of A'A [fields, p, p], A'Y [fields, p, c], Y^2 [fields, c], 1 [fields].

    Attributes:
        owner: place of each field's class among the classes, [fields].
        held_out: bool [fields].
    """

    gram: np.ndarray
    cross: np.ndarray
    power: np.ndarray
    count: np.ndarray
    owner: np.ndarray
    held_out: np.ndarray

    @classmethod
    def of(cls, pixels: StfPixels, labels: Sequence[int]) -> _Fields:
        """Sum up; the pixels' values are centred and in units of their spread."""
        a = np.hstack([np.ones((len(pixels), 1)), _directions(pixels.hsi)])
        y = pixels.msi.astype(np.float64)
        y = (y - y.mean(0)) / y.std(0)
        key = pixels.field.astype(np.int64) * (int(pixels.label.max()) + 1) + pixels.label
        order = np.argsort(key, kind="stable")
        keys, starts = np.unique(key[order], return_index=True)
        parts = [(a[i], y[i]) for i in np.split(order, starts[1:])]
        owner = np.searchsorted(np.sort(labels), keys % (int(pixels.label.max()) + 1))
        owner = np.argsort(labels, kind="stable")[owner]
        held_out = np.zeros(len(keys), dtype=bool)
        for label in range(len(labels)):
            held_out[np.flatnonzero(owner == label)[1::3]] = True
        return cls(
            np.array([x.T @ x for x, _ in parts]),
            np.array([x.T @ z for x, z in parts]),
            np.array([np.square(z).sum(0) for _, z in parts]),
            np.array([len(x) for x, _ in parts], dtype=np.float64),
            owner,
            held_out,
        )

    def exchanged(self, generator: np.random.Generator) -> np.ndarray:
        """Classes of the fields after an exchange among those fitted and among those held out, [fields]."""
        owner = self.owner.copy()
        for part in (self.held_out, ~self.held_out):
            owner[part] = generator.permutation(owner[part])
        return owner

    def better(self, owner: np.ndarray) -> np.ndarray:
        """Share by which each class's own function does better on its held-out fields, [classes]."""
        fitted = ~self.held_out
        eye = np.eye(self.gram.shape[1])
        gram, cross = self.gram[fitted].sum(0), self.cross[fitted].sum(0)
        common = np.linalg.solve(gram + _TINY * gram[0, 0] * eye, cross)
        shares = []
        for label in range(int(self.owner.max()) + 1):
            mine, theirs = fitted & (owner == label), self.held_out & (owner == label)
            gram, cross = self.gram[mine].sum(0), self.cross[mine].sum(0)
            step = np.linalg.solve(gram + _RIDGE * gram[0, 0] * eye, cross - gram @ common)
            ratio = self._error(theirs, common + step) / self._error(theirs, common)
            shares.append(1.0 - float(ratio.mean()))
        return np.array(shares)

    def _error(self, fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Mean squared error over some fields, [msi_bands]."""
        gram, cross = self.gram[fields].sum(0), self.cross[fields].sum(0)
        left = self.power[fields].sum(0) - 2 * (weights * cross).sum(0) + (weights * (gram @ weights)).sum(0)
        return np.asarray(np.clip(left / self.count[fields].sum(), 0.0, None) + 1e-9)


def _usable(pixels: StfPixels, names: Mapping[int, str]) -> tuple[list[int], list[str]]:
    """Labels of the classes with enough pixels and fields, and sentences about the others."""
    usable, small, clumped = [], [], []
    for label, name in names.items():
        inside = pixels.label == label
        count, fields = int(inside.sum()), len(np.unique(pixels.field[inside]))
        if count < LEAST_PIXELS:
            small.append(f"{name!r} ({count:,})")
        elif fields < LEAST_FIELDS:
            clumped.append(repr(name))
        else:
            usable.append(label)
    left_out = []
    if small:
        left_out.append(
            f"Left out {_classes_are(small)} {', '.join(small)}: with less than {LEAST_PIXELS:,} hyperspectral pixels "
            "valid in both images, a curve of their own would be mostly chance."
        )
    if clumped:
        left_out.append(
            f"Left out {_classes_are(clumped)} {', '.join(clumped)}, found in fewer than {LEAST_FIELDS} places: too "
            "few to hold some of them out."
        )
    return usable, left_out


def _classes_are(names: Sequence[str]) -> str:
    return "is the class" if len(names) == 1 else "are the classes"


def _share(context: Context, part: int, parts: int) -> Context:
    """The context of one of several parts of the work."""
    return replace(context, on_progress=lambda done: context.on_progress((part + done) / parts))


def _directions(spectra: np.ndarray) -> np.ndarray:
    """Principal components that hold nearly all of the variance, each of variance 1, [pixels, directions]."""
    centred = spectra.astype(np.float64) - spectra.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    values, vectors = values[::-1], vectors[:, ::-1]
    share = np.cumsum(values) / values.sum()
    count = min(int(np.searchsorted(share, _VARIANCE)) + 1, _MOST_DIRECTIONS)
    return np.asarray(centred @ vectors[:, :count] / np.sqrt(values[:count]))
