# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the engine and a method: fitted once on a sample, then applied tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..bands import BandTable
from ..errors import Cancelled
from ..spectra import Spectra

if TYPE_CHECKING:
    import torch

    from ..report.page import Section
    from .record import RunRecord


@dataclass(frozen=True)
class OutputSpec:
    """A raster that a model produces.

    Attributes:
        title: what people read, e.g. ``Abundances``.
        band_names: one name per band.
        dtype: numpy name of the stored type.
        nodata: value of invalid pixels.
        limits: the range to show and to draw histograms over, or None to take it from the data.
        unit: physical unit, empty when there is none.
        class_names, class_colours: name and RGB colour of classes 1, 2, ... of a class raster (0 is nodata).
        table: spectral axis of an output that has one.
    """

    title: str
    band_names: tuple[str, ...]
    dtype: str = "float32"
    nodata: float = -9999.0
    limits: tuple[float, float] | None = None
    unit: str = ""
    class_names: tuple[str, ...] = ()
    class_colours: tuple[tuple[int, int, int], ...] = ()
    table: BandTable | None = None


@dataclass(frozen=True)
class Moments:
    """First and second moments of the valid pixels, float64.

    Attributes:
        count: pixels that entered.
        mean: [bands].
        correlation: E[y y^T], [bands, bands] (not centred).
    """

    count: int
    mean: torch.Tensor
    correlation: torch.Tensor

    @property
    def covariance(self) -> torch.Tensor:
        """Centred second moment, [bands, bands]."""
        return self.correlation - self.mean[:, None] * self.mean[None, :]


@dataclass(frozen=True)
class Sample:
    """What ``fit`` sees of the rasters; only used bands, only valid pixels, scaled to reflectance.

    Attributes:
        pixels: pixels drawn evenly over the valid area, float32 [pixels, bands]; all of them when ``complete``.
        extremes: pixels at the rim of the data cloud collected from the whole image, float32 [pixels, bands];
            the same tensor as ``pixels`` when ``complete`` or when the method needs none.
        moments: streaming statistics of the valid pixels.
        table: the used bands.
        valid_pixels, total_pixels: of the whole image.
        complete: True when ``pixels`` holds every valid pixel.
        is_reflectance: False when the numbers are in some other unit, such as radiance, that is not known.
        labelled: pixels under each labelled geometry class, float32 [pixels, bands].
        tables: spectra given by the user, by role.
    """

    pixels: torch.Tensor
    extremes: torch.Tensor
    moments: Moments
    table: BandTable
    valid_pixels: int
    total_pixels: int
    complete: bool
    is_reflectance: bool = True
    labelled: Mapping[str, torch.Tensor] = field(default_factory=dict)
    tables: Mapping[str, Spectra] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a method may ask of its surroundings.

    Attributes:
        device: torch device of the computation.
        seed: seed for :meth:`generator`.
        on_progress: called with a share from 0 to 1.
        on_message: called with a sentence for the log.
        on_warning: called with a sentence that the user should not miss.
        is_cancelled: True once the user asked to stop.
    """

    device: torch.device
    seed: int = 0
    on_progress: Callable[[float], None] = lambda share: None
    on_message: Callable[[str], None] = lambda text: None
    on_warning: Callable[[str], None] = lambda text: None
    is_cancelled: Callable[[], bool] = lambda: False

    def generator(self) -> torch.Generator:
        """A fresh, seeded random generator (on the CPU, so that devices draw alike)."""
        import torch

        return torch.Generator().manual_seed(self.seed)

    def check_cancelled(self) -> None:
        """Raise :class:`Cancelled` once the user asked to stop; call it in every loop."""
        if self.is_cancelled():
            raise Cancelled("The run was cancelled.")


class Savable(Protocol):
    """What model files and provenance need to know of a fitted model.

    Attributes:
        method: name of the method that made it.
        table: the bands it was fitted on.
    """

    method: str
    table: BandTable

    def header(self) -> dict[str, Any]:
        """Everything but tensors, JSON-ready; together with :meth:`tensors` enough for ``restore``."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors to save."""
        ...


Saved = TypeVar("Saved", bound=Savable, covariant=True)


class Restorer(Protocol[Saved]):
    """What rebuilds saved models of one method."""

    name: str

    def restore(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> Saved:
        """Rebuild a saved model."""
        ...


class Applicable(Savable, Protocol):
    """A fitted model that makes rasters.

    Attributes:
        outputs: the rasters, by role.
    """

    outputs: Mapping[str, OutputSpec]


class Model(Applicable, Protocol):
    """A fitted method. ``apply`` is pure: the same tile in gives the same tile out, whatever its size.

    Attributes:
        method: name of the method that made it.
        halo_px: how many pixels around a pixel its result depends on.
        outputs: the rasters that ``apply`` returns, by role.
        table: the bands it was fitted on.
    """

    halo_px: int

    def apply(self, cube: torch.Tensor, valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the outputs of one tile.

        Args:
            cube: reflectance of the used bands, float32 [bands, rows, columns]; arbitrary finite numbers where invalid.
            valid: bool [rows, columns].

        Returns:
            by role, [output bands, rows, columns]; values at invalid pixels are ignored (the engine writes nodata).
        """
        ...

    def to(self, device: torch.device) -> Model:
        """The same model with its tensors on a device."""
        ...

    def tables(self) -> Mapping[str, Spectra]:
        """Tables of spectra that can be written, by role."""
        ...


class Method(Protocol):
    """A way to make rasters from rasters.

    Attributes:
        name: what jobs call it.
        title: what reports call it, e.g. ``Unmixing``.
    """

    name: str
    title: str

    def check(self, settings: Mapping[str, Any], table: BandTable, tables: Mapping[str, Spectra], classes: int) -> None:
        """Refuse what headers already show to be impossible, before any pixel is read; needs no torch.

        Args:
            settings: the job's settings.
            table: the used bands.
            tables: spectra given by the user, by role.
            classes: number of labelled classes.

        Raises:
            InputError: with the sentence for the user.
        """
        ...

    def needs_pixels(self, tables: Mapping[str, Spectra], labelled: bool) -> bool:
        """Tell whether ``fit`` needs pixels drawn from the whole image, which costs one pass over it.

        Args:
            tables: spectra given by the user, by role.
            labelled: True when the user gave labelled geometries.
        """
        ...

    def fit(self, sample: Sample, settings: Mapping[str, Any], context: Context) -> Model:
        """Fit on a sample.

        Raises:
            InputError: the sample cannot be used with these settings.
        """
        ...

    def restore(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], table: BandTable) -> Model:
        """Rebuild a saved model."""
        ...

    def needs_rim(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether ``fit`` looks at ``Sample.extremes``, which cost about as much as the reading itself."""
        ...

    def expected_outputs(
        self, settings: Mapping[str, Any], tables: Mapping[str, Spectra], classes: int
    ) -> Mapping[str, OutputSpec]:
        """The rasters that a run will probably make, so that the space for them can be checked before.

        Args:
            settings: the job's settings.
            tables: spectra given by the user, by role.
            classes: number of labelled classes.
        """
        ...

    def numbers(self, model: Model, run: RunRecord) -> Mapping[str, float]:
        """Figures that a model or script can use, e.g. the endmember count."""
        ...

    def report(self, model: Model, run: RunRecord) -> list[Section]:
        """The method's own sections of the report."""
        ...
