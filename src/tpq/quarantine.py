"""Suspects: messages whose last run may have ended its process.

They run first and one at a time, and each is *watched* for a moment: nothing else is started beside it, and if
the process dies meanwhile, the watched one is to blame and nobody else. Who was merely running when a process
died the first time is most likely innocent: a short moment is enough, so that many start again quickly. Who was
there twice is watched longer.
"""

import time
from collections.abc import Iterable

__all__ = ["Quarantine"]

WATCH_FIRST = 0.15
"""Seconds that a message is watched after one lost delivery."""
WATCH_LATER = 10.0
"""Seconds that it is watched after more."""


class Quarantine:
    """The suspects in sight of one process, and the one it watches."""

    def __init__(self) -> None:
        self.tables: list[int] = []
        """The numbers of the tables that have suspects ready."""
        self._watched: tuple[int, int] | None = None
        self._until = 0.0

    def sight(self, tables: Iterable[int]) -> None:
        """These tables have suspects now."""
        self.tables = sorted(tables)

    def clear(self) -> None:
        """There are none left."""
        self.tables = []

    def watch(self, table: int, number: int, deliveries: int) -> None:
        """A suspect runs from now on."""
        self._watched = table, number
        self._until = time.monotonic() + (WATCH_FIRST if deliveries <= 1 else WATCH_LATER)

    def have_ended(self, messages: Iterable[tuple[int, int]]) -> None:
        """Messages have ended, each by table and id; if the watched one is among them, that is over."""
        if self._watched is not None and self._watched in messages:
            self._watched = None

    @property
    def is_watching(self) -> bool:
        """Whether a suspect runs on its own at the moment."""
        return self._watched is not None and time.monotonic() < self._until

    @property
    def watched(self) -> tuple[int, int] | None:
        """The table and id of the suspect that runs on its own at the moment."""
        return self._watched if self.is_watching else None

    @property
    def rest(self) -> float:
        """Seconds until the watch is over; infinity: it is, or there is none."""
        left = self._until - time.monotonic()
        return left if self._watched and left > 0 else float("inf")

    @property
    def keeps_others(self) -> bool:
        """Whether nothing else may be started now that a crash would be blamed on."""
        return bool(self.tables) or self.is_watching
