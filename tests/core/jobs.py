# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs jobs: here, or in a worker that is killed on its way."""

import json
import os
import signal
import subprocess
import sys

from hyperres.core.engine.client import BOOTSTRAP
from hyperres.core.engine.run import run


class Quiet:
    """A reporter that only remembers."""

    def __init__(self):
        self.messages, self.warnings = [], []

    def message(self, text):
        self.messages.append(text)

    def warning(self, text):
        self.warnings.append(text)

    def progress(self, percent, step):
        pass

    def scratch(self, path):
        pass


def go(job, is_cancelled=lambda: False):
    return run(job, Quiet(), is_cancelled)


def run_and_kill(job, at_percent):
    """Kill the worker without a chance to tidy up once it has come that far."""
    command = [sys.executable, "-I", str(BOOTSTRAP), "--supervised"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(json.loads(job.to_json())) + "\n")
    process.stdin.flush()
    killed = False
    for line in process.stdout:
        if json.loads(line).get("percent", 0) >= at_percent:
            os.kill(process.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
            killed = True
            break
    process.communicate()
    assert killed
