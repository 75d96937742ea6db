"""The ways into a queue's table: one message, some in a statement, many by COPY."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from tpq.statements import compose

__all__ = ["Cursor", "Due", "Entrance"]

Cursor = Callable[[], AbstractContextManager[Any]]
Due = timedelta | datetime | None
"""When a new message may be taken: after so long, from a moment on, or (None) at once."""


class Entrance:
    """A queue's table on a connection, to put messages in.

    Args:
        name: the table.
        cursor: makes cursors of the connection to use.
    """

    def __init__(self, name: str, cursor: Cursor) -> None:
        self.name = name
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor:
        """What makes cursors of its connection."""
        return self._cursor

    def put(self, values: Mapping[str, Any], due: Due = None, *, unique: bool = False) -> int | None:
        """Add one row of these columns; the id, or None when `unique` and its key is taken."""
        row = self.put_row(values, due, ("id",), unique=unique)
        return None if row is None else int(row[0])

    def put_row(
        self, values: Mapping[str, Any], due: Due, returning: tuple[str, ...], *, unique: bool = False
    ) -> tuple[Any, ...] | None:
        """As `put`; these columns of the new row."""
        if due:
            values = {**values, "state": "waiting", "due_at": due}
        shape: Any = {"columns": tuple(values), "conflict": unique, "absolute": isinstance(due, datetime)}
        rows = self._rows(compose("put", self.name, returning=returning, **shape), values)
        return tuple(rows[0]) if rows else None

    def put_many(self, bodies: Sequence[str], priority: int, delay: timedelta | None) -> list[int]:
        """Add one row a body (JSON text) in one statement; the ids in their order."""
        state = "waiting" if delay else "ready"
        values = {"bodies": bodies, "priority": priority, "delay": delay or None, "state": state}
        return sorted(row[0] for row in self._rows(compose("put_many", self.name), values))

    def copy(
        self,
        columns: tuple[str, ...],
        rows: Iterable[tuple[Any, ...]],
        count: int,
        due: Due = None,
    ) -> list[int]:
        """Add `count` rows of these columns by COPY; the ids in their order."""
        moment = due if isinstance(due, datetime) else None
        with self._cursor() as cursor:
            delay = None if moment else due or None
            cursor.execute(compose("reserve", self.name), {"count": count, "delay": delay})
            reserved, due_at = cursor.fetchone()
            due_at = moment or due_at
            ids = sorted(map(int, reserved.split(","))) if reserved else []
            ours = ("id", "due_at", "state") if due else ("id",)
            statement = compose("copy", self.name, columns=(*ours, *columns))
            with cursor.copy(statement.replace("%%", "%")) as copy:  # it is run without values
                for number, row in zip(ids, rows, strict=True):
                    copy.write_row((number, due_at, "waiting", *row) if due else (number, *row))
        return ids

    def _rows(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
