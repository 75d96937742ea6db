"""Tasks that do to their loop, their process or their connection what they should not. By real executors."""

import time

import pytest

from django_tpq.futures import CallTimeout, ExecutorLost, TaskFailed
from django_tpq.futures.models import CallQueue
from tests.testapp import long_tasks as tasks
from tests.testapp.models import PlainQueue


def test_a_coroutine_that_blocks_beyond_its_time_and_returns_has_ended(executor):
    executor("-t", "1")
    assert tasks.block_beyond_its_time.delay(2).result(wait=20) == "returned"
    assert tasks.in_loop.delay().result(wait=20)
    assert not CallQueue.objects.exists()


def test_a_coroutine_that_has_failed_is_not_cancelled_any_more_and_waits_for_nobody(executor):
    executor("-t", "1")
    slow = tasks.keep_djangos_thread.delay(6)
    time.sleep(0.5)
    failed = tasks.fail_in_loop.delay()
    with pytest.raises(ValueError, match="in the loop"):
        failed.result(wait=4)
    assert not failed.cancel()
    slow.result(wait=20)
    assert CallQueue.objects.filter(state="claimed").count() == 0


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_the_loop_outlives_what_its_tasks_raise(executor, error):
    running = executor("-t", "1")
    assert type(tasks.exit_in_a_task_of_its_own.delay(error).exception(wait=20)) is TaskFailed
    assert tasks.in_loop.delay().result(wait=20)
    assert "the event loop goes on" in running.text()


def test_the_loop_is_not_stopped(executor):
    executor("-t", "1")
    assert tasks.stop_the_loop.delay().result(wait=20) == "went on"
    assert tasks.in_loop.delay().result(wait=20)


def test_what_a_worker_has_forked_speaks_for_nobody(executor):
    executor("-t", "1", "--workers", "1")
    assert tasks.fork_and_come_back.delay().result(wait=20) == "back"
    for number in range(4):
        with pytest.raises(ValueError, match=str(number)):
            tasks.fail_with.delay(number).result(wait=20)
    assert [len(row.errors) for row in CallQueue.objects.all()] == [3] * 4


def test_a_dead_worker_is_noticed_though_its_child_lives(executor):
    executor("-t", "1", "--workers", "1")
    started = time.monotonic()
    with pytest.raises(ExecutorLost):
        tasks.die_with_a_child_left.delay(40).result(wait=30)
    assert time.monotonic() - started < 20


def test_a_thread_that_a_call_has_left_behind_reports_for_no_other(executor):
    executor("-t", "1", "--workers", "1")
    tasks.leave_a_thread_that_reports.delay().result(wait=20)
    silent = tasks.spend_in_process.delay(2)
    silent.result(wait=20)
    assert silent.progress() is None


def test_an_atomic_task_that_closes_its_connection_has_failed(executor):
    executor("-t", "1")
    error = tasks.close_its_connection.delay("never").exception(wait=20)
    assert "has closed the connection that its transaction was on" in str(error)
    assert not PlainQueue.objects.exists()
    assert CallQueue.objects.get().state == "dead"


def test_a_coroutine_that_waits_is_found_where_it_waits(executor):
    executor("-t", "1")
    with pytest.raises(CallTimeout, match=r"in wait_in_depth\n.*in _deeper"):
        tasks.wait_in_depth.delay().result(wait=20)


def test_what_ends_well_after_all_is_not_logged_as_failed(executor):
    running = executor("-t", "2", "--grace", "20")
    beside, late = tasks.hold_thread.delay(12), tasks.swallow_and_return.delay(9)
    assert late.result(wait=40) == "after all"
    assert beside.result(wait=40) is None
    assert "this process is replaced" in running.text()
    assert "failed" not in running.text()
