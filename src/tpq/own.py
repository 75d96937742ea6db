"""Statements on a connection of our own, whose thread waits for the answer without Python's lock.

An answer of some hundred rows arrives in many pieces, and with psycopg's own waiting each of them fights for the lock
with threads that compute: an ack of 500 took a busy executor 4.5 ms, of which the server needed 1.6. libpq's blocking
functions take the lock once. The price: no signal interrupts them. They are for threads that no signal reaches, and
for connections that are minded (tpq/patience.py).
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import pq

from tpq.patience import waiting
from tpq.prepared import PreparedCursor, Statements, statements_of

__all__ = ["cursor_of"]


class _OwnStatements(Statements):
    def _ask(self, name: bytes, given: Sequence[Any], formats: Any) -> Any:
        with waiting(self._connection):
            return self._checked(self._connection.pgconn.exec_prepared(name, given, formats))

    def _ask_for_plan(self, name: bytes, query: bytes, types: Sequence[int]) -> None:
        with waiting(self._connection):
            self._checked(self._connection.pgconn.prepare(name, query, types))


def cursor_of(connection: psycopg.Connection[Any]) -> Callable[[], AbstractContextManager[Any]]:
    """What makes cursors for a queue's table; psycopg's where statements can not be prepared, or go in a pipeline."""
    if connection.prepare_threshold is None:
        return connection.cursor
    return functools.partial(_cursor, connection, statements_of(connection, _OwnStatements))


def _cursor(connection: psycopg.Connection[Any], statements: Statements) -> AbstractContextManager[Any]:
    if connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:
        return connection.cursor()
    return PreparedCursor(statements)
