"""Statements on a connection of our own: Python's lock is free while the server works."""

import gc
import itertools
import threading
import weakref

import psycopg
import pytest
from psycopg import errors

from tpq.own import cursor_of


@pytest.fixture
def own(connect):
    return connect(prepare_threshold=0)


def ask(connection, statement, **values):
    with cursor_of(connection)() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_values_and_rows_are_a_cursors(own):
    assert ask(own, "SELECT %(a)s::int, %(b)s::text", a=1, b="ü") == [(1, "ü")]


def test_statements_are_kept_whoever_asks_for_a_cursor(own):
    for number in range(3):
        assert ask(own, "SELECT %(n)s::int", n=number) == [(number,)]
    assert ask(own, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'tpq%%'") == [(2,)]


def test_other_threads_run_while_the_server_works(own):
    turns, is_over = itertools.count(), threading.Event()

    def turn():
        while not is_over.is_set():
            next(turns)

    thread = threading.Thread(target=turn)
    thread.start()
    before = next(turns)
    ask(own, "SELECT pg_sleep(0.3)")
    made = next(turns) - before
    is_over.set()
    thread.join()
    assert made > 10_000


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 / %(n)s::int", errors.DivisionByZero),
        ("SELECT nothing, %(n)s::int", errors.UndefinedColumn),
    ],
)
def test_errors_are_a_cursors_and_the_next_statement_works(own, statement, error):
    with pytest.raises(error):
        ask(own, statement, n=0)
    assert ask(own, "SELECT %(n)s::int", n=0) == [(0,)]


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_a_session_that_is_ended_is_an_operational_error(own, conn, moment):
    ask(own, "SELECT 1")
    end = ["SELECT pg_terminate_backend(%s, 5000)", [own.info.backend_pid]]
    timer = threading.Timer(0.0 if moment == "before" else 0.3, conn.execute, end)
    timer.start()
    if moment == "before":
        timer.join()
    with pytest.raises(psycopg.OperationalError):
        ask(own, "SELECT pg_sleep(%(n)s)", n=20)
    timer.join()
    assert own.closed


def test_a_closed_connection_says_so(own):
    ask(own, "SELECT 1")
    own.close()
    with pytest.raises(psycopg.OperationalError, match="closed"):
        ask(own, "SELECT 1")


def test_in_a_transaction_it_takes_part(own, conn):
    with own.transaction():
        (number,) = ask(own, "SELECT pg_current_xact_id()::text")
        assert ask(own, "SELECT pg_current_xact_id()::text") == [number]
    assert ask(own, "SELECT pg_current_xact_id()::text") != [number]


def test_in_a_pipeline_it_is_psycopgs(own):
    with own.pipeline(), own.transaction():
        with cursor_of(own)() as cursor:
            assert isinstance(cursor, psycopg.Cursor)
        assert ask(own, "SELECT %(n)s::int", n=1) == [(1,)]


def test_where_nothing_can_be_prepared_it_is_psycopgs(connect):
    with cursor_of(connect(prepare_threshold=None))() as cursor:
        assert isinstance(cursor, psycopg.Cursor)


def test_a_connection_is_not_kept_alive(dsn):
    connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=0)
    ask(connection, "SELECT 1")
    connection.close()
    gone = weakref.ref(connection)
    del connection
    gc.collect()
    assert gone() is None
