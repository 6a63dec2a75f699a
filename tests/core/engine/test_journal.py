import numpy as np
import pytest

from hyperres.core.engine.job import Job
from hyperres.core.engine.journal import Journal, fingerprint
from hyperres.core.errors import InputError


def _tile(value):
    return [np.full((2, 3, 4), value, dtype=np.float32), np.ones((3, 4), dtype=bool)]


def _bytes(arrays):
    return b"".join(array.tobytes() for array in arrays)


def test_a_reopened_journal_gives_back_what_was_appended(tmp_path):
    journal = Journal(tmp_path / "out.tif", "mark")
    for value in (1.0, 2.0):
        journal.append(_tile(value))
    journal.close()
    again = Journal(tmp_path / "out.tif", "mark")
    assert again.finished == 2
    assert list(again.replay()) == [_bytes(_tile(1.0)), _bytes(_tile(2.0))]
    again.append(_tile(3.0))
    again.close()
    assert list(Journal(tmp_path / "out.tif", "mark").replay())[2] == _bytes(_tile(3.0))


def test_a_torn_or_damaged_tile_is_not_trusted(tmp_path):
    journal = Journal(tmp_path / "out.tif", "mark")
    for value in (1.0, 2.0, 3.0):
        journal.append(_tile(value))
    journal.close()
    log = journal.folder / "tiles.bin"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF  # a flipped bit in the second tile
    log.write_bytes(bytes(data[:-5]))  # and a third one that was cut off
    assert Journal(tmp_path / "out.tif", "mark").finished == 1


def test_another_job_starts_anew(tmp_path):
    journal = Journal(tmp_path / "out.tif", "mark")
    journal.append(_tile(1.0))
    journal.close()
    assert Journal(tmp_path / "out.tif", "other").finished == 0


def test_two_runs_cannot_share_a_journal(tmp_path):
    first = Journal(tmp_path / "out.tif", "mark")
    for mark in ("mark", "other"):
        with pytest.raises(InputError, match="Another run"):
            Journal(tmp_path / "out.tif", mark)
    first.append(_tile(1.0))
    first.close()
    assert Journal(tmp_path / "out.tif", "mark").finished == 1


def test_a_removed_journal_leaves_nothing(tmp_path):
    Journal(tmp_path / "out.tif", "mark").remove()
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_follows_job_file_and_facts_but_not_the_number_of_workers(tmp_path):
    image = tmp_path / "in.tif"
    image.write_bytes(b"abc")
    job = Job("unmix", {"image": str(image)}, seed=1)
    mark = fingerprint(job, ["cpu"])
    assert mark == fingerprint(Job("unmix", {"image": str(image)}, seed=1, workers=3), ["cpu"])
    assert mark != fingerprint(Job("unmix", {"image": str(image)}, seed=2), ["cpu"])
    assert mark != fingerprint(job, ["cuda"])
    image.write_bytes(b"abcd")
    assert mark != fingerprint(job, ["cpu"])
    mark = fingerprint(job, ["cpu"])
    (tmp_path / "in.hdr").write_text("ENVI\nbbl = {0, 1}\n", encoding="utf-8")
    assert mark != fingerprint(job, ["cpu"])
