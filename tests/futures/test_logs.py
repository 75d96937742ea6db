"""Each log record knows its call."""

import json
import logging

import pytest

from django_tpq.futures.models import CallQueue
from django_tpq.logs import CallFilter, context
from tests.testapp import long_tasks, tasks


@pytest.fixture
def logged():
    """Format records as a project's handler does."""
    records = []
    handler = logging.Handler()
    handler.addFilter(CallFilter())
    handler.setFormatter(logging.Formatter("%(task)s %(attempt)s %(call)s: %(message)s"))
    handler.emit = lambda record: records.append(handler.format(record))
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_a_record_of_a_task_has_its_call_and_others_a_dash(by_hand, logged):
    call = tasks.log_it.delay("inside")
    CallQueue.objects.update(attempt=2)
    by_hand.work()
    logging.getLogger("shop").warning("outside")
    assert logged == [f"tests.testapp.tasks.log_it 3 {call.id}: inside", "- - -: outside"]
    assert context() == {}


def test_what_a_record_has_already_stays(logged):
    logging.getLogger("shop").warning("mine", extra={"task": "washing"})
    assert logged == ["washing - -: mine"]


@pytest.mark.parametrize(
    "task",
    [long_tasks.say_in_thread, long_tasks.say_in_loop, long_tasks.say_in_process],
    ids=["thread", "loop", "process"],
)
def test_it_is_known_wherever_a_task_runs(executor, task):
    executor("-t", "1", "--workers", "1")
    call = task.delay()
    assert json.loads(call.result(wait=20)) == {"call": call.id, "task": task.name, "attempt": 1}
