"""Where a call stands, in one word."""

import pytest
from django.db import transaction

from django_tpq.futures.models import CallQueue, Result
from django_tpq.futures.standing import CallState
from tests.testapp import tasks


def test_it_follows_a_call_to_its_end(by_hand):
    call = tasks.add.using(delay=60).delay(1, 2)
    assert call.state() == "waiting"
    CallQueue.objects.update(state="ready", due_at=None)
    assert call.state() is CallState.READY
    claimed = by_hand.claim()
    assert call.state() == "claimed"
    by_hand.settle(*by_hand.run(*claimed))
    assert call.state() == "succeeded"
    Result.objects.all().delete()
    assert call.state() == "gone"


def test_a_failure_and_a_cancellation_are_told_apart_also_without_their_results(by_hand):
    failed, cancelled = tasks.fail.delay("x"), tasks.add.delay(1, 2)
    cancelled.cancel()
    by_hand.work()
    assert (failed.state(), cancelled.state()) == ("failed", "cancelled")
    Result.objects.all().delete()
    assert (failed.state(), cancelled.state()) == ("failed", "cancelled")


def test_what_is_rolled_back_is_gone(by_hand):
    with transaction.atomic():
        call = tasks.add.delay(1, 2)
        assert call.state() == "ready"
        transaction.set_rollback(True)
    assert call.state() == "gone"


@pytest.mark.parametrize("task", [tasks.nothing.using(result_ttl=0)])
def test_who_keeps_no_result_is_gone_in_the_end(by_hand, task):
    call = task.delay()
    by_hand.work()
    assert call.state() == "gone"
