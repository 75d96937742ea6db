"""What happened, noted outside the system under test: a file for each process, a line for each event.

A line is written by one `write`, so it survives the SIGKILL of whoever wrote it. All processes of a machine read one
clock (CLOCK_MONOTONIC), so their lines can be put in order.
"""

import functools
import json
import os
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Entry", "Kind", "Ledger", "read"]


class Kind(StrEnum):
    """What an event is."""

    ASKED = "asked"
    """A producer is about to enqueue a number."""
    ACKNOWLEDGED = "acknowledged"
    """Its commit was acknowledged."""
    ROLLED_BACK = "rolled back"
    """It was certainly not committed."""
    STARTED = "started"
    """A run began; `detail`: its name, which no other run has."""
    ENDED = "ended"
    """It reached its end; `detail`: its name."""
    REFUSED = "refused"
    """It was told that its lease is lost; `detail`: its name."""
    RESULT = "result"
    """Somebody has the result; `detail`: the run that it came from."""
    NO_RESULT = "no result"
    """Somebody waited for it in vain; `detail`: why."""
    FAULT = "fault"
    """A fault begins; `detail`: its name, scope and pids."""
    HEALED = "healed"
    """It is over; `detail`: its name."""


class Entry(NamedTuple):
    """One line."""

    moment: float
    """Seconds, CLOCK_MONOTONIC."""
    pid: int
    kind: Kind
    number: int
    """Of the call or message; 0: it is about none."""
    detail: Any


class Ledger:
    """The pages of one process.

    Args:
        folder: where all processes have theirs.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def note(self, kind: Kind, number: int = 0, detail: Any = None, moment: float | None = None) -> None:
        """Note an event, now unless told otherwise. From any thread."""
        entry = (time.monotonic() if moment is None else moment, os.getpid(), kind, number, detail)
        os.write(_file(self._folder, os.getpid()), json.dumps(entry).encode() + b"\n")


@functools.cache
def _file(folder: Path, pid: int) -> int:
    return os.open(folder / f"{pid}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)


def read(folder: Path) -> list[Entry]:
    """All that was noted, in order."""
    return sorted(_lines(folder.glob("*.jsonl")))


def _lines(files: Iterable[Path]) -> Iterable[Entry]:
    for file in files:
        for line in file.read_text().splitlines():
            moment, pid, kind, number, detail = json.loads(line)
            yield Entry(moment, pid, Kind(kind), number, detail)
