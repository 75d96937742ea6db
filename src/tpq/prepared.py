"""Statements that the server parses and plans once a connection, and that go straight to it: past psycopg's cursor.

A cursor of psycopg's takes 30 µs of Python for a small statement, as much as the server takes to run it. What is
left here (values to bytes, rows to tuples, waiting, errors) is psycopg's all the same.
"""

import functools
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute

__all__ = ["Statements"]

KEPT = 10.0
"""Seconds that a plan is kept at most."""
SLOW, SLOW_ROW = 0.002, 0.00002
"""Seconds, and seconds a row, after which a plan is not kept: one made at an empty queue walks over a full one."""
FINE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
IDLE = pq.TransactionStatus.IDLE


class Statements:
    """The prepared statements of one connection, which leads to its server directly.

    Args:
        connection: psycopg's. Its lock is taken for each statement, and its transactions begin as they do by a cursor.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._transformer = Transformer(connection)
        self._prepared: dict[tuple[str, tuple[int, ...]], tuple[bytes, float]] = {}
        self._count = 0

    def run(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement with `%(name)s` for its values; its rows.

        Raises:
            psycopg.Error: as a cursor would.
        """
        try:
            return self._run(statement, values)
        except errors.InvalidSqlStatementName:  # somebody has said DISCARD ALL
            self._prepared.clear()
            if self._connection.pgconn.transaction_status != IDLE:
                raise
            return self._run(statement, values)

    def copy(self, statement: str) -> AbstractContextManager[psycopg.Copy]:
        """As a cursor's."""
        return psycopg.Cursor(self._connection).copy(statement)

    def _run(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection, transformer = self._connection, self._transformer
        pgconn = connection.pgconn
        if not connection.autocommit and pgconn.transaction_status == IDLE:
            connection.execute("")  # begins the transaction, of the kind that this connection was told
        query, names, formats = _positional(statement)
        with connection.lock:
            given = transformer.dump_sequence([values[name] for name in names], formats)
            types = tuple(transformer.types or ())
            kept, began = self._prepared.get((statement, types)), time.monotonic()
            if kept is None or kept[1] < began:
                kept = self._prepare(statement, query, types)
            pgconn.send_query_prepared(kept[0], given, transformer.formats)
            result = self._result()
            if time.monotonic() - began > SLOW + SLOW_ROW * result.ntuples:
                self._prepared[statement, types] = kept[0], began
            transformer.set_pgresult(result)
            rows = transformer.load_rows(0, result.ntuples, tuple)
            transformer.set_pgresult(None)
        return rows

    def _prepare(self, statement: str, query: str, types: tuple[int, ...]) -> tuple[bytes, float]:
        pgconn, key = self._connection.pgconn, (statement, types)
        if old := self._prepared.pop(key, None):
            pgconn.send_query(b"DEALLOCATE " + old[0])
            self._result()
        self._count += 1
        name = b"tpq_%d" % self._count
        pgconn.send_prepare(name, query.encode(self._connection.info.encoding), types)
        self._result()
        kept = self._prepared[key] = name, time.monotonic() + KEPT
        return kept

    def _result(self) -> Any:
        results = self._connection.wait(execute(self._connection.pgconn))
        for result in results:
            if result.status not in FINE:
                raise errors.error_from_result(result, encoding=self._connection.info.encoding)
        return results[-1]


@functools.cache
def _positional(statement: str) -> tuple[str, tuple[str, ...], list[PyFormat]]:
    """A statement as the server reads it ($1, $2, …), and the names of its values in that order."""
    names: dict[str, int] = {}

    def place(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    query = re.sub(r"%%|%\(([^)]+)\)s", place, statement)
    return query, tuple(names), [PyFormat.AUTO] * len(names)
