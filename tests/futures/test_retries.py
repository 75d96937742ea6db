"""A call that fails has its attempts, each after its wait; its last error is raised, and each is kept."""

import dataclasses
import pickle
from datetime import timedelta

import pytest
from django.db import connection

from django_tpq.futures import Exponential, Reject, Retry, Snooze, TaskFailed, endings, task
from django_tpq.futures.models import CallQueue, Task
from django_tpq.futures.options import Options, TaskOptions
from django_tpq.futures.outcomes import Again, Failure, Postponed
from tests.testapp import tasks
from tests.testapp.tasks import Trouble

DAY = timedelta(days=1)


def wait_of(outcome):
    assert type(outcome) is Again
    return outcome.delay.total_seconds()


@pytest.fixture
def attempt(by_hand):
    """Run a call whose attempts so far are set; what it ended with."""

    def attempt(task, *args, before=0):
        task.delay(*args)
        CallQueue.objects.update(attempt=before)
        ((_, _, outcome),) = by_hand.run(*by_hand.claim())
        return outcome

    return attempt


# What is decided ------------------------------------------------------------------------------------------


def test_without_more_attempts_a_failure_is_final(outcome):
    assert type(outcome(tasks.fail, "once")) is Failure


def test_the_last_attempt_is_final(attempt):
    assert type(attempt(tasks.stumble, 9, before=1)) is Again
    CallQueue.objects.all().delete()
    assert type(attempt(tasks.stumble, 9, before=2)) is Failure


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("x"), Again),
        (TimeoutError("a kind of OSError"), Again),
        (ValueError("x"), Again),
        (FileNotFoundError("given up on"), Failure),
        (KeyError("not asked for"), Failure),
    ],
)
def test_the_error_decides(outcome, error, kind):
    assert type(outcome(tasks.stumble_over, error)) is kind


def test_what_would_end_the_process_is_no_reason_for_another_attempt(outcome):
    assert type(outcome(tasks.stumble_over, KeyboardInterrupt())) is Failure


@pytest.mark.parametrize(("before", "wait"), [(0, 2.0), (1, 4.0), (2, None), (3, 8.0)])
def test_a_backoff_may_be_a_function_that_may_give_up(attempt, before, wait):
    outcome = attempt(tasks.stumble_in_its_own_way, before=before)
    assert (wait_of(outcome) if wait else type(outcome)) == (wait or Failure)


@pytest.mark.parametrize(("before", "wait"), [(0, 1.0), (1, 2.0)])
def test_retry_waits_as_the_backoff_says_or_as_it_says_itself(attempt, before, wait):
    assert wait_of(attempt(tasks.ask_for_another, None, before=before)) == wait
    CallQueue.objects.all().delete()
    assert wait_of(attempt(tasks.ask_for_another, 90, before=before)) == 90


def test_retry_is_counted_and_the_last_one_raises_its_cause(attempt, by_hand, done):
    future = tasks.ask_for_another.delay(0, Trouble("cause"))
    CallQueue.objects.update(attempt=2)
    by_hand.work()
    with pytest.raises(Trouble, match="cause"):
        future.result()
    future = tasks.ask_for_another.using(max_attempts=1).delay(0)
    by_hand.work()
    with pytest.raises(Retry):
        future.result()


def test_reject_gives_up_at_once(done):
    future = done(tasks.reject, "no such account")
    with pytest.raises(Reject, match="no such account"):
        future.result()
    assert CallQueue.objects.get().state == "dead"


@pytest.mark.parametrize("duration", [-5, -0.1, timedelta(seconds=-1)])
def test_nothing_snoozes_into_the_past(duration):
    with pytest.raises(ValueError, match="Snooze: a call can not run again"):
        Snooze(in_=duration)
    with pytest.raises(TypeError, match="a duration is seconds or a timedelta"):
        Snooze(in_=str(duration))


def test_a_snooze_can_be_pickled_and_compared():
    assert pickle.loads(pickle.dumps(Snooze(60))) == Snooze(in_=60) != Snooze(61)


def test_a_snooze_lasts_a_second_at_least(by_hand, tmp_path):
    tasks.snooze.delay(str(tmp_path / "there"))
    by_hand.work()
    row = CallQueue.objects.get()
    assert (row.state, row.attempt) == ("waiting", 0)
    assert row.due_at - row.enqueued_at >= timedelta(seconds=1)


def test_snooze_counts_nothing(outcome, by_hand, tmp_path, monkeypatch):
    monkeypatch.setattr(endings, "SHORTEST_SNOOZE", timedelta(0))
    assert type(outcome(tasks.snooze, str(tmp_path / "there"))) is Postponed
    CallQueue.objects.all().delete()
    future = tasks.snooze.delay(str(tmp_path / "there"))
    for _ in range(3):
        by_hand.work()
    row = CallQueue.objects.get()
    assert (row.state, row.attempt, row.claim_no, row.error, row.errors) == ("ready", 0, 3, None, None)
    (tmp_path / "there").touch()
    by_hand.work()
    assert future.result() == 4


# What becomes of it ---------------------------------------------------------------------------------------


