"""Counting runs in memory, and adding the counts to a table now and then. No write a run, no hot row."""

import time
from datetime import timedelta
from typing import Any

import psycopg

from tpq.statements import compose

__all__ = ["FLUSH_EVERY", "Tally"]

FLUSH_EVERY = 1.0
"""Seconds between flushes at least: what a SIGKILL may lose."""


class _Count:
    __slots__ = ("failures", "first", "last", "total")

    def __init__(self, started: float) -> None:
        self.total = self.failures = 0
        self.first = self.last = started


class Tally:
    """The counts of one process. One thread adds and flushes."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._counts: dict[str, _Count] = {}
        self._flushed_at = 0.0

    def add(self, name: str, started: float, *, failed: bool) -> None:
        """Count one run that started at this moment (monotonic)."""
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = _Count(started)
        count.total += 1
        count.failures += failed
        if started > count.last:
            count.last = started
        elif started < count.first:
            count.first = started

    @property
    def is_due(self) -> bool:
        """Whether there is something to flush, and it is time."""
        return bool(self._counts) and time.monotonic() - self._flushed_at >= FLUSH_EVERY

    def flush(self, connection: psycopg.Connection[Any]) -> None:
        """Add the counts to the table; after an error they are still here."""
        if not self._counts:
            return
        now, counts = time.monotonic(), sorted(self._counts.items())
        values = {
            "names": [name for name, _ in counts],
            "totals": [count.total for _, count in counts],
            "failures": [count.failures for _, count in counts],
            "first_ages": [timedelta(seconds=now - count.first) for _, count in counts],
            "last_ages": [timedelta(seconds=now - count.last) for _, count in counts],
        }
        connection.execute(compose("tallies/flush", self._table), values)
        self._counts, self._flushed_at = {}, now
