"""The hot statements on Django's connection, prepared: the server parses and plans each once a connection.

Django's cursor binds parameters on the client and prepares nothing, which costs a fifth of what a small statement
can do; the cursors themselves cost as much again. Where Django has to see the statement (DEBUG, `execute_wrapper`),
or a pooler is in between, its cursor is used all the same.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import PipelineStatus

from tpq.pooling import is_direct
from tpq.prepared import PreparedCursor, Statements, statements_of

__all__ = ["cursor_on"]


def cursor_on(wrapper: BaseDatabaseWrapper) -> Callable[[], AbstractContextManager[Any]]:
    """What makes cursors for statements whose text and columns are ours."""
    return functools.partial(_cursor, wrapper)


def _cursor(wrapper: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    if wrapper.queries_logged or wrapper.execute_wrappers:
        return wrapper.cursor()
    if wrapper.connection is None:
        wrapper.ensure_connection()
    connection = wrapper.connection
    with wrapper.wrap_database_errors:
        statements = statements_of(connection, _made)
    if statements is None or connection.pgconn.pipeline_status != PipelineStatus.OFF:
        return wrapper.cursor()
    return _Cursor(wrapper, statements)


def _made(connection: psycopg.Connection[Any]) -> Statements | None:
    """None: there is a pooler in between."""
    return Statements(connection) if is_direct(connection) else None


class _Cursor(PreparedCursor):
    """With Django's errors and Django's care for broken transactions."""

    __slots__ = ("_wrapper",)

    def __init__(self, wrapper: BaseDatabaseWrapper, statements: Statements) -> None:
        super().__init__(statements)
        self._wrapper = wrapper

    def __enter__(self) -> Self:
        self._wrapper.validate_thread_sharing()
        self._wrapper.validate_no_broken_transaction()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._wrapper.wrap_database_errors.__exit__(kind, error, trace)
