"""Tables of spectra come back as they were written, and bad ones are refused in words."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperres.core.errors import InputError
from hyperres.core.raster.spectra_files import read_spectra, write_csv, write_sli
from hyperres.core.spectra import Spectra

LIBRARY = Spectra(("Tile, red", 'He said "grass"'), ((0.1, 0.25, 1 / 3), (0.5, -0.01, 1e-6)), (450.0, 550.5, 2200.0))


def csv_file(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "spectra.csv"
    path.write_bytes(text.encode(encoding))
    return path


def close(a, b):
    for x, y in zip(a.values, b.values):
        assert x == pytest.approx(y, rel=1e-6, abs=1e-12)


def test_csv_keeps_names_wavelengths_and_numbers(tmp_path):
    write_csv(tmp_path / "a.csv", LIBRARY)
    again, warnings = read_spectra(tmp_path / "a.csv")
    assert (again.names, again.wavelength_nm, warnings) == (LIBRARY.names, LIBRARY.wavelength_nm, ())
    close(again, LIBRARY)


def test_csv_without_wavelengths_counts_bands(tmp_path):
    plain = Spectra(("a", "b"), ((1.0, 2.0), (3.0, 4.0)))
    write_csv(tmp_path / "a.csv", plain)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == "band,a,b"
    assert read_spectra(tmp_path / "a.csv") == (plain, ())


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), min_size=1, max_size=4)
)
def test_any_printable_names_survive_csv(tmp_path_factory, names):
    if len(set(names)) < len(names):
        return
    path = tmp_path_factory.mktemp("names") / "a.csv"
    write_csv(path, Spectra(tuple(names), ((1.0,),) * len(names), (500.0,)))
    assert read_spectra(path)[0].names == tuple(names)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_csv_with_either_separator_and_with_or_without_byte_order_mark(tmp_path, encoding, mark):
    text = f"wavelength_nm{mark}wäter\r\n450{mark}0.5\r\n\r\n550{mark}0.25\r\n"
    table, _ = read_spectra(csv_file(tmp_path, text, encoding))
    assert table == Spectra(("wäter",), ((0.5, 0.25),), (450.0, 550.0))


def test_micrometres_are_read_by_name_or_guessed_with_a_warning(tmp_path):
    table, warnings = read_spectra(csv_file(tmp_path, "wavelength_um,a\n0.45,1\n2.2,2"))
    assert (table.wavelength_nm, warnings) == ((450.0, 2200.0), ())
    table, warnings = read_spectra(csv_file(tmp_path, "wavelength,a\n0.45,1\n2.2,2"))
    assert table.wavelength_nm == (450.0, 2200.0)
    assert len(warnings) == 1


BAD = {
    "": "empty",
    "\n \n": "empty",
    "a,b\n1,2": "first column",
    "450,0.1\n550,0.2": "first column",
    "wavelength_nm\n450": "no spectrum",
    "wavelength_nm,a": "no numbers",
    "wavelength_nm,a,a\n450,1,2": "'a'",
    "wavelength_nm,a,\n450,1,2": "no name",
    "wavelength_nm,a\n450,grass": r"Line 2, column 'a' .*'grass'",
    "wavelength_nm,a\n450,1\nx,1": r"Line 3, column 'wavelength_nm'",
    "wavelength_nm,a\n450,": r"Line 2, column 'a'",
    "wavelength_nm,a\n450,nan": r"Line 2, column 'a' .*'nan'",
    "wavelength_nm,a\n450,inf": "finite",
    "wavelength_nm;a\n450;0,5": "point",
    "wavelength_nm,a\n450,0,5": "Line 2 .* 3 columns instead of 2",
    "wavelength_nm,a\n550,1\n450,1": "increase",
    "wavelength_nm,a\n450,1\n450,1": "increase",
    "wavelength_nm,a\n-450,1\n450,1": "not positive",
    "wavelength_nm,a\n0.4,1\n0.5,1": "unit",
    "band,a\n1,1\n3,1": "gaps",
    "wavelength_nm,a\n450,\0": "no text",
    'wavelength_nm,a\n450,"1': "no valid CSV",
}


@pytest.mark.parametrize("text", BAD)
def test_each_bad_table_gets_one_sentence(tmp_path, text):
    with pytest.raises(InputError, match=BAD[text]) as caught:
        read_spectra(csv_file(tmp_path, text))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_other_encodings_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="UTF-8"):
        read_spectra(csv_file(tmp_path, "wavelength_nm,wäter\n450,1", "latin-1"))
    with pytest.raises(InputError, match="does not exist"):
        read_spectra(tmp_path / "none.csv")


def test_library_round_trip(tmp_path):
    write_sli(tmp_path / "lib.sli", LIBRARY)
    for name in ("lib.sli", "lib.hdr"):
        again, warnings = read_spectra(tmp_path / name)
        assert (again.wavelength_nm, warnings) == (LIBRARY.wavelength_nm, ())
        assert again.names == ("Tile; red", 'He said "grass"')
        close(again, LIBRARY)


def test_gdal_reads_the_written_library_once_it_is_called_an_image(tmp_path, stored_numbers):
    write_sli(tmp_path / "lib.sli", LIBRARY)
    header = tmp_path / "lib.hdr"
    header.write_text(header.read_text().replace("ENVI Spectral Library", "ENVI Standard"))
    assert stored_numbers(tmp_path / "lib.sli") == pytest.approx(np.array(LIBRARY.values), rel=1e-6)


@pytest.mark.parametrize(("code", "letter"), [(2, "h"), (4, "f"), (5, "d"), (12, "H")])
@pytest.mark.parametrize("order", [0, 1])
def test_libraries_of_all_number_types_and_byte_orders(tmp_path, code, letter, order):
    (tmp_path / "a.sli").write_bytes(b"junk" + struct.pack("<>"[order] + "6" + letter, 1, 2, 3, 40, 50, 60))
    (tmp_path / "a.hdr").write_text(
        f"ENVI\nsamples = 3\nlines = 2\nbands = 1\nheader offset = 4\ndata type = {code}\ninterleave = bsq\n"
        f"byte order = {order}\nwavelength units = Micrometers\nwavelength = {{0.4,\n0.5, 0.6}}\nspectra names={{a,b}}"
    )
    table, _ = read_spectra(tmp_path / "a.sli")
    assert table == Spectra(("a", "b"), ((1.0, 2.0, 3.0), (40.0, 50.0, 60.0)), (400.0, 500.0, 600.0))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("samples = 3", "samples = 4"), "do not belong together|wavelengths"),
        (("samples = 3", "samples = three"), "samples"),
        (("data type = 4", "data type = 6"), "data type"),
        (("interleave = bsq", "interleave = bip"), "interleave"),
        (("2200", "abc"), "number"),
        (("450, 550.5", "550.5, 450"), "increase"),
        (("ENVI\n", "text\n"), "first line"),
        (("Tile; red", 'He said "grass"'), "two spectra"),
        (("Tile; red, ", ""), "names 1 spectra but announces 2"),
    ],
)
def test_each_bad_library_gets_one_sentence(tmp_path, change, match):
    write_sli(tmp_path / "lib.sli", LIBRARY)
    text = (tmp_path / "lib.hdr").read_text()
    assert change[0] in text
    (tmp_path / "lib.hdr").write_text(text.replace(*change))
    with pytest.raises(InputError, match=match):
        read_spectra(tmp_path / "lib.sli")


def test_half_a_library_is_refused(tmp_path):
    write_sli(tmp_path / "lib.sli", LIBRARY)
    (tmp_path / "lib.sli").rename(tmp_path / "moved.sli")
    for name in ("moved.sli", "lib.hdr"):
        with pytest.raises(InputError, match="beside"):
            read_spectra(tmp_path / name)


def test_real_library_of_berlin(data):
    table, warnings = read_spectra(data / "georeferenced/enmap_berlin_2017/SpecLib_BerlinUrbanGradient.sli")
    assert (len(table), table.bands, warnings) == (75, 177, ())
    assert table.names[0] == "Red clay tile 1"
    assert table.wavelength_nm[0] == pytest.approx(460)
    text = (data / "georeferenced/enmap_berlin_2017/SpecLib_BerlinUrbanGradient.txt").read_text().splitlines()
    numbers = [line.split() for line in text if line.split() and line.split()[0].replace(".", "").isdigit()]
    listed = [float(row[1]) for row in numbers if len(row) > 70]
    assert listed
    assert table.values[0][: len(listed)] == pytest.approx(listed, rel=1e-4)


def test_reading_needs_the_standard_library_only():
    code = (
        "import sys, hyperres.core.raster.spectra_files, hyperres.core.raster.target, hyperres.core.raster.dialects;"
        "sys.exit(bool({'numpy', 'rasterio', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
