"""What has ended and is not settled yet: it leaves in batches, and what failed to leave does so again."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg

from tpq.buffer import Claimed, Item
from tpq.handler import Handler
from tpq.pace import BATCH
from tpq.table import QueueTable

__all__ = ["Outgoing"]

M = TypeVar("M", bound=Claimed)


class Outgoing(Generic[M]):
    """The batch that leaves next.

    Args:
        handler: what settles it.
        outbox: what the threads have put there: a message and its outcome; None: it never ran.
    """

    def __init__(self, handler: Handler[M], outbox: deque[tuple[Item[M], Any]]) -> None:
        self._handler, self._outbox = handler, outbox
        self._batch: list[tuple[Item[M], Any]] = []
        self.is_again = False
        """Whether it has failed to leave before, so that it may have left without our knowing."""

    def __len__(self) -> int:
        return len(self._batch)

    def gather(self) -> int:
        """Fill the batch; its length."""
        while self._outbox and len(self._batch) < BATCH:
            self._batch.append(self._outbox.popleft())
        return len(self._batch)

    def settle(self, connection: psycopg.Connection[Any], tables: Sequence[QueueTable[M]]) -> list[Item[M]]:
        """Settle the batch; what was in it."""
        ended = [(tables[i.table], i.message, outcome) for i, outcome in self._batch if outcome]
        again, self.is_again = self.is_again, True
        self._handler.settle(connection, ended, again=again)
        self.is_again = False
        items, self._batch = [item for item, _ in self._batch], []
        return items
