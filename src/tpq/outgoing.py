"""What has ended and is not settled yet: it leaves in batches, and what failed to leave does so again.

A batch that the server refuses is settled one by one: what it refuses alone, too, is given up, so that one odd row
keeps nobody.
"""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg

from tpq.buffer import Claimed, Item
from tpq.exchange import ExchangeTable
from tpq.handler import Handler
from tpq.pace import BATCH
from tpq.table import QueueTable, Receipt

__all__ = ["Outgoing"]

logger = logging.getLogger("tpq.consumer")

REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""What is wrong with a row, and no less wrong the next time."""

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

    def leaving(self, lane: int) -> int:
        """How many of the batch leave a lane."""
        return sum(item.lane == lane for item, _ in self._batch)

    def gather(self) -> int:
        """Fill the batch; its length."""
        while self._outbox and len(self._batch) < BATCH:
            self._batch.append(self._outbox.popleft())
        return len(self._batch)

    def settle(
        self, connection: psycopg.Connection[Any], tables: Sequence[ExchangeTable[M]]
    ) -> list[Item[M]]:
        """Settle the batch; what was in it."""
        ended = [(tables[i.table], i.message, outcome) for i, outcome in self._batch if outcome]
        again, self.is_again = self.is_again, True
        try:
            self._handler.settle(connection, ended, again=again)
        except REFUSED:
            for table in tables:
                table.undone()
            for each in ended:
                self._settle_alone(connection, *each)
        self.is_again = False
        items, self._batch = [item for item, _ in self._batch], []
        return items

    def _settle_alone(
        self, connection: psycopg.Connection[Any], table: QueueTable[M], message: M, outcome: Any
    ) -> None:
        try:
            self._handler.settle(connection, [(table, message, outcome)], again=True)
        except REFUSED as error:
            why = f"its end can not be kept: {error.diag.message_primary or type(error).__name__}"
            logger.error("message %s of %s is given up: %s", message.id, table.name, why)
            try:
                table.bury([Receipt(message.id, message.claim_no)], [why])
            except REFUSED:
                logger.error("message %s of %s stays claimed until this process ends", message.id, table.name)
