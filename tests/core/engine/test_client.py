"""The client against interpreters that misbehave; the real worker is tried in test_unmix_job.py."""

import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hyperres.core.engine.client import Listener, run_job
from hyperres.core.engine.job import Job
from hyperres.core.errors import Cancelled, EnvironmentMissingError, HyperResError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
JOB = Job("unmix", {"image": "/nowhere.tif"})


def _stand_in(folder: Path, body: str) -> Path:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_missing_interpreter_is_named(tmp_path):
    with pytest.raises(EnvironmentMissingError, match="cannot be started"):
        run_job(JOB, tmp_path / "none", Listener())


def test_a_program_that_is_no_python_is_named(tmp_path):
    program = _stand_in(tmp_path, "echo I am a teapot >&2; exit 4")
    with pytest.raises(EnvironmentMissingError, match=r"no Python .*teapot"):
        run_job(JOB, program, Listener())


def test_an_interpreter_that_hangs_is_given_up(tmp_path):
    program = _stand_in(tmp_path, "exec sleep 60")
    started = time.monotonic()
    with pytest.raises(EnvironmentMissingError, match="does not answer"):
        run_job(JOB, program, Listener(), hello_timeout_s=0.5)
    assert time.monotonic() - started < 10


def test_a_long_job_does_not_wait_for_an_interpreter_that_never_reads_it(tmp_path):
    program = _stand_in(tmp_path, "exec sleep 60")
    job = replace(JOB, settings={"long": "x" * 1_000_000})
    with pytest.raises(EnvironmentMissingError, match="does not answer"):
        run_job(job, program, Listener(), hello_timeout_s=0.5)
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run_job(job, program, Listener(is_cancelled=lambda: True))
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(("ending", "words"), [("kill -9 $$", "out of memory"), ("exit 7", "exit code 7")])
def test_a_worker_that_dies_becomes_one_sentence(tmp_path, ending, words):
    program = _stand_in(tmp_path, f'echo \'{{"kind": "hello"}}\'; {ending}')
    with pytest.raises(HyperResError, match=words) as caught:
        run_job(JOB, program, Listener())
    assert "\n" not in str(caught.value)


def test_cancelling_a_deaf_worker_removes_what_it_announced_within_two_seconds(tmp_path):
    folder, file = tmp_path / ".journal", tmp_path / ".part.tif"
    folder.mkdir()
    (folder / "tile").touch()
    for name in (".part.tif", ".part.tif.aux.xml", ".part.hdr"):
        (tmp_path / name).touch()
    events = "".join(
        f'echo \'{{"kind": "{kind}"{more}}}\'; '
        for kind, more in (
            ("hello", ""),
            ("scratch", f', "path": "{folder}"'),
            ("scratch", f', "path": "{file}"'),
            ("progress", ', "percent": 10.0, "step": "x"'),
        )
    )
    program = _stand_in(tmp_path, events + "exec sleep 60")
    cancelled_at: list[float] = []
    listener = Listener(
        on_progress=lambda percent, step: cancelled_at.append(time.monotonic()),
        is_cancelled=lambda: bool(cancelled_at),
    )
    with pytest.raises(Cancelled):
        run_job(JOB, program, listener)
    assert time.monotonic() - cancelled_at[0] < 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["python3"]


def test_a_worker_that_is_done_when_it_is_cancelled_has_a_result(tmp_path):
    program = _stand_in(
        tmp_path,
        'echo \'{"kind": "hello"}\'; echo \'{"kind": "progress", "percent": 99, "step": "x"}\'; sleep 0.3; '
        'echo \'{"kind": "result", "outputs": {"rmse": "a.tif"}, "numbers": {}, "details": {}}\'',
    )
    seen = []
    listener = Listener(on_progress=lambda percent, step: seen.append(percent), is_cancelled=lambda: bool(seen))
    assert run_job(JOB, program, listener).outputs == {"rmse": "a.tif"}


def test_noise_on_the_output_is_not_taken_for_events(tmp_path):
    program = _stand_in(
        tmp_path,
        'echo Welcome; echo \'{"kind": "hello"}\'; echo 17; echo \'{"kind": "error", '
        '"name": "InputError", "text": "No such raster."}\'; exit 1',
    )
    with pytest.raises(HyperResError, match=r"^No such raster\.$"):
        run_job(JOB, program, Listener())
