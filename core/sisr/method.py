# SPDX-License-Identifier: GPL-3.0-or-later
"""Super-resolution of one hyperspectral image by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..bands import BandTable
from ..engine.method import Context, OutputSpec, Sample
from ..errors import InputError
from ..grid import Grid
from ..spectra import Spectra
from ..unmixing.abundances import make_solver
from ..unmixing.method import Unmix
from ..unmixing.model import UnmixModel
from ..unmixing.settings import UnmixSettings
from . import report as sisr_report
from .block import Block
from .check import check_superresolve
from .evidence import SisrEvidence
from .model import SuperresolveModel, finer_guess, output_specs
from .planes import PlaneSpace, filled, fit_planes
from .reconstruct import LEAST_COVERAGE, fit_reconstruction, make_blur
from .settings import SuperresolveSettings
from .shipped import shipped_network
from .trial import on_own_scale
from .uncertainty import contrast
from .upscaler import Shared, Upscaler
from .view import View, look

if TYPE_CHECKING:
    from ..engine.record import RunRecord
    from ..report.page import Section

ROLE = "endmembers"
EXPECTED_COUNT = 8
PIXELS_OF_SUMS = 5000
SUM_TOLERANCE, SUM_SHARE = 0.05, 0.9
"""Abundances sum to one in a scene when those of this share of its pixels do, within the tolerance."""


class Superresolve:
    """See :mod:`core.sisr.reconstruct` and :mod:`core.sisr.planes`."""

    name = "superresolve"
    title = "Super-resolution"

    def check(
        self, settings: SuperresolveSettings, table: BandTable, tables: Mapping[str, Spectra], grid: Grid
    ) -> None:
        """Refuse what headers already show to be impossible.

        Args:
            settings: the settings.
            table: the used bands.
            tables: spectra given by the user, by role.
            grid: of the input.

        Raises:
            InputError: with the sentence for the user.
        """
        unknown = sorted(set(tables) - {ROLE})
        if unknown:
            raise InputError(f"Super-resolution knows no table called {unknown[0]!r}: call it {ROLE!r}.")
        check_superresolve(settings, table, tables.get(ROLE), grid)

    def check_model(self, model: SuperresolveModel, settings: SuperresolveSettings) -> None:
        """Refuse a model that was fitted for something else.

        Raises:
            InputError: another scale factor or blur.
        """
        if model.factor != settings.factor:
            raise InputError(
                f"The model was fitted for scale factor {model.factor} but {settings.factor} is asked for: choose "
                f"{model.factor}, or another model."
            )
        asked = settings.sigma is not None or settings.mtf is not None
        if asked and abs(model.settings.psf_sigma - settings.psf_sigma) > 1e-3 * settings.psf_sigma:
            raise InputError(
                f"The model was fitted for a blur of sigma {model.settings.psf_sigma:.3g} output pixels but "
                f"{settings.psf_sigma:.3g} is asked for: leave the blur empty, or fit a new model."
            )

    def expected_outputs(
        self, table: BandTable, settings: SuperresolveSettings, tables: Mapping[str, Spectra]
    ) -> Mapping[str, OutputSpec]:
        """Outputs for the given or assumed number of endmembers, so that the space for them can be checked before.

        Args:
            table: the bands to be written.
            settings: the settings.
            tables: spectra given by the user, by role.
        """
        count = len(tables[ROLE]) if ROLE in tables else settings.count or EXPECTED_COUNT
        return output_specs(table, tuple(str(i) for i in range(count)))

    def fit(
        self, sample: Sample, blocks: Sequence[Block], settings: SuperresolveSettings, context: Context
    ) -> SuperresolveModel:
        """Find endmembers and planes, and how far a guess of their fine versions can be trusted.

        Args:
            sample: pixels of the whole image.
            blocks: parts spread over it.
            settings: the settings.
            context: device, seed, progress, cancel.

        Raises:
            InputError: the sample cannot be used.
        """
        unmixing = Unmix().fit(sample, {"count": settings.count}, context)
        space = fit_planes(sample, unmixing.endmembers)
        upscaler: Upscaler = Shared(shipped_network(settings.factor))
        device = context.device
        on_device = [block.to(device) for block in blocks if bool(block.valid.any())]
        misfit, usual = _misfits(space.to(device), upscaler.to(device), settings, on_device, context)
        reconstruction = fit_reconstruction(settings.factor, settings.psf_sigma, misfit, space.coarse_noise)
        unexplained, sums_hold = _shares_alone(unmixing, sample)
        evidence = SisrEvidence(
            unmixing=unmixing.evidence,
            components=max(0, space.basis.shape[1] - len(space.endmembers)),
            unexplained=unexplained,
            noise=float((space.coarse_noise.trace() / len(sample.table) + space.noise_left) ** 0.5),
            sums_hold=sums_hold,
            network="the network that comes with the plugin",
        )
        model = SuperresolveModel(sample.table, space, upscaler, reconstruction, settings, evidence, usual)
        trial = on_own_scale(model.to(device), on_device)
        return SuperresolveModel(
            sample.table, space, upscaler, reconstruction, settings, replace(evidence, trial=trial), usual
        )

    def restore(
        self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable
    ) -> SuperresolveModel:
        """Rebuild a saved model."""
        return SuperresolveModel.restore(header, tensors, table)

    def look(self, model: SuperresolveModel, blocks: Sequence[Block]) -> View | None:
        """Look closely at the most telling part of an image."""
        return look(model, blocks)

    def numbers(self, model: SuperresolveModel, run: RunRecord, view: View | None) -> Mapping[str, float]:
        """Figures that a model or script can use."""
        grid = run.header.grid
        evidence = model.evidence
        numbers = {
            "factor": float(model.factor),
            "count": float(evidence.unmixing.count),
            "psf_sigma": model.settings.psf_sigma,
            "valid_share": run.valid_pixels / (grid.width * grid.height * model.factor**2),
        }
        if view is not None:
            numbers["psnr_consistency"] = view.consistency_psnr
        if evidence.trial is not None:
            numbers["trial_gain"] = evidence.trial.gain
        return numbers

    def report(self, model: SuperresolveModel, run: RunRecord, view: View | None) -> list[Section]:
        """Sections of the report."""
        return sisr_report.sections(model.evidence, model.settings, run, view, model.table)


def _misfits(
    space: PlaneSpace,
    upscaler: Upscaler,
    settings: SuperresolveSettings,
    blocks: Sequence[Block],
    context: Context,
) -> tuple[torch.Tensor, float]:
    """What guesses leave of the input, [dimensions, pixels], and the mean contrast of the input."""
    errors, contrasts = [], []
    for done, block in enumerate(blocks):
        context.check_cancelled()
        context.on_progress(0.8 + 0.2 * done / len(blocks))
        coarse = filled(space.project(block.cube), block.valid)
        blur = make_blur(settings.factor, settings.psf_sigma, block.valid.shape, coarse.device)
        missing = coarse - blur(finer_guess(space, upscaler, coarse, settings.psf_sigma))
        rows, cols = block.core
        usable = (block.valid & (blur.coverage > LEAST_COVERAGE))[rows, cols]
        errors.append(missing[:, rows, cols][:, usable])
        contrasts.append(contrast(coarse, block.valid)[rows, cols][usable])
    return torch.cat(errors, dim=1), float(torch.cat(contrasts).mean())


def _shares_alone(unmixing: UnmixModel, sample: Sample) -> tuple[float, bool]:
    """What abundances alone leave of a scene, and whether they sum to one without being made to.

    Returns:
        share of the power around the mean that is left, and True where sums hold.
    """
    pixels = sample.pixels[:: max(1, len(sample.pixels) // PIXELS_OF_SUMS)].T
    endmembers = unmixing.endmembers.cpu()
    shares = make_solver(endmembers, UnmixSettings(model="nnls"))(pixels)
    power = (pixels - pixels.mean(dim=1, keepdim=True)).square().sum().clamp_min(1e-30)
    left = float((pixels - endmembers.T @ shares).square().sum() / power)
    return left, float(((shares.sum(dim=0) - 1.0).abs() < SUM_TOLERANCE).float().mean()) > SUM_SHARE
