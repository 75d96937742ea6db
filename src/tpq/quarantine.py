"""When a suspect may run: a message whose last run may have ended its process.

It runs alone, so that the next crash names it and nobody beside it. But neither it nor what runs already may
hold the other up for ever: after `ALONE` seconds they run side by side.
"""

import time
from collections.abc import Iterable

__all__ = ["Quarantine"]

ALONE = 10.0
"""Seconds that a suspect may keep everything else waiting, and everything else it."""


class Quarantine:
    """The suspects in sight of one process."""

    def __init__(self) -> None:
        self.tables: list[int] = []
        """The numbers of the tables that have suspects ready."""
        self._since: float | None = None

    def sight(self, tables: Iterable[int]) -> None:
        """These tables have suspects now."""
        self.tables = sorted(tables)

    def may_take(self, in_hand: int, threads: int) -> bool:
        """Whether a suspect may be claimed now."""
        if in_hand == 0:
            return True
        if self._since is None:
            self._since = time.monotonic()
        return self.is_impatient and in_hand < threads

    def taken(self) -> None:
        """A suspect runs from now on."""
        self._since = time.monotonic()

    def over(self) -> None:
        """There are none left."""
        self.tables, self._since = [], None

    @property
    def is_impatient(self) -> bool:
        """Whether others may run beside it."""
        return self._since is not None and time.monotonic() - self._since > ALONE
