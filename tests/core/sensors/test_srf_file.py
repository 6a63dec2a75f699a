# SPDX-License-Identifier: GPL-3.0-or-later
"""Response files as people have them, and sentences for the broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperres.core.bands import BandTable
from hyperres.core.errors import InputError
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import coverage, srf_of_sensor
from hyperres.core.sensors.srf_file import LARGEST_BYTES, read_srf

HSI_NM = np.arange(400, 1000, 10.0)
HSI = BandTable(tuple(f"Band {i + 1}" for i in range(60)), (True,) * 60, tuple(HSI_NM), (10.0,) * 60)
BARE_HSI = BandTable(HSI.names, HSI.good)
SENSOR = load_sensor("mavic-3m")
TRUE = srf_of_sensor(SENSOR, range(4), HSI)[0].matrix


def msi(count=4, names=None, nm=None):
    names = names or tuple(f"Band {i + 1}" for i in range(count))
    return BandTable(names, (True,) * len(names), nm)


def curves_text(separator=",", header="wavelength_nm", factor=1.0, order=(0, 1, 2, 3)):
    nm = np.arange(450, 950, 1.0)
    bands = [SENSOR.bands[i] for i in order]
    columns = [np.interp(nm, band.wavelength_nm, band.response, left=0, right=0) for band in bands]
    rows = [separator.join([header, *(band.name for band in bands)])] if header else []
    rows += [separator.join(f"{x:.6g}" for x in line) for line in zip(nm * factor, *columns)]
    return "\n".join(rows) + "\n"


def matrix_text(matrix, separator=","):
    return "\n".join(separator.join(f"{x:.9g}" for x in row) for row in matrix) + "\n"


@pytest.fixture
def write(tmp_path):
    def written(text, name="srf.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return written


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("wavelength_nm", 1),
        ("Wavelength", 1e-3),
        ("wavelength_um", 1e-3),
        ("Wavelength_(µm)", 1e-3),
        ("nm", 1),
        ("", 1),
        ("", 1e-3),
    ],
)
def test_curves_give_the_sensors_own_response(write, separator, header, factor):
    text = curves_text(separator, header, factor)
    if separator == " ":
        text = text.replace("Red edge", "Red_edge")
    srf = read_srf(write(text), HSI, msi())
    assert srf.matrix == pytest.approx(TRUE, abs=2e-3)
    assert srf.matrix.sum(1) == pytest.approx(1, abs=1e-6)
    assert srf.source == "srf.csv"


def test_a_byte_order_mark_remarks_and_falling_wavelengths_do_not_matter(write):
    lines = curves_text().splitlines()
    text = "\ufeff" + "\r\n".join(["# measured in the laboratory", lines[0], *lines[:0:-1]])
    assert read_srf(write(text), HSI, msi()).matrix == pytest.approx(TRUE, abs=2e-3)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_may_lie_either_way_and_needs_no_wavelengths(write, transposed):
    matrix = TRUE.T if transposed else TRUE
    srf = read_srf(write(matrix_text(matrix * 7)), BARE_HSI, msi())
    assert srf.matrix == pytest.approx(TRUE, abs=1e-6)


def test_weights_at_the_images_own_wavelengths_come_back_as_they_were_written(write):
    rows = ["wavelength_nm,a,b,c,d", *(",".join(f"{x:.9g}" for x in line) for line in zip(HSI_NM, *TRUE))]
    assert read_srf(write("\n".join(rows)), HSI, msi()).matrix == pytest.approx(TRUE, abs=1e-6)


def test_a_column_of_band_numbers_is_no_wavelength(write):
    rows = ["band,a,b,c,d", *(",".join(f"{x:.9g}" for x in (i + 1, *line)) for i, line in enumerate(TRUE.T))]
    assert read_srf(write("\n".join(rows)), BARE_HSI, msi()).matrix == pytest.approx(TRUE, abs=1e-6)


def test_columns_are_matched_by_name(write):
    table = msi(names=("NIR", "Green", "Red edge", "Red"))
    srf = read_srf(write(curves_text()), HSI, table)
    assert srf.names == ("NIR", "Green", "Red edge", "Red")
    assert srf.matrix == pytest.approx(TRUE[[3, 0, 2, 1]], abs=2e-3)


def test_a_file_may_describe_more_bands_when_names_choose(write):
    srf = read_srf(write(curves_text()), HSI, msi(names=("Red", "Green")))
    assert srf.matrix == pytest.approx(TRUE[[1, 0]], abs=2e-3)


def test_columns_are_matched_by_wavelength_not_by_position(write):
    srf = read_srf(write(curves_text(order=(3, 2, 1, 0))), HSI, msi(nm=(560.0, 650.0, 860.0, 730.0)))
    assert srf.matrix == pytest.approx(TRUE[[0, 1, 3, 2]], abs=2e-3)


def test_wavelengths_that_contradict_the_file_are_refused(write):
    with pytest.raises(InputError, match=r"Band 1 \(450 nm\) of the multispectral image fits no band of srf.csv"):
        read_srf(write(curves_text()), HSI, msi(nm=(450.0, 650.0, 730.0, 860.0)))


def with_cell(text, cell):
    lines = text.splitlines()
    cells = lines[60].split(",")
    return "\n".join([*lines[:60], ",".join([*cells[:-1], cell]), *lines[61:]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# only\n# remarks\n", "is empty"),
        ("wavelength_nm,a,b,c,d\n", "names but no numbers"),
        (b"\x00\x01\x02", "is no text"),
        (with_cell(curves_text(), "-0.2"), r"Band 4 \('NIR'\) of srf.csv holds the negative response -0.2"),
        (with_cell(curves_text(), "high"), "Line 61 of srf.csv holds 'high' where a number belongs"),
        (with_cell(curves_text(), "nan"), "Line 61 of srf.csv holds 'nan': replace it by a finite number"),
        (with_cell(curves_text(), "1,2"), "Line 61 of srf.csv has 6 columns instead of 5"),
        (with_cell(curves_text(), "0,5").replace(",", ";").replace("0;5", "0,5"), "has 6 columns instead of 5|point"),
        (curves_text(header="wavelength_cm-1"), "unknown unit: give wavelengths in nm or um"),
        (curves_text(header="wavelength_nm", factor=1e-3), "from 0.45 to 0.949 nm: correct their unit"),
        (curves_text(header="wavelength_um"), "from 450000 to 949000 nm: correct their unit"),
        (curves_text(order=(0, 1, 2)), "describes 3 bands, but the multispectral image has 4"),
        (curves_text(factor=2.0), "covers none of the bands of srf.csv"),
        (matrix_text(TRUE[:, :50]), "holds 4 x 50 numbers, but 4 multispectral and 60 hyperspectral bands"),
        (matrix_text(TRUE[:3]), "describes 3 bands, but the multispectral image has 4"),
        (matrix_text(TRUE * [[1], [0], [1], [1]]), "Band 2 of srf.csv responds to nothing"),
        (curves_text() + curves_text().splitlines()[5], "the same wavelength twice"),
        ("wavelength_nm\n400\n410\n", "wavelengths but no responses"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(write, text, said):
    with pytest.raises(InputError, match=said) as refused:
        read_srf(write(text), HSI, msi())
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


@pytest.mark.parametrize("nm", [None, (860.0, 560.0, 730.0, 650.0)])
def test_bands_that_the_hsi_does_not_cover_are_left_out_by_name(write, nm):
    short = HSI.subset(np.flatnonzero(HSI_NM < 855))
    order = (3, 0, 2, 1)
    srf = read_srf(write(curves_text(order=order)), short, msi(nm=nm))
    assert srf.kept == (1, 2, 3)
    assert srf.matrix == pytest.approx(srf_of_sensor(SENSOR, order[1:], short)[0].matrix, abs=2e-3)
    share = round(100 * coverage(SENSOR, [3], short)[0])
    assert [note for note in srf.notes if "left out" in note] == [
        f"The hyperspectral image covers only {share}% of the response of srf.csv NIR (around 860 nm), so it is left "
        "out."
    ]


def test_a_table_of_another_range_is_refused(write):
    swir = BandTable(HSI.names, HSI.good, tuple(HSI_NM + 1000), HSI.fwhm_nm)
    with pytest.raises(InputError, match=r"covers none of the bands of srf\.csv"):
        read_srf(write(curves_text()), swir, msi())


def test_curves_need_the_hsis_wavelengths(write):
    with pytest.raises(InputError, match="has no wavelengths"):
        read_srf(write(curves_text()), BARE_HSI, msi())


def test_a_missing_and_a_huge_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_srf(tmp_path / "none.csv", HSI, msi())
    with pytest.raises(InputError, match="does not exist"):
        read_srf(tmp_path, HSI, msi())
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as stream:
        stream.truncate(LARGEST_BYTES + 1)
    with pytest.raises(InputError, match="too much for a spectral response"):
        read_srf(huge, HSI, msi())


@pytest.mark.parametrize("text", [curves_text(), curves_text(header=""), matrix_text(TRUE), matrix_text(TRUE.T)])
def test_without_a_multispectral_image_all_bands_of_the_file_count(write, text):
    srf = read_srf(write(text), HSI, None)
    assert srf.matrix == pytest.approx(TRUE, abs=2e-3)
    assert len(set(srf.names)) == 4 and all(srf.names)


def test_the_columns_of_esas_table_are_found_by_the_ends_of_their_names(write):
    sensor = load_sensor("sentinel-2a")
    nm = np.arange(440, 960, 1.0)
    names = ["B2", "B3", "B4", "B8", "B8A"]
    bands = [sensor.bands[i] for i in (1, 2, 3, 7, 8)]
    curves = [np.interp(nm, band.wavelength_nm, band.response, left=0, right=0) for band in bands]
    rows = [",".join(["SR_WL", *(f"S2A_SR_AV_{name}" for name in names)])]
    rows += [",".join(f"{x:.6g}" for x in line) for line in zip(nm, *curves)]
    srf = read_srf(write("\n".join(rows)), HSI, msi(names=("B8", "B04", "B8A")))
    assert srf.matrix == pytest.approx(srf_of_sensor(sensor, (7, 3, 8), HSI)[0].matrix, abs=2e-3)


def test_names_that_only_count_do_not_choose_among_more_columns(write):
    rows = ["wavelength_nm,B1,B2,B3,B4", *curves_text().splitlines()[1:]]
    with pytest.raises(InputError, match="describes 4 bands, but the multispectral image has 3"):
        read_srf(write("\n".join(rows)), HSI, msi(3))


CELLS = st.one_of(
    st.floats(-1, 1000).map(str),
    st.sampled_from(["", "wavelength", "wl_um", "band", "B1", "-", "1e400", "0,5", "nan", "#", "nm", "٣"]),
)
MATRICES = st.lists(st.lists(st.floats(0, 1).map(str), min_size=2, max_size=2), min_size=3, max_size=4)
LINES = st.one_of(st.lists(st.lists(CELLS, max_size=6), max_size=8), MATRICES)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, separator=st.sampled_from([",", ";", "\t", " "]), noise=st.binary(max_size=20), known=st.booleans())
def test_whatever_a_file_holds_gives_a_response_or_a_sentence(write, lines, separator, noise, known):
    text = "\n".join(separator.join(line) for line in lines).encode("utf-8")
    for hsi in (HSI.subset(range(4)), BARE_HSI.subset(range(3))):
        try:
            srf = read_srf(write(text + (noise if known else b"")), hsi, msi(2) if known else None)
        except InputError as error:
            assert str(error).endswith(".")
        else:
            assert np.isfinite(srf.matrix).all() and srf.matrix.min() >= 0
            assert srf.matrix.sum(1) == pytest.approx(1, abs=1e-5)