def test_a_call_that_stumbles_returns_in_the_end_and_counts_once(by_hand):
    future = tasks.stumble.delay(2)
    for _ in range(2):
        by_hand.work()
        assert not future.is_done()
    by_hand.work()
    assert future.result() == 3
    with connection.cursor():
        by_hand.tally.flush(by_hand.connection)
    seen = Task.objects.get(name=tasks.stumble.name)
    assert (seen.total, seen.failures) == (1, 0)


def test_the_last_error_is_raised_and_each_is_kept(by_hand):
    future = tasks.stumble.delay(9)
    for _ in range(3):
        by_hand.work()
    with pytest.raises(Trouble) as caught:
        future.result()
    assert caught.value.args == ("attempt", 3)
    dead = CallQueue.objects.get()
    assert (dead.state, dead.attempt) == ("dead", 3)
    assert [entry["error"].strip().splitlines()[-1] for entry in dead.errors] == [
        f"tests.testapp.tasks.Trouble: ('attempt', {number})" for number in (1, 2, 3)
    ]
    assert all(entry["at"] and entry["consumer"] for entry in dead.errors)


def test_the_wait_is_kept_by_the_database(by_hand):
    tasks.stumble_over.delay(OSError())
    by_hand.work()
    row = CallQueue.objects.get()
    assert row.state == "waiting"
    assert 55 < (row.due_at - row.enqueued_at).total_seconds() < 70


def test_a_real_executor_tries_again_in_time(executor):
    executor("-t", "2")
    futures = [tasks.stumble.using(backoff=wait).delay(2) for wait in (0, 0.2, timedelta(seconds=0.1))]
    assert [future.result(wait=20) for future in futures] == [3, 3, 3]


# A call's own options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "low", "high"),
    [
        (30, 30, 30),
        (timedelta(minutes=2), 120, 120),
        (Exponential(base=timedelta(seconds=8), jitter=0), 8, 8),
        (Exponential(base=timedelta(seconds=100), limit=timedelta(seconds=10), jitter=0.5), 5, 10),
    ],
)
def test_a_call_may_have_a_backoff_and_attempts_of_its_own(outcome, backoff, low, high):
    ended = outcome(tasks.fail.using(max_attempts=2, backoff=backoff), "text")
    assert low <= wait_of(ended) <= high


@pytest.mark.parametrize(
    "options", [{"backoff": lambda error, attempt: 1}, {"retry_on": OSError}, {"give_up_on": OSError}]
)
def test_code_can_not_travel_with_a_call(transactional_db, options):
    with pytest.raises(TypeError, match=r"task tests.testapp.tasks.fail: .* give it to @task"):
        tasks.fail.using(**options).delay("text")
    assert not CallQueue.objects.exists()


@pytest.mark.parametrize(
    "headers", [{"backoff": "soon"}, {"backoff": [1]}, {"backoff": [1, 2, "x"]}, {"backoff": -1}]
)
def test_headers_that_do_not_fit_are_as_if_they_were_not_there(by_hand, headers):
    tasks.stumble_over.delay(OSError())
    CallQueue.objects.update(headers=headers)
    ((_, _, outcome),) = by_hand.run(*by_hand.claim())
    assert wait_of(outcome) == 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_attempts": 0}, "max_attempts must be a whole number from 1"),
        ({"max_attempts": True}, "max_attempts"),
        ({"backoff": None}, "backoff must be a duration"),
        ({"backoff": -1}, "backoff must be from 0"),
        ({"backoff": "soon"}, "backoff must be seconds or a timedelta"),
        ({"retry_on": "OSError"}, "retry_on must be an exception type"),
        ({"retry_on": (OSError, 3)}, "retry_on must be an exception type"),
        ({"give_up_on": [OSError]}, "give_up_on must be an exception type"),
    ],
)
def test_options_that_do_not_fit_are_refused_when_the_module_loads(options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        task(**options)(tasks.every_second_time)


def test_a_backoff_that_raises_fails_the_call_with_its_own_error(by_hand, monkeypatch):
    future = tasks.stumble_in_its_own_way.delay()
    options = tasks.stumble_in_its_own_way.options.replaced({"backoff": lambda error, attempt: 1 / 0})
    monkeypatch.setattr(tasks.stumble_in_its_own_way, "options", options)
    by_hand.work()
    with pytest.raises(ZeroDivisionError):
        future.result()


def test_a_lost_executor_is_no_attempt(executor, tmp_path):
    executor("-t", "1")
    future = tasks.poison.using(max_attempts=5).delay(str(tmp_path / "notes"))
    with pytest.raises(TaskFailed):
        future.result(wait=30)
    assert CallQueue.objects.get().attempt == 0
    assert len(CallQueue.objects.get().errors) == 3


def test_a_type_checker_knows_the_options_there_are():
    assert list(Options.__annotations__) == [field.name for field in dataclasses.fields(TaskOptions)]


def test_the_type_of_each_error_is_kept(by_hand):
    tasks.stumble.delay(1)
    by_hand.work()
    assert CallQueue.objects.get().errors[0]["type"] == "tests.testapp.tasks.Trouble"
