"""Simulated accidents end as real ones do."""

import pytest

from django_tpq.futures import ExecutorLost
from django_tpq.futures.errors import CallTimeout
from django_tpq.futures.here import interferences
from django_tpq.futures.models import CallQueue, Task
from django_tpq.testing import clock, run_pending, simulate_crash, simulate_timeout
from tests.backend import work
from tests.testapp import tasks

pytestmark = pytest.mark.django_db


def test_a_lost_call_is_delivered_again():
    future, other = tasks.add.delay(1, 2), tasks.echo.delay()
    with simulate_crash(tasks.add):
        ran = run_pending()
    assert [(each.task.rpartition(".")[2], each.outcome) for each in ran] == [
        ("add", "lost"),
        ("add", "returned"),  # a suspect runs before others
        ("echo", "returned"),
    ]
    assert (future.result(), other.is_done()) == (3, True)


def test_it_does_not_run_when_it_is_lost():
    tasks.tag.delay("x")
    with simulate_crash(tasks.tag, times=2):
        assert [ran.outcome for ran in run_pending(limit=2)] == ["lost", "lost"]
    call = CallQueue.objects.get()
    assert (call.state, call.deliveries, call.attempt) == ("ready", 2, 0)
    assert [each["error"] for each in call.errors] == ["the executor was lost while it ran"] * 2
    assert call.errors[0]["consumer"] < 0


@pytest.mark.parametrize("transaction", [True, False], indirect=True)
def test_after_the_last_delivery_it_is_dead(transaction):
    future = tasks.add.delay(1, 2)
    with simulate_crash(tasks.add, times=3):
        ran = run_pending()
    assert [each.outcome for each in ran] == ["lost"] * 3
    assert isinstance(ran[-1].exception, ExecutorLost)
    with pytest.raises(ExecutorLost, match="3 times"):
        future.result(wait=0)
    assert CallQueue.objects.get().state == "dead"
    assert Task.objects.get(name="tests.testapp.tasks.add").failures == 1


@pytest.fixture
def transaction(request):
    request.getfixturevalue("transactional_db" if request.param else "db")


def test_it_raises_when_it_is_told_to():
    tasks.add.using(max_deliveries=1).delay(1, 2)
    with simulate_crash(tasks.add), pytest.raises(ExecutorLost):
        run_pending(raises=True)


def test_only_the_task_that_was_named_is_hit():
    tasks.mail.delay("ada")
    with pytest.raises(AssertionError, match=r"1 runs of .*add were to be lost, but there were 0"):
        crash_another()


def crash_another():
    with simulate_crash("tests.testapp.tasks.add"):
        assert [ran.outcome for ran in run_pending()] == ["returned"]


def test_a_timeout_is_an_error_of_the_call():
    future = tasks.tag.delay("x")
    with simulate_timeout(tasks.tag):
        (ran,) = run_pending()
    assert ran.outcome == "raised"
    with pytest.raises(CallTimeout, match=r"tests\.testapp\.tasks\.tag"):
        future.result()
    with pytest.raises(TimeoutError):
        future.result()
    assert CallQueue.objects.get().errors[0]["type"] == "django_tpq.futures.errors.CallTimeout"


def test_a_timeout_is_an_attempt():
    future = tasks.stumble.delay(0)
    with simulate_timeout(tasks.stumble, times=2):
        assert [ran.outcome for ran in run_pending()] == ["again", "again", "returned"]
    assert future.result() == 3


def test_a_timeout_waits_for_its_next_attempt():
    tasks.stumble.using(backoff=60).delay(0)
    with simulate_timeout(tasks.stumble), clock() as moved:
        assert [ran.outcome for ran in run_pending()] == ["again"]
        moved.advance(minutes=1)
        assert [ran.outcome for ran in run_pending()] == ["returned"]


def test_both_happen_to_coroutines_and_to_djangos_tasks():
    results = [tasks.add_async.delay(1, 2), work.add.enqueue(1, 2)]
    with simulate_timeout(tasks.add_async), simulate_timeout(work.add):
        assert [ran.outcome for ran in run_pending()] == ["raised", "raised"]
    with pytest.raises(CallTimeout):
        results[0].result()
    results[1].refresh()
    assert results[1].errors[0].exception_class is CallTimeout
    results = [tasks.add_async.delay(1, 2), work.add.enqueue(1, 2)]
    with simulate_crash(tasks.add_async), simulate_crash(work.add):
        assert len(run_pending()) == 4
    results[1].refresh()
    assert (results[0].result(), results[1].return_value) == (3, 3)


def test_nothing_is_left_of_them():
    with pytest.raises(ZeroDivisionError), simulate_crash(tasks.add):
        raise ZeroDivisionError
    assert interferences.get() == ()
    future = tasks.add.delay(1, 2)
    run_pending()
    assert future.result() == 3


@pytest.mark.parametrize("times", [0, -1, True, 1.5])
def test_nonsense_is_refused(times):
    with pytest.raises(ValueError, match="times must be"), simulate_crash(tasks.add, times=times):
        pass
