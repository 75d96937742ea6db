"""Looking at the locks of a server's directory, as its clients do. What each is for: `guard.py`."""

import os
import sys
from pathlib import Path

from tpq.embedded.guard import attempt, open_file

if sys.platform != "win32":
    import fcntl

__all__ = ["is_held", "release"]


def is_held(path: Path) -> bool:
    """Whether somebody has the exclusive lock of a file."""
    file = open_file(path)
    try:
        return not attempt(file, shared=True)
    finally:
        release(file)


def release(file: int) -> None:
    """Free a lock; closing would not do when a process was forked meanwhile, which has the open file, too."""
    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)
