"""What falls due in the queues of one process, and when to look for it."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from tpq.floors import DueFloor
from tpq.table import QueueTable

__all__ = ["Agenda", "ask"]

LOCKED = 0.02
"""Seconds until a look for a due message that somebody else has locked."""
TICK = 1.0
"""Seconds between looks whatever is known."""
AT_ONCE = 500
"""Messages promoted in one look."""
Tables = Sequence[QueueTable[Any]]


def ask(tables: Tables, seconds: float) -> bool | None:
    """Ask for the bells of all. False: one of them did not ring until now; None: one can not be asked for."""
    answers = [table.ask(seconds) for table in tables]
    return None if None in answers else all(answers)


class Agenda:
    """When the next look is due, and the look itself."""

    def __init__(self) -> None:
        self._tick_at = self._due_at = 0.0
        self._floors: list[DueFloor] = []

    def hurry(self) -> None:
        """Something has changed: look for all of it with the next turn. From any thread."""
        self._tick_at = 0.0

    def now(self, *, rung: bool) -> tuple[bool, bool]:
        """Whether to look at everything now, and whether a message falls due. Who has just rung comes first."""
        now = time.monotonic()
        if rung and self._tick_at <= now < self._tick_at + TICK:
            return False, False
        is_time, is_due = now >= self._tick_at, now >= self._due_at
        if is_time:
            self._tick_at = now + TICK
        return is_time, is_due

    def promote(self, tables: Tables) -> bool:
        """Bring back what is due; whether there was any."""
        moved = 0
        for table, floor in self._with_floors(tables):
            found = len(table.promote(AT_ONCE, window=floor.window()))
            floor.looked(found_all=found < AT_ONCE)
            moved += found
        self.look_ahead(tables)
        return moved > 0

    def look_ahead(self, tables: Tables) -> None:
        """See when the next message falls due."""
        nexts = [table.next_due(floor.ahead) for table, floor in self._with_floors(tables)]
        known = [seconds for seconds in nexts if seconds is not None]
        self._due_at = time.monotonic() + max(min(known, default=TICK), LOCKED)

    def _with_floors(self, tables: Tables) -> Iterable[tuple[QueueTable[Any], DueFloor]]:
        self._floors += [DueFloor() for _ in tables[len(self._floors) :]]
        return zip(tables, self._floors, strict=True)

    @property
    def next_at(self) -> float:
        """The moment (monotonic) of the next look."""
        return min(self._tick_at, self._due_at)
