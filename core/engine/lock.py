# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a file, which the system opens when the process that holds it ends, in whichever way."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import IO

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def acquire(path: Path) -> IO[bytes] | None:
    """Lock a file, made if there is none.

    Returns:
        the open file, which holds the lock until it is closed, or None when another process holds it.
    """
    file = open(path, "ab")
    try:
        _lock(file.fileno())
    except OSError as error:
        if error.errno in HELD:
            file.close()
            return None
        # Some network disks know no locks: the run goes on without one.
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
