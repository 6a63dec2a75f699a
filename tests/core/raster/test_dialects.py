"""Wavelengths are understood in every spelling, and nothing is made up."""

import pytest

from hyperres.core.bands import BandTable
from hyperres.core.raster.dialects import band_description, band_items, dataset_items, read_band_table, read_sidecar

NM = (450.0, 550.0, 650.0)


def read(dataset=None, bands=None, descriptions=(None, None, None), sidecar=None):
    return read_band_table(dataset or {}, bands or [{}] * len(descriptions), descriptions, sidecar)


def per_band(domain, *items):
    return [{domain: item} for item in items]


SPELLINGS = {
    "imagery": {"bands": per_band("IMAGERY", *({"CENTRAL_WAVELENGTH_UM": f"{nm / 1000}"} for nm in NM))},
    "band items": {"bands": per_band("", *({"wavelength": str(nm), "wavelength_units": "Nanometers"} for nm in NM))},
    "force": {"bands": per_band("FORCE", *({"Wavelength": str(nm), "Wavelength_unit": "nanometers"} for nm in NM))},
    "unit in the key": {"bands": per_band("", *({"center_wavelength_um": f"{nm / 1000}"} for nm in NM))},
    "unit in the value": {"descriptions": ["Band 1: 450 nm", "Band 2: 550 nm", "Band 3: 0.65 um"]},
    "micrometres in words": {"descriptions": ["a (0.45 Micrometers)", "b (0.55 Micrometers)", "c (0.65 Micrometers)"]},
    "envi list": {"dataset": {"ENVI": {"wavelength": "{0.45, 0.55, 0.65}", "wavelength_units": "Micrometers"}}},
    "spaces": {"dataset": {"": {"wavelengths": "450 550 650", "wavelength_units": "nm"}}},
    "envi driver": {"dataset": {"": {f"Band_{i + 1}": f"{nm} Nanometers" for i, nm in enumerate(NM)}}},
    "tanager": {"dataset": {"": {"SWATHS_HYP_reflectance_wavelengths": "450,550,650", "wavelength_unit": "nm"}}},
    "header beside": {"sidecar": {"wavelength": "450, 550, 650", "wavelength units": "Nanometers"}},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_nanometres_without_a_warning(spelling):
    table, warnings = read(**SPELLINGS[spelling])
    assert table.wavelength_nm == pytest.approx(NM)
    assert warnings == ()


@pytest.mark.parametrize(
    "names",
    [
        ("band 8", "band 9", "band 10"),
        ("450", "550", "650"),
        ("B450", "B550", "B650"),
        ("channel_0 (450.0)", "channel_1 (550.0)", "channel_2 (650.0)"),
        ("10 m", "20 m", "60 m"),
        ("450-460 nm", "550-560 nm", "650-660 nm"),
    ],
)
def test_numbers_in_names_without_a_unit_of_light_are_no_wavelengths(names):
    table, warnings = read(descriptions=names)
    assert table.wavelength_nm is None
    assert warnings == ()
    assert table.names == names


def test_widths_and_bad_bands_come_along():
    table, _ = read(
        bands=per_band(
            "",
            {"wavelength": "0.45", "wavelength_units": "um", "fwhm": "0.01", "bbl": "1"},
            {"wavelength": "0.55", "wavelength_units": "um", "fwhm": "0.012", "bbl": "0"},
            {"wavelength": "650", "wavelength_units": "nm", "fwhm": "14", "bbl": "1"},
        )
    )
    assert table.wavelength_nm == pytest.approx(NM)
    assert table.fwhm_nm == pytest.approx((10, 12, 14))
    assert table.good == (True, False, True)


def test_tanager_flags_of_good_bands_are_no_wavelengths():
    table, _ = read({"": {"x_good_wavelengths": "1,0,1", "x_wavelengths": "450,550,650", "wavelength_units": "nm"}})
    assert table.wavelength_nm == pytest.approx(NM)
    assert table.good == (True, False, True)


@pytest.mark.parametrize(("values", "unit"), [("0.45,0.55,0.65", "micrometres"), ("450,550,650", "nanometres")])
def test_a_missing_unit_is_guessed_from_the_size_with_one_warning(values, unit):
    table, warnings = read({"ENVI": {"wavelength": f"{{{values}}}", "fwhm": "{0.01,0.01,0.01}"}})
    assert table.wavelength_nm == pytest.approx(NM)
    assert len(warnings) == 1
    assert unit in warnings[0]


def test_an_unknown_unit_counts_as_missing():
    table, warnings = read({"ENVI": {"wavelength": "{450,550,650}", "wavelength_units": "Unknown"}})
    assert table.wavelength_nm == pytest.approx(NM)
    assert len(warnings) == 1


def test_contradicting_sources_are_named_once_and_the_first_counts():
    table, warnings = read(
        dataset={"ENVI": {"wavelength": "{450,560,650}", "wavelength_units": "nm"}},
        bands=SPELLINGS["band items"]["bands"],
        descriptions=("400 nm", "500 nm", "600 nm"),
    )
    assert table.wavelength_nm == pytest.approx(NM)
    assert len(warnings) == 1
    assert "band metadata" in warnings[0]
    assert "ENVI domain" in warnings[0]


def test_sources_that_agree_to_a_nanometre_do_not_contradict():
    _, warnings = read(
        dataset={"ENVI": {"wavelength": "{450.6,550.4,649.2}", "wavelength_units": "nm"}},
        bands=SPELLINGS["band items"]["bands"],
    )
    assert warnings == ()


def test_what_gdal_rounded_gives_way_to_exact_numbers():
    table, _ = read(
        dataset={"ENVI": {"wavelength": "{450.4,550.4,650.4}", "fwhm": "{5.8,5.8,5.8}", "wavelength_units": "nm"}},
        bands=per_band("IMAGERY", *({"CENTRAL_WAVELENGTH_UM": f"{nm / 1000:.3f}", "FWHM_UM": "0.006"} for nm in NM)),
    )
    assert table.wavelength_nm == pytest.approx((450.4, 550.4, 650.4))
    assert table.fwhm_nm == pytest.approx((5.8, 5.8, 5.8))


def test_lists_of_another_length_are_ignored_in_words():
    table, warnings = read({"ENVI": {"wavelength": "{450,550}", "wavelength_units": "nm", "bbl": "{1,0,1,1}"}})
    assert table.wavelength_nm is None
    assert table.good == (True, True, True)
    assert len(warnings) == 2
    assert all("ignored" in warning for warning in warnings)


@pytest.mark.parametrize("third", ["nan", "", "-1", "0", "inf"])
def test_partly_missing_wavelengths_are_none_at_all(third):
    table, warnings = read({"ENVI": {"wavelength": "{450,550,x" + third + "}", "wavelength_units": "nm"}})
    assert table.wavelength_nm is None
    assert len(warnings) == 1


def test_an_incomplete_source_gives_way_to_a_complete_one():
    table, warnings = read(
        dataset={"ENVI": {"wavelength": "{450,550,650}", "wavelength_units": "nm"}},
        bands=per_band("", {"wavelength": "451", "wavelength_units": "nm"}, {}, {}),
    )
    assert table.wavelength_nm == pytest.approx(NM)
    assert warnings == ()


def test_without_any_source_bands_are_numbered():
    table, warnings = read(descriptions=(None, " ", "red"))
    assert table == BandTable(("Band 1", "Band 2", "red"), (True,) * 3)
    assert warnings == ()


def test_each_written_dialect_alone_is_enough_to_read_the_axis_back():
    table = BandTable(("a", "b"), (True, False), (418.2401, 2450.123), (6.99561, 9.5))
    bands = [band_items(table, i) for i in range(2)]
    names = ("a", "b")
    for dataset, items in (
        (dataset_items(table), [{}, {}]),
        ({}, [{"": band[""]} for band in bands]),
        ({}, [{"IMAGERY": band["IMAGERY"]} for band in bands]),
    ):
        again, warnings = read_band_table(dataset, items, names)
        assert again.wavelength_nm == pytest.approx(table.wavelength_nm)
        assert again.fwhm_nm == pytest.approx(table.fwhm_nm)
        assert warnings == ()
    words, _ = read_band_table({}, [{}, {}], [band_description(table, i) for i in range(2)])
    assert words.wavelength_nm == pytest.approx(table.wavelength_nm, abs=1e-3)


def test_a_header_file_beside_the_raster_is_found(tmp_path):
    (tmp_path / "cube.hdr").write_text(
        "ENVI\nwavelength units = nm\nwavelength = {450,\n 550,\n 650}\n; remark\nbbl={1,1,0}"
    )
    for name in ("cube.tif", "cube"):
        table, _ = read(sidecar=read_sidecar(str(tmp_path / name)))
        assert table.wavelength_nm == pytest.approx(NM)
        assert table.good == (True, True, False)
    assert read_sidecar(str(tmp_path / "other.tif")) is None
    (tmp_path / "other.hdr").write_text("ncols 4")
    assert read_sidecar(str(tmp_path / "other.tif")) is None
