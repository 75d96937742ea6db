"""What ran beside a call that ended its process starts again soon, harms nobody, and is harmed by nobody."""

import os
import signal
import time

import pytest

from django_tpq.futures import ExecutorLost
from django_tpq.futures.models import CallQueue
from tests.failures.accidents import tasks

MANY = 300


@pytest.fixture
def crowd(waiters):
    """Coroutines that run until they are let go."""
    return tasks.wait_in_the_loop.delay_many([(str(waiters.notes), str(waiters._go))] * MANY)


def test_hundreds_of_coroutines_of_a_killed_process_are_back_within_seconds(executor, crowd, waiters):
    process = executor("-t", "2")
    waiters.have_begun(MANY)
    os.kill(process.children()[0], signal.SIGKILL)
    waiters.have_begun(2 * MANY, within=15)
    waiters.let_go()
    assert {future.result(wait=30) for future in crowd} == {2}


def test_calls_for_worker_processes_do_not_wait_for_them(executor, crowd, waiters, tmp_path):
    process = executor("-t", "2", "--workers", "1")
    waiters.have_begun(MANY)
    CallQueue.objects.filter(state="claimed").update(deliveries=1)
    os.kill(process.children()[0], signal.SIGKILL)
    waiters.have_begun(MANY + 1)
    asked_at = time.monotonic()
    tasks.process.using(executor="process").delay().result(wait=30)
    passed = time.monotonic() - asked_at
    assert waiters.begun() < 2 * MANY, "they were all back before"
    assert passed < 10
    waiters.let_go()
    assert {future.result(wait=60) for future in crowd} == {2}


def test_a_killer_among_many_is_found_and_no_other_is_charged(executor, waiters):
    """It began before the others: so it is not the first to be suspected."""
    executor("-t", "16")
    killer = tasks.die_beside.delay(str(waiters.notes), 12)
    waiters.have_begun(1, word="dies")
    futures = waiters.call(12)
    with pytest.raises(ExecutorLost):
        killer.result(wait=40)
    assert set(CallQueue.objects.exclude(state="dead").values_list("deliveries", flat=True)) == {1}
    waiters.let_go()
    assert len({future.result(wait=30) for future in futures}) <= 5
    assert CallQueue.objects.count(state="dead") == 1
    # When all were charged; among several, which charged nobody; alone, twice.
    assert waiters.notes.read_text().count("dies") == 4
