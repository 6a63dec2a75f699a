# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimated responses against the true ones: smooth random spectra, then real scenes through a sensor's curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from scipy.ndimage import gaussian_filter

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError, InputError
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.estimate import estimate_srf
from hyperres.core.sensors.response import srf_of_sensor

JASPER = Path(__file__).parents[3].parent / "shared" / "data" / "unmixing" / "jasper" / "jasperRidge2_R198_Mei.mat"
WAVELENGTHS = JASPER.parents[1] / "synthetic" / "variability_AVIRIS_wavelengths.mat"
NM = np.arange(400, 701, 10.0)


def table_of(nm=None, names=None):
    names = names or tuple(f"Band {i + 1}" for i in range(len(nm)))
    return BandTable(names, (True,) * len(names), None if nm is None else tuple(map(float, nm)))


def bell(centre, sigma, nm=NM):
    return np.exp(-0.5 * ((nm - centre) / sigma) ** 2)


def boxes(*edges):
    return [((low <= NM) & (high >= NM)).astype(float) for low, high in edges]


# a camera's green channel sees some red, its red channel some green
CAMERA = [
    bell(465, 28) + 0.06 * bell(540, 30),
    bell(532, 33) + 0.05 * bell(620, 30),
    bell(600, 26) * (NM > 560) + 0.1 * bell(530, 25),
]
RESPONSES = {
    "Gaussians": [bell(450, 19), bell(550, 19), bell(630, 19)],
    "camera": CAMERA,
    "Landsat-7 boxes": boxes((450, 520), (530, 610), (630, 690)),
    "Sentinel-2 boxes": boxes((460, 525), (540, 580), (650, 680)),
}


def smooth_spectra(correlation_nm, pixels=4096, materials=60, seed=0, nm=NM):
    """Mixtures of random smooth spectra in [0, 1], [pixels, bands]."""
    rng = np.random.default_rng(seed)
    covariance = np.exp(-0.5 * ((nm[:, None] - nm) / correlation_nm) ** 2) + 1e-9 * np.eye(len(nm))
    spectra = 1 / (1 + np.exp(-(np.linalg.cholesky(covariance) @ rng.standard_normal((len(nm), materials)))))
    return rng.dirichlet(np.full(materials, 0.15), pixels) @ spectra.T


def rows_of(name):
    matrix = np.array(RESPONSES[name])
    return matrix / matrix.sum(1, keepdims=True)


def matrix_error(found, true):
    return np.linalg.norm(found - true) / np.linalg.norm(true)


@pytest.mark.parametrize(
    ("name", "correlation_nm", "largest"),
    [
        ("Gaussians", 20, 0.03),
        ("camera", 20, 0.06),
        ("Landsat-7 boxes", 20, 0.15),
        ("Sentinel-2 boxes", 20, 0.15),
        ("Gaussians", 45, 0.08),
        ("camera", 45, 0.08),
    ],
)
def test_responses_are_found_among_smooth_spectra(name, correlation_nm, largest):
    x, true = smooth_spectra(correlation_nm), rows_of(name)
    gain, offset = np.array([1.5, 0.7, 1.0]), np.array([0.1, 0.0, -0.05])
    y = x @ true.T * gain + offset + 1e-3 * np.random.default_rng(5).standard_normal((len(x), 3))
    found = estimate_srf(x, y, table_of(NM), table_of(names=("b", "g", "r")))
    assert matrix_error(found.srf.matrix, true) < largest
    assert found.gain == pytest.approx(gain, rel=0.01)
    assert found.offset == pytest.approx(offset, abs=0.01)
    assert np.all(found.srf.matrix >= 0) and found.srf.matrix.sum(1) == pytest.approx(1, abs=1e-5)
    # only the noise is left unexplained
    assert np.array(found.fit_error) * y.std(0) == pytest.approx(1e-3, rel=0.25)


def test_the_scale_of_the_images_does_not_matter():
    x, true = smooth_spectra(20, 1000), rows_of("Gaussians")
    y = x @ true.T
    once = estimate_srf(x, y, table_of(NM), table_of(names=("b", "g", "r")))
    scaled = estimate_srf(x * 1e4, y * 255, table_of(NM), table_of(names=("b", "g", "r")))
    assert scaled.srf.matrix == pytest.approx(once.srf.matrix, abs=1e-5)
    assert scaled.gain == pytest.approx(np.array(once.gain) * 255 / 1e4, rel=1e-4)


def test_gross_outliers_do_not_move_the_response():
    x, true = smooth_spectra(20, 2000), rows_of("Gaussians")
    y = x @ true.T + 1e-3 * np.random.default_rng(5).standard_normal((len(x), 3))
    y[::50] += 0.3
    found = estimate_srf(x, y, table_of(NM), table_of(names=("b", "g", "r")))
    assert matrix_error(found.srf.matrix, true) < 0.1


def test_the_order_of_bands_and_their_spacing_do_not_matter():
    nm = np.concatenate([np.arange(400, 550, 5.0), np.arange(550, 901, 15.0)])
    true = np.array([bell(480, 25, nm), bell(660, 25, nm)]) * np.gradient(nm)
    true /= true.sum(1, keepdims=True)
    x = smooth_spectra(25, 3000, nm=nm)
    y = x @ true.T + 5e-4 * np.random.default_rng(5).standard_normal((len(x), 2))
    assert matrix_error(estimate_srf(x, y, table_of(nm), table_of(names=("a", "b"))).srf.matrix, true) < 0.1
    order = np.random.default_rng(2).permutation(len(nm))
    mixed = estimate_srf(x[:, order], y, table_of(nm[order]), table_of(names=("a", "b"))).srf.matrix
    assert matrix_error(mixed, true[:, order]) < 0.1


