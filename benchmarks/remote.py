"""A system in its own virtual environment, driven from here: its producer by a pipe, its worker as a process."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.__main__ import load
from benchmarks.peers.peer import Place
from benchmarks.places import ROOT, python_of, versions
from benchmarks.processes import cpu, family

__all__ = ["PeerFailed", "Remote"]

GRACE = 15.0
"""Seconds a worker has to end after SIGTERM."""
OURS = {"DJANGO_SETTINGS_MODULE"}
"""What our own project puts into the environment, and would lead another's astray."""


class PeerFailed(Exception):
    """A system could not do what was asked; the text is its own."""


class Remote:
    """One system in one configuration, on one fresh place.

    Args:
        name: the file in `benchmarks.peers`.
        config: its configuration.
        place: where it is measured.
        marks: the file for start times.
        log: what it and its worker print.
    """

    def __init__(self, name: str, config: str, place: Place, marks: Path, log: Path) -> None:
        self.peer = load(name)
        self.config = config
        self._name, self._log = name, log
        self._python = python_of(name, self.peer.requires, self.peer.python)
        self.versions = versions(self._python, self.peer.requires)
        self._environment = {key: value for key, value in os.environ.items() if key not in OURS} | {
            "BENCH_PLACE": json.dumps(place),
            "BENCH_MARKS": str(marks),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{self._python.parent}:{os.environ['PATH']}",
        }
        self._producer: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Remote":
        out = self._log.open("a")
        self._producer = subprocess.Popen(
            self._command("drive"), stdin=-1, stdout=-1, stderr=out, text=True, env=self._environment
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._producer is not None
        assert self._producer.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._producer.stdin.close()
        try:
            self._producer.wait(10)
        except subprocess.TimeoutExpired:
            self._producer.kill()

    def _command(self, side: str) -> list[str]:
        return [str(self._python), "-m", "benchmarks.peers", self._name, self.config, side]

    def do(self, verb: str, *values: object) -> Any:
        """One of the driver's verbs; what it answers.

        Raises:
            PeerFailed: it could not.
        """
        assert self._producer is not None
        assert self._producer.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps([verb, *values]), file=self._producer.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._producer is not None
        assert self._producer.stdout is not None
        line = self._producer.stdout.readline()
        if not line:
            raise PeerFailed(f"its producer has ended: {self._last_words()}")
        said = json.loads(line)
        if "error" in said:
            raise PeerFailed(said["error"])
        return said["answer"]

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text().splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """Its worker for the block; the pid of the first process."""
        with self._log.open("a") as out:
            process = subprocess.Popen(
                self._command("work"), stdout=out, stderr=out, env=self._environment, start_new_session=True
            )
        try:
            yield process.pid
            if process.poll() is not None:
                raise PeerFailed(f"its worker has ended by itself: {self._last_words()}")
        finally:
            _end(process)


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    deadline = time.monotonic() + GRACE
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):  # some leave children behind
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def spent(pid: int) -> float:
    """Seconds of CPU of a process and all below it."""
    return sum(cpu(member) for member in family(pid))
