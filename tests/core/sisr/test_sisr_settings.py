# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings and header checks: the blur in both ways to say it, and refusals in one sentence."""

import math

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.errors import InputError
from hyperres.core.grid import Grid
from hyperres.core.sisr.check import check_superresolve
from hyperres.core.sisr.settings import SuperresolveSettings
from hyperres.core.spectra import Spectra


@pytest.mark.parametrize("factor", (2, 4, 8))
@pytest.mark.parametrize("mtf", (0.05, 0.3, 0.6))
def test_the_mtf_is_the_contrast_that_the_blur_leaves_of_the_finest_stripes(factor, mtf):
    sigma = SuperresolveSettings(factor=factor, mtf=mtf).psf_sigma
    x = np.arange(-400, 400) * 0.05  # fine pixels
    psf = np.exp(-0.5 * (x / sigma) ** 2)
    stripes = np.cos(2 * math.pi * x / (2 * factor))  # two input pixels long
    assert (psf * stripes).sum() / psf.sum() == pytest.approx(mtf, abs=2e-3)


def test_the_usual_blur_is_narrower_than_that_of_most_sensors():
    for factor in (2, 4, 8):
        usual, by_mtf = SuperresolveSettings(factor=factor), SuperresolveSettings(factor=factor, mtf=0.45)
        assert usual.psf_sigma == pytest.approx(by_mtf.psf_sigma, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"factor": 3}, "one of 2, 4, 8"),
        ({"factor": 2.0}, "one of 2, 4, 8"),
        ({"mode": "quick"}, "fast, tuned, paper"),
        ({"sigma": 1.0, "mtf": 0.3}, "not both"),
        ({"factor": 2, "sigma": 9.0}, "impossible at scale factor 2: give 0.4 to 2.4"),
        ({"factor": 8, "sigma": 1.0}, "impossible at scale factor 8: give 1.6 to 9.6"),
        ({"mtf": 1.4}, "between 0 and 1"),
        ({"mtf": 1e-9}, "impossible"),
        ({"sigma": math.nan}, "impossible"),
        ({"sigma": "wide"}, "must be a number"),
        ({"count": 1}, "from 2 to"),
        ({"output_bands": []}, "list of band numbers"),
        ({"output_bands": ["red"]}, "list of band numbers"),
        ({"output_bands": 3}, "list of band numbers"),
        ({"shine": 1}, "no setting 'shine'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(settings, words):
    with pytest.raises(InputError, match=words) as refused:
        SuperresolveSettings.from_mapping(settings)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_settings_survive_a_job_file():
    settings = SuperresolveSettings(factor=8, mtf=0.2, count=5, output_bands=(4, 2))
    assert SuperresolveSettings.from_mapping(settings.to_mapping()) == settings


def _table(bands):
    nm = tuple(np.linspace(450.0, 900.0, bands).tolist())
    return BandTable(names=tuple(map(str, range(bands))), wavelength_nm=nm, good=(True,) * bands)


def _spectra(count, bands=20, low=450.0, high=900.0):
    values = tuple(tuple(0.1 + 0.01 * k * np.ones(bands)) for k in range(count))
    return Spectra(tuple(map(str, range(count))), values, tuple(np.linspace(low, high, bands).tolist()))


@pytest.mark.parametrize(
    ("grid", "bands", "spectra", "words"),
    [
        (Grid(15, 40), 20, None, "15 x 40 pixels"),
        (Grid(40, 40), 2, None, "at least 3 usable bands"),
        (Grid(40, 40), 20, _spectra(21), "21 endmembers"),
        (Grid(40, 40), 20, _spectra(4, low=2000.0, high=2400.0), "do not overlap"),
    ],
)
def test_headers_show_what_cannot_work(grid, bands, spectra, words):
    with pytest.raises(InputError, match=words):
        check_superresolve(SuperresolveSettings(), _table(bands), spectra, grid)
