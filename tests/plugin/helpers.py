# SPDX-License-Identifier: GPL-3.0-or-later
"""Rasters made by the tests themselves, and waiting for Qt."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from osgeo import gdal, osr
from qgis.core import QgsProcessingContext, QgsProcessingFeedback
from qgis.PyQt.QtWidgets import QTextEdit

ROOT = Path(__file__).resolve().parents[2]
ENGINE = Path(os.environ.get("HYPERRES_PYTHON") or ROOT / ".venv" / "bin" / "python")

ALGORITHMS = (
    "unmix",
    "endmembers",
    "fuse",
    "spectralift",
    "spectramorph",
    "superresolve",
    "spectralsuperresolve",
    "trainssr",
    "estimatestf",
    "simulate",
    "assess",
    "status",
)

NAMES = ("meadow", "soil", "water")
WAVELENGTH_NM = np.arange(450.0, 2450.0, 100.0)
NODATA = -9999


@dataclass(frozen=True)
class Scene:
    """A raster mixed of known spectra.

    Attributes:
        path: int16 GeoTIFF, reflectance times 10000, first row nodata.
        spectra: [endmembers, bands].
        shares: [endmembers, rows, columns].
    """

    path: str
    spectra: np.ndarray
    shares: np.ndarray


def library_text(scene: Scene, wavelength_nm=WAVELENGTH_NM) -> str:
    rows = [f"{nm:g}," + ",".join(f"{v:.6f}" for v in values) for nm, values in zip(wavelength_nm, scene.spectra.T)]
    return "\n".join(["wavelength_nm," + ",".join(NAMES), *rows]) + "\n"


def make_scene(path: Path, side: int = 48, seed: int = 1) -> Scene:
    """Mix three smooth spectra by random shares, with pure pixels and a trace of noise."""
    generator = np.random.default_rng(seed)
    nm = WAVELENGTH_NM
    spectra = np.stack(
        [
            0.05 + 0.45 / (1 + np.exp(-(nm - 720) / 40)) - 0.12 * (nm / 2450),
            0.08 + 0.40 * (nm / 2450) ** 0.7,
            0.09 * np.exp(-(nm - 450) / 350) + 0.01,
        ]
    )
    shares = generator.dirichlet((0.7, 0.7, 0.7), side * side).T.reshape(3, side, side)
    for k in range(3):
        shares[:, 4 + 8 * k : 8 + 8 * k, 4:8] = np.eye(3)[k][:, None, None]
    cube = np.einsum("kb,krc->brc", spectra, shares) + generator.normal(0, 3e-4, (len(nm), side, side))
    stored = np.round(cube * 10000).astype("int16")
    stored[:, 0, :] = NODATA
    write_raster(path, stored, nodata=NODATA, wavelength_nm=nm)
    return Scene(str(path), spectra, shares)


def write_raster(
    path, cube, nodata=None, wavelength_nm=None, epsg=32633, kind=gdal.GDT_Int16, pixel_m=10, corner=(500000, 5000000)
) -> str:
    """Write a GeoTIFF with wavelengths as band metadata."""
    bands, rows, cols = cube.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), cols, rows, bands, kind)
    dataset.SetGeoTransform((corner[0], pixel_m, 0, corner[1], 0, -pixel_m))
    if epsg:
        system = osr.SpatialReference()
        system.ImportFromEPSG(epsg)
        dataset.SetProjection(system.ExportToWkt())
    for index in range(bands):
        band = dataset.GetRasterBand(index + 1)
        band.WriteArray(cube[index])
        if nodata is not None:
            band.SetNoDataValue(nodata)
        if wavelength_nm is not None:
            band.SetMetadataItem("wavelength", f"{wavelength_nm[index]:g}")
            band.SetMetadataItem("wavelength_units", "Nanometers")
    band = dataset = None
    return str(path)


def read_raster(path) -> np.ndarray:
    return np.atleast_3d(gdal.Open(str(path)).ReadAsArray())


def wait_for(app, condition, seconds=90.0) -> bool:
    """Let Qt work until a condition holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        app.processEvents()
        if condition():
            return True
        time.sleep(0.01)
    return False


def run_batch(algorithm, rows, folder: Path, app, picture) -> dict[str, np.ndarray]:
    """Run an algorithm several times from its batch dialog, as a person does.

    Args:
        algorithm: to run.
        rows: values of the parameters of each run, by the run's name.
        folder: for the results.
        app: of Qt.
        picture: file for what the dialog looks like in the end.

    Returns:
        the result of each run.
    """
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    targets = {name: folder / f"{name}_{algorithm.name()}.tif" for name in rows}
    opened = BatchAlgorithmDialog(algorithm.create(), None)
    panel = opened.mainWidget()
    while panel.batchRowCount() < len(rows):
        panel.addRow()
    column, context = panel.parameter_to_column, panel.processing_context
    for row, (name, values) in enumerate(rows.items()):
        for parameter, value in values.items():
            panel.wrappers[row][column[parameter]].setParameterValue(value, context)
        panel.tblParameters.cellWidget(row + 1, column["OUTPUT"]).setValue(str(targets[name]))
    opened.resize(1200, 500)
    opened.show()
    wait_for(app, lambda: False, 0.3)
    opened.runButton().click()
    done = wait_for(app, lambda: all(target.exists() for target in targets.values()))
    wait_for(app, lambda: False, 0.5)
    opened.grab().save(str(picture))
    assert done, log_of(opened)
    opened.close()
    return {name: read_raster(target) for name, target in targets.items()}


def log_of(dialog) -> str:
    """All that a dialog of the toolbox has said."""
    return "\n".join(edit.toPlainText() for edit in dialog.findChildren(QTextEdit))


def files_in(folder: Path) -> list[str]:
    """All files but the statistics that QGIS itself writes beside a raster when it makes a layer of it."""
    return sorted(path.name for path in folder.rglob("*") if not path.name.endswith(".aux.xml"))


def refusal(algorithm, values, folder: Path) -> str:
    """The one sentence that refuses a run, having made sure that nothing is written and that models refuse it too."""
    before = files_in(folder)
    context = QgsProcessingContext()
    fine, sentence = algorithm.checkParameterValues(values, context)
    assert not fine
    assert sentence in "\n".join(algorithm.problems(values, context))
    # models do not call checkParameterValues: preparing must refuse as well
    assert not algorithm.prepare(values, QgsProcessingContext(), QgsProcessingFeedback())
    assert files_in(folder) == before
    assert "\n" not in sentence, "one sentence is enough"
    assert sentence.endswith(".")
    return sentence
