# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that come with the plugin: files, physics, a scene that they never saw, and the job that uses them."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from jobs import Quiet

from hyperres.core.bands import BandTable
from hyperres.core.engine.job import Job
from hyperres.core.engine.model_file import load_model
from hyperres.core.engine.run import run
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import srf_of_sensor
from hyperres.core.ssr.archive import sensor_table
from hyperres.core.ssr.method import SpectralSuperResolution
from hyperres.core.ssr.shipped import CAUTION, shipped_model, shipped_sensors

CAMERAS = "p4-multispectral", "rededge-mx"
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
JASPER = DATA / "unmixing" / "jasper" / "jasperRidge2_R198_Mei.mat"
WAVELENGTHS = DATA / "unmixing" / "synthetic" / "variability_AVIRIS_wavelengths.mat"
GAIN_DB = 5.0
"""Over lines between the bands, at least."""


@pytest.fixture(scope="module", params=CAMERAS)
def camera(request):
    return request.param


@pytest.fixture(scope="module")
def model(camera):
    return load_model(shipped_model(camera), SpectralSuperResolution()).matched(sensor_table(camera))


def seen_by(camera, cube, nm):
    """What a camera sees of spectra [bands, rows, columns]."""
    table = BandTable(tuple(f"{x:.0f} nm" for x in nm), (True,) * len(nm), tuple(map(float, nm)))
    sensor = load_sensor(camera)
    return np.einsum("cb,bij->cij", srf_of_sensor(sensor, range(len(sensor.bands)), table)[0].matrix, cube)


def spectra_of(model, msi):
    msi = torch.from_numpy(np.asarray(msi, dtype=np.float32))
    made = model.apply(msi, torch.ones(msi.shape[1:], dtype=torch.bool))
    return made["spectra"].numpy(), made["uncertainty"].numpy()


def plant(nm, vigour=1.0):
    """Reflectance of a leaf, roughly: a green peak, a dip of chlorophyll at 675 nm, a rise at 715 nm."""
    green = 0.05 + 0.05 * np.exp(-(((nm - 552) / 32) ** 2)) - 0.01 * np.exp(-(((nm - 675) / 20) ** 2))
    return green + 0.42 * vigour / (1 + np.exp(-(nm - 715) / 13))


def test_each_file_is_small_and_for_its_camera(model, camera):
    assert camera in shipped_sensors()
    assert shipped_model(camera).stat().st_size < 3_000_000
    assert model.settings.sensor == camera
    assert model.evidence.mode == "library"
    nm = np.array(model.table.wavelength_nm)
    assert np.allclose(np.diff(nm), 10.0)
    centres = [band.centre_nm for band in load_sensor(camera).bands]
    assert nm[0] < min(centres) - 30 and nm[-1] > max(centres) + 30


def test_grey_stays_grey_and_black_dark(model):
    levels = np.array([0.0, 0.1, 0.3])
    found, stated = spectra_of(model, np.tile(levels, (len(model.msi_table), 1))[:, None])
    assert np.abs(found[:, 0, 0]).max() < 0.02
    for column, level in enumerate(levels[1:], 1):
        assert np.abs(found[:, 0, column] - level).max() < 0.03
        assert (np.abs(found[:, 0, column] - level) <= 3 * stated[:, 0, column]).mean() > 0.9


def test_a_plant_has_its_dip_and_its_red_edge(model, camera):
    fine = np.arange(390.0, 951.0, 2.0)
    msi = seen_by(camera, plant(fine)[:, None, None], fine)
    found = spectra_of(model, msi)[0][:, 0, 0]
    nm = np.array(model.table.wavelength_nm)
    rise = np.gradient(found, nm)
    assert 705 <= nm[rise.argmax()] <= 735
    assert 540 <= nm[nm < 620][found[nm < 620].argmax()] <= 570
    assert 650 <= nm[(nm > 600) & (nm < 700)][found[(nm > 600) & (nm < 700)].argmin()] <= 685
    assert np.sqrt(np.square(found - plant(nm)).mean()) < 0.03


