"""The file with an executor's pid. Its lock, not its text, says whether the executor lives."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PidFileTaken", "held", "open_safely", "owner"]


class PidFileTaken(Exception):
    """Another executor holds the pid file."""


def open_safely(path: Path, flags: int) -> int:
    """Open a file of ours: no symbolic link is followed, and nobody else may read it."""
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the pid file for the block, and remove it then.

    Raises:
        PidFileTaken: another executor has it.
        OSError: it can not be written.
    """
    file = open_safely(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(file, 32).decode(errors="replace").strip()
            raise PidFileTaken(f"an executor runs already (pid {pid or 'unknown'}, {path})") from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
        with contextlib.suppress(OSError):
            path.unlink()
    finally:
        os.close(file)


def owner(path: Path) -> int | None:
    """The pid of the living executor that holds the file; None: there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(file, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(file)
    return None
