# SPDX-License-Identifier: GPL-3.0-or-later
"""Real pairs: EnMAP with aerial photographs of Berlin (8.33 : 1), Hyperion with ALI over Paris (1 : 1)."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from hyperres.core.engine.method import Context
from hyperres.core.engine.pair_source import PairSource, draw_pair_sample
from hyperres.core.engine.record import InputRecord
from hyperres.core.errors import InputError
from hyperres.core.fusion.pair import PairBlock, Placement
from hyperres.core.fusion.pairing.alike import alike_pixels
from hyperres.core.fusion.pairing.gate import check_same_scene, check_usable
from hyperres.core.fusion.pairing.radiometry import fit_radiometry
from hyperres.core.fusion.pairing.registration import find_shift
from hyperres.core.raster.open_raster import read_header

torch.set_num_threads(1)
DATA = Path(__file__).resolve().parents[4].parent / "shared" / "data"


def needed(path):
    if not (DATA / path).exists():
        pytest.skip(f"the real images are not at {DATA / path}")
    return DATA / path


@pytest.fixture(scope="module")
def berlin(tmp_path_factory):
    """A sample of a copy, because GDAL writes beside compressed ENVI files."""
    folder, copy = needed("georeferenced/enmap_berlin_2017"), tmp_path_factory.mktemp("berlin")
    for path in folder.glob("*UrbanGradient.[bh][sd][qr]"):
        shutil.copy(path, copy)
    hsi, msi = (read_header(copy / f"{name}_BerlinUrbanGradient.bsq") for name in ("EnMAP", "HighResolution"))
    records = (InputRecord(header, tuple(range(len(header.table))), 1e-4) for header in (hsi, msi))
    with PairSource(*records) as source:
        return draw_pair_sample(source, 0, Context(torch.device("cpu")))


def gaussians(nm, centres, width):
    response = torch.exp(-0.5 * ((torch.tensor(nm)[None] - torch.tensor(centres)[:, None]) / (width / 2.355)) ** 2)
    return (response / response.sum(1, keepdim=True)).float()


@pytest.fixture(scope="module")
def berlin_response(berlin):
    return gaussians(berlin.hsi_table.wavelength_nm, berlin.msi_table.wavelength_nm, 60.0)


@pytest.fixture(scope="module")
def paris():
    """The pair and the measured response of ALI's nine bands on Hyperion's, each scaled to sum 1."""
    images = scipy.io.loadmat(needed("fusion/paris_hyperion_ali/paris_data_hs_ms.mat"))
    hyperion = scipy.io.loadmat(needed("srf/bandassignment_HYP_Spectral_Responses.mat"))
    ali = scipy.io.loadmat(needed("srf/bandassignment_ALI_Spectral_Responses.mat"))
    curves = hyperion["Spectral_Responses_Matrix"][images["non_del_bands"].ravel() - 1]
    centres = curves @ hyperion["wavelength_nm"].ravel() / curves.sum(1)
    # the table's last curve is panchromatic
    seen = [np.interp(centres, ali["wavelength_nm"].ravel(), row) for row in ali["Spectral_Responses_Matrix"][:9]]
    response = torch.tensor(np.stack(seen)).float()
    hsi, msi = (torch.tensor(images[name]).float().permute(2, 0, 1).contiguous() for name in ("HSim", "MSim"))
    whole = torch.ones(hsi.shape[1:], dtype=torch.bool)
    return PairBlock(hsi, whole, msi, whole, Placement(1, 1)), response / response.sum(1, keepdim=True)


def moved(block):
    found = find_shift([block])
    return found, replace(block, placement=block.placement.shifted(*found.pixels))


def correlation(block, response):
    return fit_radiometry(*alike_pixels([block], response)).correlation


def test_berlin_lies_right_to_a_fifth_of_a_coarse_pixel_and_agrees(berlin, berlin_response):
    assert check_usable(berlin) == ()
    found, block = moved(berlin.blocks[0])
    assert found.confident
    assert max(map(abs, found.pixels)) < 0.2 * 25 / 3
    assert (correlation(block, berlin_response) > 0.95).all()


@pytest.mark.parametrize("coarse", [(0.4, -0.3), (-2.5, 1.5)])
def test_berlin_moved_aside_is_moved_back(berlin, coarse):
    block = berlin.blocks[0]
    right = find_shift([block]).pixels
    displaced = replace(block, placement=block.placement.shifted(*(-25 / 3 * part for part in coarse)))
    found = find_shift([displaced])
    assert found.confident
    for i in (0, 1):
        assert found.pixels[i] - right[i] == pytest.approx(25 / 3 * coarse[i], abs=0.1)


def test_berlin_in_other_units_is_brought_back(berlin, berlin_response):
    _, block = moved(berlin.blocks[0])
    first = fit_radiometry(*alike_pixels([block], berlin_response))
    dn = replace(block, msi=block.msi * 57.0 + 12.0)
    found = fit_radiometry(*alike_pixels([dn], berlin_response))
    assert found.needed
    assert found.gain == pytest.approx(57 * first.gain, rel=1e-3)
    assert torch.allclose(found.apply(dn.msi), first.apply(block.msi), atol=1e-3)


@pytest.mark.parametrize("turn", [(1,), (2,), (1, 2)])
def test_a_mirrored_berlin_is_another_scene(berlin, berlin_response, turn):
    found, block = moved(replace(berlin.blocks[0], hsi=berlin.blocks[0].hsi.flip(turn)))
    assert not found.confident
    with pytest.raises(InputError, match="same ground"):
        check_same_scene(correlation(block, berlin_response), found.confident)


def test_berlin_and_paris_are_two_scenes(berlin, paris):
    """Berlin's photograph with Paris's spectra, cut to the same number of coarse pixels."""
    hsi = paris[0].hsi[:, :60, :60]
    other = replace(berlin.blocks[0], hsi=hsi, hsi_valid=torch.ones(60, 60, dtype=torch.bool))
    found = find_shift([other])
    assert not found.confident
    response = torch.ones(4, len(hsi)) / len(hsi)
    with pytest.raises(InputError, match="same ground"):
        check_same_scene(correlation(other, response), found.confident)


def test_paris_with_equal_pixels_is_one_scene_in_two_units(paris):
    block, response = paris
    found, block = moved(block)
    assert found.confident
    assert max(map(abs, found.pixels)) < 0.6
    values = correlation(block, response)
    assert values.min() > 0.95
    check_same_scene(values, found.confident)


@pytest.mark.parametrize("change", ["mirrored", "transposed", "rolled"])
def test_a_changed_paris_is_another_scene(paris, change):
    block, response = paris
    hsi = {"mirrored": block.hsi.flip(1), "transposed": block.hsi.transpose(1, 2), "rolled": block.hsi.roll(30, 2)}
    found, block = moved(replace(block, hsi=hsi[change]))
    assert not found.confident
    with pytest.raises(InputError, match="same ground"):
        check_same_scene(correlation(block, response), found.confident)
