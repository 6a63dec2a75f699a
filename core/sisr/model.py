# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitted super-resolution: planes, what makes them finer, and the correction by the input."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from ..bands import BandTable
from ..engine.method import OutputSpec
from ..spectra import Spectra
from ..unmixing.abundances import make_solver
from ..unmixing.settings import UnmixSettings
from .block import Block
from .evidence import SisrEvidence
from .planes import PlaneSpace, filled
from .reconstruct import DECAY, Reconstruction, psf
from .settings import SuperresolveSettings
from .uncertainty import contrast, disagreement, spread_out
from .upscaler import Upscaler, interpolated, restore_upscaler

IMAGE, ABUNDANCES, UNCERTAINTY = "superresolved", "abundances", "uncertainty"
ROLES = (IMAGE, ABUNDANCES, UNCERTAINTY)
REACH_CUBIC = 3
BANDS_AT_ONCE = 16
FLIPS = ((), (-1,), (-2,), (-1, -2))


def output_specs(table: BandTable, names: tuple[str, ...]) -> dict[str, OutputSpec]:
    """The rasters of a super-resolution.

    Args:
        table: the bands that are written.
        names: of the endmembers.
    """
    return {
        IMAGE: OutputSpec("Super-resolved image", table.names, unit="reflectance", table=table),
        ABUNDANCES: OutputSpec("Abundances", names, limits=(0.0, 1.0)),
        UNCERTAINTY: OutputSpec("Uncertainty", ("Standard deviation",), unit="reflectance"),
    }


