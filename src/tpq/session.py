"""What a caller's session and transaction are like. Cursors as for a queue's table."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tpq.statements import compose

__all__ = ["holds", "isolation", "transaction", "transaction_is_open"]

Cursor = Callable[[], AbstractContextManager[Any]]


def holds(cursor: Cursor) -> bool:
    """Whether something would be lost with the session: a cursor, an advisory lock, a temporary table."""
    return bool(_value("holds", cursor))


def isolation(cursor: Cursor) -> str:
    """The isolation level of the open transaction, in lower case."""
    return str(_value("isolation", cursor))


def transaction(cursor: Cursor) -> str:
    """The number of the open transaction."""
    return str(_value("transaction", cursor))


def transaction_is_open(number: str, cursor: Cursor) -> bool:
    """Whether a transaction is still open, in this session or another."""
    return bool(_value("transaction_is_open", cursor, number=number))


def _value(name: str, cursor: Cursor, **values: Any) -> Any:
    with cursor() as c:
        c.execute(compose(f"session/{name}", ""), values)
        return c.fetchone()[0]
