"""Where a consumer need not look again: below the places up to which it has claimed.

While any transaction of the database holds an old snapshot, rows that are gone stay in the indexes, and a claim that
starts at the front walks over all of them: claims fell from 120,000 to 38,000 rows a second after 200,000 rows. A
floor is only a shortcut. Below it may lie what was committed late, given back, or rolled back by another consumer,
so from time to time a *sweep* looks everywhere, as often as it costs no more than a twentieth of the time: where
nothing holds old rows, that is nearly always.

It can not be replaced by a rule about snapshots: a COPY that trickles in draws its places in the line long before
its transaction has a number. hatchet (`GetMinUnprocessedQueueItemId`) bounds its scans alike.
"""

import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, NamedTuple

__all__ = ["EVERYWHERE", "DueFloor", "Floors", "Ground", "Levels", "in_order"]

SHARE = 20
"""A sweep may follow after so many times what the last one took."""
LONGEST = 10.0
"""Seconds until the next sweep at most, when there is reason for one."""
CHEAP = 0.01
"""Seconds that a sweep may take to be made without a reason."""
LAG = 0.05
"""Seconds by which floors stay behind: what other transactions commit out of order lies above them."""
KNOWN = 8
"""Priorities with a floor of their own."""
LOWEST, HIGHEST = -(2**15), 2**15 - 1


class Levels(NamedTuple):
    """Ranges of priorities in falling order, and above which place to look; a range of more than one has no floor."""

    lows: list[int]
    highs: list[int]
    floors: list[int]


EVERYWHERE = Levels([LOWEST], [HIGHEST], [-1])


_priority, _seq = itemgetter(0), itemgetter(1)


def in_order(rows: list[Any]) -> list[Any]:
    """Rows that begin with priority and place, sorted."""
    rows.sort(key=_seq)
    rows.sort(key=_priority, reverse=True)  # of one priority they stay in order
    return rows


class _Sweeps:
    """When to look everywhere."""

    def __init__(self) -> None:
        self._cost = 0.0
        self._swept_at = self._began = float("-inf")
        self._is_sweep = False
        self.is_in_doubt = True
        """Whether something may lie below the floors."""

    def begin(self) -> bool:
        """A look begins now; whether it is a sweep."""
        self._began = time.monotonic()
        is_worth_it = self.is_in_doubt or self.is_cheap
        self._is_sweep = is_worth_it and self._began >= self._swept_at + SHARE * self._cost
        return self._is_sweep

    def end(self, *, found_all: bool) -> None:
        """The look has ended."""
        self.is_in_doubt = not (self._is_sweep and found_all)
        if self._is_sweep:
            self._swept_at = time.monotonic()
            self._cost = min(self._swept_at - self._began, LONGEST / SHARE)

    def doubt(self) -> None:
        """Something has come back: sweep with the next look."""
        self.is_in_doubt, self._swept_at = True, float("-inf")

    @property
    def is_cheap(self) -> bool:
        """Whether a sweep needs no reason."""
        return self._cost <= CHEAP

    @property
    def due_at(self) -> float:
        """The moment (monotonic) of the next sweep that has a reason."""
        return self._swept_at + SHARE * self._cost if self.is_in_doubt else float("inf")


