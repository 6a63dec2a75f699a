# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the engine says what is there, and never fails for want of it."""

from __future__ import annotations

import json

import processing
import pytest


@pytest.mark.engine
def test_a_ready_machine(provider, tmp_path):
    record = tmp_path / "status.json"
    made = processing.run("hyperres:status", {"RESULT": str(record)})
    assert made["READY"] is True
    assert "torch" in made["TEXT"]
    facts = json.loads(record.read_text(encoding="utf-8"))
    assert facts["ok"] is True
    assert facts["versions"]["torch"] in made["TEXT"]
    assert facts["devices"][0]["name"] == "cpu"
    assert facts["devices"][0]["seconds"] > 0


@pytest.mark.parametrize("path", ["/absent/python", __file__])
def test_a_machine_that_is_not_ready(provider, tmp_path, monkeypatch, path):
    monkeypatch.setenv("HYPERRES_PYTHON", path)
    record = tmp_path / "status.json"
    made = processing.run("hyperres:status", {"RESULT": str(record)})
    assert made["READY"] is False
    assert path in made["TEXT"]
    assert "-m venv" in made["TEXT"], "how to get an engine"
    assert json.loads(record.read_text(encoding="utf-8"))["ok"] is False


def test_an_unwritable_record_is_refused(provider, tmp_path):
    algorithm = provider.algorithm("status").create()
    problems = algorithm.problems({"RESULT": str(tmp_path / "nowhere" / "status.json")}, None)
    assert len(problems) == 1
    assert "nowhere" in problems[0]
