# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectraLift and SpectraMorph exactly as published.

Both learn the inverse of the spectral response from the coarse image alone and apply it to the fine pixels:

    Z = S Y,   theta = argmin mean |f_theta(Z) - Y|,   X = clip(f_theta(M), 0, 1)

SpectraLift's f is the network SIN (arXiv:2507.13339). SpectraMorph's is E^T g_theta([Z, P]) with the network LEN for g,
fixed endmembers E from a non-negative factorisation of Y, and, where the multispectral image has one band only, the
coarse spectrum P of the place (arXiv:2510.20814). 2,500 steps on the whole coarse image, mean absolute error.
Everything happens on a scale of 0 to 1 that each image gets from its own 1st and 99th percentile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..engine.method import Context
from .networks import BatchedLen, BatchedNetwork, BatchedSin
from .nmf import factorise
from .training import OneCycle, Strata, train

STEPS = 2500
ENDMEMBERS = 7
PRIOR_SIDE = 4
"""Coarse pixels along the side of the blocks whose mean stands for the coarse spectrum in training."""
BATCH = 4096
"""Coarse pixels of a step where there are more; the authors then need minutes, and their images never had so many."""
FACTORED = 8192
"""Coarse pixels from which endmembers are taken, for the same reason."""
PERCENTILES = (0.01, 0.99)


@dataclass(frozen=True)
class Scale:
    """Maps the values of an image to those a network sees.

    Attributes:
        low, high: values that become 0 and 1.
    """

    low: float = 0.0
    high: float = 1.0

    def to_unit(self, values: torch.Tensor) -> torch.Tensor:
        """Values of the image, clipped to the limits, to [0, 1]; unchanged where the limits are 0 and 1 already."""
        if (self.low, self.high) == (0.0, 1.0):
            return values
        return (values.clamp(self.low, self.high) - self.low) / (self.high - self.low)

    def from_unit(self, values: torch.Tensor) -> torch.Tensor:
        """Back, after clipping to [0, 1]."""
        return values.clamp(0.0, 1.0) * (self.high - self.low) + self.low


def percentile_scale(values: torch.Tensor) -> Scale:
    """The authors' scale: one for all bands of an image.

    Args:
        values: valid pixels, [bands, pixels].
    """
    ordered = values.flatten().double().sort().values
    places = torch.tensor(PERCENTILES, dtype=torch.float64) * (len(ordered) - 1)
    below = places.floor().long()
    above = (below + 1).clamp_max(len(ordered) - 1)
    share = (places - below).to(ordered.device)
    low, high = (ordered[below] + share * (ordered[above] - ordered[below])).tolist()
    return Scale(low, max(high, low + 1e-12))


