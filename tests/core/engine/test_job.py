"""Job records: whoever writes one by hand hears what is wrong with it."""

import json
from dataclasses import replace

import pytest

from hyperres.core.engine.job import Job
from hyperres.core.errors import InputError

POINT = {"type": "Point", "coordinates": [1.0, 2.0]}
JOB = Job(
    "unmix",
    {"image": "/a.tif"},
    {"abundances": "/b.tif"},
    {"count": 3},
    samples=({"name": "a", "geometry": POINT},),
    bands=(1, 2),
    scale=0.5,
)


def _text(**entries):
    return json.dumps({**json.loads(JOB.to_json()), **entries})


def test_a_record_survives_the_way_through_json():
    assert Job.from_json(JOB.to_json()) == JOB
    plain = replace(JOB, samples=(), bands=None, scale=None)
    assert Job.from_json(plain.to_json()) == plain


@pytest.mark.parametrize(
    "entry",
    [
        {"method": ["unmix"]},
        {"inputs": ["/a.tif"]},
        {"inputs": {"image": None}},
        {"outputs": None},
        {"tables": {"endmembers": 5}},
        {"settings": [1]},
        {"bands": []},
        {"bands": "123"},
        {"bands": [-1]},
        {"bands": [1.0]},
        {"bands": [True]},
        {"skip_water_vapour": "no"},
        {"scale": 0},
        {"scale": -1},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": "0.1"},
        {"device": None},
        {"seed": -1},
        {"seed": 10**30},
        {"seed": None},
        {"memory_mb": 0},
        {"memory_mb": 1.5},
        {"workers": -3},
        {"samples": None},
        {"samples": [{"geometry": POINT}]},
    ],
    ids=str,
)
def test_entries_of_the_wrong_kind_are_named(entry):
    with pytest.raises(InputError, match=repr(next(iter(entry)))):
        Job.from_json(_text(**entry))


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        [1],
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "Point", "coordinates": ["1", "2"]},
        {"type": "Point", "coordinates": [float("nan"), 2]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [1, 2]},
        {"type": "GeometryCollection", "geometries": []},
    ],
    ids=str,
)
def test_broken_geometries_are_refused_by_their_class(geometry):
    with pytest.raises(InputError, match="'meadow'"):
        Job.from_json(_text(samples=[{"name": "meadow", "geometry": geometry}]))


def test_sound_geometries_pass():
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    for geometry in (
        POINT,
        {"type": "Point", "coordinates": [1, 2, 3]},
        {"type": "MultiPolygon", "coordinates": [[ring], [ring]]},
        {"type": "GeometryCollection", "geometries": [POINT, {"type": "Polygon", "coordinates": [ring]}]},
    ):
        assert Job.from_json(_text(samples=[{"name": "a", "geometry": geometry}])).samples[0]["geometry"] == geometry


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"hyperres_job": 2}'])
def test_files_that_are_no_job_are_refused(tmp_path, content):
    path = tmp_path / "job.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        Job.load(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "job.json"
    path.write_text("\ufeff" + JOB.to_json(), encoding="utf-8")
    assert Job.load(path) == JOB
