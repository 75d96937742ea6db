"""The file with an executor's pid. Its lock, not its text, says whether the executor lives."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PidFileTaken", "held", "open_safely", "owner"]


GLANCE = 0.2
"""Seconds for which others that only look (`--status`, `--stop`) may hold the lock."""


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
    file = _locked(path)
    try:
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
        if _is_at(file, path):
            with contextlib.suppress(OSError):
                path.unlink()
    finally:
        os.close(file)


def _locked(path: Path) -> int:
    """The file, open and locked. Its last holder may have removed it in the meantime: then it is another's."""
    deadline = time.monotonic() + GLANCE
    while True:
        file = open_safely(path, os.O_RDWR)
        if _attempt(file) and _is_at(file, path):
            return file
        pid = os.read(file, 32).decode(errors="replace").strip()
        os.close(file)
        if time.monotonic() > deadline:
            raise PidFileTaken(f"an executor runs already (pid {pid or 'unknown'}, {path})")
        time.sleep(0.01)


def _attempt(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


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
