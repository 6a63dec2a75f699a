# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the engine's Python: what is tried in which order, and what is said of those that do not work."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hyperres.core.engine import interpreter
from hyperres.core.engine.interpreter import Candidate, candidates, choose, clean_environment, find_problem, probe
from hyperres.core.errors import EnvironmentMissingError

HERE = Path(sys.executable)
posix = pytest.mark.skipif(os.name == "nt", reason="uses shell scripts as stand-ins")


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text + "\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def problem_of(path: Path, timeout_s: float = 10.0) -> str:
    sentence = find_problem(Candidate(path, "for a test", True), timeout_s)
    assert sentence.endswith(".")
    assert str(path) in sentence
    return sentence


def test_the_option_comes_before_the_variable_and_the_home_folder(tmp_path):
    customary = tmp_path / interpreter.ENVIRONMENT_FOLDER / "bin" / "python"
    customary.parent.mkdir(parents=True)
    customary.write_text("", encoding="utf-8")
    found = candidates("/chosen/python", {"HYPERRES_PYTHON": "/named/python"}, tmp_path)
    assert [str(c.path) for c in found[:3]] == ["/chosen/python", "/named/python", str(customary)]
    assert [c.explicit for c in found[:3]] == [True, True, False]


def test_the_running_program_is_never_a_candidate_by_itself(tmp_path, monkeypatch):
    # inside QGIS it is QGIS, or the first python on PATH
    monkeypatch.setattr(sys, "executable", str(tmp_path / "qgis-bin.exe"))
    assert str(tmp_path / "qgis-bin.exe") not in {str(c.path) for c in candidates("", {}, tmp_path)}


def test_this_interpreter_is_chosen_when_it_is_named(tmp_path):
    assert choose("", {"HYPERRES_PYTHON": str(HERE)}, tmp_path).path == HERE


def test_an_explicit_choice_that_fails_is_not_passed_over(tmp_path):
    with pytest.raises(EnvironmentMissingError, match="chosen in the HyperRes options"):
        choose(str(tmp_path / "absent"), {"HYPERRES_PYTHON": str(HERE)}, tmp_path)


def test_without_any_engine_the_way_to_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreter, "qgis_python", lambda: None)
    with pytest.raises(EnvironmentMissingError, match=r"torch.*Settings > Options > HyperRes"):
        choose("", {}, tmp_path)


def test_a_file_that_does_not_exist(tmp_path):
    assert "does not exist" in problem_of(tmp_path / "absent")


def test_a_file_that_is_no_program(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no program", encoding="utf-8")
    assert "cannot be started" in problem_of(path)


@posix
@pytest.mark.parametrize("answer", ["echo hello", "echo 3", "exit 0", "exit 7", "kill -9 $$"])
def test_a_program_that_is_no_python(tmp_path, answer):
    assert "no working Python" in problem_of(script(tmp_path / "program", answer))


@posix
def test_a_program_that_hangs_is_given_up(tmp_path):
    started = time.monotonic()
    assert "no answer" in problem_of(script(tmp_path / "program", "exec sleep 60"), timeout_s=0.5)
    assert time.monotonic() - started < 5


@posix
def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path):
    sentence = problem_of(script(tmp_path / "program", """echo '["torch", "rasterio"]'"""))
    assert "lacks torch, rasterio" in sentence
    assert "-m pip install torch rasterio" in sentence


def test_a_bare_environment_lacks_torch(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    assert "torch" in problem_of(interpreter.environment_python(tmp_path / "bare"))


def test_the_trial_of_this_interpreter():
    found = probe(HERE)
    assert found.ok, found.sentence
    assert set(interpreter.REQUIRED) < set(found.versions)
    assert found.devices[0]["name"] == "cpu"
    assert found.devices[0]["seconds"] > 0
    assert any("test product" in line for line in found.lines())


@posix
def test_a_package_that_does_not_load_is_named(tmp_path):
    report = {"versions": {"python": "3.11"}, "missing": [], "broken": {"torch": "c10.dll: error 1114"}, "devices": []}
    program = script(tmp_path / "program", f"case $2 in -c) echo '[]';; *) echo '{json.dumps(report)}';; esac")
    found = probe(program)
    assert not found.ok
    assert "cannot import torch (c10.dll: error 1114)" in found.sentence


@posix
def test_a_crash_during_the_trial_is_told(tmp_path):
    program = script(tmp_path / "program", "case $2 in -c) echo '[]';; *) kill -11 $$;; esac")
    found = probe(program)
    assert not found.ok
    assert "crashed" in found.sentence


def test_nothing_of_qgis_leaks_into_the_child():
    leaky = {
        "PYTHONHOME": "x",
        "PYTHONPATH": "x",
        "PROJ_LIB": "x",
        "GDAL_DATA": "x",
        "LD_LIBRARY_PATH": "x",
        "PATH": "x",
    }
    kept = clean_environment({**leaky, "QT_PLUGIN_PATH": "x", "HOME": "/home/me", "CUDA_VISIBLE_DEVICES": "1"})
    assert kept["HOME"] == "/home/me"
    assert kept["CUDA_VISIBLE_DEVICES"] == "1"
    assert "x" not in kept.values()


def test_the_commands_create_what_is_looked_for():
    posix_text, windows_text = interpreter.create_commands(False), interpreter.create_commands(True)
    for text in (posix_text, windows_text):
        assert interpreter.ENVIRONMENT_FOLDER in text
        assert all(package in text for package in interpreter.REQUIRED)
