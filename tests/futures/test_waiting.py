"""Many who wait: one ear and one who looks for all of them, no connection of their own, nobody forgotten."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from datetime import timedelta

import psycopg
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, connections
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from django_tpq.futures import Future, ResultTimeout
from django_tpq.futures import arrivals as arrivals_module
from django_tpq.main.models import Consumer
from tests.testapp import tasks
from tpq.results import Result, ResultTable, ring

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s) AND backend_type = 'client backend'
"""


@pytest.fixture
def others(by_hand):
    """The last statements of the database's connections, but for the two of the test's own thread."""

    mine = connections["default"]

    def others():
        django = mine.connection.info.backend_pid if mine.connection else 0
        return [query for (query,) in by_hand.connection.execute(f"SELECT query {OTHERS}", [django])]

    return others


@pytest.fixture
def looks(monkeypatch):
    """How many calls each of the looks for all waiters was about."""
    seen = []

    def look_up(calls, cursor):
        seen.append(len(calls))
        return original(calls, cursor)

    original = arrivals_module.look_up
    monkeypatch.setattr(arrivals_module, "look_up", look_up)
    return seen


@pytest.fixture
def waiter():
    """Wait for futures in threads; all have ended at the end."""
    threads = []

    def waiter(future, answers, wait=0):
        def run():
            answers.append(future.result(wait=wait))
            connections.close_all()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield waiter
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a waiter waits for ever"


def end_others(by_hand):
    """As after a restart of the server: nobody else's connection lives on."""
    connection.close()
    by_hand.connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}", [0])


def settle_silently(by_hand, calls):
    """Settle calls, but ring nobody's bell."""
    ended = by_hand.run(*calls)
    by_hand.tables["default"].ack([e.receipt for e in ended])
    results = [Result(e.call.token, e.outcome.record, HOUR) for e in ended]
    ResultTable("tpq_result", by_hand.connection.cursor).put(results)


def assert_equal(one, other):
    assert one == other


def test_a_thousand_coroutines_cost_one_ear_and_few_looks(by_hand, others, looks, eventually):
    futures = tasks.add.delay_many([(i, i) for i in range(1000)])
    calls = by_hand.claim()

    async def wait_for_all():
        waiting = asyncio.gather(*(future.aresult(wait=0) for future in futures))
        await asyncio.sleep(1.5)
        during.append((others(), list(looks)))
        for start in range(0, 1000, 200):
            by_hand.settle(*by_hand.run(*calls[start : start + 200]))
        return await waiting

    during = []
    with CaptureQueriesContext(connection) as asked:
        assert async_to_sync(wait_for_all)() == [2 * i for i in range(1000)]
    assert len(asked) == 0
    ((connected, while_nothing_came),) = during
    assert len([query for query in connected if query.startswith("LISTEN")]) == 1
    assert len(connected) <= 2
    assert len(while_nothing_came) <= 15
    assert sum(looks) <= 15_000
    assert len(looks) <= 40


def test_threads_that_wait_long_hold_no_connection(by_hand, others, waiter, eventually):
    futures, answers = tasks.add.delay_many([(i, 0) for i in range(12)]), []
    for future in futures:
        waiter(future, answers)

    def only_the_ear_and_who_looks():
        assert len(others()) == 2
        ear, looker = sorted(others(), key=lambda query: not query.startswith("LISTEN"))
        assert ear == 'LISTEN "tpq_results"'
        assert "FROM" in looker

    eventually(only_the_ear_and_who_looks)
    by_hand.work()
    eventually(lambda: assert_equal(sorted(answers), list(range(12))))


def test_when_nobody_waits_any_more_nothing_stays_open(by_hand, others, eventually):
    with pytest.raises(ResultTimeout):
        tasks.add.delay(1, 2).result(wait=0.05)
    eventually(lambda: assert_equal(others(), []))


def test_a_coroutine_that_is_cancelled_waits_no_more(others, eventually):
    future = tasks.add.delay(1, 2)

    async def cancel():
        waiting = asyncio.ensure_future(future.aresult(wait=0))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    async_to_sync(cancel)()
    eventually(lambda: assert_equal(others(), []))


def test_who_missed_the_bell_is_not_forgotten_while_it_rings_for_others(by_hand, waiter, eventually):
    missed, answers = tasks.add.delay(1, 2), []
    (call,) = by_hand.claim()
    busy = tasks.add.delay(3, 4)
    waiter(busy, [])
    waiter(missed, answers)
    stop = threading.Event()

    def ring_all_the_time():
        with contextlib.closing(connections.create_connection("default")) as wrapper:
            while not stop.wait(0.02):
                ring(wrapper.cursor, [busy._call.token])

    ringing = threading.Thread(target=ring_all_the_time)
    ringing.start()
    try:
        settle_silently(by_hand, [call])
        eventually(lambda: assert_equal(answers, [3]))
    finally:
        stop.set()
        ringing.join()
        by_hand.work()


def test_without_a_bell_waiters_poll(by_hand, others, settings, waiter, eventually):
    settings.TPQ_LISTEN = None
    future, answers = tasks.add.delay(1, 2), []
    waiter(future, answers)
    eventually(lambda: assert_equal(len(others()) > 0, True))
    assert not any(query.startswith("LISTEN") for query in others())
    settle_silently(by_hand, by_hand.claim())
    eventually(lambda: assert_equal(answers, [3]))


