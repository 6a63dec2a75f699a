# SPDX-License-Identifier: GPL-3.0-or-later
"""PGU-Net: image and response estimated in turns, each turn a stage of a network (Li et al. 2026, arXiv:2606.05759).

A stage k = 1..K makes, with mu_k and sigma_k learned,

    Z_k = Z-Net(X_k-1)                      a better guess of the image
    X_k = solve_x(Z_k, Y, R_k-1; mu_k)      brought into line with the MSI (eq. 13)
    P_k                                     a guess of the response
    R_k = solve_r(X_k, Y, P_k; sigma_k)     brought into line with both images (eq. 18)

:class:`PaperNet` is the published network: X in bands, R_0 random and learned, P_k = P-Net(R_k-1). :class:`RobustNet`
starts from a response estimated from true pairs and never leaves its confidence bands (P_k = R_0), works on coordinates
a of spectra X = E a, so that R changes only in what spectra can tell, and ends as consistent with the MSI as its noise
and what is known of the response allow (mu almost 0 where they do).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..learning import half_is_fast
from .prior_networks import PNet, ZNet
from .solvers import mean_grams, solve_r, solve_x

PAPER_STAGES, ROBUST_STAGES = 6, 3
WINDOW = 5
"""Pixels along the side of the neighbourhood that attention of the robust network averages over."""
_FIRST_WEIGHT = 0.01
"""mu and sigma before training."""


@dataclass(frozen=True)
class Estimate:
    """What the network finds.

    Attributes:
        stages: X_1 ... X_K as coordinates (bands where there is no basis), each [batch, d, rows, columns].
        response: R_K, [batch or 1, c, C].
    """

    stages: tuple[torch.Tensor, ...]
    response: torch.Tensor


class _Stage(nn.Module):
    """Z-Net and the two penalties of one stage, kept as logarithms."""

    def __init__(self, channels: int, window: int | None) -> None:
        super().__init__()
        self.z_net = ZNet(channels, window)
        self.log_mu = nn.Parameter(torch.tensor(_FIRST_WEIGHT).log())
        self.log_sigma = nn.Parameter(torch.tensor(_FIRST_WEIGHT).log())


class Unfolding(nn.Module):
    """What both networks share; see the module.

    Args:
        channels: d, coordinates of a spectrum.
        stages: K.
        window: of the attention; None for the whole image.
        unit: about the largest value of the images, so that it does not matter whether they hold reflectance from 0 to
            1 or digital numbers.

    Attributes:
        response: R_0, [c, C].
        unit: as given, a scalar.
    """

    response: torch.Tensor
    unit: torch.Tensor

    def __init__(self, channels: int, stages: int, window: int | None, unit: float) -> None:
        super().__init__()
        self.register_buffer("unit", torch.tensor(float(unit)))
        self.stages: Sequence[_Stage] = nn.ModuleList(  # type: ignore[assignment]
            _Stage(channels, window) for _ in range(stages)
        )

    def forward(self, msi: torch.Tensor) -> Estimate:
        """Estimate each image and its response.

        Args:
            msi: Y, [batch, c, rows, columns]; 8 x 8 pixels at least.
        """
        found, x, images = self.response[None], self.begin(msi), []
        for k in range(len(self.stages)):
            x = self.update_image(k, x, msi, found)
            images.append(x)
            if self.updates_response(k):
                proposal = self.propose(k, found)
                grams = mean_grams(x.flatten(2), msi.flatten(2), self.in_coordinates(proposal))
                found = self.update_response(k, proposal, *grams)
        return Estimate(tuple(images), found)

    def unfold(self, msi: torch.Tensor, responses: Sequence[torch.Tensor]) -> torch.Tensor:
        """X after as many stages as there are responses, [batch, d, rows, columns].

        Args:
            msi: Y, [batch, c, rows, columns].
            responses: R_0, R_1 ... of the whole scene (:mod:`core.ssr.scene`), each [1, c, C].
        """
        x = self.begin(msi)
        for k, response in enumerate(responses):
            x = self.update_image(k, x, msi, response)
        return x

    def begin(self, msi: torch.Tensor) -> torch.Tensor:
        """X_0 [batch, d, rows, columns] of Y."""
        raise NotImplementedError

    def update_image(self, k: int, x: torch.Tensor, msi: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
        """X_k+1 of X_k, both [batch, d, rows, columns], with R [batch or 1, c, C]."""
        stage = self.stages[k]
        proposal, seen = self.guess_image(k, x), self.in_coordinates(response)
        return solve_x(proposal.flatten(2), msi.flatten(2), seen, stage.log_mu.exp()).reshape(proposal.shape)

    def guess_image(self, k: int, x: torch.Tensor) -> torch.Tensor:
        """Z_k+1 of X_k, both float32 [batch, d, rows, columns]."""
        proposal: torch.Tensor = self.stages[k].z_net(x / self.unit)
        return proposal.to(x) * self.unit

    def solve_response(self, k: int, gram: torch.Tensor, misfit: torch.Tensor, proposal: torch.Tensor) -> torch.Tensor:
        """R or R E that explains the MSI, near a proposal; arguments as those of :func:`core.ssr.solvers.solve_r`."""
        power = self.unit.square()
        return solve_r(gram / power, misfit / power, proposal, self.stages[k].log_sigma.exp())

    def updates_response(self, k: int) -> bool:
        """Whether R changes after this stage."""
        return True

    def propose(self, k: int, response: torch.Tensor) -> torch.Tensor:
        """P_k+1 of R_k, [batch or 1, c, C]."""
        raise NotImplementedError

    def update_response(self, k: int, proposal: torch.Tensor, gram: torch.Tensor, misfit: torch.Tensor) -> torch.Tensor:
        """R_k+1 from P_k+1 [batch or 1, c, C] and the mean Gram matrices of an image or of a whole scene.

        Args:
            k: the stage.
            proposal: P_k+1.
            gram: G of the coordinates, [batch, d, d].
            misfit: M of the proposal, [batch, c, d]; see :func:`core.ssr.solvers.mean_grams`.
        """
        raise NotImplementedError

    def in_coordinates(self, response: torch.Tensor) -> torch.Tensor:
        """What the MSI sees of coordinates, R E [..., c, d]."""
        return response

    def expand(self, x: torch.Tensor, bands: torch.Tensor | None = None) -> torch.Tensor:
        """Bands [batch, C, rows, columns], or only some of them, of coordinates [batch, d, rows, columns]."""
        return x if bands is None else x[:, bands]


class PaperNet(Unfolding):
    """The network as published; its attention sees the whole image, so that tiles of an image differ from it.

    Args:
        hsi_bands, msi_bands: C and c.
        stages: K.
        unit: see :class:`Unfolding`.
    """

    def __init__(self, hsi_bands: int, msi_bands: int, stages: int = PAPER_STAGES, unit: float = 1.0) -> None:
        super().__init__(hsi_bands, stages, None, unit)
        self.start = nn.Conv2d(msi_bands, hsi_bands, 1)
        first = torch.rand(msi_bands, hsi_bands)
        self.response = nn.Parameter(first / first.sum(dim=1, keepdim=True))
        self.p_nets = nn.ModuleList(PNet(hsi_bands) for _ in range(stages))

    def begin(self, msi: torch.Tensor) -> torch.Tensor:
        """See the base class; a regression that is learned."""
        started: torch.Tensor = self.start(msi / self.unit)
        return started * self.unit

    def propose(self, k: int, response: torch.Tensor) -> torch.Tensor:
        """See the base class."""
        return self.p_nets[k](response)

    def update_response(self, k: int, proposal: torch.Tensor, gram: torch.Tensor, misfit: torch.Tensor) -> torch.Tensor:
        """See the base class; rows are never negative and sum to 1."""
        found = torch.relu(self.solve_response(k, gram, misfit, proposal))
        return found / found.sum(dim=-1, keepdim=True).clamp_min(1e-6)


class RobustNet(Unfolding):
    """The network that is tied to what is known; before training it is what it starts with, brought into line.

    Args:
        basis: E, orthonormal columns, [C, d].
        response: R_0, gains included, [c, C].
        low, high: between which R stays, [c, C].
        start: gives X_0 [batch, d, rows, columns] for Y [batch, c, rows, columns].
        stages: K.
        unit: see :class:`Unfolding`.
    """

    basis: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self,
        basis: torch.Tensor,
        response: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
        start: nn.Module,
        stages: int = ROBUST_STAGES,
        unit: float = 1.0,
    ) -> None:
        super().__init__(basis.shape[1], stages, WINDOW, unit)
        self.start = start
        for name, values in (("basis", basis), ("response", response), ("low", low), ("high", high)):
            self.register_buffer(name, values.clone())
        self.register_buffer("centre", torch.zeros(basis.shape[1]))
        self.register_buffer("spread", torch.full((basis.shape[1],), float(unit)))
        for stage in self.stages:
            stage.z_net.start_neutral()

    @property
    def reach(self) -> int:
        """How many pixels away a pixel still has a say when the response is given: what tiles must overlap by."""
        return sum(stage.z_net.reach or 0 for stage in self.stages)

    def begin(self, msi: torch.Tensor) -> torch.Tensor:
        """See the base class."""
        started: torch.Tensor = self.start(msi)
        return started

    def trust_image(self, penalty: float) -> None:
        """Set mu of all stages, as a share of the mean power of R's rows.

        Almost 0 explains the MSI exactly, much keeps what the networks make of it.
        """
        power = float(self.in_coordinates(self.response).square().sum(dim=1).mean())
        for stage in self.stages:
            nn.init.constant_(stage.log_mu, math.log(penalty * max(power, torch.finfo(torch.float32).tiny)))

    def guess_image(self, k: int, x: torch.Tensor) -> torch.Tensor:
        """See the base class; training convolves in bfloat16 where that is fast, tiles must come out as the whole."""
        centre, spread = self.centre[:, None, None], self.spread[:, None, None]
        usual = ((x - centre) / spread).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training and half_is_fast(x.device)):
            proposal = self.stages[k].z_net(usual)
        return proposal.to(x) * spread + centre

    def standardise(self, centre: torch.Tensor, spread: torch.Tensor) -> None:
        """Show the networks all coordinates as alike; the weak ones would otherwise be learnt last, if at all.

        Args:
            centre: usual mean of each coordinate, [d].
            spread: their usual standard deviation, [d].
        """
        self.centre.copy_(centre)
        self.spread.copy_(spread)

    def updates_response(self, k: int) -> bool:
        """See the base class; what comes out is consistent with the response that comes out."""
        return k < len(self.stages) - 1

    def propose(self, k: int, response: torch.Tensor) -> torch.Tensor:
        """See the base class; always R_0, from which the bounds are counted."""
        return self.response[None]

    def update_response(self, k: int, proposal: torch.Tensor, gram: torch.Tensor, misfit: torch.Tensor) -> torch.Tensor:
        """See the base class; the change lies in the span of the basis, then within the bounds."""
        seen = self.in_coordinates(proposal)
        change = self.solve_response(k, gram, misfit, seen) - seen
        return torch.minimum(torch.maximum(proposal + change @ self.basis.mT, self.low), self.high)

    def in_coordinates(self, response: torch.Tensor) -> torch.Tensor:
        """See the base class."""
        return response @ self.basis

    def expand(self, x: torch.Tensor, bands: torch.Tensor | None = None) -> torch.Tensor:
        """See the base class."""
        rows = self.basis if bands is None else self.basis[bands]
        return (rows @ x.flatten(2)).reshape(len(x), len(rows), *x.shape[2:])
