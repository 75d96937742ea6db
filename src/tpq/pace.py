"""How many messages to have in hand: one for each thread, and as many as are worked off in a tenth of a second.

Slow calls are not hoarded, quick ones never wait for a claim.
"""

import time

__all__ = ["BATCH", "Pace", "in_turn"]

BATCH = 500
"""Messages in one claim at most."""
AHEAD = 0.1
"""Seconds of work that may wait in the buffer."""
MEMORY = 0.05
"""Seconds over which the rate is averaged."""


class Pace:
    """The rate of one process, measured as it goes."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._rate = 0.0
        self._measured_at = time.monotonic()

    def ended(self, count: int) -> None:
        """So many messages have ended since the last call."""
        now = time.monotonic()
        passed = max(now - self._measured_at, 1e-4)
        self._rate += min(1.0, passed / MEMORY) * (count / passed - self._rate)
        self._measured_at = now

    def slow_down(self) -> None:
        """The calls have become slow: keep nothing ahead until they are quick again."""
        self._rate = 0.0

    @property
    def want(self) -> int:
        """How many to have in hand."""
        return min(4 * BATCH, self._threads + int(self._rate * AHEAD))

    def has_room(self, in_hand: int) -> bool:
        """Whether so few are in hand that it is worth a claim of its own, though some of them wait in the buffer."""
        want = self.want
        return want - in_hand >= max(1, want // 2)


def in_turn(tables: int) -> list[int]:
    """The numbers of tables in turn, so that a full one does not starve the others."""
    if tables == 1:
        return [0]
    start = int(time.monotonic() * 1000) % tables
    return [*range(start, tables), *range(start)]
