"""Transactions by hand, calls that nobody else can see yet, and what a waiter's connection keeps."""

import threading

import pytest
from django.db import connection, connections, transaction

from django_tpq.futures import CallRolledBack, Future, NotCommitted, ResultExpired
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def by_hand():
    transaction.set_autocommit(False)
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


@pytest.mark.usefixtures("by_hand")
def test_a_transaction_by_hand_that_is_open_is_told_at_once():
    with pytest.raises(NotCommitted):
        tasks.add.delay(1, 2).result(wait=0)


@pytest.mark.usefixtures("by_hand")
def test_a_transaction_by_hand_that_was_rolled_back_is_told():
    future = tasks.add.delay(1, 2)
    transaction.rollback()
    with pytest.raises(CallRolledBack):
        future.result(wait=0)


def test_a_call_that_was_given_up_before_its_commit_is_found_after_it(executor):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        elsewhere, seen = Future.get(future.id), []
        thread = threading.Thread(target=lambda: (seen.append(_expires(elsewhere)), connections.close_all()))
        thread.start()
        thread.join(30)
        assert seen == [True]
    executor("--once").process.wait(60)
    assert elsewhere.result() == 3


def _expires(future):
    try:
        future.result(wait=20)
    except ResultExpired:
        return True
    return False


def test_a_waiter_keeps_a_connection_that_holds_a_lock(executor):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_advisory_lock(42)")
        pid, _ = cursor.fetchone()
        executor("-t", "1")
        assert tasks.nap.delay(1).result(wait=30) == 1
        cursor.execute("SELECT pg_backend_pid(), pg_advisory_unlock(42)")
        assert cursor.fetchone() == (pid, True)


def test_a_call_may_say_how_long_its_result_is_kept(executor):
    kept, dropped = tasks.add.using(result_ttl=60).delay(1, 2), tasks.add.using(result_ttl=0).delay(1, 2)
    executor("--once").process.wait(60)
    assert kept.result() == 3
    with pytest.raises(ResultExpired):
        dropped.result(wait=20)