class SuperresolveModel:
    """Planes of a scene and the way to finer ones.

    Args:
        table: the bands it was fitted on.
        space: the planes.
        upscaler: what makes them finer.
        reconstruction: the correction by the input.
        settings: as asked.
        evidence: how all that came about.
        usual_contrast: mean of :func:`core.sisr.uncertainty.contrast` over the scene.
        wanted: outputs to compute.
        written: bands to compute, counted from 0 among the fitted ones; None for all.
    """

    method = "superresolve"

    def __init__(
        self,
        table: BandTable,
        space: PlaneSpace,
        upscaler: Upscaler,
        reconstruction: Reconstruction,
        settings: SuperresolveSettings,
        evidence: SisrEvidence,
        usual_contrast: float,
        wanted: Collection[str] = ROLES,
        written: tuple[int, ...] | None = None,
    ) -> None:
        self.table = table
        self.space = space
        self.upscaler = upscaler
        self.reconstruction = reconstruction
        self.settings = settings
        self.evidence = evidence
        self.usual_contrast = usual_contrast
        self.written = tuple(range(len(table))) if written is None else written
        names = evidence.unmixing.endmembers.names
        specs = output_specs(table.subset(self.written), names)
        self.outputs: Mapping[str, OutputSpec] = {role: spec for role, spec in specs.items() if role in wanted}
        shares = UnmixSettings(model="fcls" if evidence.sums_hold else "nnls")
        # the least squares depend on nothing outside the basis, which holds all endmembers
        self._solve = make_solver(space.endmembers, shares)

    @property
    def factor(self) -> int:
        """How many times finer the result is."""
        return self.settings.factor

    @property
    def halo_px(self) -> int:
        """Input pixels around a block that its result depends on."""
        reach = max(psf(self.factor, self.settings.psf_sigma).reach) / self.factor
        return max(self.upscaler.halo, REACH_CUBIC) + round(reach) + DECAY

    def prepared(self, wanted: Collection[str], written: tuple[int, ...] | None = None) -> SuperresolveModel:
        """The same model, computing only some outputs and bands."""
        return self._with(wanted=wanted, written=written)

    def with_evidence(self, evidence: SisrEvidence) -> SuperresolveModel:
        """The same model with another account of how it came about."""
        return self._with(evidence=evidence)

    def to(self, device: torch.device) -> SuperresolveModel:
        """The same model on a device."""
        return self._with(
            space=self.space.to(device),
            upscaler=self.upscaler.to(device),
            reconstruction=self.reconstruction.to(device),
        )

    def apply(self, block: Block) -> dict[str, torch.Tensor]:
        """Compute the outputs of a block's core.

        Args:
            block: with a margin of at least ``halo_px``.

        Returns:
            by role, float32 [output bands, s rows, s columns]; meaningless where the input is invalid.
        """
        if not bool(block.valid[block.core].any()):
            return self._nothing(block)
        coarse = filled(self.space.project(block.cube), block.valid)
        guess = finer_guess(self.space, self.upscaler, coarse, self.settings.psf_sigma)
        fine = self._inner(self.reconstruction.apply(guess, coarse, block.valid.to(coarse)), block)
        made = {}
        if IMAGE in self.outputs:
            made[IMAGE] = self._image(fine, coarse, block)
        if ABUNDANCES in self.outputs:
            made[ABUNDANCES] = self._solve(fine.flatten(1)).reshape(-1, *fine.shape[1:])
        if UNCERTAINTY in self.outputs:
            made[UNCERTAINTY] = self._uncertainty(coarse, block)
        return made

    def _image(self, fine: torch.Tensor, coarse: torch.Tensor, block: Block) -> torch.Tensor:
        """Spectra of the core; what the basis does not hold is interpolated."""
        bands = torch.tensor(self.written, device=fine.device)
        rows, cols = (slice(part.start - REACH_CUBIC, part.stop + REACH_CUBIC) for part in block.core)
        rest = self.space.rest(block.cube[:, rows, cols], coarse[:, rows, cols])
        weight, reach = block.valid[rows, cols].to(rest), self.factor * REACH_CUBIC
        image = self.space.expand(fine, bands)
        # nothing that a tile holds is larger: so in place, and a few bands at a time
        for part, few in zip(image.split(BANDS_AT_ONCE), bands.split(BANDS_AT_ONCE)):
            part += interpolated(rest[few], self.factor, weight)[:, reach:-reach, reach:-reach]
        return torch.maximum(image, self.space.floor, out=image)

    def _uncertainty(self, coarse: torch.Tensor, block: Block) -> torch.Tensor:
        """Standard deviation, root mean square over the bands, [1, s rows, s columns]."""
        sigma, upscaler = self.settings.psf_sigma, self.upscaler.straight()
        guesses = [
            self._inner(finer_guess(self.space, upscaler, coarse.flip(axes), sigma).flip(axes), block) for axes in FLIPS
        ]
        local = contrast(coarse, block.valid)
        spread = spread_out(self.reconstruction.variance, local, self.usual_contrast, block.valid, self.factor)
        variance = self._inner(spread[None], block)[0] + disagreement(torch.stack(guesses))
        return self.evidence.inflation * (variance / len(self.table)).sqrt()[None]

    def _inner(self, fine: torch.Tensor, block: Block) -> torch.Tensor:
        rows, cols = block.finer_core(self.factor)
        return fine[:, rows, cols]

    def _nothing(self, block: Block) -> dict[str, torch.Tensor]:
        rows, cols = block.finer_core(self.factor)
        size = rows.stop - rows.start, cols.stop - cols.start
        return {role: block.cube.new_zeros(len(spec.band_names), *size) for role, spec in self.outputs.items()}

    def tables(self) -> Mapping[str, Spectra]:
        """The endmembers."""
        return {"endmembers": self.evidence.unmixing.endmembers}

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {
            "settings": self.settings.to_mapping(),
            "reconstruction": self.reconstruction.header(),
            "evidence": self.evidence.to_mapping(),
            "usual_contrast": self.usual_contrast,
            "upscaler": self.upscaler.header(),
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        parts = {
            "space": self.space.tensors(),
            "reconstruction": self.reconstruction.tensors(),
            "upscaler": self.upscaler.tensors(),
        }
        return {f"{title}.{name}": value for title, part in parts.items() for name, value in part.items()}

    @classmethod
    def restore(
        cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable
    ) -> SuperresolveModel:
        """Rebuild a saved model."""
        settings = SuperresolveSettings.from_mapping(header["settings"])
        # where a file's tensors lie in memory would decide about the last digits
        tensors = {name: value.clone() for name, value in tensors.items()}
        return cls(
            table,
            PlaneSpace.restore(_below("space", tensors)),
            restore_upscaler(header["upscaler"], _below("upscaler", tensors)),
            Reconstruction.restore(header["reconstruction"], _below("reconstruction", tensors)),
            settings,
            SisrEvidence.from_mapping(header["evidence"]),
            float(header["usual_contrast"]),
        )

    def _with(self, **changes: Any) -> SuperresolveModel:
        parts: dict[str, Any] = {
            "space": self.space,
            "upscaler": self.upscaler,
            "reconstruction": self.reconstruction,
            "evidence": self.evidence,
            "wanted": tuple(self.outputs),
            "written": self.written,
            **changes,
        }
        return SuperresolveModel(
            self.table,
            parts["space"],
            parts["upscaler"],
            parts["reconstruction"],
            self.settings,
            parts["evidence"],
            self.usual_contrast,
            parts["wanted"],
            parts["written"],
        )


def finer_guess(space: PlaneSpace, upscaler: Upscaler, coarse: torch.Tensor, sigma: float) -> torch.Tensor:
    """The network's guess of finer coefficients, [planes, s h, s w].

    Args:
        space: the planes.
        upscaler: what makes them finer.
        coarse: coefficients of the input, [planes, h, w].
        sigma: standard deviation of the blur in pixels of the result.
    """
    return space.restored(upscaler.predict(space.standardised(coarse)[None], sigma, space.noise)[0])


def _below(title: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of one part of the model, by their names within it."""
    return {name[len(title) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{title}.")}
