"""Start times in shared memory: a task notes when it starts, and nobody asks the database. Standard library only.

Slot i of the file holds the moment (CLOCK_MONOTONIC, nanoseconds: one clock for all processes of the machine) in
which task i started; 0: not yet.
"""

import array
import mmap
import os
import struct
import time
from pathlib import Path

__all__ = ["Marks"]

_SLOT = struct.Struct("=q")


class Marks:
    """A file of start times.

    Args:
        path: the file; it is made if `count` is given.
        count: how many tasks.
    """

    def __init__(self, path: str | Path, count: int = 0) -> None:
        flags = os.O_RDWR | (os.O_CREAT | os.O_TRUNC if count else 0)
        file = os.open(path, flags, 0o666)
        if count:
            os.ftruncate(file, 8 * count)
            os.chmod(path, 0o666)  # noqa: PTH101 - the stdlib's plain call is all that is needed
        self._map = mmap.mmap(file, 0)
        os.close(file)

    def note(self, number: int) -> None:
        """Task `number` starts now."""
        _SLOT.pack_into(self._map, 8 * number, time.monotonic_ns())

    def all(self) -> "array.array[int]":
        """The start times; 0 for those that have not started."""
        times = array.array("q")
        times.frombytes(self._map[:])
        return times

    @property
    def missing(self) -> int:
        """How many have not started."""
        return self.all().count(0)

    def clear(self) -> None:
        """Forget all."""
        self._map[:] = bytes(len(self._map))
