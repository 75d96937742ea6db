"""What a loop has claimed and not settled. After a connection broke there may be more: claims that were committed
but whose answer never arrived. They belong to a consumer that lives and does not know of them.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeVar

from tpq.buffer import Claimed, Item
from tpq.table import QueueTable, Receipt

__all__ = ["Hand"]

LATE_CLAIM = 10.0
"""Seconds after a broken connection within which a claim that was under way on it may still be committed."""

M = TypeVar("M", bound=Claimed)


_id, _claim_no = attrgetter("id"), attrgetter("claim_no")


class Hand(Generic[M]):
    """The claims of one loop, by lane."""

    def __init__(self, lanes: Iterable[int] = (0,)) -> None:
        self._claims: dict[int, set[tuple[int, int, int]]] = {n: set() for n in lanes}  # table, id, claim_no
        self._again_at = 0.0
        self.is_sure = True
        """Whether nothing can have been claimed that is not here."""

    def __len__(self) -> int:
        return sum(map(len, self._claims.values()))

    @property
    def is_settled(self) -> bool:
        """Whether nothing is here, nor claimed for us without our knowing."""
        return not len(self) and self.is_sure

    def count(self, lane: int) -> int:
        """How many there are in a lane."""
        return len(self._claims[lane])

    def take(self, table: int, messages: Sequence[M], lane: int = 0) -> None:
        """These were claimed, to run in a lane."""
        claims = self._claims[lane]
        claims.update(zip(repeat(table), map(_id, messages), map(_claim_no, messages), strict=False))

    def let_go(self, items: Iterable[Item[M]]) -> None:
        """These were settled, given back, or lost to others."""
        for i in items:
            self._claims[i.lane].discard((i.table, i.message.id, i.message.claim_no))

    def give_back(self, tables: Sequence[QueueTable[Any]], generation: int, items: Sequence[Item[M]]) -> None:
        """These never ran: let others have them, if they are still ours."""
        self.let_go(items)
        ours = [item for item in items if item.generation == generation]
        for index, table in enumerate(tables):
            if receipts := [Receipt(i.message.id, i.message.claim_no) for i in ours if i.table == index]:
                table.release(receipts)
                table.ring("returned")

    def doubt(self) -> None:
        """A connection broke."""
        self.is_sure, self._again_at = False, time.monotonic() + LATE_CLAIM

    def trust(self) -> None:
        """The consumer is a new one: it has claimed nothing yet."""
        self.is_sure, self._again_at = True, 0.0

    def recall(self, consumer: int, tables: Sequence[QueueTable[Any]]) -> bool:
        """After a doubt, give back what never reached us: at once, and again when a late claim must be over.

        Returns whether there was any.
        """
        is_last = 0 < self._again_at < time.monotonic()
        if self.is_sure and not is_last:
            return False
        found = [
            table for index, table in enumerate(tables) if table.release_rest(consumer, self._ids(index))
        ]
        for table in found:
            table.ring("returned")
        self.is_sure, self._again_at = True, 0.0 if is_last else self._again_at
        return bool(found)

    def _ids(self, table: int) -> list[int]:
        return [number for number, _ in self.claims(table)]

    def claims(self, table: int) -> list[tuple[int, int]]:
        """The claims of a table: id and claim_no of each."""
        return [claim[1:] for claims in self._claims.values() for claim in claims if claim[0] == table]