@pytest.mark.parametrize("kind", ["postgresql", "database cache"])
def test_waiters_survive_the_end_of_every_connection(by_hand, use_cache, waiter, eventually, kind):
    if kind == "database cache":
        use_cache(kind)
    hand, future, answers = type(by_hand)(by_hand.connection), tasks.add.delay(1, 2), []
    before = tasks.add.delay(0, 0)
    waiter(future, answers)
    waiter(before, answers)
    (call, other) = hand.claim()
    hand.settle(*hand.run(other))
    eventually(lambda: assert_equal(answers, [0]))
    end_others(by_hand)
    hand.settle(*hand.run(call))
    eventually(lambda: assert_equal(answers, [0, 3]))
    hand.postman.close(10)


def test_a_loop_that_was_closed_does_no_harm_to_other_waiters(by_hand, waiter, eventually):
    gone, future, answers = tasks.add.delay(0, 0), tasks.add.delay(1, 2), []
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(gone.aresult(wait=0))
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()
    waiter(future, answers)
    by_hand.work()
    eventually(lambda: assert_equal(answers, [3]))
    waiting._log_destroy_pending = False


def test_several_wait_for_one_call(by_hand, waiter, eventually):
    future, answers = tasks.add.delay(1, 2), []
    for same in (future, future, Future.get(future.id)):
        waiter(same, answers)
    by_hand.work()
    eventually(lambda: assert_equal(answers, [3, 3, 3]))


def test_threads_and_coroutines_wait_side_by_side(by_hand, waiter, eventually):
    one, two, answers = tasks.add.delay(1, 1), tasks.add.delay(2, 2), []
    waiter(one, answers)

    async def ask():
        waiting = asyncio.ensure_future(two.aresult(wait=30))
        await sync_to_async(by_hand.work)()
        return await waiting

    assert async_to_sync(ask)() == 4
    eventually(lambda: assert_equal(answers, [2]))


FORKS = """
import os, sys, threading
import django
django.setup()
from django.db import connections
from django_tpq.futures import Future, ResultTimeout

mine, theirs = Future.get(sys.argv[1]), Future.get(sys.argv[2])
waiting = threading.Thread(target=lambda: (mine.result(wait=0), connections.close_all()))
waiting.start()
while not any(thread.name == "tpq-listener" for thread in threading.enumerate()):
    pass
try:
    mine.result(wait=0.2)  # the waiters' thread is at work now
except ResultTimeout:
    pass
connections.close_all()
child = os.fork()
if not child:
    print("waiting", flush=True)
    print(theirs.result(wait=30), flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
waiting.join()
print("parent", mine.result(), "child", status, flush=True)
"""


def test_after_a_fork_both_processes_wait_for_their_own(by_hand):
    mine, theirs = tasks.add.delay(1, 2), tasks.add.delay(3, 4)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORKS, mine.id, theirs.id],
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "tests.settings", "TPQ_TEST_DATABASE": connection.settings_dict["NAME"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "waiting\n"
        by_hand.work()
        assert process.stdout.read() == "7\nparent 3 child 0\n"


def test_a_result_is_there_within_moments_of_its_bell(by_hand, waiter, eventually):
    future, answers = tasks.add.delay(1, 2), []
    waiter(future, answers)
    by_hand.work()
    eventually(lambda: assert_equal(answers, [3]), within=1.0)


# Nobody there ---------------------------------------------------------------------------------------------


@pytest.fixture
def hints(caplog, monkeypatch):
    """What somebody is told who waits in vain for a second."""
    monkeypatch.setattr(arrivals_module, "IN_VAIN", 0.2)

    def hints(future):
        with pytest.raises(ResultTimeout):
            future.result(wait=1)
        return [text for text in caplog.messages if "waited for" in text]

    return hints


def test_who_waits_where_no_executor_is_alive_is_told_so(hints):
    (hint,) = hints(tasks.add.delay(1, 2))
    assert hint == (
        "1 call(s) of the queue 'default' are waited for, and no executor that serves it is alive: "
        "`manage.py executor` starts one"
    )


def test_who_waits_where_one_serves_the_queue_is_not(hints):
    Consumer.objects.create(host="here", pid=1, version="1", queues=["mail", "default"], beat_at=Now())
    assert hints(tasks.add.using(delay=60).delay(1, 2)) == []


@pytest.mark.parametrize("changes", [{"queues": ["mail"]}, {"lost_at": Now()}, {"beat_at": Now() - HOUR}])
def test_one_that_serves_another_queue_or_is_lost_is_none(hints, changes):
    row = {"host": "here", "pid": 1, "version": "1", "queues": ["default"], "beat_at": Now()}
    Consumer.objects.create(**row | changes)
    assert len(hints(tasks.add.delay(1, 2))) == 1


def test_where_consumers_may_not_be_read_nothing_is_said_and_results_come(hints, monkeypatch, by_hand):
    def served(connection, table):
        raise psycopg.errors.InsufficientPrivilege("permission denied for table tpq_consumer")

    monkeypatch.setattr(arrivals_module, "served", served)
    call = tasks.add.delay(1, 2)
    assert hints(call) == []
    by_hand.work()
    assert call.result(wait=5) == 3
