# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit of a fusion method leaves behind for people to judge it by; plain numbers, JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

POOR_CORRELATION = 0.8
LARGE_SHIFT = 0.25
"""Share of a coarse pixel from which a shift between the images blurs and displaces spectra visibly."""


@dataclass(frozen=True)
class Contender:
    """How well one way of fusing predicts coarse pixels that it was not fitted on.

    Attributes:
        name: what reports call it.
        rmse: root mean square error over bands, reflectance.
        sam: mean spectral angle, degrees.
    """

    name: str
    rmse: float
    sam: float


@dataclass(frozen=True)
class FusionEvidence:
    """How a fused image came about.

    Attributes:
        ratio: coarse over fine ground sampling distance, along rows and columns.
        response_source: where the spectral response comes from, in words.
        response: [msi_bands][hsi_bands], rows sum to 1.
        gain, offset: per MSI band, so that (MSI - offset) / gain is on the HSI's scale.
        rescaled: True when they were applied.
        correlation: per MSI band, between the averaged MSI and the band simulated from the HSI.
        shift_px: displacement of the HSI found, in fine pixels along rows and columns.
        shift_m: its length in metres.
        shift_corrected: True when the HSI was moved by it.
        kernel: point spread function on the fine grid, [rows][columns]; empty when none was estimated.
        psf_confidence: from 0 to 1.
        psf_note: one sentence on the point spread function.
        noise_hsi, noise_msi: median over bands of the estimated noise's standard deviation, reflectance.
        components: dimension of the spectral subspace; 0 when the bands are predicted directly.
        correction_note: one sentence on whether and how the HSI's pixels correct the prediction.
        contenders: the method and the baselines on held-out coarse pixels.
        consistency_hsi, consistency_msi: PSNR in dB of the fused image, degraded again, against the inputs.
        parameters: number of trained parameters.
        notes: further sentences worth keeping.
    """

    ratio: tuple[float, float]
    response_source: str
    response: tuple[tuple[float, ...], ...]
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    rescaled: bool
    correlation: tuple[float, ...]
    shift_px: tuple[float, float]
    shift_m: float
    shift_corrected: bool
    kernel: tuple[tuple[float, ...], ...]
    psf_confidence: float
    psf_note: str
    noise_hsi: float
    noise_msi: float
    components: int
    correction_note: str
    contenders: tuple[Contender, ...]
    consistency_hsi: float
    consistency_msi: float
    parameters: int
    notes: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, record: Mapping[str, Any]) -> FusionEvidence:
        """Rebuild from :meth:`to_mapping` after a way through JSON, which turns tuples into lists."""
        values = {name: _tuples(value) for name, value in record.items() if name != "contenders"}
        return cls(**values, contenders=tuple(Contender(**entry) for entry in record["contenders"]))

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @property
    def winner(self) -> Contender | None:
        """The contender with the smallest error."""
        return min(self.contenders, key=lambda contender: contender.rmse, default=None)

    def cautions(self, msi_names: tuple[str, ...]) -> list[str]:
        """Sentences that a user should not miss, for the log and the report alike."""
        sentences = []
        for name, value in zip(msi_names, self.correlation):
            if value < POOR_CORRELATION:
                sentences.append(
                    f"Band {name} of the multispectral image follows the hyperspectral image poorly (correlation "
                    f"{value:.2f}): check its wavelength, the sensor chosen, and that both were taken at the same time."
                )
        share = max(abs(self.shift_px[0]) / self.ratio[0], abs(self.shift_px[1]) / self.ratio[1])
        if share > LARGE_SHIFT and not self.shift_corrected:
            sentences.append(
                f"The images are displaced by {self.shift_m:.3g} m, {share:.2f} of a "
                "coarse pixel: choose 'correct' under 'Registration', or register them first."
            )
        return [*sentences, *self.notes]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
