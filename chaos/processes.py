"""Executors and actors: real processes that can be killed, frozen and stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["Actor", "Executor", "children_of"]

START_LIMIT = 60.0
"""Seconds that a process may take to start, on a busy machine."""


def children_of(pid: int) -> list[int]:
    """The pids of a process's children."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


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
        """Its own, and its children's."""
        return [self.process.pid, *children_of(self.process.pid)]

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """A signal for it and its children; for itself first, so that none is missed."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL for it and its children."""
        if self.is_alive:
            self.process.send_signal(signal.SIGSTOP)
            for pid in self.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
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
    def workers(self) -> list[int]:
        """The pids of its processes, without the supervisor."""
        return children_of(self.process.pid)
