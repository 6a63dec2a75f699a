# SPDX-License-Identifier: GPL-3.0-or-later
"""The sensor tables against published centres, against pyrsr's tables and against the files they derive from."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hyperres.core.errors import InputError
from hyperres.core.sensors.catalogue import SENSORS, load_sensor

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "srf"
PYRSR = DATA / "pyrsr-0.8.0.tar.gz"
# ESA, Sentinel-2 spectral response functions (COPE-GSEG-EOPG-TN-15-0007)
SENTINEL_2A_NM = (442.7, 492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4)


def on_nanometres(nm, response):
    """A curve on every whole nanometre from 300 to 2600, area 1."""
    curve = np.interp(np.arange(300, 2601), nm, response, left=0, right=0)
    return curve / curve.sum()


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_a_table_holds_sound_curves(sensor_id):
    sensor = load_sensor(sensor_id)
    assert sensor.title and sensor.attribution
    names = [band.name for band in sensor.bands]
    assert len(set(names)) == len(names)
    for band in sensor.bands:
        nm, response = np.array(band.wavelength_nm), np.array(band.response)
        assert np.all(np.diff(nm) > 0) and np.allclose(np.diff(nm), nm[1] - nm[0])
        assert response.min() >= 0 and response.max() == pytest.approx(1)
        assert 300 < nm[0] < band.centre_nm < nm[-1] < 2500


def test_every_table_is_listed():
    tables = {path.stem for path in (ROOT / "core" / "sensors" / "tables").glob("*.json")}
    assert tables == set(SENSORS)


def test_the_centres_of_sentinel_2a_are_those_that_esa_publishes():
    centres = [band.centre_nm for band in load_sensor("sentinel-2a").bands]
    assert centres == pytest.approx(SENTINEL_2A_NM, abs=0.4)


@pytest.mark.parametrize(
    ("sensor_id", "centres"),
    [
        ("p4-multispectral", (450, 560, 650, 730, 840)),
        ("mavic-3m", (560, 650, 730, 860)),
        ("rededge-mx", (475, 560, 668, 842, 717)),
        ("sequoia", (550, 660, 735, 790)),
    ],
)
def test_drone_cameras_have_their_nominal_centres(sensor_id, centres):
    assert [band.centre_nm for band in load_sensor(sensor_id).bands] == pytest.approx(centres, abs=0.1)


def test_a_nominal_width_is_the_full_width_at_half_maximum():
    band = load_sensor("p4-multispectral").bands[4]
    above = [nm for nm, response in zip(band.wavelength_nm, band.response) if response >= 0.5]
    assert above[-1] - above[0] == pytest.approx(52, abs=1)


def test_an_unknown_sensor_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="no sensor called 'landsat-99': choose one of sentinel-2a"):
        load_sensor("landsat-99")


def test_the_ids_need_the_standard_library_only():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hyperres.core.sensors.catalogue as c; c.load_sensor('pan')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, ROOT / ".venv" / "plugins"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("sensor_id", "folder", "least"),
    [
        ("sentinel-2a", "Sentinel-2A/MSI", 0.95),
        ("sentinel-2b", "Sentinel-2B/MSI", 0.95),
        ("landsat-7", "Landsat-7/ETM+", 0.95),
        ("landsat-8", "Landsat-8/OLI_TIRS", 0.98),
        ("landsat-9", "Landsat-9/OLI_TIRS", 0.95),
        ("rapideye", "RapidEye/MSI", 0.90),  # BlackBridge's later curves against RapidEye AG's first ones
    ],
)
def test_curves_agree_with_those_of_pyrsr(sensor_id, folder, least):
    if not PYRSR.is_file():
        pytest.skip("../shared/data/srf/pyrsr-0.8.0.tar.gz is not here")
    compared = 0
    with tarfile.open(PYRSR) as archive:
        for number, band in enumerate(load_sensor(sensor_id).bands, start=1):
            digits = band.name[1:] if band.name[1:2].isdigit() else str(number)
            raw = archive.extractfile(f"pyrsr-0.8.0/pyrsr/data/{folder}/band_{digits}").read().decode().splitlines()
            table = np.array([[float(x) for x in line.split()[:2]] for line in raw[1:] if line.strip()])
            nm = table[:, 0] * (1000 if table[0, 0] < 100 else 1)
            common = np.minimum(
                on_nanometres(nm, table[:, 1].clip(0)), on_nanometres(band.wavelength_nm, band.response)
            ).sum()
            assert common >= least, f"{band.name}: only {common:.3f} of the area in common"
            compared += 1
    assert compared >= 5


def test_the_tables_are_what_the_script_makes(tmp_path):
    if not (DATA / "acolite").is_dir():
        pytest.skip("../shared/data/srf/acolite is not here")
    from hyperres.dev import make_sensor_tables

    before = make_sensor_tables.TABLES
    make_sensor_tables.TABLES = tmp_path
    try:
        for sensor_id, recipe in make_sensor_tables.RECIPES.items():
            make_sensor_tables.make(sensor_id, recipe, DATA / "acolite")
    finally:
        make_sensor_tables.TABLES = before
    made = sorted(tmp_path.iterdir())
    assert len(made) >= 17
    for path in made:
        assert path.read_bytes() == (before / path.name).read_bytes()
