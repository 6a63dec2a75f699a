# SPDX-License-Identifier: GPL-3.0-or-later
"""Given spectra land on the raster's bands and in its unit, or are refused in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError, InputError
from hyperres.core.spectra import Spectra
from hyperres.core.unmixing.check import check_unmix
from hyperres.core.unmixing.library import near_duplicates, to_bands, to_reflectance
from hyperres.core.unmixing.settings import UnmixSettings


def table(nm: tuple[float, ...] | None, bands: int = 0) -> BandTable:
    bands = len(nm) if nm else bands
    return BandTable(tuple(str(i) for i in range(bands)), (True,) * bands, nm)


def lines(nm: tuple[float, ...] | None, at: tuple[float, ...]) -> Spectra:
    """Spectra that are linear in wavelength, which linear interpolation reproduces exactly."""
    return Spectra(("rising", "falling"), (tuple(x / 1000 for x in at), tuple(1 - x / 4000 for x in at)), nm)


def test_interpolation_is_exact_for_linear_spectra():
    wanted = (412.3, 500.0, 777.7, 999.9)
    known = (400.0, 460.0, 555.0, 600.0, 801.0, 1000.0)
    expected = np.array(lines(None, wanted).values)
    np.testing.assert_allclose(to_bands(lines(known, known), table(wanted)).numpy(), expected, rtol=1e-6)


def test_order_of_the_librarys_wavelengths_does_not_matter():
    known, wanted = (1000.0, 400.0, 801.0, 600.0), (450.0, 900.0)
    expected = np.array(lines(None, wanted).values)
    np.testing.assert_allclose(to_bands(lines(known, known), table(wanted)).numpy(), expected, rtol=1e-6)


def test_same_wavelengths_change_no_value():
    nm = (400.0, 500.0, 600.0)
    spectra = Spectra(("a",), ((0.123, 0.7, 0.05),), nm)
    np.testing.assert_array_equal(to_bands(spectra, table(nm)).numpy(), np.float32(spectra.values))


@pytest.mark.parametrize("ours, theirs", [(None, None), ((1.0, 2.0, 3.0), None), (None, (1.0, 2.0, 3.0))])
def test_without_wavelengths_on_both_sides_bands_are_matched_by_number(ours, theirs):
    spectra = Spectra(("a",), ((0.1, 0.2, 0.3),), theirs)
    np.testing.assert_allclose(to_bands(spectra, table(ours, 3)).numpy(), [[0.1, 0.2, 0.3]], rtol=1e-6)
    with pytest.raises(BandsError, match=r"3 values each but 4 bands are used"):
        to_bands(spectra, table(None, 4))


def test_bands_outside_the_library_are_refused_with_both_ranges():
    spectra = lines((400.0, 500.0, 600.0), (400.0, 500.0, 600.0))
    with pytest.raises(BandsError, match=r"cover 400-600 nm but 2 of the 3 bands used \(450-2000 nm\)"):
        to_bands(spectra, table((450.0, 1000.0, 2000.0)))


def test_missing_values_are_refused_by_the_spectrums_name():
    spectra = Spectra(("grass", "roof"), ((0.1, 0.2), (0.3, math.nan)), (400.0, 500.0))
    with pytest.raises(InputError, match="'roof' has a missing value"):
        to_bands(spectra, table((400.0, 500.0)))


@pytest.mark.parametrize("factor, word", [(1.0, ""), (100.0, "percent"), (10_000.0, "10 000")])
def test_units_become_reflectance_and_are_said(factor, word):
    reflectance = torch.tensor([[0.03, 0.5, 0.95], [0.2, 0.1, 0.4]])
    values, note = to_reflectance(reflectance * factor)
    torch.testing.assert_close(values, reflectance)
    assert word in note and bool(note) == (factor != 1)


@pytest.mark.parametrize("top", [3e4, 1e30, math.inf])
def test_numbers_too_large_for_any_unit_of_reflectance_are_refused(top):
    with pytest.raises(InputError, match="no reflectance"):
        to_reflectance(torch.tensor([[0.03, top]]))


def test_a_table_of_a_single_wavelength_covers_no_other():
    with pytest.raises(BandsError, match="2 of the 3 bands"):
        to_bands(Spectra(("a",), ((0.1,),), (450.0,)), table((450.0, 1000.0, 2000.0)))


@pytest.mark.parametrize("degrees", [1e-4, 0.1, 0.99])
def test_near_duplicates_are_told_with_the_angle_between_them(degrees):
    turned = math.radians(degrees)
    spectra = torch.tensor(
        [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [3 * math.cos(turned), 0.0, 3 * math.sin(turned)]], dtype=torch.float64
    )
    ((first, second, angle),) = near_duplicates(spectra, ("a", "b", "c"))
    assert (first, second) == ("a", "c")
    assert angle == pytest.approx(degrees, rel=1e-6)


def test_spectra_more_than_a_degree_apart_are_no_duplicates():
    turned = math.radians(1.01)
    assert not near_duplicates(torch.tensor([[1.0, 0.0], [math.cos(turned), math.sin(turned)]]), ("a", "b"))


@pytest.mark.parametrize(
    "settings, bands, spectra, classes, words",
    [
        (UnmixSettings(), 2, None, 0, "at least 3 usable bands but only 2"),
        (UnmixSettings(count=5), 4, None, 0, "5 endmembers cannot be told apart in 4 bands"),
        (UnmixSettings(), 4, None, 6, "6 endmembers cannot be told apart in 4 bands"),
        (UnmixSettings(), 3, Spectra((), ()), 0, "holds no spectrum"),
        (UnmixSettings(), 3, lines(None, (1.0, 2.0, 3.0)), 2, "not both"),
    ],
)
def test_impossible_unmixing_is_refused_before_a_pixel_is_read(settings, bands, spectra, classes, words):
    with pytest.raises(InputError, match=words):
        check_unmix(settings, table(None, bands), spectra, classes)


def test_spectra_of_other_wavelengths_are_refused_before_a_pixel_is_read():
    with pytest.raises(BandsError, match="do not overlap"):
        check_unmix(UnmixSettings(), table((400.0, 500.0, 600.0)), lines((2000.0, 2100.0), (2000.0, 2100.0)))


def test_a_library_may_hold_more_spectra_than_there_are_bands():
    nm = (400.0, 500.0, 600.0)
    many = Spectra(tuple("abcde"), ((0.1, 0.2, 0.3),) * 5, nm)
    check_unmix(UnmixSettings(model="sunsal"), table(nm), many)
