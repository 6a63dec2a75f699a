# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrects a guess so that the result agrees with both images, as far as their noise allows.

The guess P of the fine coefficients is taken as a Gaussian prior whose variances are those of its coarse errors
V^T(Y - mean) - B P, divided by mu: fine pixels deviate more than coarse ones, and bright ones more than dark ones. With
the noise of both images that gives the posterior of :mod:`core.physics.posterior`. mu, and whether to correct at all,
is decided on coarse pixels that are kept aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..physics.blur import WHOLE, Blur
from ..physics.footprint import Footprint
from ..physics.posterior import Weights, solve, weigh
from ..physics.upsample import upsample
from .pair import PairBlock
from .subspace import Subspace

INFLATIONS = (0.1, 0.3, 1.0)
"""Candidates for mu."""
LEAST_COVERAGE = 0.98
"""Coarse pixels that see less than this of the fine image are not trusted, unless what is missing is known to be 0."""
LEAST_SEEN = 0.3
"""Border pixels of the image that see less than this of it say nothing."""
BEYOND = 0.005
"""What lies beyond the border is taken to be like what lies inside; a pixel that sees this share of it errs by about as
much as its noise."""
LEAST_CARRIED = 0.3
MOST_STRAIN = 25.0
"""Errors five times as large as usual say all there is to say: the model does not hold there."""
FREEDOM = (0.05, 20.0)
"""Least and most of what brightness does to the variance of a guess."""
DECAY_COARSE = 5
"""Coarse pixels after which what happens at a tile's border no longer matters."""


