# SPDX-License-Identifier: GPL-3.0-or-later
"""Which response a pair is given when its files do not tell."""

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.errors import BandsError
from hyperres.core.fusion.response import settle_response
from hyperres.core.sensors.catalogue import load_sensor
from hyperres.core.sensors.response import srf_of_sensor

NM = tuple(np.arange(400.0, 1000.0, 8.0))
HSI = BandTable(tuple(f"{nm:.0f}" for nm in NM), (True,) * len(NM), NM, (8.0,) * len(NM))


def _pixels(count=400):
    random = np.random.default_rng(0)
    spectra = np.abs(np.cumsum(random.standard_normal((6, len(NM))), axis=1)) / 20 + 0.1
    return (random.dirichlet(np.full(6, 0.5), count) @ spectra).astype(np.float32)


def _settle(sensor, bands, table=HSI):
    """Settle the response of a nameless stack that holds some bands of a sensor, in that order."""
    srf, _ = srf_of_sensor(load_sensor(sensor), bands, HSI)
    hsi = _pixels()
    msi = hsi @ srf.matrix.T
    nameless = BandTable(tuple(f"Band {i + 1}" for i in range(len(bands))), (True,) * len(bands))
    keep = [NM.index(nm) for nm in table.wavelength_nm]
    return settle_response(None, sensor, table, nameless, hsi[:, keep], msi, seed=0)


def test_bands_without_names_are_known_by_what_they_show_in_any_order():
    found = _settle("rededge-mx", (3, 0, 4, 2, 1))
    names = [load_sensor("rededge-mx").bands[i].name for i in (3, 0, 4, 2, 1)]
    assert list(found.srf.names) == names
    assert "neither wavelengths nor names" in found.warnings[0]


def test_a_stack_of_colours_is_never_taken_for_the_panchromatic_band():
    without_blue = HSI.subset([i for i, nm in enumerate(NM) if nm > 530])
    colours = [i for i, band in enumerate(load_sensor("quickbird").bands) if not band.is_pan]
    with pytest.raises(BandsError, match="leave bands out"):
        _settle("quickbird", tuple(colours), without_blue)
