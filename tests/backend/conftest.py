"""What becomes of Django's tasks, step by step, and what Django's signals tell of it."""

import asyncio

import pytest
from django.db import connection

from django_tpq.backend.compat import task_enqueued, task_finished, task_started
from django_tpq.futures.delivery import Ended
from tests.futures.conftest import by_hand

__all__ = ["by_hand"]

SIGNALS = {task_enqueued: "enqueued", task_started: "started", task_finished: "finished"}


@pytest.fixture
def tended(transactional_db):
    """Nothing that has finished is left at the end."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tpq_finished")


@pytest.fixture
def arun(by_hand):
    """Enqueue a call and run it in an event loop, as the lane for that does; its result."""

    def arun(task, *args):
        result = task.enqueue(*args)
        (call,) = by_hand.claim()
        outcome = asyncio.run(by_hand.runner.arun(call))
        by_hand.settle(Ended(by_hand.tables[call.queue], call, outcome))
        result.refresh()
        return result

    return arun


@pytest.fixture
def told():
    """What the signals say: which it is, the status, the types of the errors, the value."""
    told = []

    def receive(sender, task_result, signal, **_):
        kinds = [error.exception_class.__name__ for error in task_result.errors]
        told.append((SIGNALS[signal], str(task_result.status), kinds, task_result._return_value))

    for signal in SIGNALS:
        signal.connect(receive)
    yield told
    for signal in SIGNALS:
        signal.disconnect(receive)
