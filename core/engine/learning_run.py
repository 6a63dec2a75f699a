# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs have in common that learn spectra for a multispectral camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..bands import BandTable
from ..errors import InputError
from ..raster.bands_file import read_bands
from ..raster.header import check_spectral
from ..raster.open_raster import read_header
from ..raster.scale import detect_scale
from ..raster.spectra_files import read_spectra, write_csv
from ..sensors.camera import OWN_BANDS, check_camera
from ..spectra import Spectra
from ..ssr.archive import Scene, from_archive
from ..ssr.mixtures import from_library, library_table
from ..ssr.overlap import from_pair
from ..ssr.pairs import TrainingData
from ..ssr.settings import SsrSettings
from .archive_source import common_bands, draw_blocks
from .checkpoint import Checkpoint
from .fitted_run import FittedRun
from .method import Context
from .msi_camera import known_bands
from .pair_source import PairSource, draw_pair_sample
from .record import InputRecord

if TYPE_CHECKING:
    from ..ssr.method import SpectralSuperResolution
    from ..ssr.model import SsrModel

CHECKPOINT = "training.safetensors"


@dataclass(frozen=True)
class Materials:
    """What spectra are learnt from.

    Attributes:
        images: hyperspectral images with the same bands; one in the mode ``overlap``, none in the mode ``library``.
        library: spectra in the mode ``library``.
        table: the bands of the spectra.
        msi: the multispectral image, where there is one.
        camera: the bands of the camera; None where they follow from the sensor alone.
    """

    images: tuple[InputRecord, ...]
    library: Spectra | None
    table: BandTable
    msi: InputRecord | None
    camera: BandTable | None


class LearningRun(FittedRun):
    """Reads what a spectral super-resolution learns from, and learns it."""

    reading = "Reading the spectra"

    def read_msi(self, settings: SsrSettings, strict: bool) -> InputRecord:
        """The multispectral image with what is known of its bands.

        Args:
            settings: the settings.
            strict: refuse bands of unknown wavelength.
        """
        header = read_header(self.job.inputs["msi"])
        check_spectral(header, min_bands=1)
        msi = self.look(header, settings.msi_scale, None, False, "Multispectral image")
        used = header.table.subset(msi.bands_used)
        given = self.given_camera()
        if not strict and given is None and settings.sensor == OWN_BANDS:
            return msi
        known, notes = known_bands(used, settings.sensor, given)
        for sentence in notes:
            self.reporter.warning(sentence)
        return replace(msi, header=replace(header, table=_placed(header.table, msi.bands_used, known)))

    def given_camera(self) -> BandTable | None:
        """The table of the camera's bands that the user gave, if any."""
        return read_bands(self.job.tables["bands"]) if "bands" in self.job.tables else None

    def materials(self, settings: SsrSettings) -> Materials:
        """Read the headers of everything to learn from.

        Raises:
            InputError: something is missing or does not go together.
        """
        names = sorted((name for name in self.job.inputs if name.startswith("hsi")), key=lambda name: (len(name), name))
        msi = self.read_msi(settings, strict=settings.mode != "overlap") if "msi" in self.job.inputs else None
        camera = self._camera(settings, msi)
        if settings.mode == "library":
            if "library" not in self.job.tables:
                raise InputError("The mode library needs a spectral library: give one, or choose another mode.")
            library, warnings = read_spectra(self.job.tables["library"])
            for sentence in warnings:
                self.reporter.warning(sentence)
            library = self._as_reflectance(library, settings)
            return Materials((), library, library_table(library, camera, settings), msi, camera)
        if not names:
            raise InputError(
                "A multispectral image alone does not tell spectra: give a model, a hyperspectral image or a spectral "
                "library."
            )
        if settings.mode == "overlap" and (msi is None or len(names) > 1):
            raise InputError(
                "The mode overlap needs one hyperspectral image and a multispectral one of the same ground."
            )
        images = common_bands([self._read_hsi(name, settings) for name in names])
        return Materials(tuple(images), None, images[0].header.table.subset(images[0].bands_used), msi, camera)

    def learnt(self, method: SpectralSuperResolution, settings: SsrSettings, materials: Materials) -> SsrModel:
        """Fit a model, or take the one that an interrupted run left."""
        keeper = None if self.journal is None else Checkpoint(self.journal.folder / CHECKPOINT)

        def fit(data: TrainingData, step: Context) -> SsrModel:
            return method.fit(data, settings, step, keeper)

        return self.fitted(method, materials.table, lambda step: self._data(settings, materials, step), fit)[0]

    def _data(self, settings: SsrSettings, materials: Materials, step: Context) -> TrainingData:
        """Draw the training data."""
        if settings.mode == "overlap":
            assert materials.msi is not None
            with PairSource(materials.images[0], materials.msi) as source:
                for sentence in source.notes:
                    self.reporter.warning(sentence)
                return from_pair(draw_pair_sample(source, self.job.seed, step), settings, step)
        if materials.library is not None:
            return from_library(materials.library, materials.camera, settings, step)
        scenes = [Scene(*block) for block in draw_blocks(materials.images, self.job.seed, step)]
        return from_archive(scenes, materials.table, materials.camera, settings, step)

    def _read_hsi(self, name: str, settings: SsrSettings) -> InputRecord:
        header = read_header(self.job.inputs[name])
        check_spectral(header)
        return self.look(header, settings.hsi_scale, self.job.bands, self.job.skip_water_vapour, "Hyperspectral image")

    def _as_reflectance(self, library: Spectra, settings: SsrSettings) -> Spectra:
        """The spectra from 0 to 1; many libraries hold them times 10000."""
        numbers = sorted(value for row in library.values for value in row if math.isfinite(value))
        scale = settings.hsi_scale
        if scale is None and numbers:
            scale, sentence = detect_scale(numbers[int(0.99 * (len(numbers) - 1))], "float64", False)
            self.reporter.message(sentence)
        if scale is None or scale == 1.0:
            return library
        return replace(library, values=tuple(tuple(value * scale for value in row) for row in library.values))

    def _camera(self, settings: SsrSettings, msi: InputRecord | None) -> BandTable | None:
        """The bands of the camera, as far as they are known before anything is learnt."""
        if msi is not None:
            return msi.header.table.subset(msi.bands_used)
        given = self.given_camera()
        if settings.mode != "overlap":
            check_camera(None, settings.sensor, given)
        return given


def write_stf(path: Path, model: SsrModel) -> None:
    """Write the function between the sensors as a table."""
    rows = tuple(tuple(float(value) for value in row) for row in model.response.cpu())
    names = model.msi_table.names
    unique = names if len(set(names)) == len(names) else tuple(f"{i + 1} {name}" for i, name in enumerate(names))
    write_csv(path, Spectra(unique, rows, model.table.wavelength_nm))


def _placed(table: BandTable, used: tuple[int, ...], known: BandTable) -> BandTable:
    """The table of all bands with what is known of the used ones; the others are not looked at any more."""
    order = {band: i for i, band in enumerate(used)}

    def column(values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        return tuple(values[order[i]] if i in order else float("nan") for i in range(len(table)))

    names = tuple(known.names[order[i]] if i in order else name for i, name in enumerate(table.names))
    return BandTable(names, table.good, column(known.wavelength_nm), column(known.fwhm_nm))
