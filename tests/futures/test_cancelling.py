"""Calls that are cancelled: before they run, and while they do, wherever that is."""

import asyncio
import time

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from django_tpq.futures import CallCancelled, Future, NotCommitted
from django_tpq.futures.models import CallQueue
from tests.testapp import long_tasks as tasks
from tests.testapp.tasks import stumble


@pytest.fixture
def begun(eventually, tmp_path):
    """Wait until the call has begun that writes to this file."""

    def begun(name="notes"):
        def is_there():
            assert (tmp_path / name).exists()

        eventually(is_there, 20)

    return begun


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("delay", [None, 60], ids=["ready", "waiting"])
def test_what_waits_never_runs(by_hand, tmp_path, delay):
    call = tasks.until_cancelled.using(delay=delay).delay(str(tmp_path / "runs"))
    assert call.cancel()
    with pytest.raises(CallCancelled, match="was cancelled while it waited"):
        call.result(wait=5)
    assert call.is_done()
    row = CallQueue.objects.get()
    assert (row.state, row.errors[-1]["type"]) == ("dead", "django_tpq.futures.errors.CallCancelled")
    by_hand.work()
    assert not (tmp_path / "runs").exists()


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_its_second_attempt_has_run_once_and_that_is_not_denied(by_hand):
    call = stumble.using(backoff=60).delay(2)
    by_hand.work()
    assert call.cancel()
    with pytest.raises(CallCancelled, match=r"was cancelled while it waited$"):
        call.result(wait=5)


@pytest.mark.django_db(transaction=True)
def test_a_call_that_was_made_and_cancelled_in_a_transaction_has_ended_there_and_others_have_not():
    with transaction.atomic():
        call, other = tasks.in_thread.delay(), tasks.in_thread.delay()
        assert call.cancel()
        assert call.is_done()
        with pytest.raises(CallCancelled):
            call.result()
        assert not other.is_done()
        with pytest.raises(NotCommitted):
            other.result(wait=0)


@pytest.mark.django_db(transaction=True)
def test_what_has_ended_or_never_was_can_not_be_cancelled(by_hand):
    call = tasks.in_thread.delay()
    by_hand.work()
    assert not call.cancel()
    assert call.result()
    strange = Future.get(f"{call.id[:-1]}{'A' if call.id[-1] != 'A' else 'B'}")
    assert not strange.cancel()


@pytest.mark.django_db(transaction=True)
def test_it_takes_the_token_to_cancel(by_hand):
    call = tasks.in_thread.delay()
    assert not Future.get(call.id[:-22] + "A" * 22).cancel()
    by_hand.work()
    assert call.result()


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_is_rolled_back_with_its_transaction(by_hand):
    call = tasks.in_thread.delay()
    with transaction.atomic():
        assert call.cancel()
        transaction.set_rollback(True)
    by_hand.work()
    assert call.result()


@pytest.mark.django_db(transaction=True)
def test_a_call_that_runs_can_be_settled_while_the_transaction_that_cancels_it_is_open(by_hand):
    call = tasks.in_thread.delay()
    claimed = by_hand.claim()
    by_hand.connection.execute("SET lock_timeout = '5s'")
    with transaction.atomic():
        assert call.cancel()
        by_hand.settle(*by_hand.run(*claimed))  # on a connection of its own
        assert call.state() == "succeeded"
    assert call.result()
    assert not CallQueue.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_who_runs_it_is_told_after_the_commit(by_hand):
    call = tasks.in_thread.delay()
    (claimed,) = by_hand.claim()
    with transaction.atomic():
        assert call.cancel()
        assert not by_hand.tables["default"].cancelled([claimed.id])
    assert by_hand.tables["default"].cancelled([claimed.id]) == {claimed.id}


@pytest.mark.django_db(transaction=True)
def test_nobody_is_told_of_what_was_rolled_back(by_hand):
    call = tasks.in_thread.delay()
    claimed = by_hand.claim()
    with transaction.atomic():
        assert call.cancel()
        transaction.set_rollback(True)
    assert not by_hand.tables["default"].cancelled([claimed[0].id])
    by_hand.settle(*by_hand.run(*claimed))
    assert call.result()


@pytest.mark.django_db(transaction=True)
def test_a_claimed_call_that_comes_back_is_not_begun(by_hand, tmp_path):
    call = tasks.until_cancelled.delay(str(tmp_path / "runs"))
    (claimed,) = by_hand.claim()
    assert call.cancel()
    by_hand.tables["default"].release([(claimed.id, claimed.claim_no)])
    by_hand.work()
    with pytest.raises(CallCancelled):
        call.result()
    assert not (tmp_path / "runs").exists()
    CallQueue.objects.requeue([claimed.id])
    assert by_hand.claim()[0].headers == {}


@pytest.mark.django_db
def test_in_a_test_a_cache_is_told_too_though_nothing_is_committed(use_cache):
    use_cache("file cache")
    call = tasks.in_thread.delay()
    assert call.cancel()
    with pytest.raises(CallCancelled):
        call.result()


def test_a_thread_is_told_and_may_end_early(executor, tmp_path, begun):
    executor("-t", "1")
    call = tasks.until_cancelled.delay(str(tmp_path / "notes"))
    begun()
    assert call.cancel()
    with pytest.raises(CallCancelled):
        call.result(wait=15)


def test_a_coroutine_is_cancelled(executor, tmp_path, begun):
    executor("-t", "1")
    call = tasks.wait_in_loop.delay(str(tmp_path / "notes"))
    begun()

    async def cancel():
        assert await call.acancel()
        return await asyncio.gather(call, return_exceptions=True)

    (error,) = async_to_sync(cancel)()
    assert type(error) is CallCancelled
    assert (tmp_path / "notes").read_text() == "begun\ncleared up\n"


def test_a_process_is_ended(executor, tmp_path, begun):
    executor("-t", "1", "--workers", "1")
    call = tasks.wait_in_process.delay(str(tmp_path / "notes"))
    begun()
    assert call.cancel()
    with pytest.raises(CallCancelled):
        call.result(wait=15)
    assert (tmp_path / "notes").read_text() == "begun\ncleared up\n"
    assert tasks.in_process.delay().result(wait=20)


def test_without_a_bell_it_is_seen_all_the_same(executor, tmp_path, begun):
    executor("-t", "1", TPQ_TEST_LISTEN="none")
    call = tasks.wait_in_loop.delay(str(tmp_path / "notes"))
    begun()
    started = time.monotonic()
    call.cancel()
    with pytest.raises(CallCancelled):
        call.result(wait=20)
    assert time.monotonic() - started < 15
