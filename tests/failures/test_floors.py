"""What lies below the floors of a consumer, whatever brought it there: each message is run, soon, and once.

As they are, sweeps are made so often that little is seen of the floors. Here they are made dear: none without a
reason, and none sooner than so many seconds after the last.
"""

import contextlib
import time
from datetime import timedelta

import pytest

from tpq.message import encode
from tpq.table import Receipt

HOUR = timedelta(hours=1)
NEVER = 3600.0
EVERY = 0.4
"""Seconds between sweeps, where there are some."""


@pytest.fixture(params=["cheap", "dear"])
def some_sweeps(request, sweep_every):
    """Sweeps as they are, and dear ones."""
    if request.param == "dear":
        sweep_every(EVERY)


def late(count):
    return [f"late {n}" for n in range(count)]


def put_all(table, bodies, delay=None):
    table.put_many([encode(body) for body in bodies], 0, delay)


def work(_body):
    """Some milliseconds, so that the feed keeps up."""
    time.sleep(0.002)


# Late commits ---------------------------------------------------------------------------------------------


def test_a_copy_that_trickles_in_is_run_though_it_drew_its_places_early(
    connect, table, consume, feed, some_sweeps, last_place, rises, have_run, each_once, eventually
):
    loop, lines = consume(run=work), [f'{{"padding": "{"x" * 5000}"}}\t"{body}"\n' for body in late(21)]
    with contextlib.ExitStack() as feeding, connect().cursor() as cursor:
        with cursor.copy(f"COPY {table.name} (headers, body) FROM STDIN") as copy:
            copy.write("".join(lines[:20]))
            copy.connection.pgconn.flush()

            def most_have_a_place():
                assert last_place() >= 10

            eventually(most_have_a_place)
            fed = feeding.enter_context(feed())
            rises(loop)
            copy.write(lines[20])
        have_run(late(21), loop)
    each_once(late(21) + fed.bodies, loop)


def test_what_an_open_transaction_had_put_is_run_soon_after_its_commit(
    connect, table_on, consume, feed, some_sweeps, rises, have_run, each_once
):
    loop, other = consume(run=work), connect()
    with feed() as fed:
        with other.transaction():
            put_all(table_on(other), late(3))
            rises(loop)
        have_run(late(3), loop)
    each_once(late(3) + fed.bodies, loop)


def test_many_that_were_committed_late_are_worked_off_like_any_others(
    connect, put, table_on, consume, sweep_every, rises, have_run, each_once
):
    sweep_every(EVERY)
    loop, other = consume(threads=1), connect()
    with other.transaction():
        put_all(table_on(other), late(2000))
        put("early")
        rises(loop)
    each_once(["early", *late(2000)], loop)


# Claims that end otherwise --------------------------------------------------------------------------------


def test_what_anothers_transaction_had_claimed_is_run_after_its_rollback(
    connect, table, table_on, consume, feed, sweep_every, rises, have_run, each_once
):
    sweep_every(EVERY)
    put_all(table, late(30))
    other = connect()
    with feed() as fed:
        with other.transaction(force_rollback=True):
            assert len(table_on(other).claim(99, 30)) == 30
            loop = consume(run=work)
            rises(loop)
        have_run(late(30), loop)
    each_once(late(30) + fed.bodies, loop)


@pytest.fixture
def holding(conn, table, put, consume, eventually):
    """A consumer that stops in the midst of its claim of thirty messages, until its connection is terminated."""
    conn.execute(
        "CREATE OR REPLACE FUNCTION stop_and_wait() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$"
    )
    conn.execute(
        f"CREATE TRIGGER waits BEFORE UPDATE ON {table.name} FOR EACH ROW"
        " WHEN (current_setting('application_name') = 'holding') EXECUTE FUNCTION stop_and_wait()"
    )
    conn.execute("SELECT pg_advisory_lock(1)")
    put_all(table, late(30))
    loop = consume(name="holding", threads=30)
    eventually(lambda: holds(conn))
    yield loop
    conn.execute("SELECT pg_advisory_unlock(1)")


def holds(conn):
    query = "SELECT FROM pg_stat_activity WHERE application_name = 'holding' AND wait_event = 'advisory'"
    assert conn.execute(query).fetchone() is not None


