"""Signals around a call, each with the task's name and the future's id."""

import pytest

from django_tpq.futures.models import CallQueue
from django_tpq.futures.signals import task_enqueued, task_finished, task_started
from tests.testapp import tasks

SIGNALS = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}


@pytest.fixture
def told():
    """What the signals told, in order."""
    told, listeners = [], []
    for name, signal in SIGNALS.items():

        def listen(sender, task, call, name=name, failed=None, **_):
            told.append((name, task, call, failed))

        signal.connect(listen)
        listeners.append((signal, listen))
    yield told
    for signal, listen in listeners:
        signal.disconnect(listen)


def test_a_call_is_enqueued_started_and_finished(told, done):
    future = done(tasks.add, 1, 2)
    name = "tests.testapp.tasks.add"
    assert told == [
        ("enqueued", name, future.id, None),
        ("started", name, future.id, None),
        ("finished", name, future.id, False),
    ]


def test_a_failure_is_finished_as_one(told, done):
    future = done(tasks.fail, "boo")
    assert told[-1] == ("finished", "tests.testapp.tasks.fail", future.id, True)


def test_finished_is_told_after_the_settling_and_not_before(told, by_hand):
    tasks.add.delay(1, 2)
    ended = by_hand.run(*by_hand.claim())
    assert [name for name, *_ in told] == ["enqueued", "started"]
    by_hand.settle(*ended)
    assert [name for name, *_ in told] == ["enqueued", "started", "finished"]


def test_a_call_that_is_not_run_is_not_told(told, by_hand):
    tasks.add.delay(1, 2)
    CallQueue.objects.update(task="not.here")
    by_hand.work()
    assert [name for name, *_ in told] == ["enqueued"]


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
def test_a_receiver_that_fails_changes_nothing(done, signal, caplog):
    def fail(**_):
        raise OSError("receiver")

    signal.connect(fail)
    try:
        assert done(tasks.add, 1, 2).result() == 3
    finally:
        signal.disconnect(fail)
    assert "receiver" in caplog.text
