"""How far calls have come: a row for each that says so, written by its executor in batches."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from tpq.message import storable
from tpq.statements import compose

__all__ = ["ProgressTable"]


class Cursor(Protocol):
    """Makes cursors of a connection."""

    def __call__(self) -> AbstractContextManager[Any]: ...


class ProgressTable:
    """The rows, on a connection.

    Args:
        name: the table.
        cursor: makes cursors of the connection to use.
    """

    def __init__(self, name: str, cursor: Cursor) -> None:
        self._name, self._cursor = name, cursor

    def put(self, rows: Mapping[str, tuple[float, float | None, str]]) -> None:
        """Note done, total and text of calls, by their tokens."""
        in_order = sorted(rows.items())
        values = {
            "tokens": [token for token, _ in in_order],
            "dones": [row[0] for _, row in in_order],
            "totals": [row[1] for _, row in in_order],
            "texts": [storable(row[2]) for _, row in in_order],
        }
        self._run("put", values)

    def get(self, tokens: Sequence[str]) -> dict[str, tuple[float, float | None, str, datetime]]:
        """Done, total, text and the moment of that, by tokens."""
        return {row[0]: tuple(row[1:]) for row in self._run("get", {"tokens": list(tokens)})}

    def purge(self, keep: timedelta, count: int) -> int:
        """Forget up to so many that were written longer ago than `keep`; how many."""
        return len(self._run("purge", {"keep": keep, "count": count}))

    def _run(self, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._cursor() as c:
            c.execute(compose(f"progress/{name}", self._name), values)
            return c.fetchall() if c.description else []