@dataclass(frozen=True)
class Correction:
    """A fitted correction; without footprint the guess stays as it is.

    Attributes:
        footprint: what a coarse pixel sees.
        zeros_outside: True when footprints that stick out of the image saw zeros there.
        weights: of the posterior.
        response: what the MSI sees of the coefficients, [msi_bands, components].
        grey: what it sees of the mean spectrum, [msi_bands].
        carried: share of each coefficient's coarse error that is signal and no noise, [components].
        spread: variance of the guess's coarse errors, [components].
        variance: mean over bands of the posterior's variance per pixel, without the ensemble's.
    """

    footprint: Footprint
    zeros_outside: bool
    weights: Weights
    response: torch.Tensor
    grey: torch.Tensor
    carried: torch.Tensor
    spread: torch.Tensor
    variance: float

    def apply(
        self,
        guess: torch.Tensor,
        block: PairBlock,
        subspace: Subspace,
        aside: torch.Tensor | None = None,
        core: tuple[slice, slice] = WHOLE,
    ) -> torch.Tensor:
        """Correct one block.

        Args:
            guess: P, float32 [components, H, W].
            block: with the MSI on the HSI's scale.
            subspace: of the coefficients.
            aside: coarse pixels not to look at, bool [h, w].
            core: rows and columns of the block to give back.

        Returns:
            Z, float32 [components, rows, columns] of the core.
        """
        shapes = block.fine_shape, block.coarse_shape
        fine = block.msi - self.grey[:, None, None]
        if 0 in shapes[1]:
            blur = Blur(self.footprint, block.placement, shapes[0], (1, 1))
            nothing = torch.zeros(len(guess), 1, 1, device=guess.device)
            return solve(guess, self.weights, blur, nothing, nothing[0], fine, core=core)
        blur = Blur(self.footprint, block.placement, *shapes)
        trust = self.trust(block, blur)
        if aside is not None:
            trust = torch.where(aside, 0.0, trust)
        coarse = self._coarse(block, blur, subspace)
        freedom = self.freedom(guess, subspace)
        guess = guess + self._carried(coarse - blur(guess), freedom, trust, blur, block)
        return solve(guess, self.weights, blur, coarse, trust, fine, freedom, core)

    def freedom(self, guess: torch.Tensor, subspace: Subspace) -> torch.Tensor:
        """How much more or less the guess may vary in a pixel than in one of usual brightness, [H, W].

        Reflectances err by a share of themselves rather than by an amount: what the coarse image shows beyond the guess
        belongs to the bright pixels rather than to the water among them. Bright is what the guess says of all bands:
        vegetation is dark to a camera that sees no infrared.
        """
        usual = subspace.mean.mean()
        grey = usual + torch.einsum("k,khw->hw", subspace.basis.mean(dim=0), guess)
        return (grey / usual.clamp_min(1e-12)).clamp(*FREEDOM)

    def _carried(
        self, missing: torch.Tensor, freedom: torch.Tensor, trust: torch.Tensor, blur: Blur, block: PairBlock
    ) -> torch.Tensor:
        """What the coarse image shows beyond the guess, spread smoothly and in proportion to ``freedom``.

        What a guess lacks, its neighbours lack as well; the finer part is the posterior's work.
        """
        share = self.carried[:, None, None] * missing / blur(freedom[None]).clamp_min(LEAST_CARRIED * FREEDOM[0])
        usable = (trust > 0) & (blur.coverage > LEAST_CARRIED)
        return freedom * upsample(share, usable.float(), block.placement, block.fine_shape)

    def strain(self, guess: torch.Tensor, block: PairBlock, subspace: Subspace) -> torch.Tensor:
        """How much worse the guess is around each pixel than on average: ratio of squared coarse errors, [H, W].

        1 on average, and where no coarse pixel tells; what is uncertain is where the two images disagreed.
        """
        if 0 in block.coarse_shape:
            return torch.ones(block.fine_shape, device=guess.device)
        blur = Blur(self.footprint, block.placement, block.fine_shape, block.coarse_shape)
        coarse = self._coarse(block, blur, subspace)
        squares = ((coarse - blur(guess)).square() / self.spread[:, None, None]).mean(dim=0)
        weight = ((self.trust(block, blur) > 0) & (blur.coverage > LEAST_CARRIED)).float()
        excess = upsample(squares.clamp_max(MOST_STRAIN)[None] - 1.0, weight, block.placement, block.fine_shape)[0]
        return (1.0 + excess).clamp(1.0 / MOST_STRAIN, MOST_STRAIN)

    def _coarse(self, block: PairBlock, blur: Blur, subspace: Subspace) -> torch.Tensor:
        """Coefficients of what each coarse pixel sees within the fine image, [components, h, w]."""
        if self.zeros_outside:
            return subspace.project(block.hsi, blur.coverage)
        return blur.coverage.clamp_max(1.0) * subspace.project(block.hsi)

    def trust(self, block: PairBlock, blur: Blur) -> torch.Tensor:
        """How far each coarse pixel may be believed, 0 to 1, [h, w]."""
        covered = blur.coverage
        valid = blur(block.msi_valid[None].float())[0] / covered.clamp_min(1e-6)
        share = ((valid - 0.5) * 2.0).clamp(0.0, 1.0) if not bool(block.msi_valid.all()) else torch.ones_like(valid)
        inside = _visible(block, blur, self.footprint)
        if not self.zeros_outside:
            guessed = ((1.0 - covered - (1.0 - LEAST_COVERAGE)) / BEYOND).clamp_min(0.0)
            share = share / (1.0 + guessed.square())
            inside = (covered > LEAST_COVERAGE) | (inside & (covered > LEAST_SEEN))
        return torch.where(block.hsi_valid & inside, share, 0.0)

    def to(self, device: torch.device) -> Correction:
        """The same on a device."""
        return Correction(
            self.footprint.to(device),
            self.zeros_outside,
            self.weights.to(device),
            self.response.to(device),
            self.grey.to(device),
            self.carried.to(device),
            self.spread.to(device),
            self.variance,
        )

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {**self.footprint.header(), "zeros_outside": self.zeros_outside, "variance": self.variance}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        named = {name: getattr(self.weights, name) for name in ("guess", "seen", "spread", "to_modes", "gains")}
        return {
            **self.footprint.tensors(),
            **named,
            "response": self.response,
            "grey": self.grey,
            "carried": self.carried,
            "errors": self.spread,
        }

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Correction:
        """Rebuild a saved correction."""
        weights = Weights(*(tensors[name] for name in ("guess", "seen", "spread", "to_modes", "gains")))
        footprint = Footprint.restore(header, tensors)
        variance = float(header["variance"])
        return cls(
            footprint,
            bool(header["zeros_outside"]),
            weights,
            tensors["response"],
            tensors["grey"],
            tensors["carried"],
            tensors["errors"],
            variance,
        )

    @property
    def reach_px(self) -> float:
        """Fine pixels from which a pixel's result depends on others."""
        return max(self.footprint.reach)


