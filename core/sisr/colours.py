# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves are made of: whole vectors of plane values, their texture and the light on them.

Vectors are drawn whole, so that planes keep their joint law. Texture moves a leaf's vector towards another one,

    a(x) = a + t(x) (b - a),    0 <= t <= strength,

which stays among the mixtures of both: not negative where they are not, with the same sum where they have it. Light
is a smooth gain that all planes share.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch.nn.functional import avg_pool2d, interpolate, pad

STRONGEST_TEXTURE = 0.5
TEXTURE_SLOPES = 0.5, 2.5
"""Of the texture's amplitude spectrum, f^-slope."""
LIGHT = 0.03
"""Standard deviation of the gain."""
LIGHT_CELLS = 4
NEIGHBOURHOOD = 3
"""Side in coarse pixels over which a coarse pixel's surroundings are averaged."""
HEADROOM = 0.25
"""By which share of its range a plane that may be negative may go beyond it."""
PROTOTYPES = 3, 12
RAREST, EVENEST = 0.05, 1.0
"""Range of the concentration of made-up mixtures; small ones are nearly pure."""


class Palette(Protocol):
    """Makes vectors for leaves."""

    planes: int

    def draw(self, pictures: int, leaves: int, generator: torch.Generator) -> torch.Tensor:
        """Vectors for leaves of several pictures, float32 [pictures, leaves, planes]."""
        ...


class FoundColours:
    """The vectors of a scene's coarse pixels as they are: the published law.

    Args:
        planes: float32 [planes, rows, columns].
        valid: which pixels count, bool [rows, columns]; all without it.
    """

    def __init__(self, planes: torch.Tensor, valid: torch.Tensor | None = None) -> None:
        rows = planes.flatten(1).T
        self._rows = (rows if valid is None else rows[valid.flatten()]).contiguous()
        self.planes = len(planes)

    def draw(self, pictures: int, leaves: int, generator: torch.Generator) -> torch.Tensor:
        """See :class:`Palette`."""
        chosen = torch.randint(len(self._rows), (pictures, leaves), generator=generator)
        return self._rows[chosen]


class PurerColours:
    """The vectors of a scene's coarse pixels, moved away from their surroundings as finer pixels would be.

        a + kappa (a - mean of its neighbours),    kappa from 0 to half the factor, one for each leaf

    and cut to what the planes can hold: not below 0 where none is, otherwise a little beyond their range.

    Args:
        planes: float32 [planes, rows, columns].
        factor: how much finer the pictures are.
        valid: which pixels count, bool [rows, columns]; all without it.
    """

    def __init__(self, planes: torch.Tensor, factor: int, valid: torch.Tensor | None = None) -> None:
        count = len(planes)
        known = torch.ones(planes.shape[1:], dtype=torch.bool) if valid is None else valid
        weight = known.float()[None, None]
        sums = [_around(part) for part in ((planes * weight[0])[None], weight)]
        apart = planes - sums[0][0] / sums[1][0].clamp_min(1e-6)
        self._rows, self._apart = planes[:, known].T.contiguous(), apart[:, known].T.contiguous()
        least, most = self._rows.min(dim=0).values, self._rows.max(dim=0).values
        beyond = HEADROOM * (most - least)
        self._least = torch.where(least >= 0.0, torch.zeros(count), least - beyond)
        self._most = torch.where(least >= 0.0, most.clamp_min(1.0), most + beyond)
        self._furthest = factor / 2.0
        self.planes = count

    def draw(self, pictures: int, leaves: int, generator: torch.Generator) -> torch.Tensor:
        """See :class:`Palette`."""
        chosen = torch.randint(len(self._rows), (pictures, leaves), generator=generator)
        kappa = self._furthest * torch.rand(pictures, leaves, 1, generator=generator)
        return (self._rows[chosen] + kappa * self._apart[chosen]).clamp(self._least, self._most)


class MadeUpColours:
    """Mixtures of no scene at all: sparse random shares that sum to 1.

    In half of the pictures leaves repeat a few mixtures with small changes, as materials recur in a scene.

    Args:
        planes: how many.
    """

    def __init__(self, planes: int) -> None:
        self.planes = planes

    def draw(self, pictures: int, leaves: int, generator: torch.Generator) -> torch.Tensor:
        """See :class:`Palette`."""
        spread = torch.rand(pictures, 1, 1, generator=generator)
        concentration = RAREST * (EVENEST / RAREST) ** spread
        own = _dirichlet(concentration.expand(-1, leaves, self.planes), generator)
        most = PROTOTYPES[1]
        common = _dirichlet(concentration.expand(-1, most, self.planes), generator)
        kinds = torch.randint(PROTOTYPES[0], most + 1, (pictures, 1), generator=generator)
        kind = (torch.rand(pictures, leaves, generator=generator) * kinds).long()
        repeated = common.gather(1, kind[..., None].expand(-1, -1, self.planes))
        change = 0.2 * torch.rand(pictures, leaves, 1, generator=generator)
        repeated = torch.lerp(repeated, own, change)
        return torch.where(torch.rand(pictures, 1, 1, generator=generator) < 0.5, repeated, own)


def draw_texture(pictures: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Coloured noise from 0 to a strength of its own for each picture, float32 [pictures, height, width]."""
    draws = torch.rand(2, pictures, 1, 1, generator=generator)
    slope = TEXTURE_SLOPES[0] + (TEXTURE_SLOPES[1] - TEXTURE_SLOPES[0]) * draws[0]
    strength = STRONGEST_TEXTURE * draws[1].square()
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    frequency[0, 0] = math.inf
    white = torch.fft.rfft2(torch.randn(pictures, height, width, generator=generator))
    noise = torch.fft.irfft2(white * frequency**-slope, s=(height, width))
    noise = noise / noise.std(dim=(1, 2), keepdim=True).clamp_min(1e-9)
    return strength * torch.sigmoid(2.0 * noise)


def draw_light(pictures: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """A smooth gain about 1, float32 [pictures, height, width]."""
    nodes = LIGHT * torch.randn(pictures, 1, LIGHT_CELLS, LIGHT_CELLS, generator=generator)
    return 1.0 + interpolate(nodes, size=(height, width), mode="bicubic", align_corners=True)[:, 0]


def _around(planes: torch.Tensor) -> torch.Tensor:
    reach = NEIGHBOURHOOD // 2
    return avg_pool2d(pad(planes, (reach,) * 4), NEIGHBOURHOOD, stride=1)


def _dirichlet(concentration: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random shares [..., planes] that sum to 1, nearly of Dirichlet's law."""
    # u^(1/c) is distributed as a gamma variable is near 0: an approximation that is cheap and just as sparse for c < 1
    draws = torch.rand(concentration.shape, generator=generator).clamp_min(1e-12)
    logs = draws.log() / concentration
    shifted = (logs - logs.amax(dim=-1, keepdim=True)).exp()
    return shifted / shifted.sum(dim=-1, keepdim=True)
