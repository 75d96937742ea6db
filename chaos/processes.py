"""Executors and actors: real processes that can be killed, frozen and stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Actor", "Executor", "children_of", "descendants_of", "send"]

START_LIMIT = 60.0
"""Seconds that a process may take to start, on a busy machine."""


def children_of(pid: int) -> list[int]:
    """The pids of a process's children."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def descendants_of(pid: int) -> list[int]:
    """The pids of its children, of theirs, and so on."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True)
    pairs = [(int(pid), int(parent)) for pid, parent in map(str.split, listed.stdout.splitlines())]
    found = [pid]
    for ancestor in found:  # it grows
        found += [pid for pid, parent in pairs if parent == ancestor]
    return found[1:]


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """A signal for processes that may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Actor:
    """A process with a log.

    Args:
        log: the file that its output goes to.
        command: what is run by Python's `-m`.
        environment: beside what we have; CHAOS_TREE in it is the directory whose code is run.
    """

    def __init__(self, log: Path, *command: str, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=os.environ | environment,
                cwd=environment.get("CHAOS_TREE") or None,
                stdout=out,
                stderr=out,
            )

    @property
    def pids(self) -> list[int]:
        """Its own, and its descendants'."""
        return [self.process.pid, *descendants_of(self.process.pid)]

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """A signal for it and its descendants; for itself first, so that none is missed."""
        send(number, self.pids)

    def kill(self) -> None:
        """SIGKILL for it and its descendants."""
        if self.is_alive:
            self.process.send_signal(signal.SIGSTOP)
            send(signal.SIGKILL, self.pids)
        self.process.wait()

    def stop(self, patience: float = 60.0) -> int:
        """SIGTERM; its exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        self.process.terminate()
        return self.process.wait(patience)


class Executor(Actor):
    """A `manage.py executor -f`."""

    def __init__(self, log: Path, *arguments: str, environment: dict[str, str]) -> None:
        super().__init__(log, "django", "executor", "-f", *arguments, environment=environment)

    def wait_until_ready(self) -> None:
        """Until it says that it is.

        Raises:
            RuntimeError: it ended, or says nothing.
        """
        deadline = time.monotonic() + START_LIMIT
        while "is ready" not in self.log.read_text():
            if not self.is_alive or time.monotonic() > deadline:
                raise RuntimeError(f"an executor did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    @property
    def processes(self) -> list[int]:
        """The pids of its processes, without the supervisor and their workers."""
        return children_of(self.process.pid)

    @property
    def workers(self) -> list[int]:
        """The pids of the worker processes of all of them."""
        return [pid for process in self.processes for pid in children_of(process)]
