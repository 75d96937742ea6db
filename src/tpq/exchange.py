"""A queue's table for those who finish and claim in turn: an ack takes the next claim along."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from tpq.arrays import numbers
from tpq.floors import Floors, in_order
from tpq.statements import compose
from tpq.table import QueueTable

__all__ = ["Along", "ExchangeTable"]

Row = TypeVar("Row")


class Along(NamedTuple):
    """A claim that waits for an ack to go along with."""

    consumer: int
    room: int
    floors: Floors


class ExchangeTable(QueueTable[Row]):
    """A queue's table whose acks can take a claim along."""

    _along: Along | None = None
    _found: tuple[Floors, list[Any]] | None = None

    @contextlib.contextmanager
    def claiming(self, along: Along | None) -> Iterator[None]:
        """Let the first ack in the block take this claim along, if it can."""
        self._along = along
        try:
            yield
        finally:
            self._along = None

    def found(self) -> Sequence[Row]:
        """What was claimed along, once. Its floors hear of it now: until then it may be undone."""
        found, self._found = self._found, None
        if found is None:
            return ()
        floors, rows = found
        floors.claimed(rows)
        return [self._row(row[2:-1]) for row in rows]

    def undone(self) -> None:
        """The transaction in which something was claimed along was rolled back: nothing was, and nothing goes now."""
        self._along = self._found = None

    def ack(self, receipts: Sequence[tuple[int, int]]) -> set[int]:
        """Finish messages; with receipts of one claim number, and a claim that waits, both at once."""
        along, self._along = self._along, None
        if along is None or len({claim_no for _, claim_no in receipts}) != 1:
            return super().ack(receipts)
        return self._exchange([number for number, _ in receipts], receipts[0][1], along)

    def _exchange(self, ids: Sequence[int], claim_no: int, along: Along) -> set[int]:
        levels = along.floors.levels(along.room)
        given = {
            "ids": numbers(ids),
            "claim_no": claim_no,
            "consumer": along.consumer,
            "count": along.room,
            "lane": 0,
        }
        statement = compose("exchange", self.name, returning=self.columns)
        rows = self._rows(statement, given | levels._asdict())
        kept = rows[0][-1]
        rows = in_order(rows) if rows[0][0] is not None else []
        self._found = along.floors, rows
        return set(ids) if kept is None else {int(number) for number in kept[1:-1].split(",") if number}
