"""Django's tasks in real executors: threads, processes of their own, the event loop, and how each is ended."""

import time

import pytest
from django.contrib.auth.models import User

from django_tpq.backend.compat import TaskResultStatus
from django_tpq.futures import Future
from django_tpq.futures.errors import CallCancelled, CallTimeout, ExecutorLost
from tests.backend import choices, work
from tests.fixtures.process import children_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("tended"),
    pytest.mark.timeout(180),
]
FAILED, RUNNING = TaskResultStatus["FAILED"], TaskResultStatus["RUNNING"]


def waited(result, until=lambda result: result.is_finished):
    """A result once it is so far."""
    deadline = time.monotonic() + 60
    while not until(result):
        assert time.monotonic() < deadline, result
        time.sleep(0.05)
        result.refresh()
    return result


def test_each_runs_where_it_is_said_to_though_no_executor_has_imported_it_before(executor):
    process = executor("-t", "2")
    in_loop, in_thread = choices.where.enqueue(), choices.in_a_thread.enqueue()
    apart, atomic, context = (
        choices.apart.enqueue(3),
        choices.create.enqueue("ada"),
        choices.look.enqueue("word"),
    )
    name, pid = waited(in_loop).return_value
    assert name == "tpq-async"
    assert pid in process.children()
    assert waited(in_thread).return_value != "tpq-async"
    number, worker = waited(apart).return_value
    assert (number, worker != pid) == (3, True)
    assert worker in children_of(pid)
    assert waited(atomic).return_value is True
    assert User.objects.filter(username="ada").exists()
    assert waited(context).return_value == ["word", 1, context.id, "RUNNING"]


def test_many_coroutines_wait_at_once_and_a_failing_one_is_alone(executor):
    executor("-t", "1")
    begun = time.monotonic()
    results = [choices.gather.enqueue(number) for number in range(60)]
    bad = choices.fail.enqueue("bad luck")
    assert [waited(result).return_value for result in results] == list(range(60))
    assert time.monotonic() - begun < 45, "one after the other they take a minute"
    assert waited(bad).errors[0].exception_class is ValueError


@pytest.mark.parametrize(
    "task", [choices.linger, choices.linger_async, choices.linger_apart], ids=lambda t: t.name
)
def test_a_run_that_takes_too_long_has_failed_with_call_timeout(executor, task):
    executor("-t", "1")
    result = waited(task.enqueue())
    assert (result.status, result.errors[0].exception_class) == (FAILED, CallTimeout)
    assert "ran longer than its timeout of" in result.errors[0].traceback
    assert "choices.py" in result.errors[0].traceback


def test_a_coroutine_that_runs_can_be_cancelled(executor):
    executor("-t", "1")
    result = waited(choices.wait_for_ever.enqueue(), until=lambda result: result.status == RUNNING)
    assert Future.get(result.id).cancel()
    assert waited(result).errors[0].exception_class is CallCancelled
    assert waited(work.add.enqueue(1, 2)).return_value == 3


def test_a_call_whose_executor_was_killed_does_not_run_for_ever(executor):
    killed = executor("-t", "1")
    result = waited(choices.hang.enqueue(), until=lambda result: result.status == RUNNING)
    killed.kill()
    executor("-t", "1")
    assert waited(result).errors[0].exception_class is ExecutorLost
    assert (result.status, result.attempts) == (FAILED, 1)
