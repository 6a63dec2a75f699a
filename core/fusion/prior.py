# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of guessing a fine spectrum from a fine multispectral pixel offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch


class Prior(Protocol):
    """A fitted map from MSI pixels to subspace coefficients.

    Attributes:
        name: what reports call it.
        context_planes: leading coefficients of the coarse pixel under each fine one that it also needs; 0 for none.
        parameters: number of trained parameters.
    """

    name: str
    context_planes: int
    parameters: int

    def predict(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Guess the coefficients of pixels.

        Args:
            msi: harmonised values, float32 [msi_bands, pixels].
            context: coefficients of the coarse pixels under them, [context_planes, pixels].

        Returns:
            [components, pixels].
        """
        ...

    def spread(self, msi: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor | None:
        """Variance between the members of an ensemble, [components, pixels]; None where there is no ensemble."""
        ...

    def to(self, device: torch.device) -> Prior:
        """The same on a device."""
        ...

    def header(self) -> Mapping[str, Any]:
        """Everything but tensors, JSON-ready."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        ...
