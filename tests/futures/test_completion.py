"""Many futures at once, and a pool of `concurrent.futures`."""

import asyncio
import concurrent.futures
import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction

from django_tpq.futures import (
    CallRolledBack,
    Future,
    NotCommitted,
    ResultTimeout,
    TaskExecutor,
    arrivals,
    as_completed,
    wait,
)
from tests.testapp import tasks
from tests.testapp.tasks import Trouble


@pytest.fixture
def running(executor):
    executor("-t", "4")


def test_they_come_in_the_order_in_which_they_end(running):
    futures = [tasks.nap.delay(seconds) for seconds in (1.2, 0.1, 0.6)]
    assert [future.result() for future in as_completed(futures, wait=20)] == [0.1, 0.6, 1.2]


def test_those_that_have_ended_come_at_once_and_equal_ones_once(by_hand):
    futures = tasks.add.delay_many([(number, 1) for number in range(5)])
    by_hand.work()
    assert sorted(f.result() for f in as_completed([*futures, *futures], wait=10)) == [1, 2, 3, 4, 5]
    assert len(as_completed([*futures, *futures])) == 5


@pytest.mark.parametrize("ask", [wait, as_completed])
@pytest.mark.parametrize(
    ("futures", "said"),
    [
        ([1], "these must be futures, as delay\\(\\) gives them, and 1 is none"),
        (["default:1:text"], "and 'default:1:text' is none"),
        (7, "such as a list of them, not 7"),
        (Future.get(f"default:1:{'A' * 22}"), r"give several futures, or \[future\]"),
    ],
    ids=["numbers", "ids", "a number", "a future"],
)
def test_what_is_no_future_is_named(ask, futures, said):
    with pytest.raises(TypeError, match=said):
        ask(futures)


@pytest.mark.parametrize("ask", [wait, as_completed])
@pytest.mark.parametrize("seconds", [None, "1", float("nan")])
def test_a_time_that_is_none_is_named(ask, seconds):
    with pytest.raises((TypeError, ValueError), match=r"wait must be seconds, not .* 0: for ever"):
        ask([], wait=seconds)


def test_failures_are_completions(by_hand):
    future = tasks.fail.delay("text")
    by_hand.work()
    (ended,) = as_completed([future], wait=10)
    with pytest.raises(Trouble):
        ended.result()


@pytest.mark.parametrize("seconds", [0.3, -1])
def test_a_time_that_is_over_says_how_many_are_left(by_hand, seconds):
    done, _ = tasks.add.delay(1, 2), tasks.add.delay(1, 2)
    by_hand.settle(*by_hand.run(*by_hand.claim(count=1)))
    assert done.result() == 3
    with pytest.raises(ResultTimeout, match="2 of 3 calls have not ended yet"):
        list(as_completed([done, tasks.add.delay(1, 2), tasks.add.delay(1, 2)], wait=seconds))


@pytest.fixture
def two_of_five(by_hand):
    """Futures of five calls, of which two have ended; nobody has looked for them yet."""
    futures = tasks.add.delay_many([(number, 1) for number in range(5)])
    by_hand.settle(*by_hand.run(*by_hand.claim(count=2)))
    return [Future.get(future.id) for future in futures]


@pytest.mark.parametrize("seconds", [-1, 0.0001])
def test_those_that_have_ended_are_seen_however_short_the_time(two_of_five, seconds):
    done, left = wait(two_of_five, wait=seconds)
    assert (sorted(future.result() for future in done), len(left)) == ([1, 2], 3)


@pytest.mark.parametrize("seconds", [-1, 0.0001])
def test_a_coroutine_sees_those_that_have_ended_however_short_the_time(two_of_five, seconds):
    seen = []

    async def collect():
        async for future in as_completed(two_of_five, wait=seconds):
            seen.append(await future)  # noqa: PERF401 - what came before the error

    with pytest.raises(ResultTimeout, match="3 of 5 calls have not ended yet"):
        async_to_sync(collect)()
    assert sorted(seen) == [1, 2]


@pytest.mark.parametrize(
    "block",
    [lambda future: future.result(wait=1), lambda future: list(as_completed([future])), lambda f: wait([f])],
    ids=["result", "as_completed", "wait"],
)
def test_an_event_loop_is_not_blocked(transactional_db, block):
    async def view():
        future = await tasks.add.adelay(1, 2)
        with pytest.raises(
            SynchronousOnlyOperation, match=r"would block the event loop .*: `await` the future"
        ):
            block(future)

    async_to_sync(view)()


def test_what_has_come_can_be_asked_for_in_an_event_loop(running):
    async def view():
        future = await tasks.add.adelay(1, 2)
        return await future, future.result(), future.exception()

    assert async_to_sync(view)() == (3, 3, None)