class Floors:
    """What one consumer has claimed of one table. `levels` before each claim, `claimed` after it."""

    def __init__(self) -> None:
        self._sweeps = _Sweeps()
        self._floors: dict[int, int] = {}
        self._recent: deque[tuple[float, dict[int, int]]] = deque()
        self._count = 0

    def levels(self, count: int) -> Levels:
        """Where to look for so many messages."""
        self._count = count
        if self._sweeps.begin() or not self._floors:
            return EVERYWHERE
        return _levels(self._floors)

    def claimed(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """What was found: rows that begin with priority and place, in order."""
        found_all = len(rows) < self._count
        self._sweeps.end(found_all=found_all)
        now = time.monotonic()
        if rows:
            self._recent.append((now, {row[0]: row[1] for row in rows}))
            if not found_all:
                self._come_down(rows)
        while self._recent and self._recent[0][0] < now - LAG:
            for priority, place in self._recent.popleft()[1].items():
                self._raise(priority, place)

    def _come_down(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """There may be more behind the last row: go on from there, if it lies below the floor.

        Else a COPY that drew its places early would be left to the sweeps, a few of its rows in each: 20,000 took
        minutes, not seconds.
        """
        priority, last = rows[-1][:2]
        if self._floors.get(priority, -1) > last:
            self._floors[priority] = next(row[1] for row in rows if row[0] == priority) - 1
        for _, places in self._recent:
            if places.get(priority, -1) > last:
                del places[priority]

    def _raise(self, priority: int, place: int) -> None:
        self._floors[priority] = max(place, self._floors.pop(priority, -1))
        if len(self._floors) > KNOWN:
            del self._floors[next(iter(self._floors))]  # the one that was claimed the longest ago

    def doubt(self) -> None:
        """Messages have come back to their places in the line."""
        self._sweeps.doubt()

    @property
    def due_at(self) -> float:
        """The moment (monotonic) from which on a look would be a sweep that has a reason."""
        return self._sweeps.due_at


class Ground:
    """The floors of all tables of one process, by lane."""

    def __init__(self) -> None:
        self._floors: dict[tuple[int, int], Floors] = {}
        self._has_returned = False

    def renew(self) -> None:
        """Forget all."""
        self._floors = {}

    def of(self, table: int, lane: int = 0) -> Floors:
        """Those of a table, in one of its lanes."""
        floors = self._floors.get((table, lane))
        if floors is None:
            floors = self._floors[table, lane] = Floors()
        return floors

    def returned(self) -> None:
        """Messages may have come back to their places in the line. From any thread."""
        self._has_returned = True

    @property
    def sweep_at(self) -> float:
        """The moment (monotonic) when a look below the floors is due; infinity: there is no reason for one."""
        return min((floors.due_at for floors in self._floors.values()), default=float("inf"))

    def is_due(self) -> bool:
        """Whether it is time for a look below the floors."""
        if self._has_returned:
            self._has_returned = False
            for floors in self._floors.values():
                floors.doubt()
        return self.sweep_at <= time.monotonic()


def _levels(floors: dict[int, int]) -> Levels:
    levels, above = Levels([], [], []), HIGHEST
    for priority, floor in [*sorted(floors.items(), reverse=True), (LOWEST - 1, -1)]:
        if priority < above:  # nobody knows what lies between two priorities that were seen
            _add(levels, priority + 1, above, -1)
        if priority >= LOWEST:
            _add(levels, priority, priority, floor)
        above = priority - 1
    return levels


def _add(levels: Levels, low: int, high: int, floor: int) -> None:
    levels.lows.append(low)
    levels.highs.append(high)
    levels.floors.append(floor)


class DueFloor:
    """The same for what falls due: `window` before each look, `looked` after it."""

    SLACK = timedelta(seconds=1)

    def __init__(self) -> None:
        self._sweeps = _Sweeps()
        self._all_until = self._began = float("-inf")

    def window(self) -> timedelta | None:
        """How far back to look; None: everywhere."""
        if self._sweeps.begin():
            # Everywhere until a look has found all: it brings back 500, and thousands may have been committed late.
            self._all_until = float("-inf")
        self._began = time.monotonic()
        if self._all_until == float("-inf"):
            return None
        return timedelta(seconds=self._began - self._all_until) + self.SLACK

    @property
    def ahead(self) -> timedelta | None:
        """How far back to look for the next that is not due yet; None: everywhere, where that is cheap."""
        if self._sweeps.is_cheap or self._all_until == float("-inf"):
            return None
        return timedelta(seconds=time.monotonic() - self._all_until) + self.SLACK

    def looked(self, *, found_all: bool) -> None:
        """The look is over; whether it found all that was due."""
        self._sweeps.end(found_all=found_all)
        if found_all:
            self._all_until = self._began
