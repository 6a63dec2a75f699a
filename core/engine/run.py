# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a job, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable

from .job import Job, Result
from .protocol import Reporter
from .registry import find_runner


def run(job: Job, reporter: Reporter, is_cancelled: Callable[[], bool]) -> Result:
    """Run one job.

    Raises:
        HyperResError: with a sentence for the user; nothing is left behind.
    """
    return find_runner(job.method)(job, reporter, is_cancelled).whole()
