# SPDX-License-Identifier: GPL-3.0-or-later
"""From one block of a pair to fine spectra: a prior with correction, or a published network as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from .contest import guess_of, spread_of
from .correction import DECAY_COARSE, Correction
from .network_prior import NetworkPrior
from .pair import PairBlock
from .paper import PaperModel
from .prior import Prior
from .ridge import RidgePrior
from .subspace import Subspace
from .surroundings import under


class Estimate(Protocol):
    """Fine spectra of a block's core, not yet written out."""

    def planes(self) -> torch.Tensor:
        """What :meth:`Estimator.expand` makes spectra of, [planes, rows, columns]."""
        ...

    def deviation(self) -> torch.Tensor:
        """Standard deviation, root mean square over the bands, [rows, columns]."""
        ...


class Estimator(Protocol):
    """A fitted way to fine spectra.

    Attributes:
        halo_px: how many fine pixels around a pixel its result depends on.
        parameters: number of trained parameters.
        planes: how many planes its spectra follow from.
    """

    halo_px: int
    parameters: int
    planes: int

    def estimate(self, block: PairBlock, core: tuple[slice, slice]) -> Estimate:
        """Estimate the core of a block whose MSI is on the HSI's scale."""
        ...

    def expand(self, planes: torch.Tensor, bands: list[int] | None) -> torch.Tensor:
        """Spectra [bands, rows, columns], only some bands if asked, of an estimate's planes."""
        ...

    def to(self, device: torch.device) -> Estimator:
        """The same on a device."""
        ...

    def header(self) -> Mapping[str, Any]:
        """Everything but tensors, JSON-ready."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        ...


@dataclass(frozen=True)
class SubspaceEstimate:
    """Coefficients of the core and what is needed to judge them.

    Attributes:
        estimator: what made it.
        block: what it was made from.
        core: rows and columns of the block that it covers.
        coefficients: [components, rows, columns] of the core.
        guess: the prior's, [components, H, W] of the block.
    """

    estimator: SubspaceEstimator
    block: PairBlock
    core: tuple[slice, slice]
    coefficients: torch.Tensor
    guess: torch.Tensor

    def planes(self) -> torch.Tensor:
        """See :class:`Estimate`."""
        return self.coefficients

    def deviation(self) -> torch.Tensor:
        """See :class:`Estimate`."""
        maker, (rows, cols) = self.estimator, self.core
        if maker.correction is None:
            variance = torch.full(self.coefficients.shape[1:], maker.variance, device=self.guess.device)
        else:
            strain = maker.correction.strain(self.guess, self.block, maker.subspace)[rows, cols]
            variance = strain * maker.correction.variance
        spread = spread_of(maker.prior, self.block, maker.subspace)
        if spread is not None:
            variance = variance + spread[:, rows, cols].sum(dim=0) / len(maker.subspace.mean)
        return variance.sqrt()


class SubspaceEstimator:
    """A prior over subspace coefficients, corrected by both images where ``correction`` is given.

    Args:
        subspace: of the HSI.
        prior: guesses coefficients.
        correction: corrects them, or None.
        variance: of the prior's guesses, mean over the bands, for estimates without correction.
        margin_px: halo that the correction needs.
    """

    def __init__(
        self, subspace: Subspace, prior: Prior, correction: Correction | None, variance: float, margin_px: int
    ) -> None:
        self.subspace, self.prior, self.correction, self.variance = subspace, prior, correction, variance
        self.halo_px = margin_px if correction is not None else 0
        self.parameters = prior.parameters
        self.planes = subspace.basis.shape[1]

    def estimate(self, block: PairBlock, core: tuple[slice, slice]) -> SubspaceEstimate:
        """See :class:`Estimator`."""
        guess = guess_of(self.prior, block, self.subspace)
        if self.correction is None:
            return SubspaceEstimate(self, block, core, guess[:, core[0], core[1]], guess)
        corrected = self.correction.apply(guess, block, self.subspace, core=core)
        return SubspaceEstimate(self, block, core, corrected, guess)

    def expand(self, planes: torch.Tensor, bands: list[int] | None) -> torch.Tensor:
        """See :class:`Estimator`."""
        return self.subspace.expand(planes, bands)

    def to(self, device: torch.device) -> SubspaceEstimator:
        """The same on a device."""
        correction = None if self.correction is None else self.correction.to(device)
        return SubspaceEstimator(
            self.subspace.to(device), self.prior.to(device), correction, self.variance, self.halo_px
        )

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {
            "kind": "subspace",
            "noise": self.subspace.noise,
            "floor": self.subspace.floor,
            "variance": self.variance,
            "halo_px": self.halo_px,
            "prior": dict(self.prior.header()),
            "correction": None if self.correction is None else self.correction.header(),
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        parts = {"prior": self.prior.tensors(), "correction": self.correction.tensors() if self.correction else {}}
        named = {f"{part}.{name}": tensor for part, held in parts.items() for name, tensor in held.items()}
        return {"mean": self.subspace.mean, "basis": self.subspace.basis, **named}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> SubspaceEstimator:
        """Rebuild a saved estimator."""
        prior: Prior
        kinds: dict[str, Any] = {"ridge": RidgePrior, "network": NetworkPrior}
        prior = kinds[header["prior"]["kind"]].restore(header["prior"], _under(tensors, "prior"))
        correction = None
        if header["correction"] is not None:
            correction = Correction.restore(header["correction"], _under(tensors, "correction"))
        floor = float(header.get("floor", -math.inf))  # older files have none
        subspace = Subspace(tensors["mean"], tensors["basis"], float(header["noise"]), floor)
        return cls(subspace, prior, correction, float(header["variance"]), int(header["halo_px"]))


@dataclass(frozen=True)
class PaperEstimate:
    """Spectra, [bands, rows, columns], and the variance of their errors."""

    spectra: torch.Tensor
    variance: float

    def planes(self) -> torch.Tensor:
        """See :class:`Estimate`."""
        return self.spectra

    def deviation(self) -> torch.Tensor:
        """See :class:`Estimate`."""
        return torch.full(self.spectra.shape[1:], self.variance, device=self.spectra.device).sqrt()


class PaperEstimator:
    """A published network; ``variance`` is that of its errors on coarse pixels, mean over the bands."""

    halo_px = 0

    def __init__(self, model: PaperModel, variance: float) -> None:
        self.model, self.variance = model, variance
        self.parameters = model.network.parameters_per_member
        outputs = model.network.layers[-1][1]
        self.planes = outputs if model.endmembers is None else model.endmembers.shape[1]

    def estimate(self, block: PairBlock, core: tuple[slice, slice]) -> PaperEstimate:
        """See :class:`Estimator`."""
        rows, cols = core
        msi = block.msi[:, rows, cols]
        coarse = None
        if self.model.surrounded:
            coarse = under(block.hsi, block.placement, *block.msi.shape[1:])[:, rows, cols].flatten(1)
        spectra = self.model.predict(msi.flatten(1), coarse)
        return PaperEstimate(spectra.reshape(-1, *msi.shape[1:]), self.variance)

    def expand(self, planes: torch.Tensor, bands: list[int] | None) -> torch.Tensor:
        """See :class:`Estimator`."""
        return planes if bands is None else planes[bands]

    def to(self, device: torch.device) -> PaperEstimator:
        """The same on a device."""
        return PaperEstimator(self.model.to(device), self.variance)

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {"kind": "paper", "variance": self.variance, "model": self.model.header()}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        return self.model.tensors()

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> PaperEstimator:
        """Rebuild a saved estimator."""
        return cls(PaperModel.restore(header["model"], tensors), float(header["variance"]))


def restore_estimator(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Estimator:
    """Rebuild whichever estimator was saved."""
    kinds: dict[str, Any] = {"subspace": SubspaceEstimator, "paper": PaperEstimator}
    estimator: Estimator = kinds[header["kind"]].restore(header, tensors)
    return estimator


def margin_px(correction: Correction, ratio: float) -> int:
    """Halo around a tile beyond which nothing matters: footprints reach so far, and coarse pixels share light."""
    return int(correction.reach_px + DECAY_COARSE * ratio) + 1


def _under(tensors: Mapping[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {name[len(part) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
