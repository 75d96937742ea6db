"""An executor in the background: start it anew, detached; find it again, stop it."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django_tpq.futures.launch import start_command
from django_tpq.futures.pidfile import open_safely, owner

__all__ = ["StartFailed", "start", "stop"]

START_LIMIT = 120.0
"""Seconds that a start may take."""


class StartFailed(Exception):
    """The executor in the background did not come up; the text says why, in its own words."""


def start(arguments: Sequence[str], log: Path) -> int:
    """Start an executor in a process session of its own, and wait until it runs; its pid.

    Raises:
        StartFailed: it ended instead.
        OSError: the log file can not be written.
    """
    out = open_safely(log, os.O_WRONLY | os.O_APPEND)
    began = os.fstat(out).st_size
    read, write = os.pipe()
    try:
        process = start_command(
            [*arguments, "--foreground", f"--ready-file={write}"],
            pass_fds=(write,),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    finally:
        os.close(out)
        os.close(write)
    try:
        if _answer(read):
            process.returncode = 0  # it outlives us: nobody is to wait for it
            return process.pid
    finally:
        os.close(read)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    raise StartFailed(_last_line(log, began))


def _answer(read: int) -> bool:
    """Whether it said that it runs, before it closed the pipe by ending."""
    ready, _, _ = select.select([read], [], [], START_LIMIT)
    return bool(ready) and os.read(read, 16) != b""


def _last_line(log: Path, began: int) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(began)
        lines = [line.strip() for line in file if line.strip()]
    errors = [line.removeprefix("CommandError: ") for line in lines if line.startswith("CommandError: ")]
    return (errors or lines or ["it ended without a word"])[-1]


def stop(pid_file: Path, patience: float) -> bool | None:
    """Ask the executor to stop and wait for its end; None: there is none; False: it did not end in time."""
    pid = owner(pid_file)
    if pid is None:
        return None
    deadline = time.monotonic() + patience
    with _end_of(pid) as has_ended:
        os.kill(pid, signal.SIGTERM)
        while owner(pid_file) is not None or not has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    return True


@contextlib.contextmanager
def _end_of(pid: int) -> Iterator[Callable[[], bool]]:
    """Whether a process has ended, waited for or not. Elsewhere than on Linux its pid file alone says it."""
    if not hasattr(os, "pidfd_open"):
        yield lambda: True
        return
    process = os.pidfd_open(pid)
    try:
        yield lambda: bool(select.select([process], [], [], 0)[0])
    finally:
        os.close(process)
