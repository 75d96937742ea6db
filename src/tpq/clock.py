"""The server's clock, and time that passes for the messages of a queue alone: for tests of what happens later."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from tpq.statements import compose

__all__ = ["now", "shift"]

Cursor = Callable[[], AbstractContextManager[Any]]


def now(cursor: Cursor) -> datetime:
    """What the server's clock says."""
    with cursor() as c:
        c.execute(compose("clock/now", ""), {})
        moment: datetime = c.fetchone()[0]
        return moment


def shift(table: str, by: timedelta, cursor: Cursor) -> None:
    """Let the messages of a table be so much older; younger if it is negative."""
    with cursor() as c:
        c.execute(compose("clock/shift", table), {"by": by})