@pytest.mark.parametrize("centres", [None, (450, 550, 630)])
def test_a_response_does_not_wander_where_many_explain_the_pixels(centres):
    # three materials only: three numbers fix a whole response
    x, true = smooth_spectra(45, 500, materials=3), rows_of("Gaussians")
    y = x @ true.T + 1e-3 * np.random.default_rng(5).standard_normal((len(x), 3))
    found = estimate_srf(x, y, table_of(NM), table_of(centres, ("b", "g", "r"))).srf
    assert found.centres(tuple(NM)) == pytest.approx((450, 550, 630), abs=30)
    far = np.abs(NM[None, :] - np.array([[450], [550], [630]])) > 120
    assert (found.matrix * far).sum(1).max() < 0.05


def test_bands_that_show_the_same_far_apart_are_not_mixed_up():
    # the spectra beyond 700 nm repeat those before it with an error of their own, as wet soil does in the far infrared
    near = smooth_spectra(30, 2000)
    rng = np.random.default_rng(3)
    x = np.concatenate([near, near + 0.01 * rng.standard_normal((2000, 1))], axis=1)
    nm = np.concatenate([NM, NM + 1200])
    true = np.concatenate([rows_of("Gaussians"), np.zeros((3, len(NM)))], axis=1)
    y = x @ true.T + 2e-3 * rng.standard_normal((2000, 3))
    found = estimate_srf(x, y, table_of(nm), table_of(names=("b", "g", "r"))).srf.matrix
    assert found[:, len(NM) :].sum(1).max() < 0.05
    assert matrix_error(found, true) < 0.15


def test_few_pixels_give_a_rough_response_and_say_so():
    x, true = smooth_spectra(20, 100), rows_of("Gaussians")
    found = estimate_srf(x, x @ true.T, table_of(NM), table_of(names=("b", "g", "r")))
    assert len(found.sentences) == 1 and "Only 100 pixels" in found.sentences[0]
    assert found.srf.centres(tuple(NM)) == pytest.approx((450, 550, 630), abs=15)


def test_a_wavelength_that_contradicts_the_pixels_is_told_and_not_used():
    x, true = smooth_spectra(20, 2000), rows_of("Gaussians")
    y = x @ true.T + 1e-4 * np.random.default_rng(5).standard_normal((len(x), 3))
    found = estimate_srf(x, y, table_of(NM), table_of((450, 550, 410)))
    assert matrix_error(found.srf.matrix, true) < 0.1
    assert len(found.sentences) == 1 and "Band 3 (410 nm)" in found.sentences[0]


def test_bad_pixels_are_refused_in_words():
    x = smooth_spectra(20, 200)
    with pytest.raises(InputError, match="Only 9 pixels are valid in both images"):
        estimate_srf(x[:9], x[:9, :2], table_of(NM), table_of(names=("a", "b")))
    with pytest.raises(BandsError, match=r"Band 2 \('b'\) of the multispectral image has the same value everywhere"):
        estimate_srf(x, np.column_stack([x[:, 3], np.ones(200)]), table_of(NM), table_of(names=("a", "b")))
    with pytest.raises(BandsError, match=r"Band 1 \('a'\) of the multispectral image cannot be explained"):
        estimate_srf(x, -x.sum(1, keepdims=True), table_of(NM), table_of(names=("a",)))


def test_a_forced_response_of_what_cannot_be_explained_is_even_and_said():
    x = smooth_spectra(20, 400)
    found = estimate_srf(x, -x.sum(1, keepdims=True), table_of(NM), table_of(names=("a",)), force=True)
    np.testing.assert_allclose(found.srf.matrix, 1 / len(NM), rtol=1e-3)
    assert found.gain == (0.0,)
    assert "Band 1 ('a') of the multispectral image cannot be explained" in found.sentences[-1]
    # a known wavelength still says where the response lies
    x, y = x - x.mean(0), np.column_stack([-x.sum(1), x[:, 20]])
    near = estimate_srf(x, y, table_of(NM), table_of((450, 600)), force=True).srf.matrix[0]
    assert near.sum() == pytest.approx(1.0) and near[np.abs(NM - 450) > 60].max() == 0.0


def test_a_real_scene_through_an_unknown_blur_gives_nearly_the_right_bands():
    if not (JASPER.is_file() and WAVELENGTHS.is_file()):
        pytest.skip("../shared/data/unmixing is not here")
    scene = scipy.io.loadmat(JASPER)
    cube = scene["Y"].astype(float).reshape(198, 100, 100, order="F") / 5000
    centres = next(v for k, v in scipy.io.loadmat(WAVELENGTHS).items() if not k.startswith("_")).ravel()
    nm = centres[scene["SlectBands"].ravel() - 1] * (1000 if centres.max() < 100 else 1)
    table, sensor = table_of(nm), load_sensor("rededge-mx")
    true = srf_of_sensor(sensor, range(5), table)[0].matrix
    msi = np.einsum("mk,kyx->myx", true, cube)

    def coarse_pixels(image):
        averaged = image.reshape(len(image), 25, 4, 25, 4).mean((2, 4))
        return gaussian_filter(averaged, (0, 2, 2)).reshape(len(image), -1).T

    x, y = coarse_pixels(gaussian_filter(cube, (0, 1.7, 1.7))), coarse_pixels(msi)
    found = estimate_srf(x, y, table, table_of([band.centre_nm for band in sensor.bands]))
    seen = np.einsum("mk,kyx->myx", found.srf.matrix, cube) * np.array(found.gain)[:, None, None]
    seen += np.array(found.offset)[:, None, None]
    error = np.sqrt(((seen - msi) ** 2).mean((1, 2))) / msi.std((1, 2))
    assert error.max() < 0.03
    assert found.gain == pytest.approx(np.ones(5), abs=0.05)
