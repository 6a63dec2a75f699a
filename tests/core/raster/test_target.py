"""Targets that must not be written are refused before any work."""

import os

import pytest

from hyperres.core.errors import InputError
from hyperres.core.raster.target import check_target, free_disk_bytes


def refused(match, *arguments, **options):
    with pytest.raises(InputError, match=match) as caught:
        check_target(*arguments, **options)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.bsq", "a.dat", "a.img"])
def test_known_extensions_pass(tmp_path, name):
    check_target(tmp_path / name)


def test_each_fault_gets_its_own_sentence(tmp_path):
    refused("extension", tmp_path / "a.xyz")
    refused("extension", tmp_path / "a")
    refused("does not exist", tmp_path / "nowhere" / "a.tif")
    (tmp_path / "folder.tif").mkdir()
    refused("is a folder", tmp_path / "folder.tif")
    check_target(tmp_path / "report.html", raster=False)


def test_an_input_is_never_replaced_whatever_it_is_called(tmp_path):
    source = tmp_path / "cube.tif"
    source.touch()
    (tmp_path / "link.tif").symlink_to(source)
    os.link(source, tmp_path / "second_name.tif")
    (tmp_path / "way").symlink_to(tmp_path)
    for name in ("cube.tif", "link.tif", "second_name.tif", "way/cube.tif", "../" + tmp_path.name + "/cube.tif"):
        refused("also an input", tmp_path / name, [source])
    check_target(tmp_path / "other.tif", [source])


def test_the_header_of_another_file_is_never_replaced(tmp_path):
    cube, spectra = tmp_path / "cube.dat", tmp_path / "spectra.sli"
    for name in ("cube.dat", "cube.hdr", "spectra.sli", "spectra.hdr"):
        (tmp_path / name).touch()
    refused("cube.hdr", tmp_path / "cube.bsq", [cube])
    refused("cube.hdr", tmp_path / "cube.sli", raster=False)
    refused("spectra.hdr", tmp_path / "spectra.dat", [cube, spectra])
    refused("also an input", spectra, [tmp_path / "spectra.hdr"], raster=False)
    refused("header", tmp_path / "report.hdr", raster=False)
    (tmp_path / "cube.bsq").touch()
    refused("cube.hdr", tmp_path / "cube.bsq", [cube])
    check_target(cube)  # it may replace itself, together with its header
    check_target(tmp_path / "cube.tif", [cube])


def test_endless_names_are_refused(tmp_path):
    refused("too long", tmp_path / f"{'a' * 220}.tif")
    refused("too long", tmp_path / f"{'a' * 300}.tif")
    refused("too long", tmp_path / f"{'日' * 80}.tif")
    check_target(tmp_path / f"{'a' * 190}.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_ordinary_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    refused("ordinary", tmp_path / "pipe.tif")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_locked_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    refused("cannot be written", tmp_path / "a.tif")
    tmp_path.chmod(0o700)


def test_free_space_is_that_of_the_disk_even_of_a_folder_to_come(tmp_path):
    assert free_disk_bytes(tmp_path / "a" / "b" / "c.tif") == pytest.approx(free_disk_bytes(tmp_path), rel=0.05)
    assert free_disk_bytes(tmp_path) > 0
