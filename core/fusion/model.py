# SPDX-License-Identifier: GPL-3.0-or-later
"""A fitted fusion: a guess from the fine image's pixels, corrected by the coarse one, applied tile by tile."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..bands import BandTable
from ..engine.method import OutputSpec
from ..sensors.srf import Srf
from ..spectra import Spectra
from .estimator import Estimator
from .evidence import FusionEvidence
from .fill import fill_invalid
from .latent import LatentMaps
from .pair import PairBlock, Placement

FUSED, UNCERTAINTY, LATENT = "fused", "uncertainty", "latent"


@dataclass(frozen=True)
class Harmony:
    """How the MSI is brought onto the HSI's scale and place.

    Attributes:
        kept: positions of the MSI bands that take part, among its used bands.
        gain: float32 [kept bands]; harmonised = (MSI - offset) / gain.
        offset: float32 [kept bands].
        grey: mean of each kept MSI band on the HSI's scale, float32 [kept bands].
        shift: fine rows and columns by which the HSI is moved.
    """

    kept: tuple[int, ...]
    gain: torch.Tensor
    offset: torch.Tensor
    grey: torch.Tensor
    shift: tuple[float, float] = (0.0, 0.0)

    def apply(self, block: PairBlock) -> PairBlock:
        """The block with harmonised MSI and moved HSI."""
        return replace(block, msi=self.scaled(block.msi), placement=block.placement.shifted(*self.shift))

    def to(self, device: torch.device) -> Harmony:
        """The same on a device."""
        parts = {name: getattr(self, name).to(device) for name in ("gain", "offset", "grey")}
        return replace(self, **parts)

    def scaled(self, msi: torch.Tensor) -> torch.Tensor:
        """The kept bands on the HSI's scale, [kept bands, rows, columns]."""
        kept = msi if self.kept == tuple(range(len(msi))) else msi[list(self.kept)]
        return (kept - self.offset[:, None, None]) / self.gain[:, None, None]


