"""The life of consumers: their rows, their beat, and taking back what the dead held.

A consumer's claims live as long as its heart beats. One executor beats for all its processes in one statement.
Whoever finds a row overdue marks it and takes its claims back in one transaction, so that a crash in between
leaves both to the next.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import psycopg

from tpq.statements import compose
from tpq.table import QueueTable

__all__ = ["BEAT", "PATIENCE", "Beat", "Heart", "Moved", "served"]

BEAT = 2.0
"""Seconds between beats."""
PATIENCE = 8.0
"""Seconds without a beat after which a consumer is taken for dead."""
LOOK = 1.0
"""Seconds between looks for the dead."""
SECOND_LOOK = 60.0
"""Seconds between looks for claims that arrived after their consumer had been taken for dead."""

ORPHANS = 600.0
"""Seconds between looks for claims without any consumer; the first is soon after the start."""

Row = TypeVar("Row")


class Beat(NamedTuple):
    """What one consumer says with a beat."""

    consumer: int
    running: Mapping[str, int]
    state: str


class Moved(NamedTuple, Generic[Row]):
    """A message that was taken back from a dead consumer."""

    queue: str
    state: str
    row: Row


def served(connection: psycopg.Connection[Any], table: str) -> set[str]:
    """The queues that living consumers serve."""
    values = {"patience": timedelta(seconds=PATIENCE)}
    return {row[0] for row in connection.execute(compose("consumers/serving", table), values)}


class Heart(Generic[Row]):
    """The heart of one executor.

    Args:
        connection: its own, autocommit.
        table: the table of consumers.
        queues: the queues it can take claims back in, by name, on that connection.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], table: str, queues: Mapping[str, QueueTable[Row]]
    ) -> None:
        self._connection = connection
        self._table = table
        self._queues = queues
        self._steady_since: float | None = None
        self._beaten_at = self._looked_at = 0.0
        self._looked_twice_at = time.monotonic()
        self._looked_for_orphans_at = float("-inf")

    def register(self, host: str, pid: int, version: str, queues: Sequence[str]) -> int:
        """Enter a consumer; its id."""
        values = {"host": host, "pid": pid, "version": version, "queues": json.dumps(list(queues))}
        return int(self._rows("register", values)[0][0])

    def beat(self, beats: Sequence[Beat]) -> set[int]:
        """Beat once for each; the ids of those that nobody has taken for dead."""
        values = {
            "ids": [beat.consumer for beat in beats],
            "runnings": [json.dumps(beat.running) for beat in beats],
            "states": [beat.state for beat in beats],
        }
        alive = {row[0] for row in self._rows("beat", values)}
        now = time.monotonic()
        if self._steady_since is None or now - self._beaten_at > PATIENCE:
            self._steady_since = now  # we were stopped ourselves, and perhaps the others with us
        self._beaten_at = now
        return alive

    def bury(self, consumer: int, begun: Mapping[str, Sequence[int]]) -> list[Moved[Row]]:
        """Take back what a consumer of our own held that we saw die: `begun`, by queue, had begun."""
        with self._connection.transaction():
            lost = self._rows("overdue", {"patience": timedelta(days=1000), "ids": [consumer]})
            return [
                moved
                for number, queues in lost
                for name in queues
                for moved in self._reclaim(name, [number], list(begun.get(name, ())))
            ]

    def look(self) -> list[Moved[Row]]:
        """Take back what overdue consumers held, if it is time to look.

        After a pause of the server or the machine every heart is late: nobody judges before it has beaten in
        time itself for as long as it grants the others.
        """
        now = time.monotonic()
        if self._steady_since is None or now - self._steady_since < PATIENCE or now - self._looked_at < LOOK:
            return []
        self._looked_at = now
        with self._connection.transaction():
            lost = self._rows("overdue", {"patience": timedelta(seconds=PATIENCE), "ids": []})
            moved = list(self._reclaim_all(lost))
        if now - self._looked_twice_at > SECOND_LOOK:
            self._looked_twice_at = now
            moved += self._reclaim_all(self._rows("lost", {}))
            self._rows("leave", {"ids": []})
        if now - self._looked_for_orphans_at > ORPHANS:
            self._looked_for_orphans_at = now
            moved += self._adopt_orphans()
        return moved

    def _adopt_orphans(self) -> list[Moved[Row]]:
        """Take back claims whose consumer has no row any more.

        Who claims has had its row before: so holders are read first, and rows after them.
        """
        moved: list[Moved[Row]] = []
        for name, table in self._queues.items():
            holders = table.holders()
            known = {row[0] for row in self._rows("known", {"ids": holders})}
            if orphaned := [number for number in holders if number not in known]:
                moved += self._reclaim(name, orphaned)
        return moved

    def leave(self, consumers: Sequence[int]) -> None:
        """Forget consumers that hold nothing any more."""
        self._rows("leave", {"ids": list(consumers)})

    def _reclaim_all(self, lost: Iterable[tuple[int, list[str]]]) -> list[Moved[Row]]:
        by_queue: dict[str, list[int]] = {}
        for number, queues in lost:
            for name in queues:
                by_queue.setdefault(name, []).append(number)
        return [moved for name, numbers in sorted(by_queue.items()) for moved in self._reclaim(name, numbers)]

    def _reclaim(
        self, name: str, consumers: Sequence[int], begun: Sequence[int] | None = None
    ) -> list[Moved[Row]]:
        table = self._queues.get(name)
        if table is None:
            return []
        rows = table.reclaim(consumers, begun)
        if rows:
            table.ring("returned")
        return [Moved(name, state, row) for _, state, row in rows]

    def _rows(self, name: str, values: Mapping[str, Any]) -> list[Any]:
        cursor = self._connection.execute(compose(f"consumers/{name}", self._table), values)
        return cursor.fetchall() if cursor.description else []
