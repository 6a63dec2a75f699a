# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted unmixing: known endmembers, abundances pixel by pixel.

    y = E^T a + n

y [bands] is a pixel, E [endmembers, bands], a [endmembers] its abundances under the constraints of the chosen model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch

from ..bands import BandTable
from ..engine.method import OutputSpec
from ..report.ramps import categorical
from ..spectra import Spectra
from .abundances import make_solver
from .active_set import rmse
from .evidence import UnmixEvidence
from .extraction import unit_length
from .settings import UnmixSettings

BRIGHTNESS = "brightness"
LARGEST_BYTE = 255


def output_specs(names: tuple[str, ...], settings: UnmixSettings) -> dict[str, OutputSpec]:
    """The rasters of an unmixing with these endmembers."""
    planes = (*names, BRIGHTNESS) if settings.model == "scaled" else names
    title = f"Abundances ({settings.model.upper()})"
    return {
        "abundances": OutputSpec(title, planes, limits=(0.0, 1.0)),
        "rmse": OutputSpec("Reconstruction error (RMSE)", ("RMSE",), unit="reflectance"),
        "class": OutputSpec(
            "Dominant material",
            ("Dominant material",),
            dtype="uint8" if len(names) <= LARGEST_BYTE else "uint16",
            nodata=0,
            limits=(0.0, float(len(names))),
            class_names=names,
            class_colours=tuple(categorical(i) for i in range(len(names))),
        ),
    }


class UnmixModel:
    """Endmembers and the way to abundances.

    Args:
        table: the bands that the endmembers have values for.
        names: one name per endmember.
        endmembers: reflectance, float32 [endmembers, bands].
        settings: the model of abundances and the normalisation.
        evidence: how the endmembers came about, for the report.
    """

    method = "unmix"
    halo_px = 0

    def __init__(
        self,
        table: BandTable,
        names: tuple[str, ...],
        endmembers: torch.Tensor,
        settings: UnmixSettings,
        evidence: UnmixEvidence,
    ) -> None:
        self.table = table
        self.names = names
        self.endmembers = endmembers
        self.settings = settings
        self.evidence = evidence
        self.outputs: Mapping[str, OutputSpec] = output_specs(names, settings)
        self._mixing = unit_length(endmembers) if settings.normalize == "l2" else endmembers
        self._solve: Callable[[torch.Tensor], torch.Tensor] = make_solver(self._mixing, settings)

    def to(self, device: torch.device) -> UnmixModel:
        """The same model on a device."""
        return UnmixModel(self.table, self.names, self.endmembers.to(device), self.settings, self.evidence)

    def apply(self, cube: torch.Tensor, valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Abundances, error and dominant material of one tile; see :class:`core.engine.method.Model`."""
        flat = cube.reshape(len(cube), -1)
        where = valid.reshape(-1)
        whole = bool(where.all())
        planes = self._unmix(flat if whole else flat[:, where])
        if not whole:
            planes = {role: _spread(values, where) for role, values in planes.items()}
        return {role: values.reshape(len(values), *valid.shape) for role, values in planes.items()}

    def _unmix(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Outputs of pixels [bands, pixels], each [planes, pixels]."""
        tiny = torch.finfo(pixels.dtype).tiny
        length = torch.linalg.vector_norm(pixels, dim=0).clamp_min(tiny) if self.settings.normalize == "l2" else None
        pixels = pixels if length is None else pixels / length
        abundances = self._solve(pixels)
        error = rmse(self._mixing, pixels, abundances)
        dominant = abundances.argmax(dim=0, keepdim=True) + 1
        if self.settings.model == "scaled":
            brightness = abundances.sum(dim=0, keepdim=True)
            abundances = torch.cat([abundances / brightness.clamp_min(tiny), brightness])
        return {
            "abundances": abundances,
            "rmse": (error if length is None else error * length)[None],
            "class": dominant,
        }

    def tables(self) -> Mapping[str, Spectra]:
        """The endmembers."""
        values = tuple(tuple(row) for row in self.endmembers.cpu().double().tolist())
        return {"endmembers": Spectra(self.names, values, self.table.wavelength_nm)}

    def header(self) -> dict[str, Any]:
        """Names, settings and evidence."""
        return {"names": list(self.names), "settings": self.settings.to_mapping(), "evidence": asdict(self.evidence)}

    def tensors(self) -> dict[str, torch.Tensor]:
        """The endmembers."""
        return {"endmembers": self.endmembers}


def _spread(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Put the values of chosen pixels back in their places, 0 elsewhere."""
    planes = torch.zeros(len(values), len(where), dtype=values.dtype, device=values.device)
    planes[:, where] = values
    return planes
