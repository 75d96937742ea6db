"""Statements past psycopg's cursor: values, rows, errors and transactions as by a cursor, each planned once."""

import datetime as dt
import os
import signal
import threading
import time

import psycopg
import pytest
from psycopg import errors

from tpq import prepared
from tpq.prepared import Statements
from tpq.statements import compose

NAMES = "SELECT array_agg(name ORDER BY name) FROM pg_prepared_statements"


@pytest.fixture
def statements(conn, monkeypatch):
    monkeypatch.setattr(prepared, "SLOW", 60)
    return Statements(conn)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int8", 2**40),
        ("int2", 1),
        ("text", "ü%s"),
        ("text", None),
        ("bytea", b"\0\xff"),
        ("interval", dt.timedelta(days=1, microseconds=1)),
        ("int8[]", [1, 2]),
        ("bool", True),
        ("jsonb", '{"a": 1}'),
    ],
)
def test_values_and_rows_are_a_cursors(conn, statements, kind, value):
    statement = f"SELECT %(value)s::{kind}, 1"
    assert statements.run(statement, {"value": value}) == conn.execute(statement, {"value": value}).fetchall()


def test_a_value_may_stand_twice_and_a_percent_sign_is_written_twice(statements):
    assert statements.run("SELECT %(b)s::int, %(a)s::int, %(b)s::int, 7 %% 4", {"a": 1, "b": 2}) == [
        (2, 1, 2, 3)
    ]


def test_what_returns_no_rows_returns_none(statements):
    assert statements.run("SET lc_messages = 'C'", {}) == []


def test_a_statement_is_prepared_once(conn, statements):
    for number in range(5):
        statements.run("SELECT %(n)s::int", {"n": number})
    assert conn.execute(NAMES).fetchone() == (["tpq_1"],)


def test_values_of_another_type_are_prepared_for(conn, statements):
    assert statements.run("SELECT %(n)s", {"n": 1}) == [(1,)]
    assert statements.run("SELECT %(n)s", {"n": "one"}) == [("one",)]
    assert conn.execute(NAMES).fetchone() == (["tpq_1", "tpq_2"],)


def test_a_plan_is_made_anew_after_a_while_and_the_old_one_goes(conn, statements, monkeypatch):
    now = time.monotonic()
    statements.run("SELECT 1", {})
    monkeypatch.setattr(prepared.time, "monotonic", lambda: now + 2 * prepared.KEPT)
    assert statements.run("SELECT 1", {}) == [(1,)]
    assert conn.execute(NAMES).fetchone() == (["tpq_2"],)


def test_a_plan_that_took_long_is_made_anew_and_one_that_took_long_for_many_rows_is_not(
    conn, statements, monkeypatch
):
    monkeypatch.setattr(prepared, "YOUNG", 0)
    monkeypatch.setattr(prepared, "SLOW", 0)
    monkeypatch.setattr(prepared, "SLOW_ROW", 60)
    for rows in (0, 1):
        for _ in range(3):
            statements.run(f"SELECT {rows} FROM generate_series(1, {rows})", {})
    assert conn.execute(NAMES).fetchone() == (["tpq_3", "tpq_4"],)


def test_no_plan_is_made_anew_within_a_second(conn, statements, monkeypatch):
    monkeypatch.setattr(prepared, "SLOW", -1)
    now = time.monotonic()
    for later in (0, 0.1, 0.5, prepared.YOUNG + 0.1):
        monkeypatch.setattr(prepared.time, "monotonic", lambda later=later: now + later)
        statements.run("SELECT pg_sleep(0)", {})
    assert conn.execute(NAMES).fetchone() == (["tpq_2"],)


def test_a_plan_of_an_empty_queue_does_not_stay_when_it_is_full(conn, table, statements, monkeypatch):
    monkeypatch.setattr(prepared, "SLOW", 0.002)
    monkeypatch.setattr(prepared, "YOUNG", 0)
    conn.execute(f"VACUUM ANALYZE {table.name}")
    take = compose("get", table.name, returning=("id",), one=True)
    for _ in range(10):
        assert statements.run(take, {}) == []
    assert "Seq Scan" in _kept_plan(conn)
    conn.execute(f"INSERT INTO {table.name} (body) SELECT '{{}}' FROM generate_series(1, 50000)")
    for _ in range(3):
        assert len(statements.run(take, {})) == 1
    assert "Seq Scan" not in _kept_plan(conn)


def _kept_plan(conn):
    [names] = conn.execute(NAMES).fetchone()
    return "".join(line for (line,) in conn.execute(f"EXPLAIN EXECUTE {names[0]}"))


@pytest.mark.parametrize("forget", ["DISCARD ALL", "DEALLOCATE ALL"])
def test_statements_that_the_session_has_forgotten_are_prepared_again(conn, statements, forget):
    statements.run("SELECT 1", {})
    conn.execute(forget)
    assert statements.run("SELECT 1", {}) == [(1,)]


def test_inside_a_transaction_that_is_an_error_and_goes_with_it(conn, statements):
    statements.run("SELECT 1", {})
    conn.execute("BEGIN")
    conn.execute("DEALLOCATE ALL")
    with pytest.raises(errors.InvalidSqlStatementName):
        statements.run("SELECT 1", {})
    conn.execute("ROLLBACK")
    assert statements.run("SELECT 1", {}) == [(1,)]


def test_after_a_rollback_they_are_prepared_again_inside_a_transaction_too(dsn):
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:
        statements = prepared.statements_of(connection, Statements)
        statements.run("SELECT 1", {})
        connection.execute("SELECT 2")
        with connection.transaction(force_rollback=True):
            pass
        prepared.forget(connection)
        with connection.transaction():
            assert statements.run("SELECT 1", {}) == [(1,)]


def test_a_transaction_begins_as_by_a_cursor(dsn):
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        assert Statements(connection).run("SHOW transaction_isolation", {}) == [("serializable",)]
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 / %(n)s::int", errors.DivisionByZero),
        ("SELECT nothing, %(n)s::int", errors.UndefinedColumn),
        ("SELECT %(n)s::int +", errors.SyntaxError),
    ],
)
def test_errors_are_a_cursors_and_the_next_statement_works(statements, statement, error):
    with pytest.raises(error):
        statements.run(statement, {"n": 0})
    assert statements.run("SELECT %(n)s::int", {"n": 0}) == [(0,)]


def test_a_value_that_is_missing_is_named(statements):
    with pytest.raises(KeyError, match="n"):
        statements.run("SELECT %(n)s::int", {})


def test_a_closed_connection_says_so(dsn):
    connection = psycopg.connect(dsn, autocommit=True)
    statements = Statements(connection)
    statements.run("SELECT 1", {})
    connection.close()
    with pytest.raises(psycopg.OperationalError, match="closed"):
        statements.run("SELECT 1", {})


def test_a_session_that_is_ended_meanwhile_is_an_operational_error(dsn, conn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        statements = Statements(connection)
        statements.run("SELECT 1", {})
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            statements.run("SELECT 1", {})
        assert connection.closed


def test_a_signal_interrupts_and_the_statement_is_cancelled(statements):
    def stop(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR2, stop)
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGUSR2]).start()
    try:
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            statements.run("SELECT pg_sleep(30)", {})
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert time.monotonic() - started < 20
    assert statements.run("SELECT 1", {}) == [(1,)]


def test_threads_that_share_a_connection_take_turns(statements):
    wrong = []

    def ask(number):
        answers = [statements.run("SELECT %(n)s::int", {"n": number}) for _ in range(200)]
        wrong.extend(answer for answer in answers if answer != [(number,)])

    threads = [threading.Thread(target=ask, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)
