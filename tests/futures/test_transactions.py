"""A future and the transaction that made its call: open here, open elsewhere, committed, rolled back."""

import asyncio
import pickle
import threading
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, connections, transaction

from django_tpq.futures import CallRolledBack, Future, NotCommitted, ResultTimeout
from django_tpq.futures.models import CallQueue
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)

ASK = {
    "result": lambda future: future.result(wait=0),
    "result without waiting": lambda future: future.result(),
    "exception": lambda future: future.exception(wait=0),
    "await": lambda future: async_to_sync(future.aresult)(wait=0),
    "aexception": lambda future: async_to_sync(future.aexception)(wait=5),
}
ask = pytest.mark.parametrize("ask", ASK.values(), ids=ASK)


@ask
def test_asking_in_the_transaction_that_made_the_call_raises_at_once(ask):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        with pytest.raises(NotCommitted, match="still open"):
            ask(future)
        assert not future.is_done()


@ask
def test_asking_inside_a_savepoint_of_it_raises_too(ask):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        with transaction.atomic(), pytest.raises(NotCommitted):
            ask(future)


@ask
def test_a_call_that_was_rolled_back_says_so_and_is_done(ask):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        transaction.set_rollback(True)
    with pytest.raises(CallRolledBack, match=future.id):
        ask(future)
    assert future.is_done()


def test_a_call_of_a_savepoint_that_was_rolled_back_says_so_while_the_transaction_goes_on():
    with transaction.atomic():
        kept = tasks.add.delay(1, 1)
        with transaction.atomic():
            future = tasks.add.delay(1, 2)
            transaction.set_rollback(True)
        with pytest.raises(CallRolledBack):
            future.result(wait=0)
        with pytest.raises(NotCommitted):
            kept.result(wait=0)
    with pytest.raises(ResultTimeout):
        kept.result()


def test_many_calls_of_one_transaction_are_all_rolled_back_with_it():
    with transaction.atomic():
        futures = tasks.add.delay_many([(1, 1)] * 3)
        transaction.set_rollback(True)
    assert [future.is_done() for future in futures] == [True] * 3
    assert CallQueue.objects.count() == 0


def test_after_the_commit_the_result_is_only_not_there_yet():
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
    assert not future.is_done()
    with pytest.raises(ResultTimeout):
        future.result()


def test_a_hook_that_was_registered_before_the_call_sees_it_committed():
    futures, seen = [], []

    def ask():
        try:
            futures[0].result()
        except Exception as error:
            seen.append(type(error))

    with transaction.atomic():
        transaction.on_commit(ask)
        futures.append(tasks.add.delay(1, 2))
    assert seen == [ResultTimeout]


def test_a_hook_that_fails_does_not_make_a_committed_call_look_rolled_back():
    def fail():
        raise OSError("no mail today")

    with suppress(OSError), transaction.atomic():
        transaction.on_commit(fail)
        future = tasks.add.delay(1, 2)
    with pytest.raises(ResultTimeout):
        future.result()
    assert not future.is_done()


def test_outside_of_transactions_nothing_has_to_be_committed():
    with pytest.raises(ResultTimeout):
        tasks.add.delay(1, 2).result()


def test_a_copy_of_a_future_in_its_open_transaction_does_not_hang():
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        for copy in (Future.get(future.id), pickle.loads(pickle.dumps(future))):
            with pytest.raises(ResultTimeout):
                copy.result(wait=0.05)


def test_a_rollback_in_another_thread_ends_the_waiting():
    made, asked, errors = threading.Event(), threading.Event(), []

    def make():
        with transaction.atomic():
            futures.append(tasks.add.delay(1, 2))
            made.set()
            asked.wait(20)
            transaction.set_rollback(True)
        connections.close_all()

    def wait():
        try:
            asked.set()
            futures[0].result(wait=20)
        except Exception as error:
            errors.append(type(error))
        connections.close_all()

    futures = []
    threads = [threading.Thread(target=make), threading.Thread(target=wait)]
    threads[0].start()
    assert made.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert errors == [CallRolledBack]


@pytest.mark.parametrize("wait", [0, 10])
def test_a_coroutine_waits_for_the_commit_of_another_thread(wait):
    """However long that takes: until then, nobody else sees the call's row."""
    made, may_commit = threading.Event(), threading.Event()
    futures = []

    def make():
        with transaction.atomic():
            futures.append(tasks.add.delay(1, 2))
            made.set()
            may_commit.wait(20)
            transaction.set_rollback(True)
        connections.close_all()

    async def ask():
        waiter = asyncio.ensure_future(futures[0].aresult(wait=wait))
        done, _ = await asyncio.wait([waiter], timeout=3.5)
        may_commit.set()
        assert not done
        with pytest.raises(CallRolledBack):
            await waiter
        await sync_to_async(connections.close_all)()

    thread = threading.Thread(target=make)
    thread.start()
    assert made.wait(20)
    try:
        async_to_sync(ask)()
    finally:
        may_commit.set()
        thread.join(20)


def test_waiting_long_does_not_end_a_transaction_that_was_begun_by_hand(eventually):
    future = tasks.add.delay(1, 2)
    transaction.set_autocommit(False)
    try:
        CallQueue.objects.create(task="by hand", token="-" * 22, payload=b"")
        with pytest.raises(ResultTimeout):
            future.result(wait=0.7)
        assert connection.connection is not None
        transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert CallQueue.objects.filter(task="by hand").exists()