class PaperModel:
    """A published network after training.

    Args:
        network: one member, or several that differ in their first weights.
        endmembers: [count, bands] on the unit scale, or None where the network predicts bands (SpectraLift).
        hsi_scale, msi_scale: of the two images.
        surrounded: True when the coarse spectrum is a further input.
    """

    def __init__(
        self,
        network: BatchedSin | BatchedLen,
        endmembers: torch.Tensor | None,
        hsi_scale: Scale,
        msi_scale: Scale,
        surrounded: bool,
    ) -> None:
        self.network, self.endmembers, self.surrounded = network, endmembers, surrounded
        self.hsi_scale, self.msi_scale = hsi_scale, msi_scale

    @torch.no_grad()
    def predict(self, msi: torch.Tensor, coarse: torch.Tensor | None = None) -> torch.Tensor:
        """Spectra of fine pixels, averaged over the members.

        Args:
            msi: [msi_bands, pixels], the MSI's own radiometric scale.
            coarse: spectra of the hyperspectral pixels under them, [hsi_bands, pixels], where ``surrounded``.

        Returns:
            [hsi_bands, pixels], on the HSI's scale and within its limits.
        """
        return self.predict_members(msi, coarse).mean(dim=0)

    @torch.no_grad()
    def predict_members(self, msi: torch.Tensor, coarse: torch.Tensor | None = None) -> torch.Tensor:
        """The same before averaging, [members, hsi_bands, pixels]."""
        latent = self.latent(msi, coarse)
        return self.hsi_scale.from_unit(latent if self.endmembers is None else self.endmembers.T @ latent)

    @torch.no_grad()
    def latent(self, msi: torch.Tensor, coarse: torch.Tensor | None = None) -> torch.Tensor:
        """What the network itself predicts: bands, or weights of the endmembers; [members, outputs, pixels]."""
        inputs = self.msi_scale.to_unit(msi)
        if self.surrounded:
            if coarse is None:
                raise ValueError("This network needs the coarse spectrum of every pixel.")
            inputs = torch.cat([inputs, self.hsi_scale.to_unit(coarse)])
        return self.network(inputs)

    def to(self, device: torch.device) -> PaperModel:
        """The same model on a device; moves this one."""
        self.network.to(device)
        self.endmembers = None if self.endmembers is None else self.endmembers.to(device)
        return self

    def header(self) -> dict[str, Any]:
        """Everything but tensors, JSON-ready."""
        layers, members = self.network.layers, self.network.members
        scales = {"hsi_scale": asdict(self.hsi_scale), "msi_scale": asdict(self.msi_scale)}
        return {
            **scales,
            "layers": [list(layer) for layer in layers],
            "members": members,
            "surrounded": self.surrounded,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        tensors = {"network": self.network.values}
        return tensors if self.endmembers is None else {**tensors, "network_endmembers": self.endmembers}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> PaperModel:
        """Rebuild from :meth:`header` and :meth:`tensors`."""
        endmembers = tensors.get("network_endmembers")
        inputs, width = header["layers"][0]
        outputs = header["layers"][-1][1]
        network: BatchedSin | BatchedLen
        if endmembers is None:
            network = BatchedSin(inputs, outputs, header["members"], width=width)
        else:
            network = BatchedLen(inputs, outputs, header["members"], width=width)
        network.restore(tensors["network"])
        scales = Scale(**header["hsi_scale"]), Scale(**header["msi_scale"])
        return cls(network, endmembers, *scales, surrounded=bool(header["surrounded"]))


def fit_spectralift(
    hsi: torch.Tensor,
    response: torch.Tensor,
    scales: tuple[Scale, Scale],
    generator: torch.Generator,
    context: Context,
    members: int = 1,
) -> PaperModel:
    """Train SIN.

    Args:
        hsi: valid coarse pixels, [hsi_bands, pixels].
        response: S, [msi_bands, hsi_bands].
        scales: of HSI and MSI.
        generator: draws first weights and batches.
        context: progress and cancelling.
        members: networks trained side by side; one as published.
    """
    target = scales[0].to_unit(hsi)
    network = BatchedSin(len(response), len(hsi), members, generator, device=hsi.device)
    _train(network, response @ target, target, None, generator, context)
    return PaperModel(network, None, *scales, surrounded=False)


def fit_spectramorph(
    hsi: torch.Tensor,
    response: torch.Tensor,
    scales: tuple[Scale, Scale],
    generator: torch.Generator,
    context: Context,
    members: int = 1,
    count: int = ENDMEMBERS,
    surroundings: torch.Tensor | None = None,
) -> PaperModel:
    """Find endmembers and train LEN.

    Args:
        hsi: valid coarse pixels, [hsi_bands, pixels].
        response: S, [msi_bands, hsi_bands].
        scales: of HSI and MSI.
        generator: draws first weights and batches.
        context: progress and cancelling.
        members: networks trained side by side; one as published.
        count: endmembers.
        surroundings: means of the blocks around the coarse pixels, [hsi_bands, pixels], or None to do without.
    """
    target = scales[0].to_unit(hsi)
    some = torch.linspace(0, target.shape[1] - 1, min(FACTORED, target.shape[1])).long().to(hsi.device)
    endmembers = factorise(target[:, some].T.clamp(0.0, 1.0).contiguous(), count, context)
    inputs = response @ target
    if surroundings is not None:
        inputs = torch.cat([inputs, scales[0].to_unit(surroundings)])
    network = BatchedLen(len(inputs), count, members, generator, device=hsi.device)
    _train(network, inputs, target, endmembers, generator, context)
    return PaperModel(network, endmembers, *scales, surrounded=surroundings is not None)


def _train(
    network: BatchedNetwork,
    inputs: torch.Tensor,
    target: torch.Tensor,
    endmembers: torch.Tensor | None,
    generator: torch.Generator,
    context: Context,
) -> None:
    strata = Strata(target, BATCH, generator)
    mixing = None if endmembers is None else endmembers.T.contiguous()

    def loss() -> torch.Tensor:
        drawn = strata.draw()
        seen, wanted = (inputs, target) if drawn is None else (inputs[:, drawn], target[:, drawn])
        predicted = network(seen)
        error = (predicted if mixing is None else mixing @ predicted) - wanted
        return error.abs().mean(dim=(1, 2))

    train(network, loss, OneCycle(STEPS), context)
