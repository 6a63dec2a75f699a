# SPDX-License-Identifier: GPL-3.0-or-later
"""All measurements of Unmix, one table after the other.

    .venv/bin/python benchmarks/unmix.py [--folder DIR] [--larger]

The computation alone beside peers, whole runs beside a plain copy of the file, and the waiting at the start. Each is a
script of its own, for those who want only one; options are passed to the whole runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the scripts in turn."""
    for title, script, options in (
        ("Computation alone (pixels per CPU-second)", "unmix_speed.py", []),
        ("Whole runs", "unmix_run.py", sys.argv[1:]),
        ("Waiting", "unmix_start.py", []),
    ):
        print(f"\n{title}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *options], check=True)


if __name__ == "__main__":
    main()
