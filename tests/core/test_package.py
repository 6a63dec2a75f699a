# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's zip file keeps the rules of the QGIS plugin repository, and the check of these rules can fail."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from hyperres.dev.check_package import find_problems

ROOT = Path(__file__).parents[2]
METADATA = """[general]
name=Example
description=An example
version=1.2.3
qgisMinimumVersion=3.22
author=Somebody
email=somebody@example.org
about=An example
tracker=https://example.org/issues
repository=https://example.org/code
homepage=https://example.org
hasProcessingProvider=yes
icon=icon.png
"""
SOUND = {"p/__init__.py": b"", "p/LICENSE": b"GPL", "p/icon.png": b"\x89PNG", "p/metadata.txt": METADATA.encode()}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("the zip file is made from a git checkout")
    path = tmp_path_factory.mktemp("package") / "hyper res.zip"
    done = subprocess.run([ROOT / "dev" / "package", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def test_the_plugin_repository_would_accept_the_zip_file(package):
    assert find_problems(package) == []


def test_the_zip_file_holds_the_plugin_and_no_tools(package):
    names = zipfile.ZipFile(package).namelist()
    inside = {name.split("/")[1] for name in names}
    assert {"core", "algorithms", "processing_provider", "ui", "plugin.py", "README.md"} <= inside
    assert not inside & {"tests", "dev", "benchmarks", "docs", ".ci", ".gitignore", ".gitattributes", "pyproject.toml"}


def test_the_licence_is_the_gpl(package):
    text = zipfile.ZipFile(package).read("hyperres/LICENSE").decode()
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 3, 29 June 2007" in text


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_sound_plugin_has_no_problems(tmp_path):
    assert find_problems(write_zip(tmp_path / "p.zip", SOUND)) == []


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("q/more.py", b"", "one top folder"),
        ("p/__pycache__/a.txt", b"", "must not be in a plugin"),
        ("p/requirements.txt", b"numpy", "must not be in a plugin"),
        ("p/fast.so", b"", "is a binary"),
        ("p/data.dat", b"\x7fELF\x02", "is a binary"),
        ("p/metadata.txt", METADATA.replace("tracker", "other").encode(), "lacks tracker"),
        ("p/metadata.txt", METADATA.replace("1.2.3", "1.2-rc").encode(), "three numbers"),
        ("p/metadata.txt", METADATA.replace("Somebody", "A/B").encode(), "slash"),
        ("p/metadata.txt", METADATA.replace("https://example.org/code", "here").encode(), "repository must be"),
        ("p/metadata.txt", METADATA.replace("Provider=yes", "Provider=no").encode(), "hasProcessingProvider"),
        ("p/metadata.txt", METADATA.replace("icon.png", "none.png").encode(), "icon"),
        ("p/metadata.txt", (METADATA + "supportsQt6=True\n").encode(), "supportsQt6"),
        ("p/metadata.txt", b"name=Example", "cannot be read"),
    ],
)
def test_each_rule_can_fail(tmp_path, name, data, said):
    problems = find_problems(write_zip(tmp_path / "p.zip", {**SOUND, name: data}))
    assert len(problems) >= 1 and any(said in problem for problem in problems)


@pytest.mark.parametrize("name", ["__init__.py", "LICENSE", "metadata.txt"])
def test_a_missing_file_is_named(tmp_path, name):
    files = {path: data for path, data in SOUND.items() if path != f"p/{name}"}
    assert find_problems(write_zip(tmp_path / "p.zip", files)) == [f"{name} is missing."]


def test_a_zip_file_above_the_limit_is_refused(tmp_path):
    path = write_zip(tmp_path / "p.zip", {**SOUND, "p/big.dat": bytes(25_000_001)})
    assert find_problems(path) == ["The file has more than 25 MB."]
