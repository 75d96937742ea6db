"""One short method for each statement on a queue's table. It decides nothing and opens no transaction.

The seam is a cursor factory: psycopg's `connection.cursor` and Django's alike are "call it, get a context
manager that executes", so the same statements run on both, in whatever transaction is open there.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from tpq.arrays import numbers
from tpq.entrance import Cursor
from tpq.filters import NO_FILTERS, Filters, shape, wanted
from tpq.floors import EVERYWHERE, Floors, in_order
from tpq.message import Message
from tpq.statements import compose
from tpq.upkeep import Upkeep

__all__ = ["SHARED", "Filters", "QueueTable", "Receipt"]

Row = TypeVar("Row")

SHARED = (0, 1)
"""The lanes whose messages share a process: one of them that ends it takes the others along."""


class Receipt(NamedTuple):
    """Proof that a claim is still ours."""

    id: int
    claim_no: int


class QueueTable(Upkeep, Generic[Row]):
    """A queue's table on a connection.

    Args:
        name: the table.
        cursor: makes cursors of the connection to use.
        columns: the columns that a row brings back (`body` as text).
        row: turns one tuple of `columns` into what the caller wants.
    """

    def __init__(
        self, name: str, cursor: Cursor, columns: tuple[str, ...], row: Callable[[tuple[Any, ...]], Row]
    ) -> None:
        super().__init__(name, cursor)
        self.columns = columns
        self._row = row

    @classmethod
    def of_messages(cls, name: str, cursor: Cursor) -> "QueueTable[Message]":
        """A table whose rows are read as `Message`."""
        return QueueTable(name, cursor, Message.COLUMNS, Message.from_row)

    # Out, in the caller's transaction ---------------------------------------------------------------------

    def get(self, count: int = 1, filters: Filters = NO_FILTERS) -> list[Row]:
        """Take and delete up to `count` messages, in their order."""
        values = {"count": count}
        return self._claimed("get", values, filters) or self._read("get_due", values, filters)

    def peek(self, count: int = 1, filters: Filters = NO_FILTERS) -> list[Row]:
        """Look at the messages that would come next."""
        return self._read("peek", {"count": count}, filters)

    # Out, by claims ---------------------------------------------------------------------------------------

    def claim(self, consumer: int, count: int, floors: Floors | None = None, lane: int = 0) -> list[Row]:
        """Claim up to `count` messages of a lane, in their order; `floors`: where it need not look."""
        levels = EVERYWHERE if floors is None else floors.levels(count)
        values = {"consumer": consumer, "count": count, "lane": lane, **levels._asdict()}
        rows = self._in_order("claim", values)
        if floors is not None:
            floors.claimed(rows)
        return [self._row(row[2:]) for row in rows]

    def claim_suspects(
        self, consumer: int, count: int = 1, lanes: Sequence[int] = SHARED, losses: int = 1
    ) -> list[Row]:
        """Claim up to `count` messages whose last run may have ended its process; `losses`: so many, or more."""
        values = {"consumer": consumer, "count": count, "lanes": list(lanes), "losses": losses}
        return self._claimed("claim_suspects", values)

    def has_suspects(self, lanes: Sequence[int] = SHARED) -> bool:
        """Whether there is one that nobody has."""
        return bool(self._value("suspects", {"lanes": list(lanes)}))

    def lanes(self, lanes: Sequence[int]) -> list[int]:
        """Those among these lanes in which something is ready."""
        return [row[0] for row in self._rows(compose("lanes", self.name), {"lanes": list(lanes)})]

    def lease(
        self, lease: timedelta, count: int = 1, filters: Filters = NO_FILTERS, lane: int = 0
    ) -> list[Row]:
        """Claim up to `count` messages of a lane on a lease of their own, in their order."""
        return self._claimed("lease", {"lease": lease, "count": count, "lane": lane}, filters)

    def promote(
        self, count: int = 500, filters: Filters = NO_FILTERS, window: timedelta | None = None
    ) -> list[tuple[int, str]]:
        """Bring back what fell due in the last `window`, or ever; (id, new state) of each."""
        statement = compose("promote", self.name, filters=shape(filters))
        return self._rows(statement, {"count": count, "window": window, **wanted(filters)})

    def next_due(self, window: timedelta | None = None) -> float | None:
        """Seconds until the next message falls due, or minus those since it did; None when none waits."""
        value = self._value("next_due", {"window": window})
        return None if value is None else float(value)

    def reclaim(
        self, consumers: Sequence[int], begun: Sequence[int] | None = None
    ) -> list[tuple[int, str, Row]]:
        """Take back what consumers held; `begun`: the ids whose runs had begun, None when unknown."""
        statement = compose("reclaim", self.name, returning=self.columns)
        values = {"consumers": list(consumers), "begun": None if begun is None else list(begun)}
        return [(row[0], row[1], self._row(row[2:])) for row in self._rows(statement, values)]

    def holders(self) -> list[int]:
        """The consumers that hold claims. Reads the whole table."""
        return [row[0] for row in self._rows(compose("holders", self.name), {})]

    # Settling claims: each returns the ids whose receipt held ---------------------------------------------

    def ack(self, receipts: Sequence[tuple[int, int]]) -> set[int]:
        """Finish messages."""
        return self._settled_alike("ack", receipts)

    def release(self, receipts: Sequence[tuple[int, int]]) -> set[int]:
        """Give messages back that never ran."""
        return self._settled_alike("release", receipts)

    def release_rest(self, consumer: int, ids: Sequence[int]) -> set[int]:
        """Give back what a consumer holds beside these; the ids."""
        values = {"consumer": consumer, "ids": list(ids)}
        return {row[0] for row in self._rows(compose("release_rest", self.name), values)}

    def retry(
        self,
        receipts: Sequence[tuple[int, int]],
        delays: Sequence[timedelta],
        errors: Sequence[str | None],
        types: Sequence[str | None] = (),
        *,
        counts: bool = True,
    ) -> set[int]:
        """Give messages back for later; `types`: of the errors; `counts`: whether this was an attempt."""
        values = {"delays": list(delays), "errors": list(errors), "types": list(types), "counts": int(counts)}
        return self._settled("retry", receipts, values)

    def bury(
        self,
        receipts: Sequence[tuple[int, int]],
        errors: Sequence[str],
        keep: timedelta | None = None,
        types: Sequence[str | None] = (),
    ) -> set[int]:
        """Give messages up; they are kept for `keep`, or for ever. `types`: of the errors."""
        return self._settled("bury", receipts, {"errors": list(errors), "types": list(types), "keep": keep})

    def lose(
        self,
        receipts: Sequence[tuple[int, int]],
        errors: Sequence[str],
        keep: timedelta | None = None,
        types: Sequence[str | None] = (),
    ) -> dict[int, str]:
        """Count a lost delivery of messages; the new states of those whose receipt held."""
        ids, claim_nos = numbers([r[0] for r in receipts]), numbers([r[1] for r in receipts])
        values = {
            "ids": ids,
            "claim_nos": claim_nos,
            "errors": list(errors),
            "types": list(types),
            "keep": keep,
        }
        return dict(self._rows(compose("lose", self.name), values))

    def extend(self, receipts: Sequence[tuple[int, int]], lease: timedelta) -> set[int]:
        """Make leases last from now on."""
        return self._settled_alike("extend", receipts, {"lease": lease})

    # Counts and places ------------------------------------------------------------------------------------

    def advance(self, place: int) -> None:
        """Let new messages fall in behind this place in the line."""
        self._value("advance", {"place": place})

    def states(self, ids: Sequence[int], column: str = "id") -> dict[int, tuple[str, str | None, bool, Any]]:
        """What became of messages, by id: state, error, whether deliveries are used up, a column. Not in it: gone."""
        rows = self._rows(compose("states", self.name, returning=(column,)), {"ids": list(ids)})
        return {row[0]: tuple(row[1:]) for row in rows}

    def count(self, state: str | None = None, filters: Filters = NO_FILTERS) -> int:
        """How many messages are in a state; without one: how many could be taken now."""
        name = "count" if state is None else "count_state"
        return int(self._value(name, {"state": state}, filters))

    def clear(self, filters: Filters = NO_FILTERS) -> int:
        """Delete what nobody has taken yet; how many."""
        return int(self._value("clear", {}, filters))

    # ------------------------------------------------------------------------------------------------------

    def _read(self, name: str, values: dict[str, Any], filters: Filters) -> list[Row]:
        statement = compose(name, self.name, returning=self.columns, filters=shape(filters))
        return [self._row(row) for row in self._rows(statement, values | wanted(filters))]

    def _claimed(self, name: str, values: dict[str, Any], filters: Filters = NO_FILTERS) -> list[Row]:
        return [self._row(row[2:]) for row in self._in_order(name, values, filters)]

    def _in_order(
        self, name: str, values: dict[str, Any], filters: Filters = NO_FILTERS
    ) -> list[tuple[Any, ...]]:
        one = values["count"] == 1
        statement = compose(name, self.name, returning=self.columns, filters=shape(filters), one=one)
        return in_order(self._rows(statement, values | wanted(filters)))

    def _settled_alike(
        self, name: str, receipts: Sequence[tuple[int, int]], values: Mapping[str, Any] = NO_FILTERS
    ) -> set[int]:
        """One statement for each claim number: nearly all messages are claimed once."""
        groups: dict[int, list[int]] = {}
        for number, claim_no in receipts:
            groups.setdefault(claim_no, []).append(number)
        held: set[int] = set()
        for claim_no, ids in groups.items():
            given = {"ids": numbers(ids), "claim_no": claim_no, **values}
            held.update(row[0] for row in self._rows(compose(name, self.name), given))
        return held

    def _settled(
        self, name: str, receipts: Sequence[tuple[int, int]], values: Mapping[str, Any] = NO_FILTERS
    ) -> set[int]:
        ids, claim_nos = numbers([r[0] for r in receipts]), numbers([r[1] for r in receipts])
        given = {"ids": ids, "claim_nos": claim_nos, **values}
        return {row[0] for row in self._rows(compose(name, self.name), given)}