def test_a_coroutine_gets_them_too(running):
    futures = [tasks.nap.delay(seconds) for seconds in (0.8, 0.1, 0.4)]

    async def collect():
        return [await future async for future in as_completed(futures, wait=20)]

    assert asyncio.run(collect()) == [0.1, 0.4, 0.8]


def test_a_coroutine_hears_of_a_time_that_is_over(transactional_db):
    future = tasks.add.delay(1, 2)

    async def collect():
        return [each async for each in as_completed([future], wait=0.2)]

    with pytest.raises(ResultTimeout):
        async_to_sync(collect)()


def test_ten_thousand_cost_a_few_looks(by_hand, monkeypatch):
    looks = []
    look_up = arrivals.look_up
    monkeypatch.setattr(arrivals, "look_up", lambda calls, cursor: looks.append(1) or look_up(calls, cursor))
    futures = tasks.add.delay_many([(number, 1) for number in range(10_000)])
    for _ in range(10):
        by_hand.work()
    assert sum(future.result() for future in as_completed(futures, wait=60)) == sum(range(1, 10_001))
    assert len(looks) <= 40


def test_one_can_wait_for_all_or_for_the_first(running):
    slow, quick = tasks.nap.delay(1.5), tasks.nap.delay(0)
    assert wait([slow, quick], 20, first=True) == ({quick}, {slow})
    assert wait([slow, quick], 0.1) == ({quick}, {slow})
    assert wait([slow, quick]) == ({slow, quick}, set())


def test_what_is_not_committed_can_not_be_waited_for(transactional_db):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        with pytest.raises(NotCommitted):
            list(as_completed([future], wait=1))
        transaction.set_rollback(True)
    with pytest.raises(CallRolledBack):
        list(as_completed([future], wait=1))


def test_a_callback_is_called_once_with_the_future(running):
    told, done = [], threading.Event()
    future = tasks.add.delay(1, 2)
    future.add_done_callback(lambda ended: (told.append(ended), done.set()))
    assert done.wait(20)
    time.sleep(0.1)
    assert told == [future]
    assert told[0].result() == 3


def test_a_callback_that_raises_is_logged_and_harms_nobody(running, caplog, eventually):
    future, other = tasks.add.delay(1, 2), tasks.add.delay(3, 4)
    future.add_done_callback(lambda ended: 1 / 0)
    assert other.result(wait=20) == 7
    assert future.result(wait=20) == 3

    def is_logged():
        assert "ZeroDivisionError" in caplog.text

    eventually(is_logged, 5)


# A pool ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "submit",
    [lambda pool: pool.submit(tasks.add, 1, 2), lambda pool: list(pool.map(tasks.add, [1], [2]))],
    ids=["submit", "map"],
)
def test_a_pool_in_an_open_transaction_is_refused_and_waits_for_nobody(transactional_db, submit):
    with pytest.raises(NotCommitted), transaction.atomic(), TaskExecutor() as pool:
        submit(pool)


def test_a_pool_takes_tasks_and_gives_futures_of_the_standard_library(running):
    with TaskExecutor() as pool:
        futures = [pool.submit(tasks.add, number, b=1) for number in range(5)]
        failing = pool.submit(tasks.fail, "text")
    assert all(future.done() for future in futures)
    assert [f.result() for f in concurrent.futures.as_completed(futures)] != []
    assert [future.result() for future in futures] == [1, 2, 3, 4, 5]
    assert futures[0].call.result() == 1
    with pytest.raises(Trouble):
        failing.result()


def test_a_pool_maps_in_order(running):
    with TaskExecutor() as pool:
        assert list(pool.map(tasks.add, range(50), range(50), timeout=20)) == [2 * n for n in range(50)]


def test_a_map_has_its_time(by_hand):
    pool = TaskExecutor()
    with pytest.raises(TimeoutError):
        list(pool.map(tasks.add, [1], [2], timeout=0.2))
    by_hand.work()
    pool.shutdown()


def test_a_call_of_a_pool_is_cancelled_and_who_waits_hears_of_it(by_hand):
    pool = TaskExecutor()
    future = pool.submit(tasks.add, 1, 2)
    assert future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout=20)
    assert future.cancelled()
    assert concurrent.futures.wait([future], timeout=5).not_done == set()
    assert not future.cancel()


def test_a_pool_that_is_shut_down_cancels_what_is_left_if_it_is_told_to(by_hand):
    pool = TaskExecutor()
    futures = [pool.submit(tasks.add, number, 1) for number in range(3)]
    pool.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)
    assert by_hand.claim() == []


def test_what_is_no_task_is_refused(transactional_db):
    with pytest.raises(TypeError, match="is no task"):
        TaskExecutor().submit(len, "text")


def test_a_pool_that_was_shut_down_takes_no_more(transactional_db):
    pool = TaskExecutor()
    pool.shutdown()
    with pytest.raises(RuntimeError, match="was shut down"):
        pool.submit(tasks.add, 1, 2)
