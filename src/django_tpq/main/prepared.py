"""The hot statements on Django's connection, prepared: the server parses and plans each once a connection.

Django's cursor binds parameters on the client and prepares nothing, which costs a fifth of what a small statement
can do; the cursors themselves cost as much again. Where Django has to see the statement (DEBUG, `execute_wrapper`),
or a pooler is in between, its cursor is used all the same.
"""

import functools
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import PipelineStatus

from tpq.pooling import is_direct
from tpq.prepared import Statements

__all__ = ["cursor_on"]

_statements: "weakref.WeakKeyDictionary[psycopg.Connection[Any], Statements | None]" = (
    weakref.WeakKeyDictionary()
)
"""None: there is a pooler in between."""


def cursor_on(wrapper: BaseDatabaseWrapper) -> Callable[[], AbstractContextManager[Any]]:
    """What makes cursors for statements whose text and columns are ours."""
    return functools.partial(_cursor, wrapper)


def _cursor(wrapper: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    if wrapper.queries_logged or wrapper.execute_wrappers:
        return wrapper.cursor()
    if wrapper.connection is None:
        wrapper.ensure_connection()
    connection = wrapper.connection
    try:
        statements = _statements[connection]
    except KeyError:
        with wrapper.wrap_database_errors:
            _statements[connection] = statements = Statements(connection) if is_direct(connection) else None
    if statements is None or connection.pgconn.pipeline_status != PipelineStatus.OFF:
        return wrapper.cursor()
    return _PreparedCursor(wrapper, statements)


class _PreparedCursor:
    """What a queue's table needs of a cursor, with Django's errors and Django's care for broken transactions."""

    __slots__ = ("_rows", "_statements", "_wrapper")

    def __init__(self, wrapper: BaseDatabaseWrapper, statements: Statements) -> None:
        self._wrapper, self._statements = wrapper, statements

    def __enter__(self) -> Self:
        self._wrapper.validate_thread_sharing()
        self._wrapper.validate_no_broken_transaction()
        return self

    def execute(self, statement: str, values: Mapping[str, Any]) -> None:
        """Run a statement."""
        self._rows = self._statements.run(statement, values)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Its rows."""
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Its first row."""
        return self._rows[0] if self._rows else None

    def copy(self, statement: str) -> AbstractContextManager[psycopg.Copy]:
        """As psycopg's."""
        return self._statements.copy(statement)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._wrapper.wrap_database_errors.__exit__(kind, error, trace)
