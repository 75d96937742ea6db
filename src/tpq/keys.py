"""Keys that a call holds for a period, whatever becomes of it: a row each, that outlives the call's."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from tpq.statements import compose

__all__ = ["KeyTable"]

TABLE = "tpq_key"

Cursor = Callable[[], AbstractContextManager[Any]]
NOW = timedelta(0)


class KeyTable:
    """The rows, on a connection.

    Args:
        cursor: makes cursors of the connection to use.
        ahead: by how much what counts as now is ahead of the server's clock.
        name: the table.
    """

    def __init__(self, cursor: Cursor, ahead: timedelta = NOW, name: str = TABLE) -> None:
        self._cursor, self._ahead, self._name = cursor, ahead, name

    def take(self, key: str, call: tuple[str, int, str], period: timedelta, *, force: bool = False) -> bool:
        """Let a call (queue, number, token) hold a key for a period; False: another does.

        Args:
            force: let it do so all the same.
        """
        queue, number, token = call
        values = {
            "key": key,
            "queue": queue,
            "number": number,
            "token": token,
            "period": period,
            "force": force,
        }
        return bool(self._rows("take", values))

    def holder(self, key: str) -> tuple[str, int, str] | None:
        """The call (queue, number, token) that holds a key; None: nobody does."""
        rows = self._rows("holder", {"key": key})
        return tuple(rows[0]) if rows else None

    def purge(self, count: int) -> int:
        """Forget up to so many whose period is over; how many."""
        return len(self._rows("purge", {"count": count}))

    def _rows(self, name: str, values: Mapping[str, Any]) -> list[Any]:
        with self._cursor() as cursor:
            cursor.execute(compose(f"keys/{name}", self._name), {"ahead": self._ahead, **values})
            return list(cursor.fetchall())
