"""Statements that the server parses and plans once a connection, and that go straight to it: past psycopg's cursor.

A cursor of psycopg's takes 30 µs of Python for a small statement, as much as the server takes to run it. What is
left here (values to bytes, rows to tuples, waiting, errors) is psycopg's all the same.
"""

import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute

__all__ = ["PreparedCursor", "Statements", "forget", "statements_of"]

KEPT = 10.0
"""Seconds that a plan is kept at most."""
SLOW, SLOW_ROW = 0.002, 0.00002
"""Seconds, and seconds a row, after which a plan is not kept: one made at an empty queue walks over a full one."""
YOUNG = 1.0
"""Seconds that a plan is kept at least: where each commit is slow, no statement is to be planned each time."""
FINE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
PLACE = "_tpq_statements"
"""The attribute of a connection that its statements are kept in."""
Kept = TypeVar("Kept", bound="Statements | None")
IDLE = pq.TransactionStatus.IDLE


class _Plan(NamedTuple):
    name: bytes
    made_at: float
    until: float


class Statements:
    """The prepared statements of one connection, which leads to its server directly.

    Args:
        connection: psycopg's. Its lock is taken for each statement, and its transactions begin as they do by a cursor.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._transformer = Transformer(connection)
        self._plans: dict[tuple[str, tuple[int, ...]], _Plan] = {}
        self._count = 0

    def run(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement with `%(name)s` for its values; its rows.

        Raises:
            psycopg.Error: as a cursor would.
        """
        try:
            return self._run(statement, values)
        except errors.InvalidSqlStatementName:  # somebody has said DISCARD ALL
            self._plans.clear()
            if self._connection.pgconn.transaction_status != IDLE:
                raise
            return self._run(statement, values)

    def forget(self) -> None:
        """They are gone: prepare each again."""
        self._plans.clear()

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
            plan, began = self._plans.get((statement, types)), time.monotonic()
            if plan is None or plan.until < began:
                plan = self._prepare(statement, query, types)
            result = self._ask(plan.name, given, transformer.formats)
            if time.monotonic() - began > SLOW + SLOW_ROW * result.ntuples:
                self._plans[statement, types] = plan._replace(until=plan.made_at + YOUNG)
            transformer.set_pgresult(result)
            rows = transformer.load_rows(0, result.ntuples, tuple)
            transformer.set_pgresult(None)
        return rows

    def _prepare(self, statement: str, query: str, types: tuple[int, ...]) -> _Plan:
        pgconn, key = self._connection.pgconn, (statement, types)
        if old := self._plans.pop(key, None):
            pgconn.send_query(b"DEALLOCATE " + old.name)
            self._answer()
        self._count += 1
        name = b"tpq_%d" % self._count
        self._ask_for_plan(name, query.encode(self._connection.info.encoding), types)
        now = time.monotonic()
        plan = self._plans[key] = _Plan(name, now, now + KEPT)
        return plan

    def _ask(self, name: bytes, given: Sequence[Any], formats: Any) -> Any:
        self._connection.pgconn.send_query_prepared(name, given, formats)
        return self._answer()

    def _ask_for_plan(self, name: bytes, query: bytes, types: Sequence[int]) -> None:
        self._connection.pgconn.send_prepare(name, query, types)
        self._answer()

    def _answer(self) -> Any:
        results = self._connection.wait(execute(self._connection.pgconn))
        return [self._checked(result) for result in results][-1]

    def _checked(self, result: Any) -> Any:
        if result.status in FINE:
            return result
        if self._connection.pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(self._connection.pgconn.get_error_message())
        raise errors.error_from_result(result, encoding=self._connection.info.encoding)


def statements_of(
    connection: psycopg.Connection[Any], make: Callable[[psycopg.Connection[Any]], "Kept"]
) -> "Kept":
    """What was made of a connection when it was asked for first. It lives on the connection, and ends with it."""
    about: dict[str, Any] = vars(connection)
    if PLACE not in about:
        about[PLACE] = make(connection)
    kept: Kept = about[PLACE]
    return kept


def forget(connection: psycopg.Connection[Any]) -> None:
    """A transaction of psycopg's was rolled back: with its own statements it may have thrown away ours."""
    if (kept := vars(connection).get(PLACE)) is not None:
        kept.forget()


class PreparedCursor:
    """What a queue's table needs of a cursor."""

    __slots__ = ("_rows", "_statements")

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def __enter__(self) -> Self:
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
        """Nothing is to be closed."""


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
