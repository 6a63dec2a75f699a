# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a worker, listens to it, and ends it: what the plugin process knows of the engine (standard library only)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .job import Job, Result


@dataclass(frozen=True)
class Listener:
    """Where a running job's news goes; called from the thread that called :func:`run_job`."""

    on_progress: Callable[[float, str], None] = lambda percent, step: None
    on_message: Callable[[str], None] = lambda text: None
    on_warning: Callable[[str], None] = lambda text: None
    is_cancelled: Callable[[], bool] = lambda: False


def run_job(job: Job, interpreter: Path, listener: Listener, hello_timeout_s: float = 60.0) -> Result:
    """Run a job in a worker process and wait for it.

    Raises:
        HyperResError: one of its children, with the sentence that the worker said, or that explains its death.
        Cancelled: the user asked to stop; the worker is gone and nothing is left behind.
    """
    raise NotImplementedError