def test_what_anothers_claim_held_is_run_after_its_connection_was_terminated(
    conn, holding, consume, feed, sweep_every, rises, have_run, each_once
):
    sweep_every(EVERY)
    loop = consume(run=work)
    with feed() as fed:
        rises(loop)
        holding.consumer.stop(0)
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holding'"
        )
        have_run(late(30), loop)
    each_once(late(30) + fed.bodies, loop, holding)
    assert holding.bodies == []


# Messages that come back to their places ------------------------------------------------------------------


@pytest.fixture(params=["reclaim", "release", "release_rest"])
def gives_back(request, table):
    """Give back all that consumer 99 has claimed."""

    def gives_back(messages):
        match request.param:
            case "reclaim":
                table.reclaim([99], begun=[])
            case "release":
                table.release([Receipt(message.id, message.claim_no) for message in messages])
            case "release_rest":
                table.release_rest(99, [])

    return gives_back


def test_what_came_back_with_a_ring_is_run_without_waiting_for_the_next_sweep(
    table, put, consume, bell, sweep_every, rises, have_run, each_once, gives_back
):
    sweep_every(NEVER)
    put_all(table, late(100))
    held = table.claim(99, 100)
    put("other")
    loop = consume(threads=1)
    bell(loop)
    rises(loop)
    gives_back(held)
    table.ring("returned")
    have_run(late(100), loop)
    each_once(["other", *late(100)], loop)


def test_what_came_back_without_a_ring_is_run_soon(
    table, consume, feed, sweep_every, rises, have_run, each_once
):
    sweep_every(EVERY)
    put_all(table, late(30))
    table.claim(99, 30)
    loop = consume(run=work)
    with feed() as fed:
        rises(loop)
        table.release_rest(99, [])
        have_run(late(30), loop)
    each_once(late(30) + fed.bodies, loop)


def test_what_is_put_after_the_sequence_was_set_back_is_run_soon(
    conn, table, consume, feed, sweep_every, rises, have_run, each_once
):
    sweep_every(EVERY)
    loop = consume(run=work)
    with feed() as fed:
        rises(loop)
    have_run(fed.bodies, loop)
    conn.execute("SELECT setval(pg_get_serial_sequence(%s, 'seq'), 1)", [table.name])
    put_all(table, late(50))
    have_run(late(50), loop)
    each_once(late(50) + fed.bodies, loop)


# Order, and two consumers --------------------------------------------------------------------------------------------


def test_a_higher_priority_never_seen_before_overtakes_a_steady_flow(
    put, consume, feed, sweep_every, rises, have_run, each_once
):
    sweep_every(NEVER)
    loop = consume(run=work)
    with feed() as fed:
        rises(loop)
        put("higher", priority=1)
        have_run(["higher"], loop)
    each_once(["higher", *fed.bodies], loop)


def test_two_consumers_run_each_message_once_whatever_is_committed_late(
    connect, table_on, consume, feed, some_sweeps, rises, have_run, each_once
):
    loops, other = [consume(run=work), consume(run=work)], connect()
    with feed() as fed:
        for body in late(2):
            with other.transaction():
                put_all(table_on(other), [body])
                for loop in loops:
                    rises(loop)
            have_run([body], *loops)
    each_once(late(2) + fed.bodies, *loops)
    assert all(loop.bodies for loop in loops)


# What falls due -------------------------------------------------------------------------------------------


@pytest.fixture
def put_overdue(conn, connect, table_on, table):
    """Commit messages that fell due an hour ago."""

    def put_overdue(bodies):
        other = connect()
        with other.transaction():
            put_all(table_on(other), bodies, HOUR)
            other.execute(
                f"UPDATE {table.name} SET due_at = due_at - interval '2 hours' WHERE state = 'waiting'"
            )

    return put_overdue


@pytest.mark.parametrize("count", [1, 200])
def test_what_fell_due_before_it_was_committed_is_run_soon(
    conn, put, consume, sweep_every, rises, put_overdue, each_once, have_run, monkeypatch, count
):
    monkeypatch.setattr("tpq.agenda.TICK", 0.2)
    monkeypatch.setattr("tpq.agenda.AT_ONCE", 10)
    sweep_every(EVERY)
    put("first")
    loop = consume(bell_works=True)
    rises(loop)
    put_overdue(late(count))
    have_run(late(count), loop)
    each_once(["first", *late(count)], loop)
