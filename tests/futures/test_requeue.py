"""Dead calls that run again: their futures wait for the new end."""

import threading

import pytest
from django.db import transaction

from django_tpq.futures import Future, ResultTimeout
from django_tpq.futures.models import CallQueue
from tests.fixtures.caches import CACHES
from tests.testapp import tasks
from tests.testapp.tasks import Trouble


@pytest.fixture(params=["postgresql", *CACHES])
def any_store(request, transactional_db):
    """Results in each of the stores."""
    if request.param != "postgresql":
        request.getfixturevalue("use_cache")(request.param)


@pytest.fixture
def fail(by_hand, eventually):
    """Let a call fail; its future, whose failure has arrived in the store."""

    def fail(*arguments):
        future = tasks.fail.delay(*arguments)
        by_hand.work()

        def it_has_arrived():
            assert type(Future.get(future.id).exception(wait=5)) is Trouble

        eventually(it_has_arrived)
        return future

    return fail


@pytest.fixture
def mended(monkeypatch):
    """From now on the task does not fail."""
    return lambda: monkeypatch.setattr(tasks.fail, "function", lambda text, code=1: f"mended {text}")


@pytest.mark.usefixtures("any_store")
@pytest.mark.parametrize(
    "requeue",
    [
        lambda future: CallQueue.objects.requeue([future._call.number]),
        lambda future: CallQueue.objects.dead().filter(task=tasks.fail.name).requeue(),
    ],
    ids=["by id", "in bulk"],
)
def test_the_old_failure_is_no_answer_any_more(fail, by_hand, mended, requeue):
    future = fail("text")
    mended()
    requeue(future)
    with pytest.raises(ResultTimeout):
        Future.get(future.id).result()
    assert not Future.get(future.id).is_done()
    by_hand.work()
    assert Future.get(future.id).result(wait=10) == "mended text"


@pytest.mark.usefixtures("any_store")
def test_who_waits_meanwhile_gets_the_new_end(fail, by_hand, mended, eventually):
    future = fail("text")
    mended()
    CallQueue.objects.dead().requeue()
    ended, answers = threading.Event(), []

    def answered(again):
        answers.append(again.result())
        ended.set()

    Future.get(future.id).add_done_callback(answered)
    by_hand.work()
    assert ended.wait(20)
    assert answers == ["mended text"]
    eventually(nobody_looks)  # who looks has a connection to the cache


def nobody_looks():
    assert not [thread for thread in threading.enumerate() if thread.name == "tpq-arrivals"]


def test_one_that_fails_again_raises_its_new_failure(fail, by_hand):
    future = fail("text")
    CallQueue.objects.dead().requeue()
    by_hand.work()
    assert isinstance(Future.get(future.id).exception(wait=10), Trouble)
    assert len(CallQueue.objects.get().errors) == 2


def test_what_stays_dead_keeps_its_failure(by_hand, fail):
    future = fail("text")
    CallQueue.objects.update(unique_key="k")
    tasks.add.delay(1, 2)
    CallQueue.objects.filter(state="ready").update(unique_key="k")
    assert CallQueue.objects.dead().requeue() == (0, 1)
    assert isinstance(Future.get(future.id).exception(), Trouble)


def test_a_requeue_that_is_rolled_back_forgets_nothing(fail):
    future = fail("text")
    with transaction.atomic():
        CallQueue.objects.dead().requeue()
        transaction.set_rollback(True)
    assert isinstance(Future.get(future.id).exception(), Trouble)


def test_a_discarded_call_is_gone_and_its_future_says_still_why_it_failed(fail):
    future = fail("text")
    assert CallQueue.objects.dead().discard() == 1
    assert isinstance(Future.get(future.id).exception(), Trouble)


def test_the_type_of_the_error_and_the_loss_of_executors_can_be_asked_for(fail, by_hand):
    fail("text")
    tasks.add.using(max_deliveries=1).delay(1, 2)
    by_hand.claim()
    by_hand.tables["default"].reclaim([7])
    told = CallQueue.objects.dead().order_by("pk").values_list("task", "error_type")
    assert list(told) == [(tasks.fail.name, "tests.testapp.tasks.Trouble"), (tasks.add.name, "lost")]
