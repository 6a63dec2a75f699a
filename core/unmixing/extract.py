# SPDX-License-Identifier: GPL-3.0-or-later
"""Endmembers of an image by the chosen method, from the sample and the rim that the engine drew."""

from __future__ import annotations

import torch

from ..engine.method import Context, Sample
from .archetypal import archetypal
from .extraction import signal_basis, simplex_shares, unit_length
from .minvol import minvol
from .nfindr import nfindr
from .noise import noise_variance
from .settings import UnmixSettings
from .snpa import snpa
from .vca import vca

AXES = 24
"""Dimensions of the signal subspace in which extraction works; noise outside it is left behind."""
INSIDE_PIXELS = 20_000
"""Pixels drawn evenly over a large image that join its rim."""


def extract(sample: Sample, count: int, settings: UnmixSettings, context: Context) -> torch.Tensor:
    """Find endmembers.

    Args:
        sample: what is known of the image.
        count: endmembers wanted.
        settings: the method, and whether it sees pixels scaled to unit length.
        context: device, seed, progress, cancel.

    Returns:
        reflectance, float32 [count, bands].

    Raises:
        InputError: the image has fewer different spectra than endmembers asked for.
    """
    pixels = cloud(sample).to(context.device)
    basis = signal_basis(sample.moments, max(AXES, count)).to(pixels)
    points = pixels @ basis
    if settings.normalize == "l2":
        points = unit_length(points)

    def on_round(share: float) -> None:
        context.check_cancelled()
        context.on_progress(0.5 + 0.5 * share)

    if settings.extraction == "archetypal":
        # The rim would weigh too much among the pixels that endmembers have to explain.
        pixels = sample.pixels.to(context.device)
        noise = noise_variance(sample.moments.correlation)
        return archetypal(pixels, count, noise, context.generator(), on_round).endmembers
    if settings.extraction == "minvolnmf":
        seen = unit_length(pixels) if settings.normalize == "l2" else pixels
        start = seen[snpa(points, count).indices]
        spectra = minvol(seen, count, start=start, on_round=on_round).endmembers
        return _in_reflectance(spectra, pixels, seen) if settings.normalize == "l2" else spectra
    if settings.extraction == "vca":
        found = vca(points, count, context.generator())
    else:
        found = {"snpa": snpa, "nfindr": nfindr}[settings.extraction](points, count)
    return pixels[found.indices]


def cloud(sample: Sample) -> torch.Tensor:
    """The pixels to search: all of a small image; the rim and an even share of the inside of a large one."""
    if sample.complete:
        return sample.pixels
    step = -(-len(sample.pixels) // INSIDE_PIXELS)
    return torch.cat([sample.extremes, sample.pixels[::step]])


def _in_reflectance(spectra: torch.Tensor, pixels: torch.Tensor, unit_pixels: torch.Tensor) -> torch.Tensor:
    """Give unit-length endmembers the mean length of the pixels that they dominate."""
    weights = simplex_shares(unit_length(spectra), unit_pixels).pow(4)
    length = torch.linalg.vector_norm(pixels, dim=1)
    mean = (weights * length[:, None]).sum(dim=0) / weights.sum(dim=0).clamp_min(1e-12)
    return unit_length(spectra) * mean[:, None]
