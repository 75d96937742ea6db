"""A future: asked, waited for, found again, compared, kept."""

import os
import pickle
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from django_tpq.futures import ExecutorLost, Future, ResultExpired, ResultTimeout, TaskFailed
from django_tpq.futures.models import CallQueue, Result
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "default:1:" + "-" * 22


def later(act):
    """Do something in a moment, in another thread."""
    timer = threading.Timer(0.2, act)
    timer.start()
    return timer


def expire():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tpq_result SET expires_at = clock_timestamp() - interval '1 second'")


def test_before_the_end_nothing_is_done_and_asking_is_a_timeout():
    future = tasks.add.delay(1, 2)
    assert not future.is_done()
    for ask in (
        future.result,
        future.exception,
        async_to_sync(future.aresult),
        async_to_sync(future.aexception),
    ):
        with pytest.raises(ResultTimeout, match=f"call {future.id} has not ended yet"):
            ask()


@pytest.mark.parametrize("wait", [0.05, 0.7])
def test_patience_has_an_end(wait):
    future = tasks.add.delay(1, 2)
    for ask in (future.result, async_to_sync(future.aresult)):
        began = time.monotonic()
        with pytest.raises(ResultTimeout):
            ask(wait=wait)
        assert time.monotonic() - began >= wait


def test_a_future_that_is_done_answers_by_every_door(done):
    future = done(tasks.add, 1, 2)
    assert future.is_done()
    assert async_to_sync(future.ais_done)()
    assert [future.result(wait) for wait in (-1, 0, 5, 0.001)] == [3] * 4
    assert [async_to_sync(future.aresult)(wait) for wait in (-1, 0, 5, 0.001)] == [3] * 4
    assert future.exception() is async_to_sync(future.aexception)() is None


def test_a_fresh_future_answers_with_the_shortest_patience(done):
    number = done(tasks.add, 1, 2).id
    assert async_to_sync(Future.get(number).aresult)(wait=1e-9) == 3
    assert Future.get(number).result(wait=1e-9) == 3


def test_a_future_can_be_awaited(done):
    async def ask():
        return await future

    future = done(tasks.add, 1, 2)
    assert async_to_sync(ask)() == 3


@pytest.mark.parametrize("wait", [0, 30])
def test_a_waiter_gets_the_result_when_it_comes(by_hand, wait):
    future = tasks.add.delay(1, 2)
    later(by_hand.work)
    assert future.result(wait=wait) == 3


@pytest.mark.parametrize("wait", [0, 30])
def test_a_coroutine_gets_the_result_when_it_comes(by_hand, wait):
    future = tasks.add.delay(1, 2)
    later(by_hand.work)
    assert async_to_sync(future.aresult)(wait=wait) == 3


def test_an_exception_is_raised_or_returned_as_one_likes(done):
    future = done(tasks.fail, "boo")
    assert future.is_done()
    for raising in (future.result, async_to_sync(future.aresult)):
        with pytest.raises(tasks.Trouble):
            raising()
    for returning in (future.exception, async_to_sync(future.aexception)):
        assert returning().args == ("boo", 1)


def test_each_asking_gets_an_exception_of_its_own(done):
    future = done(tasks.fail, "boo")
    assert future.exception() is not future.exception()
    assert len(future.exception().__notes__) == 1


def test_an_exception_as_a_value_is_no_failure(done):
    ((value,), _) = done(tasks.echo, ValueError("x")).result()
    assert type(value) is ValueError


def test_reading_a_result_does_not_destroy_it(done):
    future = done(tasks.add, 1, 2)
    assert [Future.get(future.id).result() for _ in range(3)] == [3, 3, 3]
    assert Result.objects.count() == 1


def test_what_one_has_read_one_keeps(done):
    future = done(tasks.add, 1, 2)
    assert future.result() == 3
    expire()
    assert future.result() == 3


def test_a_result_whose_time_is_over_has_expired(done):
    future = done(tasks.add, 1, 2)
    expire()
    for ask in (future.result, async_to_sync(Future.get(future.id).aresult)):
        with pytest.raises(ResultExpired, match="neither the call nor a result is there"):
            ask(wait=30)
    assert future.is_done()


