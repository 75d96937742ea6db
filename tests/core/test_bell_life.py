"""The listener's life: found again when its connection breaks, gone when nobody waits."""

import logging
import os
import queue
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.core.ears import Ear, threads
from tpq.bell import Listener


def is_true(condition):
    assert condition


def files():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_nothing_is_opened_before_somebody_subscribes(listener, backends):
    assert (threads(), backends()) == ([], [])


def test_the_connection_outlives_the_last_subscriber_for_a_while(listener, ear, backends):
    with listener.subscribed("a", ear):
        ear.next()
    (before,) = backends()
    with listener.subscribed("b", ear):
        ear.next()
        assert backends() == [before]


def test_the_connection_is_closed_when_nobody_has_come_for_long(open_connection, ear, backends, eventually):
    listener = Listener(open_connection, idle=0.05)
    with listener.subscribed("a", ear):
        ear.next()
    eventually(lambda: is_true((threads(), backends()) == ([], [])))


def test_without_idle_time_it_is_closed_with_the_last_subscriber(open_connection, ear):
    listener = Listener(open_connection, idle=0)
    with listener.subscribed("a", ear):
        ear.next()
    assert threads() == []


def test_close_ends_the_thread_at_once(listener, ear):
    with listener.subscribed("a", ear):
        ear.next()
    listener.close()
    assert threads() == []


def test_close_leaves_those_who_still_wait_in_peace(listener, ear, notify):
    with listener.subscribed("a", ear):
        ear.next()
        listener.close()
        notify("a", "still here")
        assert ear.next() == "still here"


def test_closing_what_was_never_opened_does_no_harm(listener):
    listener.close()
    assert threads() == []


def test_it_can_be_used_again_after_close(listener, ear, notify):
    for _ in range(2):
        with listener.subscribed("a", ear):
            ear.next()
            notify("a", "x")
            assert ear.hears("x")
        listener.close()


def test_fifty_lives_leave_nothing_behind(open_connection, ear, backends, eventually):
    before = files()
    for _ in range(50):
        listener = Listener(open_connection)
        with listener.subscribed("a", ear):
            ear.next()
        listener.close()
    assert (threads(), files() - before) == ([], set())
    eventually(lambda: is_true(backends() == []))


def test_subscribers_that_come_and_go_at_once_all_hear(open_connection):
    listener = Listener(open_connection, idle=0)

    def come_and_go(number):
        for turn in range(10):
            ear = Ear()
            with listener.subscribed(f"channel {number} {turn}", ear):
                assert ear.next() is None

    with ThreadPoolExecutor(8) as crowd:
        assert list(crowd.map(come_and_go, range(8))) == [None] * 8


# Trouble --------------------------------------------------------------------------------------------------


def test_after_its_backend_was_killed_waiters_look_and_hear_again(
    listener, ear, conn, backends, notify, caplog
):
    with listener.subscribed("a", ear):
        ear.next()
        conn.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [backends()])
        assert ear.next() is None  # it broke
        assert ear.next() is None  # it works again
        notify("a", "heard")
        assert (ear.next(), listener.healthy) == ("heard", True)
    assert [record.levelname for record in caplog.records if record.name == "tpq.bell"][:1] == ["WARNING"]


def test_while_the_server_is_away_it_is_not_healthy(ear, caplog):
    def refuse():
        raise psycopg.OperationalError("no server")

    listener = Listener(refuse)
    with listener.subscribed("a", ear):
        assert (ear.next(), listener.healthy) == (None, False)
    listener.close()
    assert (threads(), caplog.messages) == ([], ["the bell is out of order, waiters poll: no server"])


def test_a_server_that_is_away_is_not_stormed_by_close(ear):
    tries = []

    def refuse():
        tries.append(1)
        raise psycopg.OperationalError("no server")

    listener = Listener(refuse)
    with listener.subscribed("a", ear):
        ear.next()
        listener.close()
        with pytest.raises(queue.Empty):
            ear.told.get(timeout=0.05)
    listener.close()
    assert len(tries) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_has_an_ear_of_its_own(listener, ear, notify, eventually):
    ready, told = os.pipe()
    with listener.subscribed("a", ear):
        ear.next()
        child = os.fork()
        if child == 0:
            hear_in_child(listener, told)
        os.close(told)
        assert os.read(ready, 1) == b"!"
        os.close(ready)
        notify("a", "both")
        assert (os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), ear.hears("both")) == (0, True)


def hear_in_child(listener, told):
    """Exit with 0 if a callback that is subscribed here is told."""
    signal.alarm(20)
    try:
        own = Ear()
        with listener.subscribed("a", own):
            own.next()
            os.write(told, b"!")
            os._exit(0 if own.hears("both") else 1)
    finally:
        os._exit(2)


# Poolers --------------------------------------------------------------------------------------------------


@pytest.fixture
def pooled(monkeypatch):
    """Every connection's backend has another number than it says, as behind a pooler."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda info: 1))


def test_a_pooler_that_keeps_sessions_is_no_trouble(pooled, listener, ear, notify):
    with listener.subscribed("a", ear):
        assert (ear.next(), listener.healthy) == (None, True)
        notify("a", "heard")
        assert ear.next() == "heard"


def test_behind_a_pooler_that_hands_sessions_around_waiters_poll(pooled, dsn, ear, caplog):
    class Shared(psycopg.Connection):
        """LISTEN has no effect: the next statement is in another session."""

        def execute(self, query, *arguments, **options):
            listens = not isinstance(query, str) and "LISTEN" in query.as_string(None)
            return super().execute("SELECT 1" if listens else query, *arguments, **options)

    listener = Listener(lambda: Shared.connect(dsn, autocommit=True))
    with listener.subscribed("a", ear):
        assert (ear.next(), listener.healthy) == (None, False)
    listener.close()
    assert (threads(), [record.levelno for record in caplog.records]) == ([], [logging.WARNING])
