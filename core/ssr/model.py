# SPDX-License-Identifier: GPL-3.0-or-later
"""A fitted spectral super-resolution: from the pixels of an MSI to spectra, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ..bands import BandTable
from ..engine.method import OutputSpec
from ..errors import InputError
from .changed_way import below, restore_way
from .deviation import Deviations
from .evidence import SsrEvidence
from .kept import KeptSpectra
from .matching import find_bands, listed
from .scene import SceneTile, scene_responses
from .settings import SsrSettings
from .ways import NetworkWay, Way

SPECTRA, UNCERTAINTY = "spectra", "uncertainty"
ROLES = (SPECTRA, UNCERTAINTY)
UNFAMILIAR, MANY_STRANGE, MOSTLY_STRANGE = 0.5, 0.05, 0.9
"""How far pixels may lie beyond the range of those learnt from (share of it); shares of others: many, nearly all."""


def output_specs(table: BandTable) -> dict[str, OutputSpec]:
    """The rasters of a spectral super-resolution.

    Args:
        table: the bands that are written.
    """
    return {
        SPECTRA: OutputSpec("Spectra", table.names, unit="reflectance", table=table),
        UNCERTAINTY: OutputSpec("Uncertainty (standard deviation)", table.names, unit="reflectance", table=table),
    }


class SsrModel:
    """What fitting leaves behind; see :class:`core.engine.method.Applicable`.

    Args:
        table: bands of the spectra.
        msi_table: bands of the MSI that it needs.
        way: from the MSI to coordinates of spectra.
        deviations: what is stated as uncertainty.
        radiometry: gain, offset and ceiling (see :class:`core.ssr.pairs.TrainingData`) and, on the scale it was fitted
            on, mean, least and largest number of each band; [6, c]. The mean stands in for invalid pixels.
        settings: as asked.
        evidence: how it came about.
        kept: spectra to learn another camera from.
        order: positions of the MSI's bands in the image that it is applied to; None for all as they come.
        roles: the rasters to make.
        written: positions of the bands to write, None for all.
    """

    method = "spectralsuperresolve"

    def __init__(
        self,
        table: BandTable,
        msi_table: BandTable,
        way: Way,
        deviations: Deviations,
        radiometry: torch.Tensor,
        settings: SsrSettings,
        evidence: SsrEvidence,
        kept: KeptSpectra,
        order: Sequence[int] | None = None,
        roles: Collection[str] = ROLES,
        written: Sequence[int] | None = None,
    ) -> None:
        self.table, self.msi_table = table, msi_table
        self.way, self.deviations, self.radiometry = way, deviations, radiometry
        self.settings, self.evidence, self.kept = settings, evidence, kept
        self.order = tuple(range(len(msi_table)) if order is None else order)
        self.written = tuple(range(len(table)) if written is None else written)
        self.halo_px = way.halo_px
        specs = output_specs(table.subset(self.written))
        self.outputs: Mapping[str, OutputSpec] = {role: spec for role, spec in specs.items() if role in roles}
        self._seen_basis = way.basis[list(self.written)]

    @property
    def basis(self) -> torch.Tensor:
        """E of spectra X = E a, [C, d]."""
        return self.way.basis

    @property
    def response(self) -> torch.Tensor:
        """R of the scene where the way finds it, else of the training, [c, C]."""
        if isinstance(self.way, NetworkWay):
            return self.way.responses[-1][0]
        return torch.tensor(self.evidence.response, device=self.basis.device)

    @property
    def needs_scene(self) -> bool:
        """Whether :meth:`scene` has to see the scene before tiles are computed."""
        return isinstance(self.way, NetworkWay)

    def prepared(self, roles: Collection[str], written: Sequence[int] | None = None) -> SsrModel:
        """The same model for other outputs."""
        return self._with(roles=roles, written=written)

    def matched(self, image: BandTable) -> SsrModel:
        """The same model for an image with these used bands.

        Raises:
            BandsError: a band that it needs is missing, or nothing tells which is which.
        """
        return self._with(order=find_bands(self.msi_table, image))

    def with_ceiling(self, ceiling: torch.Tensor) -> SsrModel:
        """The same model for an image that is saturated from these numbers on, [used bands of the image]."""
        radiometry = self.radiometry.clone()
        radiometry[2] = ceiling[list(self.order)]
        return self._with(radiometry=radiometry)

    def with_evidence(self, evidence: SsrEvidence) -> SsrModel:
        """The same model with another account of how it came about."""
        return self._with(evidence=evidence)

    def scene(self, tiles: Callable[[], Iterable[SceneTile]]) -> SsrModel:
        """The same model with the responses that the scene shows; pixel maps have none and stay as they are.

        Args:
            tiles: goes through the scene, once each time it is called; numbers as the image has them, margins of
                ``halo_px``.

        Raises:
            InputError: the scene has no valid pixel.
        """
        if not isinstance(self.way, NetworkWay):
            return self

        def known() -> Iterable[SceneTile]:
            for tile in tiles():
                counted = tile.counted & self.usable(tile.msi, tile.counted)
                yield replace(tile, msi=self._scaled(tile.msi, counted), counted=counted)

        return self._with(way=self.way.with_responses(scene_responses(self.way.network, known)))

    def to(self, device: torch.device) -> SsrModel:
        """The same model on a device."""
        radiometry = self.radiometry.to(device)
        return self._with(way=self.way.to(device), deviations=self.deviations.to(device), radiometry=radiometry)

    def usable(self, msi: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Pixels that are valid and saturated in no band that is needed, bool [rows, columns]."""
        ceiling = self.radiometry[2][:, None, None]
        return valid & (msi[list(self.order)] < ceiling).all(dim=0)

    @property
    def packed_planes(self) -> int:
        """Planes that the spectra follow from."""
        return self.basis.shape[1]

    def cautions(self, tiles: Iterable[SceneTile], force: bool = False) -> tuple[str, ...]:
        """Sentences on how far a scene lies from what was learnt from; see :meth:`scene`.

        Raises:
            InputError: nearly all of it does, and that is not to be used by ``force``.
        """
        least, most = self.radiometry[4:]
        margin = UNFAMILIAR * (most - least)
        strange = pixels = 0
        lowest, highest = torch.full_like(least, torch.inf), torch.full_like(least, -torch.inf)
        for tile in tiles:
            seen = self._scaled(tile.msi, tile.counted)[:, tile.counted].T
            if not len(seen):
                continue
            lowest, highest = lowest.minimum(seen.amin(dim=0)), highest.maximum(seen.amax(dim=0))
            beyond = (seen < least - margin) | (seen > most + margin)
            strange, pixels = strange + int(beyond.any(dim=1).sum()), pixels + len(seen)
        sentences = []
        if pixels > 1 and bool((lowest == highest).any()):
            same = self.msi_table.subset((lowest == highest).nonzero().flatten().tolist())
            sentences.append(
                f"The image has the same value everywhere where the model needs {listed(same)}, so the spectra mean "
                "little: check whether such bands are filled or damaged."
            )
        if strange > MOSTLY_STRANGE * pixels and not force:
            raise InputError(
                f"{100.0 * strange / pixels:.0f} % of the pixels are darker or brighter by far than what the model "
                "learnt from, which was reflectance: set 'Scale of the multispectral image' to the factor that makes "
                "reflectance of its numbers, or tick 'Use images that look different' if it is right."
            )
        if strange > MANY_STRANGE * pixels:
            sentences.append(
                f"{100.0 * strange / pixels:.0f} % of the pixels are darker or brighter by far than what the model "
                "learnt from, so their spectra mean little: check that the image holds reflectance and that its scale "
                "is right."
            )
        return tuple(sentences)

    def apply(self, msi: torch.Tensor, valid: torch.Tensor, packed: bool = False) -> dict[str, torch.Tensor]:
        """Compute one tile.

        Args:
            msi: the image's used bands, float32 [bands, rows, columns]; anything finite where invalid.
            valid: bool [rows, columns], see :meth:`usable`.
            packed: leave the spectra as the ``packed_planes`` that :meth:`expand` makes bands of.

        Returns:
            by role, float32 [written bands, rows, columns]; meaningless where invalid.
        """
        seen, made = self._scaled(msi, valid), {}
        if SPECTRA in self.outputs:
            coordinates = self.way.coordinates(seen)
            made[SPECTRA] = coordinates if packed else self.expand(coordinates)
        if UNCERTAINTY in self.outputs:
            made[UNCERTAINTY] = self.deviations.of(seen, self.written)
        return made

    def expand(self, planes: torch.Tensor) -> torch.Tensor:
        """The bands to write, [written bands, rows, columns], of packed planes."""
        return (self._seen_basis @ planes.flatten(1)).reshape(-1, *planes.shape[1:])

    def residual(self, msi: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Y - R X, what of the MSI the spectra do not explain, [c, rows, columns]; meaningless where invalid."""
        seen = self._scaled(msi, valid)
        explained = (self.response @ self.basis) @ self.way.coordinates(seen).flatten(1)
        return seen - explained.reshape(seen.shape)

    def header(self) -> dict[str, Any]:
        """Everything but tensors."""
        return {
            "msi_bands": {
                "names": self.msi_table.names,
                "good": self.msi_table.good,
                "wavelength_nm": self.msi_table.wavelength_nm,
                "fwhm_nm": self.msi_table.fwhm_nm,
            },
            "way": self.way.header(),
            "settings": self.settings.to_mapping(),
            "evidence": self.evidence.to_mapping(),
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        way = {f"way.{name}": value for name, value in self.way.tensors().items()}
        deviations = {f"deviations.{name}": value for name, value in vars(self.deviations).items()}
        # model files hold finite numbers only
        radiometry = self.radiometry.nan_to_num(posinf=torch.finfo(torch.float32).max)
        kept = {f"kept.{name}": value for name, value in vars(self.kept).items()}
        return {"radiometry": radiometry, **way, **deviations, **kept}

    @classmethod
    def restore(cls, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> SsrModel:
        """Rebuild a saved model; its bands have to be :meth:`matched` to an image."""
        # where a file's tensors lie in memory would decide about the last digits
        tensors = {name: value.clone() for name, value in tensors.items()}
        bands: dict[str, Any] = {
            name: None if value is None else tuple(value) for name, value in header["msi_bands"].items()
        }
        return cls(
            table,
            BandTable(**bands),
            restore_way(header["way"], below("way", tensors)),
            Deviations(**below("deviations", tensors)),
            tensors["radiometry"],
            SsrSettings.from_mapping(header["settings"]),
            SsrEvidence.from_mapping(header["evidence"]),
            KeptSpectra(**below("kept", tensors)),
        )

    def _scaled(self, msi: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """The bands it needs, on the scale it was fitted on; the usual mean where invalid."""
        seen = msi if self.order == tuple(range(len(msi))) else msi[list(self.order)]
        gain, offset, _, mean, *_ = self.radiometry[..., None, None]
        seen = (seen - offset) / gain
        return seen if bool(valid.all()) else torch.where(valid, seen, mean)

    def _with(self, **changes: Any) -> SsrModel:
        parts: dict[str, Any] = {
            "way": self.way,
            "deviations": self.deviations,
            "radiometry": self.radiometry,
            "settings": self.settings,
            "evidence": self.evidence,
            "kept": self.kept,
            "order": self.order,
            "roles": tuple(self.outputs),
            "written": self.written,
        }
        return SsrModel(self.table, self.msi_table, **{**parts, **changes})