class FusionModel:
    """What fitting leaves behind; see :class:`core.engine.method.Model`.

    Args:
        method: name of the method that made it.
        table: the HSI's used bands.
        msi_table: the MSI's used bands.
        sensor: word of the sensor it was fitted for.
        srf: response of the kept MSI bands.
        harmony: scale and place.
        estimator: from pixels to spectra.
        evidence: how it came about, for the report.
        latent: endmembers and the way to their maps, where the method has them.
        written: positions of the bands to write among the HSI's used ones, None for all.
        roles: the rasters to make.
    """

    def __init__(
        self,
        method: str,
        table: BandTable,
        msi_table: BandTable,
        sensor: str,
        srf: Srf,
        harmony: Harmony,
        estimator: Estimator,
        evidence: FusionEvidence,
        latent: LatentMaps | None = None,
        written: Sequence[int] | None = None,
        roles: Collection[str] = (FUSED,),
    ) -> None:
        self.method = method
        self.table = table
        self.msi_table = msi_table
        self.sensor = sensor
        self.srf = srf
        self.harmony = harmony
        self.estimator = estimator
        self.evidence = evidence
        self.latent = latent
        self._response = torch.as_tensor(srf.matrix)
        self.halo_px = estimator.halo_px
        self._written = None if written is None or len(written) == len(table) else list(written)
        self._roles = tuple(role for role in (FUSED, UNCERTAINTY, LATENT) if role in roles)
        self.outputs: Mapping[str, OutputSpec] = self._specs()

    def prepared(self, roles: Collection[str], written: Sequence[int] | None = None) -> FusionModel:
        """The same model for other outputs."""
        return self._with(roles=roles, written=written)

    def to(self, device: torch.device) -> FusionModel:
        """The same model on a device."""
        harmony = self.harmony.to(device)
        latent = None if self.latent is None else self.latent.to(device)
        return self._with(harmony=harmony, estimator=self.estimator.to(device), latent=latent)

    def apply(
        self, block: PairBlock, core: tuple[slice, slice], packed: bool = False
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Compute the core of one block.

        Args:
            block: both images as they are read, with a margin of ``halo_px`` where there is more.
            core: rows and columns of the block's fine array to give back.
            packed: leave the fused image as the ``packed_planes`` that :meth:`expand` makes bands of.

        Returns:
            planes by role, [bands, rows, columns] of the core, and bool [rows, columns], True where both images are
            valid.
        """
        response = self._response.to(block.msi)
        harmonised = fill_invalid(self.harmony.apply(block), response, self.harmony.grey)
        estimate = self.estimator.estimate(harmonised, core)
        planes = {}
        for role in self._roles:
            if role == FUSED:
                planes[role] = estimate.planes() if packed else self.expand(estimate.planes())
            elif role == UNCERTAINTY:
                planes[role] = estimate.deviation()[None]
            elif self.latent is not None:
                planes[role] = self.latent.maps(self.estimator.expand(estimate.planes(), None))
        return planes, self.covered(block)[core]

    @property
    def packed_planes(self) -> int:
        """Planes that the fused image follows from."""
        return self.estimator.planes

    def expand(self, planes: torch.Tensor) -> torch.Tensor:
        """The bands to write, [bands, rows, columns], of packed planes."""
        return self.estimator.expand(planes, self._written)

    def covered(self, block: PairBlock) -> torch.Tensor:
        """Fine pixels that are valid and lie in a valid coarse one, bool [rows, columns]."""
        rows, cols = self.covering(block)
        height, width = block.hsi_valid.shape
        inside = ((rows >= 0) & (rows < height))[:, None] & ((cols >= 0) & (cols < width))[None]
        if height == 0 or width == 0:
            return torch.zeros_like(block.msi_valid)
        coarse = block.hsi_valid[rows.clamp(0, height - 1)][:, cols.clamp(0, width - 1)]
        return block.msi_valid & inside & coarse

    def margin_coarse(self, placement: Placement) -> int:
        """HSI pixels beyond those that touch a window which may lie in it once the HSI is moved, or are blended in."""
        shift = self.harmony.shift
        return 1 + math.ceil(max(abs(shift[0]) / placement.ratio_y, abs(shift[1]) / placement.ratio_x))

    def covering(self, block: PairBlock) -> tuple[torch.Tensor, torch.Tensor]:
        """Row and column of the coarse pixel over each fine row and column; may lie outside the coarse array."""
        height, width = block.msi_valid.shape
        return covering(block.placement.shifted(*self.harmony.shift), height, width, block.msi.device)

    def tables(self) -> Mapping[str, Spectra]:
        """The response and, where there are some, the endmembers."""
        response = tuple(tuple(float(value) for value in row) for row in self.srf.matrix)
        tables = {"srf": Spectra(_unique(self.srf.names), response, self.table.wavelength_nm)}
        if self.latent is not None:
            tables["endmembers"] = self.latent.spectra(self.table)
        return tables

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {
            "sensor": self.sensor,
            "msi_bands": {
                "names": list(self.msi_table.names),
                "good": list(self.msi_table.good),
                "wavelength_nm": _listed(self.msi_table.wavelength_nm),
                "fwhm_nm": _listed(self.msi_table.fwhm_nm),
            },
            "response": {"names": list(self.srf.names), "source": self.srf.source},
            "kept": list(self.harmony.kept),
            "shift": list(self.harmony.shift),
            "estimator": self.estimator.header(),
            "evidence": self.evidence.to_mapping(),
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        tensors = {
            "response": torch.as_tensor(self.srf.matrix),
            "gain": self.harmony.gain,
            "offset": self.harmony.offset,
            "grey": self.harmony.grey,
            **{f"estimator.{name}": value for name, value in self.estimator.tensors().items()},
        }
        return tensors if self.latent is None else {**tensors, "endmembers": self.latent.endmembers}

    def _specs(self) -> dict[str, OutputSpec]:
        table = self.table if self._written is None else self.table.subset(self._written)
        return output_specs(table, 0 if self.latent is None else len(self.latent.endmembers), self._roles)

    def _with(self, **changes: Any) -> FusionModel:
        names = ("method", "table", "msi_table", "sensor", "srf", "harmony", "estimator", "evidence", "latent")
        kept = {name: getattr(self, name) for name in names}
        return FusionModel(**{**kept, "written": self._written, "roles": self._roles, **changes})


def output_specs(table: BandTable, endmembers: int, roles: Collection[str]) -> dict[str, OutputSpec]:
    """The rasters of a fusion.

    Args:
        table: bands of the fused image.
        endmembers: latent maps, 0 for none.
        roles: the rasters wanted.
    """
    specs = {
        FUSED: OutputSpec("Fused image", table.names, unit="reflectance", table=table),
        UNCERTAINTY: OutputSpec("Uncertainty of the fused image", ("Standard deviation",), unit="reflectance"),
    }
    if endmembers:
        names = tuple(f"Endmember {i + 1}" for i in range(endmembers))
        specs[LATENT] = OutputSpec("Latent abundances", names, limits=(0.0, 1.0))
    return {role: spec for role, spec in specs.items() if role in roles}


def covering(placement: Placement, height: int, width: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of the coarse pixel over each fine row and column's centre, long [height] and [width]."""
    rows = (torch.arange(height, device=device, dtype=torch.float64) + 0.5 - placement.row) / placement.ratio_y
    cols = (torch.arange(width, device=device, dtype=torch.float64) + 0.5 - placement.col) / placement.ratio_x
    return rows.floor().long(), cols.floor().long()


def _listed(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else list(values)


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    return names if len(set(names)) == len(names) else tuple(f"{i + 1} {name}" for i, name in enumerate(names))