@dataclass(frozen=True)
class Noise:
    """Variances of the noise of a pair.

    Attributes:
        coarse: of each coefficient of a coarse pixel.
        fine: of each MSI band, [msi_bands].
    """

    coarse: float
    fine: torch.Tensor


def make_correction(
    footprint: Footprint,
    zeros_outside: bool,
    errors: torch.Tensor,
    noise: Noise,
    response: torch.Tensor,
    subspace: Subspace,
    inflation: float,
) -> Correction:
    """Put a correction together.

    Args:
        footprint: what a coarse pixel sees.
        zeros_outside: see :class:`Correction`.
        errors: the guess's coarse errors, [components, coarse pixels].
        noise: of both images.
        response: S, [msi_bands, hsi_bands].
        subspace: of the coefficients.
        inflation: mu.
    """
    spread = errors.double().square().mean(dim=1)
    # a prior of next to no variance would hold on to guesses that merely look perfect
    variance = (spread - noise.coarse).clamp_min(0.05 * spread.mean() + 1e-3 * noise.coarse) / inflation
    seen = response @ subspace.basis
    coarse_noise = torch.eye(len(variance), dtype=torch.float64, device=variance.device) * max(noise.coarse, 1e-12)
    weights = weigh(torch.diag(1.0 / variance), coarse_noise, seen, noise.fine)
    left = float(weights.spread.diagonal().sum()) / len(subspace.mean) + subspace.noise
    carried = (1.0 - noise.coarse / spread.clamp_min(1e-20)).clamp(0.0, 1.0).float()
    grey = response @ subspace.mean
    return Correction(footprint, zeros_outside, weights, seen, grey, carried, spread.float(), left)


def coarse_errors(
    guess: torch.Tensor, block: PairBlock, subspace: Subspace, footprint: Footprint, zeros_outside: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a guess leaves of the coarse coefficients, [components, h, w], and where that can be judged, bool [h, w]."""
    blur = Blur(footprint, block.placement, block.fine_shape, block.coarse_shape)
    known = _visible(block, blur, footprint) if zeros_outside else blur.coverage > LEAST_COVERAGE
    valid = blur(block.msi_valid[None].float())[0] > LEAST_COVERAGE * blur.coverage
    coarse = subspace.project(block.hsi, blur.coverage if zeros_outside else None)
    return coarse - blur(guess), block.hsi_valid & known & valid


def _visible(block: PairBlock, blur: Blur, footprint: Footprint) -> torch.Tensor:
    """Coarse pixels whose footprint is cut only where the image itself ends, bool [h, w]."""
    height, width = block.hsi_valid.shape
    device = block.msi.device
    reach = footprint.reach
    rows = block.placement.row + (torch.arange(height, device=device) + 0.5) * block.placement.ratio_y
    cols = block.placement.col + (torch.arange(width, device=device) + 0.5) * block.placement.ratio_x
    top, bottom, left, right = block.edges
    down = torch.ones_like(rows, dtype=torch.bool)
    across = torch.ones_like(cols, dtype=torch.bool)
    if not top:
        down &= rows - reach[0] >= 0
    if not bottom:
        down &= rows + reach[0] <= block.msi.shape[1]
    if not left:
        across &= cols - reach[1] >= 0
    if not right:
        across &= cols + reach[1] <= block.msi.shape[2]
    return down[:, None] & across[None] & (blur.coverage > 0.02)