def test_who_asks_now_and_then_by_the_id_hears_that_a_result_has_expired(done, impatient, eventually):
    number = done(tasks.add, 1, 2).id
    expire()

    def is_done():
        assert Future.get(number).is_done()

    eventually(is_done)
    with pytest.raises(ResultExpired):
        Future.get(number).result()


def test_a_dead_letter_whose_result_has_expired_still_says_what_it_died_of(done, impatient):
    future = done(tasks.fail, "boo")
    expire()
    with pytest.raises(TaskFailed, match=r"Trouble: \('boo', 1\)") as caught:
        future.result(wait=30)
    assert "raise Trouble(text, code)" in caught.value.__notes__[0]


def test_a_call_that_was_lost_for_the_last_time_says_so_without_a_result(impatient):
    future = tasks.add.delay(1, 2)
    CallQueue.objects.update(state="dead", deliveries=3, error="its executor died 3 times")
    with pytest.raises(ExecutorLost, match="died 3 times"):
        future.result(wait=30)


def test_an_id_names_a_call_in_under_64_characters():
    future = tasks.add.delay(1, 2)
    row = CallQueue.objects.get()
    queue, number, token = future.id.split(":")
    assert (queue, int(number, 36), token) == ("default", row.pk, row.token)
    assert len("q" * 24 + ":" + "z" * 13 + ":" + token) < 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default",
        "default:1",
        UNKNOWN + "-",
        UNKNOWN[:-1],
        UNKNOWN + "\n",
        UNKNOWN.upper(),
        "default:zzzzzzzzzzzzz:" + "-" * 22,
        "de fault:1:" + "-" * 22,
        "x" * 10_000,
    ],
)
def test_a_text_that_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match="is not the id of a call"):
        Future.get(text)


def test_an_id_of_a_queue_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(Exception, match="there is no call queue 'elsewhere'"):
        Future.get("elsewhere:1:" + "-" * 22).is_done()


@pytest.mark.parametrize("seconds", [None, "1", True, float("nan"), timedelta(1)], ids=repr)
@pytest.mark.parametrize("ask", [Future.result, Future.exception, async_to_sync(Future.aresult)])
def test_a_time_that_is_none_is_named_whether_the_call_has_ended_or_not(
    transactional_db, by_hand, ask, seconds
):
    ended, waiting = tasks.add.delay(1, 2), tasks.add.using(delay=60).delay(1, 2)
    by_hand.work()
    assert ended.result() == 3
    for future in (ended, waiting):
        with pytest.raises((TypeError, ValueError), match=r"wait must be seconds, not .* 0: for ever"):
            ask(future, wait=seconds)


def test_a_call_that_nobody_made_has_expired(impatient):
    with pytest.raises(ResultExpired, match="never committed"):
        Future.get(UNKNOWN).result(wait=30)


def test_another_process_finds_a_future_by_its_id(done):
    number = done(tasks.add, 1, 2).id
    code = (
        "import django; django.setup(); from django_tpq.futures import Future;"
        f" print(Future.get({number!r}).result())"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TPQ_TEST_DATABASE": connection.settings_dict["NAME"],
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("3\n", "")


def test_futures_are_equal_by_their_id():
    future, other = tasks.add.delay(1, 2), tasks.add.delay(1, 2)
    copy = Future.get(future.id)
    assert future == copy != other
    assert future != future.id
    assert {future: 1}[copy] == 1
    assert len({future, copy, other}) == 2


def test_a_future_can_be_pickled_and_passed_as_an_argument(done):
    future = done(tasks.add, 1, 2)
    assert pickle.loads(pickle.dumps(future)) == future
    assert done(tasks.echo, future).result()[0][0].result() == 3


def test_a_future_shows_its_id_and_its_task():
    future = tasks.add.delay(1, 2)
    assert repr(future) == f"<Future {future.id} of tests.testapp.tasks.add>"
    assert repr(Future.get(UNKNOWN)) == f"<Future {UNKNOWN}>"
