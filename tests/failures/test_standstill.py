"""A call holds Python's lock for longer than a lease: its process can do nothing else, and that is reported."""

import time

from django_tpq.futures.models import CallQueue
from tests.failures.accidents import tasks

LONG = 13.0
"""Seconds: longer than a lease, and than the silence after which a process is asked where it is."""


def test_it_is_reported_with_its_stack_and_runs_nowhere_else(executor):
    holder, other = executor("-t", "2"), executor("-t", "2")
    began = time.monotonic()
    future = tasks.hold_the_lock_for.delay(LONG)
    one_of(holder, other).says("runs tests.failures.accidents.tasks.hold_the_lock_for")
    assert future.result(wait=40) is None
    assert time.monotonic() - began >= LONG
    texts = [each.text() for each in (holder, other)]
    assert sum("in hold_the_lock_for" in text for text in texts) == 1
    assert not any("was lost to another" in text or "taken for dead" in text for text in texts)
    assert not CallQueue.objects.exists()
    assert holder.stop() == other.stop() == 0


def one_of(*executors):
    """The one that reports."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for each in executors:
            if "has not claimed or settled for a while" in each.text():
                return each
        time.sleep(0.1)
    raise AssertionError("nobody reports")


def test_it_is_reported_once(executor):
    holder = executor("-t", "2")
    tasks.hold_the_lock_for.delay(LONG).result(wait=40)
    assert holder.text().count("has not claimed or settled for a while") == 1


def test_a_call_that_lets_others_run_is_not_reported(executor, waiters):
    process = executor("-t", "2")
    waiters.call(1)
    waiters.have_begun(1)
    time.sleep(LONG)
    waiters.let_go()
    assert "has not claimed or settled" not in process.text()
