# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fit of spectral super-resolution leaves behind for people to judge it by; plain numbers, JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NETWORKS = ("network", "paper")


@dataclass(frozen=True)
class Contender:
    """How well one way predicts the validation part, which it did not learn from.

    Attributes:
        kind: word of its preset.
        name: what reports call it.
        rmse: root mean square error over all values, in the HSI's unit.
        psnr: decibels, the peak being the evidence's.
        sam: mean spectral angle, degrees.
        ssim: structural similarity, mean over bands; None where the part is too small for its windows.
        seconds: that fitting took.
    """

    kind: str
    name: str
    rmse: float
    psnr: float
    sam: float
    ssim: float | None
    seconds: float


@dataclass(frozen=True)
class Example:
    """The spectrum of one pixel of the validation part.

    Attributes:
        truth, estimate: in the HSI's unit, [C].
        deviation: standard deviation that is stated, [C].
    """

    truth: tuple[float, ...]
    estimate: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Attributes:
        steps: after which it was judged.
        errors: root mean square errors on the validation part.
        seconds: in all.
    """

    steps: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class SsrEvidence:
    """How a model came about.

    Attributes:
        mode, preset: as asked.
        chosen: kind of the way that the model uses.
        contenders: all ways that were fitted, on the validation part.
        peak: of their PSNR, the 99.9th percentile of the validation part.
        train_pixels, held_pixels: how many.
        dimensions: of the subspace of spectra.
        response, low, high: R and its bounds, [c][C].
        nominal: R as the camera's data sheet has it, [c][C]; None where no centres and widths are known.
        gain, offset: per MSI band, as in :class:`core.ssr.pairs.TrainingData`.
        unseen: share of each band's variance that the MSI leaves open, [C].
        blind: bands that the MSI cannot see, [C].
        inflation: by which stated deviations were raised to what the validation part shows, mean over bands.
        covered: share of the validation part's values within two stated deviations.
        residual: root mean square of Y - R X on the validation part, [c].
        examples: some spectra of the validation part.
        training: of the network.
        notes: sentences for the report.
        change_db: by how many decibels the PSNR is expected to change since the model was changed to another camera
            than the one of the validation part; None where it was not.
    """

    mode: str
    preset: str
    chosen: str
    contenders: tuple[Contender, ...]
    peak: float
    train_pixels: int
    held_pixels: int
    dimensions: int
    response: tuple[tuple[float, ...], ...]
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]
    nominal: tuple[tuple[float, ...], ...] | None
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    unseen: tuple[float, ...]
    blind: tuple[bool, ...]
    inflation: float
    covered: float
    residual: tuple[float, ...]
    examples: tuple[Example, ...]
    training: Training = Training()
    notes: tuple[str, ...] = ()
    change_db: float | None = None

    @classmethod
    def from_mapping(cls, record: Mapping[str, Any]) -> SsrEvidence:
        """Rebuild from :meth:`to_mapping` after a way through JSON, which turns tuples into lists."""
        own = {"contenders", "examples", "training"}
        values = {name: _tuples(value) for name, value in record.items() if name not in own}
        return cls(
            **values,
            contenders=tuple(Contender(**entry) for entry in record["contenders"]),
            examples=tuple(Example(**{k: tuple(v) for k, v in entry.items()}) for entry in record["examples"]),
            training=Training(**{name: _tuples(value) for name, value in record["training"].items()}),
        )

    def to_mapping(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @property
    def best(self) -> Contender:
        """The contender with the highest PSNR."""
        return max(self.contenders, key=lambda contender: contender.psnr)

    def of(self, kind: str) -> Contender | None:
        """The contender of a kind, if it was fitted."""
        return next((contender for contender in self.contenders if contender.kind == kind), None)

    def verdict(self) -> str:
        """One sentence on what the validation part says about the way that is used."""
        used, best = self.of(self.chosen) or self.best, self.best
        simple = max((c for c in self.contenders if c.kind not in NETWORKS), key=lambda c: c.psnr, default=None)
        network = max((c for c in self.contenders if c.kind in NETWORKS), key=lambda c: c.psnr, default=None)
        if used is not best:
            return (
                f"On the validation part {best.name} does better than {used.name}, which was asked for: "
                f"{best.psnr:.2f} against {used.psnr:.2f} dB. Choose the preset 'auto' or {best.kind!r}."
            )
        if network is None or simple is None:
            return f"On the validation part {used.name} does best of all that were tried, with {used.psnr:.2f} dB."
        gain = network.psnr - simple.psnr
        if gain > 0:
            return (
                f"On the validation part the {network.name} beats {simple.name}, the best simple way, by {gain:.2f} dB."
            )
        return (
            f"On the validation part the {network.name} loses to {simple.name} by {-gain:.2f} dB: "
            f"it adds nothing here, and {used.name} is used."
        )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
