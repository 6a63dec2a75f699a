# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole fusion jobs on real images: the result, averaged to coarse pixels again, agrees with the HSI; and models."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import scipy.io
from rasterio.warp import Resampling, reproject
from scipy.ndimage import gaussian_filter

from hyperres.core.engine.job import Job
from hyperres.core.engine.run import run
from hyperres.core.errors import HyperResError

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
RATIO, RIM = 4, 3
JASPER_NM = np.array([490.0, 560.0, 665.0, 840.0])


class Quiet:
    """A reporter that keeps nothing."""

    messages, warnings = (), ()

    def message(self, text):
        pass

    def warning(self, text):
        pass

    def progress(self, percent, step):
        pass

    def scratch(self, path):
        pass


def _needed(path):
    if not (DATA / path).exists():
        pytest.skip(f"the real images are not at {DATA / path}")
    return DATA / path


def _write(path, cube, pixel, nm):
    shape = {"count": len(cube), "height": cube.shape[1], "width": cube.shape[2]}
    place = rasterio.Affine(pixel, 0, 5e5, 0, -pixel, 4e6)
    profile = {"driver": "GTiff", "dtype": "float32", "nodata": -9999, "crs": "EPSG:32610", "transform": place}
    with rasterio.open(path, "w", **shape, **profile) as file:
        file.write(cube.astype("float32"))
        for band, wavelength in enumerate(nm, 1):
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")
    return str(path)


def _jasper(folder):
    """Jasper Ridge itself, seen by two made-up sensors."""
    held = scipy.io.loadmat(_needed("unmixing/jasper/jasperRidge2_R198_Mei.mat"))
    truth = held["Y"].astype(float).reshape(198, 100, 100).transpose(0, 2, 1)
    truth = np.clip(truth / np.quantile(truth, 0.999), 0, 1)
    nm = np.linspace(380, 2500, 224)[np.asarray(held["SlectBands"]).ravel().astype(int) - 1]
    blurred = gaussian_filter(truth, (0, 1.7, 1.7))
    small = blurred.reshape(198, 25, RATIO, 25, RATIO).mean(axis=(2, 4))
    rows = np.exp(-0.5 * ((nm[None] - JASPER_NM[:, None]) / 30) ** 2)
    seen = np.einsum("cb,bij->cij", rows / rows.sum(axis=1, keepdims=True), truth)
    return {"hsi": _write(folder / "hsi.tif", small, 4.0, nm), "msi": _write(folder / "msi.tif", seen, 1.0, JASPER_NM)}


def _berlin(folder):
    """Copies, because GDAL writes beside ENVI files."""
    source = _needed("georeferenced/enmap_berlin_2017")
    for path in source.glob("*UrbanGradient.[bh][sd][qr]"):
        shutil.copy(path, folder)
    return {
        role: str(folder / f"{name}_BerlinUrbanGradient.bsq")
        for role, name in (("hsi", "EnMAP"), ("msi", "HighResolution"))
    }


def _run(inputs, folder, method="fuse", outputs=("fused",), **settings):
    files = {role: str(folder / f"{role}.{'safetensors' if role == 'model' else 'tif'}") for role in outputs}
    return run(Job(method, inputs, files, settings=settings, device="cpu"), Quiet(), lambda: False)


def _warped(values, source, target, how):
    """An image on another's grid; NaN where nothing is known."""
    out = np.full((len(values), target.height, target.width), np.nan, "float32")
    places = {"src_transform": source.transform, "dst_transform": target.transform}
    crs = source.crs or target.crs
    reproject(values, out, src_crs=crs, dst_crs=crs, src_nodata=np.nan, dst_nodata=np.nan, resampling=how, **places)
    return out


def _seen_again(fine_values, fine, coarse, sigma):
    """What a sensor with a Gaussian PSF and square pixels sees of a fine image."""
    blurred = gaussian_filter(np.nan_to_num(fine_values), (0, sigma, sigma))
    return _warped(blurred, fine, coarse, Resampling.average)


@pytest.mark.parametrize(("make", "sigma"), [(_jasper, 1.7), (_berlin, 3.3)])
def test_seen_by_the_coarse_sensor_again_the_result_agrees_with_the_hsi_better_than_cubic(tmp_path, make, sigma):
    inputs, bands = make(tmp_path), [10, 40, 80]
    done = _run(inputs, tmp_path, output_bands=bands, psf=sigma)
    assert done.numbers["valid_share"] > 0.95
    with rasterio.open(inputs["hsi"]) as coarse, rasterio.open(tmp_path / "fused.tif") as fine:
        hsi = coarse.read([band + 1 for band in bands]).astype("float32")
        hsi *= 1e-4 if hsi.max() > 10 else 1.0
        fused = fine.read()
        fused[fused == fine.nodata] = np.nan
        cubic = _warped(hsi, coarse, fine, Resampling.cubic)
        again = [_seen_again(image, fine, coarse, sigma) for image in (fused, cubic)]
    inner = (slice(None), slice(RIM, -RIM), slice(RIM, -RIM))
    ours, theirs = (float(np.sqrt(np.mean((image - hsi)[inner] ** 2))) for image in again)
    assert ours < 0.7 * theirs


def test_a_model_for_another_sensor_is_refused_in_one_sentence(tmp_path):
    inputs = _jasper(tmp_path)
    _run(inputs, tmp_path, outputs=("model",), sensor="sentinel-2a")
    inputs["model"] = str(tmp_path / "model.safetensors")
    with pytest.raises(HyperResError, match="fitted for the sensor 'sentinel-2a'") as error:
        _run(inputs, tmp_path, sensor="sentinel-2b")
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
    assert not (tmp_path / "fused.tif").exists()
    _run(inputs, tmp_path, sensor="sentinel-2a")
    assert (tmp_path / "fused.tif").is_file()
