# SPDX-License-Identifier: GPL-3.0-or-later
"""What worker and client say to each other: one JSON object a line.

The client writes the job as the first line, then at most ``cancel``; the end of its input tells the worker that the
client is gone. The worker answers with events, each with a ``kind`` of this module.
"""

from __future__ import annotations

import json
import threading
from typing import Any, TextIO

HELLO = "hello"
PROGRESS = "progress"
MESSAGE = "message"
WARNING = "warning"
SCRATCH = "scratch"
RESULT = "result"
ERROR = "error"
KINDS = frozenset({HELLO, PROGRESS, MESSAGE, WARNING, SCRATCH, RESULT, ERROR})

CANCEL = "cancel"


class Reporter:
    """The worker's mouth; threads may share it.

    Also remembers what was said, for the report.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._percent = -1.0
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def hello(self, **facts: Any) -> None:
        """Say that Python runs, before anything heavy is imported."""
        self._send(HELLO, **facts)

    def progress(self, percent: float, step: str) -> None:
        """Say how far the run is, 0 to 100; steps backwards and under half a percent are swallowed."""
        if percent >= self._percent + 0.5 or percent >= 100.0 > self._percent:
            self._percent = percent
            self._send(PROGRESS, percent=round(percent, 1), step=step)

    def message(self, text: str) -> None:
        """Say something for the log."""
        self.messages.append(text)
        self._send(MESSAGE, text=text)

    def warning(self, text: str) -> None:
        """Say something that the user should not miss; each fact once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._send(WARNING, text=text)

    def scratch(self, path: str) -> None:
        """Name a file or folder that is to be removed if the run is cancelled."""
        self._send(SCRATCH, path=path)

    def result(self, **record: Any) -> None:
        """Say that the job is done."""
        self._send(RESULT, **record)

    def error(self, name: str, text: str) -> None:
        """Say why the job failed; ``name`` is a class of ``core.errors``."""
        self._send(ERROR, name=name, text=text)

    def _send(self, kind: str, **content: Any) -> None:
        line = json.dumps({"kind": kind, **content})
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def parse(line: str) -> dict[str, Any] | None:
    """Read one line of a worker; None when it is no event (something else wrote to its output)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("kind") in KINDS else None
