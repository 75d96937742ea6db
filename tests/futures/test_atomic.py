"""Tasks with `atomic`: what they write and their end are one transaction."""

import psycopg
import pytest
from django.db import OperationalError, connections, transaction

from django_tpq.futures import atomically
from django_tpq.futures.atomically import Atomic
from django_tpq.futures.executor import tables
from django_tpq.futures.models import CallQueue, Task
from django_tpq.futures.outcomes import Again, Failure, Postponed, Settled
from django_tpq.futures.runner import Runner
from django_tpq.main.connections import connect
from tests.testapp import long_tasks as tasks
from tests.testapp.models import PlainQueue


@pytest.fixture
def atomic(by_hand):
    """Run claimed calls as threads of an executor do; what is left to settle."""
    by_hand.runner = Runner(atomically=Atomic(by_hand.delivery))
    return by_hand


@pytest.fixture
def bodies():
    return lambda: sorted(PlainQueue.objects.values_list("body", flat=True))


def test_body_and_end_are_committed_together(atomic, bodies):
    call = tasks.enqueue_once.delay("a")
    ((_, _, outcome),) = ended = atomic.run(*atomic.claim())
    assert type(outcome) is Settled
    assert bodies() == ["a"]
    assert not CallQueue.objects.exists()
    atomic.settle(*ended)
    assert call.result(wait=5) == "a"


def test_what_fails_leaves_nothing_and_has_its_attempts(atomic, bodies):
    call = tasks.enqueue_and_stumble.delay("a")
    ((_, _, outcome),) = ended = atomic.run(*atomic.claim())
    assert type(outcome) is Again
    assert bodies() == []
    atomic.settle(*ended)
    CallQueue.objects.update(state="ready", due_at=None)
    atomic.settle(*atomic.run(*atomic.claim()))
    assert call.result(wait=5) == 2
    assert bodies() == ["a"]


def test_who_has_lost_the_call_commits_nothing(atomic, bodies):
    tasks.enqueue_once.delay("a")
    (late,) = atomic.claim()
    atomic.tables["default"].release([(late.id, late.claim_no)])
    (claimed,) = atomic.claim()
    first, second = atomic.run(claimed), atomic.run(late)
    assert bodies() == ["a"]
    atomic.settle(*second)
    atomic.settle(*first)
    assert not CallQueue.objects.exists()


def test_a_failed_commit_is_tried_again_and_counts_no_attempt(atomic, bodies, monkeypatch):
    def commit(self):
        raise OperationalError("could not serialize access")

    tasks.enqueue_once.delay("a")
    claimed = atomic.claim()
    with monkeypatch.context() as patch:
        patch.setattr(type(connections["default"]), "_commit", commit)
        ((_, _, outcome),) = ended = atomic.run(*claimed)
    assert type(outcome) is Postponed
    assert bodies() == []
    atomic.settle(*ended)
    row = CallQueue.objects.get()
    assert (row.state, row.attempt) == ("waiting", 0)


@pytest.mark.parametrize("name", ["DeadlockDetected", "SerializationFailure", "DiskFull", "AdminShutdown"])
def test_what_the_server_rolls_back_is_tried_again_and_counts_no_attempt(atomic, bodies, caplog, name):
    call = tasks.fail_for_the_server.delay("a", name)
    ((_, _, outcome),) = ended = atomic.run(*atomic.claim())
    assert type(outcome) is Postponed
    assert bodies() == []
    assert "was rolled back, and is tried again: the server's own text" in caplog.text
    atomic.settle(*ended)
    assert CallQueue.objects.get().attempt == 0
    CallQueue.objects.update(state="ready", due_at=None)
    atomic.settle(*atomic.run(*atomic.claim()))
    assert call.result(wait=5) == "a"
    assert bodies() == ["a"]


@pytest.mark.parametrize("name", ["QueryCanceled", "LockNotAvailable", "UniqueViolation"])
def test_other_errors_of_the_server_are_the_tasks(atomic, bodies, name):
    tasks.fail_for_the_server.delay("a", name)
    ((_, _, outcome),) = atomic.run(*atomic.claim())
    assert type(outcome) is Failure
    assert bodies() == []


def test_what_never_passes_is_the_tasks_in_the_end(atomic, monkeypatch):
    monkeypatch.setattr(atomically, "PATIENCE", 0)
    tasks.fail_for_the_server.delay("a", "DiskFull")
    ((_, _, outcome),) = atomic.run(*atomic.claim())
    assert type(outcome) is Failure


def test_a_call_that_breaks_its_connection_every_time_fails_in_the_end(atomic, monkeypatch):
    monkeypatch.setattr(atomically, "PATIENCE", 2)
    tasks.break_its_connection.delay()
    outcomes = []
    for _ in range(3):
        ((_, _, outcome),) = ended = atomic.run(*atomic.claim())
        outcomes.append(type(outcome))
        atomic.settle(*ended)
        CallQueue.objects.filter(state="waiting").update(state="ready", due_at=None)
    assert outcomes == [Postponed, Postponed, Failure]
    assert CallQueue.objects.get().state == "dead"


def test_one_that_comes_again_with_a_batch_is_counted_once(atomic):
    """Of a batch that failed to leave."""
    tasks.enqueue_once.delay("a")
    settled = atomic.run(*atomic.claim())
    tasks.enqueue_and_stumble.delay("b")
    other = atomic.run(*atomic.claim())
    assert [type(e.outcome) for e in settled + other] == [Settled, Again]
    with connect("default") as closed:
        pass
    broken = [e._replace(table=tables(["default"], closed)["default"]) for e in other]
    with pytest.raises(psycopg.OperationalError):
        atomic.delivery.settle(closed, settled + broken, again=False)
    atomic.settle(*settled, *other, again=True)
    atomic.tally.flush(atomic.connection)
    assert Task.objects.get(name="tests.testapp.long_tasks.enqueue_once").total == 1


@pytest.mark.parametrize("place", ["thread", "process"])
def test_a_call_whose_connection_breaks_is_tried_again_and_counts_no_attempt(executor, bodies, place):
    executor("-t", "1", "--workers", "1")
    call = tasks.lose_its_connection.using(executor=place).delay("a")
    assert call.result(wait=20) == 2
    assert bodies() == ["a"]


def test_what_fails_after_the_commit_does_not_undo_it(atomic, bodies, monkeypatch, caplog):
    limit = atomically._limit

    def limited(alias, seconds):
        limit(alias, seconds)
        transaction.on_commit(lambda: 1 / 0, using=alias)

    monkeypatch.setattr(atomically, "_limit", limited)
    call = tasks.enqueue_once.delay("a")
    ((_, _, outcome),) = ended = atomic.run(*atomic.claim())
    assert type(outcome) is Settled
    assert "is committed, but what follows its commit failed" in caplog.text
    atomic.settle(*ended)
    assert call.result(wait=5) == "a"


def test_an_executor_counts_them_and_runs_them_in_processes_too(executor, bodies, eventually):
    executor("-t", "2", "--workers", "1")
    futures = tasks.enqueue_once.delay_many([(n,) for n in range(50)])
    assert [future.result(wait=30) for future in futures] == list(range(50))
    assert tasks.enqueue_in_process.delay(50).result(wait=20)
    assert bodies() == list(range(51))

    def are_counted():
        assert Task.objects.get(name="tests.testapp.long_tasks.enqueue_once").total == 50

    eventually(are_counted, 10)
