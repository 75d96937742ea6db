"""The hot statements on Django's connection, prepared: the server parses and plans each once a connection.

Django's cursor binds parameters on the client and prepares nothing, which costs a fifth of what a small statement
can do. Where Django has to see the statement (DEBUG, `execute_wrapper`), or a pooler is in between, its cursor is
used all the same.
"""

import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.rows import tuple_row

from tpq.pooling import is_direct

__all__ = ["cursor_on"]

KEPT = 10.0
"""Seconds that a plan is kept."""

_direct: "weakref.WeakKeyDictionary[psycopg.Connection[Any], bool]" = weakref.WeakKeyDictionary()


def cursor_on(wrapper: BaseDatabaseWrapper) -> Callable[[], AbstractContextManager[Any]]:
    """What makes cursors for statements whose text and columns are ours."""
    return lambda: wrapper.cursor() if _is_watched(wrapper) else _PreparedCursor(wrapper)


def _is_watched(wrapper: BaseDatabaseWrapper) -> bool:
    if wrapper.queries_logged or wrapper.execute_wrappers:
        return True
    wrapper.ensure_connection()
    connection = wrapper.connection
    known = _direct.get(connection)
    if known is None:
        with wrapper.wrap_database_errors:
            known = _direct[connection] = is_direct(connection)
    return not known


class _Cursor(psycopg.Cursor[Any]):
    """Plans a statement anew after a while: one that was made at an empty queue would walk over a full one."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """As psycopg's."""
        return super().execute(f"{query}\n-- {time.monotonic() // KEPT:.0f}", params, **options)


class _PreparedCursor:
    """psycopg's own cursor for a block, with Django's errors and Django's care for broken transactions."""

    __slots__ = ("_cursor", "_threshold", "_wrapper")

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self._wrapper = wrapper

    def __enter__(self) -> psycopg.Cursor[Any]:
        self._wrapper.validate_thread_sharing()
        self._wrapper.validate_no_broken_transaction()
        connection = self._wrapper.connection
        self._threshold, connection.prepare_threshold = connection.prepare_threshold, 0
        self._cursor = _Cursor(connection, row_factory=tuple_row)
        return self._cursor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()
        if self._wrapper.connection is not None:
            self._wrapper.connection.prepare_threshold = self._threshold
        self._wrapper.wrap_database_errors.__exit__(kind, error, trace)
