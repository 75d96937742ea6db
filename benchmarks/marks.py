"""Start times in shared memory: a task notes when it starts, and nobody asks the database. Standard library only.

Slot i of the file holds the moment (CLOCK_MONOTONIC, nanoseconds: one clock for all processes of the machine) in
which task i started; 0: not yet. The file has one size for its whole life, since workers keep it mapped.
"""

import array
import mmap
import os
import struct
import time
from pathlib import Path

__all__ = ["Marks"]

SLOTS = 8_000_000
STEP = 1000
_SLOT = struct.Struct("=q")


class Marks:
    """A file of start times.

    Args:
        path: the file; it is made if it is not there.
        count: how many tasks are looked at; their slots are emptied. 0: all, as they are.
    """

    def __init__(self, path: str | Path, count: int = 0) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if os.fstat(file).st_size < 8 * SLOTS:
            os.ftruncate(file, 8 * SLOTS)
            os.chmod(path, 0o666)  # noqa: PTH101 - the stdlib's plain call is all that is needed
        self._map = mmap.mmap(file, 0)
        os.close(file)
        self.count = count or SLOTS
        self._known = 0
        if count:
            self._map[: 8 * count] = bytes(8 * count)

    def note(self, number: int) -> None:
        """Task `number` starts now."""
        _SLOT.pack_into(self._map, 8 * number, time.monotonic_ns())

    def all(self, start: int = 0, end: int | None = None) -> "array.array[int]":
        """The start times; 0 for those that have not started."""
        times = array.array("q")
        times.frombytes(self._map[8 * start : 8 * (self.count if end is None else min(end, self.count))])
        return times

    @property
    def are_complete(self) -> bool:
        """Whether all have started. Cheap: it goes on where it stopped the last time."""
        while self._known < self.count and 0 not in self.all(self._known, self._known + STEP):
            self._known += STEP
        return self._known >= self.count

    @property
    def missing(self) -> int:
        """How many have not started."""
        return self.all().count(0)
