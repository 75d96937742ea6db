"""Django's tasks on our engine: enqueued, run by an executor, looked at from any process."""

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import override_settings

from django_tpq.backend import task
from django_tpq.backend.compat import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from django_tpq.futures.arguments import seen
from django_tpq.futures.masking import MASK
from django_tpq.futures.models import CallQueue, Finished
from tests.backend import work
from tests.backend.work import BACKEND

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tended")]
NOT_THERE = ["", "123", "x" * 300, "a\0b", "default:1:" + "A" * 22, "nowhere:1:" + "A" * 22, None, 3]


@pytest.fixture
def finished(by_hand):
    """Enqueue and run; the result, refreshed."""

    def finished(task, *args, **kwargs):
        result = task.enqueue(*args, **kwargs)
        by_hand.work()
        result.refresh()
        return result

    return finished


# In -------------------------------------------------------------------------------------------------------


def test_a_result_is_found_again_as_it_was_enqueued(transactional_db):
    result = work.echo.using(priority=5).enqueue(1, "two", three=[4, None, {"five": 6.5}])
    assert result == work.echo.get_result(result.id)
    assert (result.status, result.attempts, result.errors, result.worker_ids) == (
        TaskResultStatus.READY,
        0,
        [],
        [],
    )
    assert (result.started_at, result.finished_at, result.last_attempted_at) == (None, None, None)
    assert result.enqueued_at.utcoffset() == timedelta(0)
    assert (result.args, result.kwargs, result.backend) == (
        [1, "two"],
        {"three": [4, None, {"five": 6.5}]},
        "default",
    )
    assert len(result.id) < 64
    assert CallQueue.objects.get().priority == 5


def test_it_is_part_of_the_transaction(transactional_db):
    with transaction.atomic():
        result = work.add.enqueue(1, 2)
        assert work.add.get_result(result.id) == result
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        work.add.get_result(result.id)


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), b"\xff", {("a", 1): 2}])
def test_what_is_no_json_leaves_nothing_behind(transactional_db, value):
    told = []
    task_enqueued.connect(told.append)
    with transaction.atomic():
        with pytest.raises((TypeError, ValueError)):
            work.echo.enqueue(value)
        assert CallQueue.objects.count() == 0
    assert told == []


@pytest.mark.parametrize("value", ["a\0b", "\ud800", {1: 2}, (1, (2, 3)), b"text", {"": ""}, 2**70])
def test_odd_values_come_back_as_they_were_said_to_be(by_hand, value):
    result = work.echo.enqueue(value)
    found = work.echo.get_result(result.id)
    assert found.args == result.args == json.loads(json.dumps(result.args))
    by_hand.work()
    found.refresh()
    assert found.return_value == [result.args, {}]


@pytest.mark.parametrize("number", NOT_THERE)
def test_an_id_that_is_none_is_not_there_and_breaks_no_transaction(transactional_db, number):
    with transaction.atomic():
        with pytest.raises(TaskResultDoesNotExist):
            work.add.get_result(number)
        assert CallQueue.objects.count() == 0


def test_a_result_is_its_backends_own(transactional_db):
    result = work.add.using(backend="second", queue_name="anything").enqueue(1, 2)
    assert work.add.using(backend="second").get_result(result.id).task.queue_name == "anything"
    with pytest.raises(TaskResultDoesNotExist):
        work.add.get_result(result.id)


def test_our_own_calls_are_none_of_its_results(transactional_db):
    from tests.testapp import tasks

    with pytest.raises(TaskResultDoesNotExist):
        work.add.get_result(tasks.add.delay(1, 2).id)


def test_a_task_is_validated_again_when_it_is_enqueued(transactional_db):
    with override_settings(
        TASKS={"default": {"BACKEND": "django_tpq.backend.PostgreSQLBackend", "QUEUES": ["x"]}}
    ):
        with pytest.raises(InvalidTask):
            work.add.enqueue(1, 2)
    assert CallQueue.objects.count() == 0


def test_a_queue_of_ours_has_a_table_of_its_own_and_any_other_name_is_kept(by_hand):
    from tests.testapp.models import MailQueue

    mail = work.mail.enqueue("ada")
    other = work.add.using(queue_name="other").enqueue(1, 2)
    assert (MailQueue.objects.get().priority, mail.task.queue_name) == (7, "mail")
    assert work.add.get_result(other.id).task.queue_name == "other"
    by_hand.work("mail")
    mail.refresh()
    assert mail.return_value == "to ada"


@pytest.mark.parametrize("in_", [timedelta(seconds=0.4), timedelta(days=1)])
def test_run_after_is_kept_with_its_moment(transactional_db, in_):
    moment = datetime.now(UTC) + in_
    result = work.add.using(run_after=moment).enqueue(1, 2)
    assert work.add.get_result(result.id).task.run_after == moment
    row = CallQueue.objects.get()
    assert (row.state, row.due_at) == ("waiting", moment)


def test_many_are_enqueued_in_a_few_statements(by_hand, django_assert_max_num_queries):
    told = []
    calls = [(work.add, (number, 1), {}) for number in range(200)] + [(work.echo, (), {"a": 1})]
    receiver = lambda sender, task_result, **_: told.append(task_result)  # noqa: E731
    task_enqueued.connect(receiver)
    try:
        with django_assert_max_num_queries(12):
            results = BACKEND.enqueue_all(calls)
    finally:
        task_enqueued.disconnect(receiver)
    assert told == results
    assert [result.args for result in results] == [list(args) for _, args, _ in calls]
    assert work.add.get_result(results[7].id) == results[7]
    by_hand.work()
    assert work.add.get_result(results[7].id).return_value == 8


