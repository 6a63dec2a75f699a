# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix: find or take endmembers once, then solve for the abundances of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch

from ..bands import BandTable
from ..engine.method import Context, OutputSpec, Sample
from ..errors import InputError
from ..spectra import Spectra
from . import report as unmix_report
from .brightness import STRONG, brightness_spread
from .check import check_unmix
from .count import CountEvidence, estimate_count
from .evidence import UnmixEvidence
from .extract import extract
from .library import near_duplicates, to_bands, to_reflectance
from .model import UnmixModel, output_specs
from .references import EXTRACTION_NAMES
from .settings import UnmixSettings

if TYPE_CHECKING:
    from ..engine.method import Model
    from ..engine.record import RunRecord
    from ..report.page import Section

ROLE = "endmembers"
EXPECTED_COUNT = 8
"""Endmembers assumed for the disk-space check while their number is not known."""
DARK_SHARE = 0.1
"""Mean of a spectrum, relative to the brightest one, below which noise turns its direction noticeably."""


class Unmix:
    """Linear spectral unmixing, y = E^T a + n; see :mod:`core.unmixing.model`."""

    name = "unmix"
    title = "Unmixing"

    def check(self, settings: Mapping[str, Any], table: BandTable, tables: Mapping[str, Spectra], classes: int) -> None:
        """Refuse what cannot work before any pixel is read."""
        unknown = sorted(set(tables) - {ROLE})
        if unknown:
            raise InputError(f"Unmix knows no table called {unknown[0]!r}: call it {ROLE!r}.")
        check_unmix(UnmixSettings.from_mapping(settings), table, tables.get(ROLE), classes)

    def needs_pixels(self, tables: Mapping[str, Spectra], labelled: bool) -> bool:
        """Only the search for endmembers needs to see the image first."""
        return ROLE not in tables and not labelled

    def needs_rim(self, settings: Mapping[str, Any]) -> bool:
        """Archetypes are sought among the drawn pixels; all other ways look for the rim of the data cloud."""
        return UnmixSettings.from_mapping(settings).extraction != "archetypal"

    def expected_outputs(
        self, settings: Mapping[str, Any], tables: Mapping[str, Spectra], classes: int
    ) -> Mapping[str, OutputSpec]:
        """Outputs for the given or assumed number of endmembers."""
        chosen = UnmixSettings.from_mapping(settings)
        count = len(tables[ROLE]) if ROLE in tables else classes or chosen.count or EXPECTED_COUNT
        return output_specs(tuple(str(i) for i in range(count)), chosen)

    def fit(self, sample: Sample, settings: Mapping[str, Any], context: Context) -> UnmixModel:
        """Find or take the endmembers."""
        chosen = UnmixSettings.from_mapping(settings)
        counted = None
        if ROLE in sample.tables:
            names, endmembers, source = _from_table(sample, context)
        elif sample.labelled:
            names, endmembers, source = _from_labels(sample)
        else:
            counted, endmembers = _from_image(sample, chosen, context)
            names = tuple(f"Endmember {i + 1}" for i in range(len(endmembers)))
            source = f"Found in the image by {EXTRACTION_NAMES[chosen.extraction]}."
        if chosen.normalize == "auto":
            chosen = replace(chosen, normalize=_normalization(endmembers, sample, chosen, context))
        evidence = _evidence(sample.table, names, endmembers, source, chosen, counted)
        for sentence in evidence.cautions():
            context.on_warning(sentence)
        context.on_message(f"{len(names)} endmembers: {', '.join(names)}. {source} {evidence.count_reason}")
        return UnmixModel(sample.table, names, endmembers, chosen, evidence)

    def restore(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> UnmixModel:
        """Rebuild a saved model."""
        return UnmixModel(
            table,
            tuple(header["names"]),
            tensors["endmembers"],
            UnmixSettings.from_mapping(header["settings"]),
            UnmixEvidence.from_mapping(header["evidence"]),
        )

    def numbers(self, model: Model, run: RunRecord) -> Mapping[str, float]:
        """Count, mean error and valid share."""
        grid = run.header.grid
        numbers = {
            "count": len(model.tables()[ROLE]),
            "valid_share": run.valid_pixels / (grid.width * grid.height),
        }
        if "rmse" in run.summaries:
            numbers["mean_rmse"] = float(run.summaries["rmse"].mean[0])
        return numbers

    def report(self, model: Model, run: RunRecord) -> list[Section]:
        """Sections of the report."""
        return unmix_report.sections(cast(UnmixModel, model).evidence, run)


def _from_table(sample: Sample, context: Context) -> tuple[tuple[str, ...], torch.Tensor, str]:
    spectra = sample.tables[ROLE]
    values = to_bands(spectra, sample.table)
    if sample.is_reflectance:  # otherwise the table must be in the raster's own unit, whichever that is
        values, note = to_reflectance(values)
        if note:
            context.on_warning(note)
    return spectra.names, values, "Given as a table."


def _from_labels(sample: Sample) -> tuple[tuple[str, ...], torch.Tensor, str]:
    means = torch.stack([pixels.mean(dim=0) for pixels in sample.labelled.values()])
    counts = ", ".join(f"{len(pixels)} of {name}" for name, pixels in sample.labelled.items())
    return tuple(sample.labelled), means, f"Mean spectra of labelled pixels ({counts})."


def _from_image(sample: Sample, settings: UnmixSettings, context: Context) -> tuple[CountEvidence, torch.Tensor]:
    spread = sample.moments.covariance.diagonal()
    if float(spread.max()) <= 1e-12 * max(1e-12, float(sample.moments.mean.abs().max()) ** 2):
        raise InputError("The image is constant: all valid pixels are equal, so no materials can be told apart.")
    counted = estimate_count(sample, context)
    context.on_progress(0.5)
    count = settings.count or counted.count
    return counted, extract(sample, count, settings, context)


def _normalization(endmembers: torch.Tensor, sample: Sample, settings: UnmixSettings, context: Context) -> str:
    """What ``auto`` means here; spectra that the user gave are taken at their word."""
    if settings.model != "fcls" or not len(sample.pixels):
        return "none"
    spread = brightness_spread(endmembers, sample.pixels)
    if spread < STRONG:
        return "none"
    context.on_message(
        f"Brightness varies by {100 * spread:.0f} % beyond what mixing explains (shade, slopes), so pixels and "
        "endmembers are scaled to unit length before solving; 'Normalization' none of Unmix prevents that."
    )
    return "l2"


def _evidence(
    table: BandTable,
    names: tuple[str, ...],
    endmembers: torch.Tensor,
    source: str,
    settings: UnmixSettings,
    counted: CountEvidence | None,
) -> UnmixEvidence:
    values = tuple(tuple(row) for row in endmembers.double().tolist())
    brightness = endmembers.mean(dim=1).tolist()
    if counted is None:
        reason = "Their number was given with them."
    elif settings.count:
        reason = f"Their number was chosen by the user; the image alone suggests {counted.count}."
    else:
        reason = counted.reason
    return UnmixEvidence(
        endmembers=Spectra(names, values, table.wavelength_nm),
        source=source,
        count_reason=reason,
        model=settings.model,
        normalize=settings.normalize,
        extraction=settings.extraction if counted else None,
        hysime=counted.hysime if counted else None,
        nwhfc=counted.nwhfc if counted else None,
        false_alarm=counted.false_alarm if counted else None,
        eigenvalues=counted.eigenvalues if counted else None,
        errors_by_count=counted.errors_by_count if counted else None,
        dark=tuple(name for name, mean in zip(names, brightness) if mean < DARK_SHARE * max(brightness)),
        near_duplicates=tuple(near_duplicates(endmembers, names)),
    )
