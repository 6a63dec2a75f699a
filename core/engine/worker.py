# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process: reads one job, says what it does line by line, exits.

From a shell: ``python -m hyperres.core.engine.worker JOB.json``. Started by the plugin with ``--supervised``, the job
comes as the first line of the input, and ``cancel`` or the end of the input stops the run.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import threading
import traceback
from typing import TextIO

from ..errors import Cancelled, EnvironmentMissingError, HyperResError, InputError
from . import protocol
from .interpreter import REQUIRED
from .job import Job
from .protocol import Reporter

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    # read when numpy and torch are loaded: several tiles are in work at once, so threads inside one only get in the way
    os.environ.setdefault(variable, "1")

FAILED, BROKEN, CANCELLED = 1, 2, 3
"""Exit codes: refused or failed with a sentence, a defect of ours, cancelled."""


def main(arguments: list[str]) -> int:
    """Run one job; return the exit code."""
    reporter = Reporter(_private_stdout())
    reporter.hello(python=platform.python_version(), pid=os.getpid())
    cancelled = threading.Event()
    try:
        job = _receive_job(arguments, cancelled)
        _require_packages()
        from .run import run

        result = run(job, reporter, cancelled.is_set)
        reporter.result(outputs=dict(result.outputs), numbers=dict(result.numbers), details=dict(result.details))
        return 0
    except Cancelled as error:
        reporter.error("Cancelled", str(error))
        return CANCELLED
    except KeyboardInterrupt:
        reporter.error("Cancelled", "The run was cancelled.")
        return CANCELLED
    except HyperResError as error:
        reporter.error(type(error).__name__, str(error))
        return FAILED
    except MemoryError:
        reporter.error("MemoryBudgetError", "The engine ran out of memory: lower the memory limit in the options.")
        return FAILED
    except OSError as error:
        reporter.error("HyperResError", f"A file could not be read or written: {error}.")
        return FAILED
    except Exception as error:
        traceback.print_exc()
        reporter.error("HyperResError", f"The engine met a defect of its own ({type(error).__name__}: {error}).")
        return BROKEN


def _private_stdout() -> TextIO:
    """Keep the real standard output for events; whatever a library prints goes to the error stream."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _receive_job(arguments: list[str], cancelled: threading.Event) -> Job:
    if arguments == ["--supervised"]:
        job = Job.from_json(sys.stdin.readline())
        threading.Thread(target=_watch, args=(cancelled,), daemon=True).start()
        return job
    if len(arguments) != 1:
        raise InputError("Give one job file: python -m hyperres.core.engine.worker JOB.json.")
    return Job.load(arguments[0])


def _watch(cancelled: threading.Event) -> None:
    """Wait for ``cancel``; at the end of the input the client is gone, and so is the reason to go on."""
    for line in sys.stdin:
        if line.strip() == protocol.CANCEL:
            cancelled.set()
    os._exit(CANCELLED)  # at once, like a kill: the journal stays, so that the same run can go on later


def _require_packages() -> None:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentMissingError(
            f"The engine's Python {sys.executable} lacks {', '.join(missing)}: install them there "
            f"(python -m pip install {' '.join(missing)}) or choose another Python in the HyperRes options."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