def test_of_many_all_are_enqueued_or_none(transactional_db):
    with pytest.raises(TypeError):
        BACKEND.enqueue_all([(work.add, (1, 2), {}), (work.add, (object(),), {})])
    assert CallQueue.objects.count() == 0


def test_the_decorator_takes_options_of_ours(by_hand):
    result = work.stumble.enqueue()
    assert CallQueue.objects.get().max_attempts == 3
    by_hand.work()
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == (TaskResultStatus.READY, 1, 1)
    by_hand.work()
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 2, 2)
    assert result.started_at < result.last_attempted_at


def test_what_a_task_says_is_secret_is_not_shown(transactional_db, monkeypatch):
    made = task(secret=("password",), takes_context=True)(work.login)
    monkeypatch.setattr(work, "login", made)
    result = made.enqueue("ada", "hunter2")
    assert seen("default", CallQueue.objects.get()) == "('ada', ••••)"
    with pytest.raises(TypeError) as caught:
        made.enqueue("ada", password=object())
    assert "hunter2" not in str(caught.value)
    for told in (
        result,
        made.enqueue("ada", password="hunter2"),
        made.get_result(result.id),
        copy.copy(result),
    ):
        assert "hunter2" not in repr(told)
        assert "'ada'" in repr(told)
        assert MASK in repr(told)
    assert result.args == ["ada", "hunter2"]


# Out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [work.add, work.add_async])
def test_a_call_that_ended_well_is_kept(finished, task):
    result = finished(task, 1, b=2)
    assert (result.status, result.return_value, result.is_finished) == (TaskResultStatus.SUCCESSFUL, 3, True)
    assert result.enqueued_at <= result.started_at == result.last_attempted_at <= result.finished_at
    assert (result.attempts, len(result.worker_ids), result.errors) == (1, 1, [])
    assert task.get_result(result.id) == result
    assert CallQueue.objects.count() == 0
    assert Finished.objects.get().task == task.module_path


def test_a_call_that_failed_says_how(finished):
    result = finished(work.fail, "bad luck")
    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert "bad luck" in error.traceback
    assert "work.py" in error.traceback
    with pytest.raises(ValueError, match="Task failed"):
        result.return_value  # noqa: B018
    assert result.started_at <= result.finished_at


@pytest.mark.parametrize(("task", "kind"), [(work.leave, SystemExit), (work.odd, TypeError)])
def test_what_can_not_be_a_result_fails(finished, task, kind):
    result = finished(task)
    assert result.errors[0].exception_class is kind


def test_a_call_that_runs_is_running(by_hand):
    result = work.add.enqueue(1, 2)
    by_hand.claim()
    result.refresh()
    assert (result.status, result.attempts, result.worker_ids) == (TaskResultStatus.RUNNING, 1, ["7"])
    assert result.started_at is not None


def test_a_task_may_take_its_context(finished):
    result = finished(work.look, "word")
    assert result.return_value == ["word", 1, result.id, "RUNNING", True]


def test_signals_tell_of_each_step(by_hand):
    told = []

    def enqueued(sender, task_result, **_):
        told.append(("enqueued", sender.__name__, str(task_result.status)))

    def started(sender, task_result, **_):
        told.append(
            ("started", sender.__name__, str(task_result.status), task_result.enqueued_at is not None)
        )

    def ended(sender, task_result, **_):
        told.append(("finished", sender.__name__, str(task_result.status), len(task_result.errors)))

    for signal, receiver in ((task_enqueued, enqueued), (task_started, started), (task_finished, ended)):
        signal.connect(receiver)
    try:
        for task in (work.add, work.fail):
            task.enqueue(*((1, 2) if task is work.add else ("x",)))
            by_hand.work()
    finally:
        for signal, receiver in ((task_enqueued, enqueued), (task_started, started), (task_finished, ended)):
            signal.disconnect(receiver)
    name = "PostgreSQLBackend"
    assert told == [
        ("enqueued", name, "READY"),
        ("started", name, "RUNNING", True),
        ("finished", name, "SUCCESSFUL", 0),
        ("enqueued", name, "READY"),
        ("started", name, "RUNNING", True),
        ("finished", name, "FAILED", 1),
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [("tests.backend.work.no_task", "is no task"), ("tests.backend.gone.task", "No module named")],
)
def test_what_is_no_task_is_never_called(by_hand, path, said, monkeypatch):
    monkeypatch.setattr(work.no_task, "__qualname__", path.rpartition(".")[2])
    from django_tpq.backend.adapter import BackendTask
    from django_tpq.futures.dispatch import insert

    forged = BackendTask(work.add)
    forged.name = forged.origin = path
    insert(forged, (), {})
    by_hand.work()
    assert said in CallQueue.objects.get(state="dead").error


def test_a_real_executor_runs_both_kinds_by_one_path(executor):
    from tests.testapp import tasks

    executor("-t", "2")
    results = [work.add.enqueue(number, 1) for number in range(50)]
    futures = [tasks.add.delay(number, 1) for number in range(50)]
    assert [future.result(wait=20) for future in futures] == list(range(1, 51))
    for _ in range(100):
        for result in results:
            result.refresh()
        if all(result.is_finished for result in results):
            break
    assert [result.return_value for result in results] == list(range(1, 51))
