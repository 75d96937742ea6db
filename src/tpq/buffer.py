"""What is claimed and has not begun. The claim loop fills it; the threads empty it; it can be taken back."""

import functools
import queue
import time
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

__all__ = ["Buffer", "Claimed", "Item"]

STALE = 1.0
"""Seconds in the buffer after which messages go back, for others to run."""


class Claimed(Protocol):
    """What the loop needs to know of a claimed message."""

    @property
    def id(self) -> int:
        """Its id in its table."""

    @property
    def claim_no(self) -> int:
        """With the id: the receipt."""

    @property
    def deliveries(self) -> int:
        """Deliveries of it that were lost; more than 0: a suspect."""


M = TypeVar("M", bound=Claimed)


class Item(NamedTuple, Generic[M]):
    """A message in the buffer."""

    table: int
    """The number of its table."""
    message: M
    generation: int
    """Which consumer id it was claimed by: after a change of the id it is no longer ours."""
    claimed_at: float
    lane: int
    """The number of the lane that it runs in."""


_item: Callable[[Any], Any] = functools.partial(tuple.__new__, Item)
"""Makes an item of a tuple, a few times faster than `Item(…)`."""


class Buffer(Generic[M]):
    """A line of messages; putting and taking are single steps for any thread. `lane`: the number of theirs."""

    def __init__(self, lane: int = 0) -> None:
        self._lane = lane
        self._line: queue.SimpleQueue[Item[M] | None] = queue.SimpleQueue()
        self._looked_at = 0.0
        self.generation = 0

    def put(self, table: int, messages: Sequence[M]) -> None:
        """Add messages of one table."""
        put = self._line.put
        now = time.monotonic()
        fields = zip(repeat(table), messages, repeat(self.generation), repeat(now), repeat(self._lane))
        for item in map(_item, fields):
            put(item)

    def get(self) -> Item[M] | None:
        """Wait for the next message; None: there will be no more."""
        return self._line.get()

    def end(self, threads: int) -> None:
        """Tell the threads that there will be no more."""
        for _ in range(threads):
            self._line.put(None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._line.empty()

    def take_all(self) -> list[Item[M]]:
        """Take back what has not begun."""
        items = []
        try:
            while item := self._line.get_nowait():
                items.append(item)
        except queue.Empty:
            pass
        return items

    def take_stale(self) -> list[Item[M]]:
        """Take back what has not begun if it has waited too long: the calls have become slow."""
        now = time.monotonic()
        if now < self._looked_at + STALE / 2:
            return []
        self._looked_at = now
        items = self.take_all()
        if items and now - items[0].claimed_at > STALE:
            return items
        for item in items:
            self._line.put(item)
        return []
