"""Waiting: woken by the bell, by polling where there is none, and never in a transaction of its own."""

import contextlib
import statistics
import subprocess
import sys
import threading
import time

import psycopg
import pytest

import tpq
from tpq.bell import Listener
from tpq.waiting import Ear, polls


@pytest.fixture
def queue(table, connect):
    """A queue on a connection of its own."""
    with tpq.Queue(table.name, conn=connect()) as queue:
        yield queue


@pytest.fixture
def in_background():
    """Run a function in a thread; call the answer for its result."""
    threads = []

    def in_background(function):
        results = []

        def run():
            try:
                results.append(function())
            except BaseException as error:
                results.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

        def result(thread=threads[-1]):
            thread.join(20)
            (only,) = results
            if isinstance(only, BaseException):
                raise only
            return only

        return result

    yield in_background
    for thread in threads:
        thread.join(20)


def taken(queue, wait):
    with queue.get(wait) as body:
        return body


def no_ear():
    raise AssertionError("nobody is to listen")


@contextlib.contextmanager
def deaf_ear():
    yield Ear(None)


def test_who_does_not_wait_looks_once_and_opens_no_ear():
    assert len(list(polls(-1, no_ear))) == 1


def test_who_finds_something_at_once_opens_no_ear():
    next(polls(0, no_ear))


def test_waiting_ends_when_its_time_is_over():
    begun = time.monotonic()
    looks = len(list(polls(0.3, deaf_ear)))
    assert (0.3 <= time.monotonic() - begun < 1.5, looks > 3) == (True, True)


def test_the_last_look_is_after_the_end():
    begun, last = time.monotonic(), 0.0
    for _ in polls(0.1, deaf_ear):
        last = time.monotonic()
    assert last - begun >= 0.1


def test_looks_without_a_bell_become_rarer():
    moments = []
    for _ in polls(1.0, deaf_ear):
        moments.append(time.monotonic())  # noqa: PERF401 - the moments of the looks are the point
    assert len(moments) < 20


def test_an_empty_queue_is_empty_after_half_a_second(queue):
    begun = time.monotonic()
    with pytest.raises(tpq.QueueEmpty):
        taken(queue, 0.5)
    assert 0.5 <= time.monotonic() - begun < 2


def test_a_message_that_comes_meanwhile_ends_the_wait(queue, put, in_background):
    result = in_background(lambda: taken(queue, 10))
    put("came")
    assert result() == "came"


def test_waiting_for_ever_ends_with_a_message(queue, put, in_background):
    result = in_background(lambda: taken(queue, 0))
    put("came")
    assert result() == "came"


def test_a_waiter_is_woken_from_another_process_within_milliseconds(queue, dsn, eventually):
    program = """
import sys, time, tpq, psycopg
conn = psycopg.connect(sys.argv[2], autocommit=True)
with tpq.Queue(sys.argv[1], conn=conn) as queue:
    for _ in range(15):
        time.sleep(0.1)  # long enough that the consumer waits again
        queue.put(time.time())
conn.close()
"""
    with subprocess.Popen([sys.executable, "-c", program, queue.name, dsn]) as producer:
        delays = [time.time() - taken(queue, 20) for _ in range(15)]
    assert producer.returncode == 0
    assert statistics.median(delays) < 0.05


def test_a_waiter_is_woken_when_the_producer_commits(queue, connect, table_on, in_background, eventually):
    producer = connect(autocommit=False)
    result = in_background(lambda: taken(queue, 20))
    eventually(lambda: is_true(queue._listener and queue._listener.healthy))
    table_on(producer).put({"body": '"long transaction"'})
    producer.commit()
    begun = time.monotonic()
    assert (result(), time.monotonic() - begun < 0.5) == ("long transaction", True)


def is_true(value):
    assert value


def backend(conn, pid):
    query = "SELECT state, xact_start FROM pg_stat_activity WHERE pid = %s"
    return conn.execute(query, [pid]).fetchone()


@pytest.mark.parametrize("autocommit", [True, False])
def test_no_transaction_is_open_while_waiting(
    conn, connect, table, put, in_background, eventually, autocommit
):
    mine = connect(autocommit=autocommit)
    queue = tpq.Queue(table.name, conn=mine)
    result = in_background(lambda: taken(queue, 20))
    eventually(lambda: is_true(queue._listener and queue._listener.healthy))
    eventually(lambda: is_true(backend(conn, mine.info.backend_pid) == ("idle", None)))
    put()
    result()
    queue.close()


def test_a_waiter_inside_an_open_transaction_is_woken_too(connect, table, put, in_background, eventually):
    mine = connect(autocommit=False)
    mine.execute("SELECT 1")
    queue = tpq.Queue(table.name, conn=mine)
    result = in_background(lambda: taken(queue, 20))
    eventually(lambda: is_true(queue._listener and queue._listener.healthy))
    put("came")
    assert result() == "came"
    queue.close()


def test_waiting_works_by_polling_where_nothing_can_be_heard(queue, put, in_background):
    def refuse():
        raise psycopg.OperationalError("no LISTEN here")

    queue._listener = Listener(refuse)
    result = in_background(lambda: taken(queue, 10))
    put("came")
    assert result() == "came"
    assert queue._listener.healthy is False


def test_a_message_on_a_lease_that_ends_meanwhile_is_found(queue, table, put, age, in_background, eventually):
    from datetime import timedelta

    number = put("held")
    table.lease(timedelta(hours=1))
    result = in_background(lambda: taken(queue, 20))
    age(table, number, hours=2)
    assert result() == "held"
