"""Suspects: messages whose last run may have ended its process.

They run first, and are *watched* for a moment in which their process starts nothing else that shares it. If it
dies meanwhile, one of the watched is to blame and nobody else. They start one by one, then by twos, fours and so
on, while all goes well; when a process dies of one of several, nobody is charged, and the next process starts them
one by one.

Who was merely running when a process died the first time is most likely innocent: a short moment is enough, so
that many start again quickly. Who was there twice starts alone and is watched longer, but all of them together not
for ever.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from tpq.board import Board
from tpq.buffer import Claimed
from tpq.lanes import Lanes
from tpq.table import SHARED, QueueTable

__all__ = ["Quarantine"]

WATCH_FIRST = 0.15
"""Seconds that messages are watched after one lost delivery."""
WATCH_LATER = 10.0
"""Seconds that one is watched after more."""
WATCH_CAREFULLY = 1.0
"""Instead of the first, where processes die again and again of one of several."""
PATIENCE = 60.0
"""Seconds of the longer watch in a row: who waits behind that many has waited long enough."""
PATIENCE_OF_THE_CAREFUL = 600.0
"""The same of a process that is to find out which of several ended the last one."""
MOST = 32
"""Messages that start together at most."""

SLOWLY = 2
"""The care of a process that starts them slowly."""

M = TypeVar("M", bound=Claimed)


class Quarantine(Generic[M]):
    """The suspects in sight of one process, and those it watches.

    Args:
        board: where those it watches are noted.
        lanes: where they run.
    """

    def __init__(self, board: Board, lanes: Lanes[M]) -> None:
        self._board, self._lanes = board, lanes
        self._shared = [lane for lane in lanes.all if lane.number in SHARED]
        self._tables: list[int] = []
        self._watched: set[tuple[int, int]] = set()
        self._since, self._length, self._is_brief = 0.0, WATCH_FIRST, False
        self._together, self._care = 1, board.care
        self._patience = PATIENCE_OF_THE_CAREFUL if self._care else PATIENCE

    def sight(self, tables: Sequence[QueueTable[M]]) -> None:
        """Look for suspects."""
        lanes = [lane.number for lane in self._shared]
        self._tables = [index for index, table in enumerate(tables) if table.has_suspects(lanes)]
        if not self._tables:
            self._is_over()

    def have_ended(self, messages: Iterable[tuple[int, int]]) -> None:
        """Messages have ended, each by table and id: they are watched no more."""
        if self._watched:
            self._watched.difference_update(messages)
            if self._watched:
                self._note()
            else:
                self._end_watch()

    def turn(self) -> None:
        """The watch may be over while nothing can be claimed, for long: nobody is to blame alone any more."""
        if self.rest <= 0:
            self._board.watch(())

    @property
    def rest(self) -> float:
        """Seconds until the watch is over; infinity: there is none."""
        return self._since + self._length - time.monotonic() if self._watched else float("inf")

    def claim(self, consumer: int, tables: Sequence[QueueTable[M]]) -> tuple[int, list[M]]:
        """Claim the next suspects, if it is time; the number of their table, and they. Lanes that have to wait for
        suspects are closed meanwhile."""
        if self.rest <= 0:
            self._end_watch()
        if self._watched or not self._tables:
            return 0, []
        for index in self._tables if self._is_quiet else ():
            if messages := self._next(consumer, tables[index]):
                self._watch(index, messages)
                return index, messages
        if all(map(self._lanes.free, self._shared)):
            self._is_over()
        self._note()
        return 0, []

    @property
    def _is_quiet(self) -> bool:
        """Whether nothing waits in a line that shares the process: it would begin beside those that are watched."""
        return all(lane.buffer.is_empty for lane in self._shared)

    def _next(self, consumer: int, table: QueueTable[M]) -> list[M]:
        free = {lane.number: room for lane in self._shared if (room := self._lanes.free(lane))}
        if free and self._patience > 0 and (alone := table.claim_suspects(consumer, 1, list(free), losses=2)):
            return alone
        for lane, room in free.items():
            if found := table.claim_suspects(consumer, min(room, self._together), [lane]):
                return found
        return []

    def _watch(self, table: int, messages: Sequence[M]) -> None:
        self._watched = {(table, message.id) for message in messages}
        was_charged_twice = any(message.deliveries > 1 for message in messages)
        is_long = self._patience > 0 and was_charged_twice
        self._is_brief = was_charged_twice and not is_long
        briefly = WATCH_FIRST if self._care < SLOWLY else WATCH_CAREFULLY
        self._since, self._length = time.monotonic(), WATCH_LATER if is_long else briefly
        if not is_long and not self._care:
            self._together = min(MOST, 2 * self._together)
        self._note()

    def _end_watch(self) -> None:
        if self._length == WATCH_LATER:
            self._patience -= min(self._length, time.monotonic() - self._since)
        self._watched = set()
        self._note()

    def _is_over(self) -> None:
        """None is left that nobody has."""
        self._tables, self._care = [], 0
        self._together, self._patience = 1, PATIENCE
        self._note()

    def _note(self) -> None:
        self._board.watch(self._watched if self.rest > 0 else (), is_brief=self._is_brief)
        is_closed = bool(self._watched or (self._tables and not self._is_quiet))
        for lane in self._shared:
            lane.is_closed = is_closed or bool(self._tables and not self._lanes.free(lane))