def test_half_the_light_gives_half_the_spectrum(model, camera):
    fine = np.arange(390.0, 951.0, 2.0)
    msi = seen_by(camera, plant(fine)[:, None, None], fine)
    whole, half = (spectra_of(model, light * msi)[0] for light in (1.0, 0.5))
    assert np.sqrt(np.square(half - whole / 2).mean()) < 0.02


@pytest.mark.skipif(not JASPER.is_file(), reason="needs ../shared/data (Jasper Ridge)")
def test_jasper_ridge_is_found_far_better_than_by_lines_between_bands(model, camera):
    from scipy.io import loadmat

    scene, held = loadmat(JASPER), loadmat(WAVELENGTHS)
    nm = next(value for name, value in held.items() if not name.startswith("__")).ravel().astype(float)
    nm = nm[scene["SlectBands"].ravel() - 1]
    order = np.argsort(nm)[np.sort(nm) < 1000]
    nm, cube = nm[order], scene["Y"].reshape(198, 100, 100, order="F")[order] / 10000.0
    wanted = np.array(model.table.wavelength_nm)
    truth = np.stack([np.interp(wanted, nm, spectrum) for spectrum in cube.reshape(len(nm), -1).T], axis=1)
    msi = seen_by(camera, cube, nm)
    noise = np.random.default_rng(1).normal(size=msi.shape)
    msi = msi + 0.01 * np.sqrt(np.square(msi).mean((1, 2), keepdims=True)) * noise
    found, stated = (values.reshape(len(wanted), -1) for values in spectra_of(model, msi))
    by_centre = np.argsort(model.msi_table.wavelength_nm)
    centres, levels = np.array(model.msi_table.wavelength_nm)[by_centre], msi[by_centre].reshape(len(by_centre), -1)
    lines = np.stack([np.interp(wanted, centres, pixel) for pixel in levels.T], axis=1)
    gain = 10 * np.log10(np.square(lines - truth).mean() / np.square(found - truth).mean())
    assert gain > GAIN_DB
    assert angle(found, truth) < 0.6 * angle(lines, truth)
    assert (np.abs(found - truth) <= 2 * stated).mean() > 0.9


def angle(a, b):
    cosine = (a * b).sum(axis=0) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0)
    return np.degrees(np.arccos(cosine.clip(-1, 1))).mean()


def test_a_job_with_such_a_model_says_so(camera, model, tmp_path):
    fine = np.arange(390.0, 951.0, 2.0)
    vigour = np.linspace(0.2, 1.0, 16 * 16).reshape(16, 16)
    msi = seen_by(camera, np.stack([[plant(fine, v) for v in row] for row in vigour]).transpose(2, 0, 1), fine)
    image, out = tmp_path / "mosaic.tif", tmp_path / "spectra.tif"
    place = rasterio.Affine(0.05, 0, 5e5, 0, -0.05, 5e6)
    shape = {"count": len(msi), "height": 16, "width": 16, "dtype": "float32", "crs": "EPSG:32633", "transform": place}
    with rasterio.open(image, "w", driver="GTiff", **shape) as file:
        file.write(msi.astype("float32"))
        for band, name in enumerate(model.msi_table.names):
            file.set_band_description(band + 1, name)
    inputs, outputs = {"msi": str(image), "model": str(shipped_model(camera))}, {"spectra": str(out)}
    reporter = Quiet()
    outputs["report"] = str(tmp_path / "r.html")
    run(Job("spectralsuperresolve", inputs, outputs, {"sensor": camera}), reporter, lambda: False)
    assert CAUTION in reporter.warnings
    assert "mixtures of library spectra" in (tmp_path / "r.html").read_text(encoding="utf-8")
    with rasterio.open(out) as file:
        found = file.read()
    expected = spectra_of(model, msi)[0]
    assert np.abs(found - expected).max() < 1e-3
