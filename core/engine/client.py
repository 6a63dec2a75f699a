# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a worker, listens to it, and ends it: what the plugin process knows of the engine (standard library only)."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import BY_NAME, Cancelled, EnvironmentMissingError, HyperResError
from ..raster.target import remove_temporary
from . import protocol
from .interpreter import clean_environment, no_window_flags
from .job import Job, Result

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
POLL_S = 0.1
CANCEL_GRACE_S = 1.2
"""How long a cancelled worker may tidy up by itself before it is killed: cancel has to work within two seconds."""


@dataclass(frozen=True)
class Listener:
    """Where a running job's news goes; called from the thread that called :func:`run_job`."""

    on_progress: Callable[[float, str], None] = lambda percent, step: None
    on_message: Callable[[str], None] = lambda text: None
    on_warning: Callable[[str], None] = lambda text: None
    is_cancelled: Callable[[], bool] = lambda: False


def run_job(job: Job, interpreter: Path, listener: Listener, hello_timeout_s: float = 60.0) -> Result:
    """Run a job in a worker process and wait for it.

    Args:
        job: what to do.
        interpreter: the engine's Python.
        listener: where news goes.
        hello_timeout_s: how long the interpreter may take to show that it is a Python.

    Raises:
        HyperResError: one of its children, with the sentence that the worker said, or that explains its death.
        Cancelled: the user asked to stop; the worker is gone and nothing is left behind. A worker that was done by
            then has a result nevertheless.
    """
    worker = _Worker(interpreter, job)
    try:
        return worker.follow(listener, time.monotonic() + hello_timeout_s)
    finally:
        worker.end()


class _Worker:
    def __init__(self, interpreter: Path, job: Job) -> None:
        self._interpreter = interpreter
        self._scratch: list[Path] = []
        self._greeted = False
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._last_words: deque[str] = deque(maxlen=40)
        try:
            self._process = subprocess.Popen(  # nosec B603 - a list, no shell: nothing is interpreted
                [str(interpreter), "-I", str(BOOTSTRAP), "--supervised"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(),
                encoding="utf-8",
                errors="replace",
                creationflags=no_window_flags(),
            )
        except OSError as error:
            raise EnvironmentMissingError(
                f"The engine's Python {interpreter} cannot be started ({error.strerror}): "
                "choose another one in the HyperRes options."
            ) from error
        self._readers = [
            threading.Thread(target=self._read_events, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process.stderr,), daemon=True),
        ]
        # A thread of its own, because a program that does not read its input would block who writes a long job to it.
        self._writer = threading.Thread(target=self._write_lines, args=(self._process.stdin,), daemon=True)
        for thread in (*self._readers, self._writer):
            thread.start()
        self._say(json.dumps(json.loads(job.to_json())))

    def follow(self, listener: Listener, hello_deadline: float) -> Result:
        """Pass on what the worker says until it is done."""
        while True:
            if listener.is_cancelled():
                return self._cancel()
            if not self._greeted and time.monotonic() > hello_deadline:
                raise EnvironmentMissingError(
                    f"The engine's Python {self._interpreter} does not answer: "
                    "choose another one in the HyperRes options."
                )
            try:
                event = self._events.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if event is None:
                raise self._explain_death()
            result = self._handle(event, listener)
            if result is not None:
                return result

    def end(self) -> None:
        """Make sure that the process is gone."""
        if self._process.poll() is None:
            try:
                self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._lines.put(None)
        for thread in (*self._readers, self._writer):
            thread.join(timeout=1.0)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close(pipe)

    def _handle(self, event: dict[str, Any], listener: Listener) -> Result | None:
        kind = event["kind"]
        if kind == protocol.HELLO:
            self._greeted = True
        elif kind == protocol.PROGRESS:
            listener.on_progress(event["percent"], event["step"])
        elif kind == protocol.MESSAGE:
            listener.on_message(event["text"])
        elif kind == protocol.WARNING:
            listener.on_warning(event["text"])
        elif kind == protocol.SCRATCH:
            self._scratch.append(Path(event["path"]))
        elif kind == protocol.ERROR:
            raise BY_NAME.get(event["name"], HyperResError)(event["text"])
        elif kind == protocol.RESULT:
            return Result(event["outputs"], event["numbers"], event["details"])
        return None

    def _cancel(self) -> Result:
        self._say(protocol.CANCEL)
        try:
            self._process.wait(timeout=CANCEL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        result = self._drain()
        for path in self._scratch:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                remove_temporary(path)
        if result is None:
            raise Cancelled("The run was cancelled; nothing was written.")
        return result

    def _drain(self) -> Result | None:
        """Hear what the worker announced before it went, and its result if it was done."""
        for reader in self._readers:
            reader.join(timeout=0.5)
        result = None
        while not self._events.empty():
            event = self._events.get()
            if event is not None and event["kind"] in (protocol.SCRATCH, protocol.RESULT):
                result = self._handle(event, Listener())
        return result

    def _explain_death(self) -> HyperResError:
        code = self._process.wait()
        self._readers[1].join(timeout=1.0)
        last = self._last_words[-1] if self._last_words else "it said nothing"
        if not self._greeted:
            return EnvironmentMissingError(
                f"{self._interpreter} is no Python that can run the engine ({last}): "
                "choose another one in the HyperRes options."
            )
        if code in (-9, 137):
            return HyperResError(
                "The engine was killed, most likely because the machine ran out of memory: lower the memory limit in "
                "the HyperRes options or close other programs, then run the same again; finished tiles are kept."
            )
        return HyperResError(f"The engine stopped unexpectedly (exit code {code}: {last}); please report this.")

    def _say(self, line: str) -> None:
        self._lines.put(line)

    def _write_lines(self, stream: IO[str]) -> None:
        with suppress(OSError):  # a dead worker is noticed, and explained, when its output ends
            for line in iter(self._lines.get, None):
                stream.write(line + "\n")
                stream.flush()

    def _read_events(self, stream: IO[str]) -> None:
        for line in stream:
            event = protocol.parse(line)
            if event is not None:
                self._events.put(event)
        self._events.put(None)

    def _read_errors(self, stream: IO[str]) -> None:
        self._last_words.extend(line.strip() for line in stream if line.strip())


def _close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        with suppress(OSError):  # the other end may be gone already
            pipe.close()
