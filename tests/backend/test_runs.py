"""Runs of Django's tasks: what their results say, and what Django's signals are told, whatever they end with."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from django_tpq.backend.compat import TaskResultDoesNotExist, TaskResultStatus, task_finished
from django_tpq.futures import Future, endings
from django_tpq.futures.atomically import Atomic
from django_tpq.futures.errors import CallCancelled, CallExpired
from django_tpq.futures.models import CallQueue
from django_tpq.futures.runner import Runner
from tests.backend import choices, work
from tests.backend.work import BACKEND

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tended")]
FAILED, READY, SUCCESSFUL = (TaskResultStatus[name] for name in ("FAILED", "READY", "SUCCESSFUL"))


def test_a_coroutine_runs_in_the_loop_and_its_signals_are_told(arun, told):
    result = arun(work.add_async, 1, 2)
    assert (result.status, result.return_value, result.attempts) == (SUCCESSFUL, 3, 1)
    assert told == [
        ("enqueued", "READY", [], None),
        ("started", "RUNNING", [], None),
        ("finished", "SUCCESSFUL", [], 3),
    ]


def test_a_coroutine_may_take_its_context(arun):
    result = arun(choices.look, "word")
    assert result.return_value == ["word", 1, result.id, "RUNNING"]


def test_a_coroutine_that_fails_says_how_to_all_who_listen(arun, told, caplog):
    with caplog.at_level("INFO"):
        result = arun(choices.fail, "bad luck")
    assert (result.status, result.errors[0].exception_class) == (FAILED, ValueError)
    assert told[-1] == ("finished", "FAILED", ["ValueError"], None)
    (record,) = [r for r in caplog.records if "state=FAILED" in r.getMessage()]
    assert record.exc_info[0] is ValueError
    assert result.id in record.getMessage()


def test_without_receivers_nothing_is_looked_up(by_hand, django_assert_num_queries):
    work.add.enqueue(1, 2)
    work.fail.enqueue("x")
    claimed = by_hand.claim()
    with django_assert_num_queries(0):
        by_hand.run(*claimed)


def test_who_listens_may_fail_and_the_call_still_fails_as_it_did(by_hand, caplog):
    def receive(**_):
        raise RuntimeError("from a receiver")

    task_finished.connect(receive)
    try:
        result = work.fail.enqueue("bad luck")
        by_hand.work()
    finally:
        task_finished.disconnect(receive)
    result.refresh()
    assert result.errors[0].exception_class is ValueError
    assert "and so did telling it" in caplog.text


@pytest.mark.parametrize(
    ("kind", "errors", "is_over"),
    [
        ("os", ["OSError"], False),
        ("file", ["FileNotFoundError"], True),
        ("value", ["ValueError"], True),
        ("reject", ["Reject"], True),
    ],
)
def test_it_is_told_to_be_over_when_it_is(by_hand, told, kind, errors, is_over):
    result = choices.fetch.enqueue(kind)
    by_hand.work()
    result.refresh()
    assert [error.exception_class.__name__ for error in result.errors] == errors
    assert result.status == (FAILED if is_over else READY)
    assert ("finished", "FAILED", errors, None) in told or not is_over
    assert len(told) == 2 + is_over


def test_after_the_last_attempt_it_is_told_with_all_errors(by_hand, told):
    result = choices.again.enqueue()
    by_hand.work()
    assert len(told) == 2
    by_hand.work()
    result.refresh()
    assert (result.status, result.attempts) == (FAILED, 2)
    kinds = [error.exception_class.__name__ for error in result.errors]
    assert told[-1] == ("finished", "FAILED", kinds, None)
    assert kinds == ["Retry", "OSError"]


def test_a_task_may_have_itself_run_later(by_hand, told, monkeypatch):
    monkeypatch.setattr(endings, "SHORTEST_SNOOZE", timedelta(0))
    result = choices.snooze.enqueue()
    by_hand.work()
    result.refresh()
    assert (result.status, result.attempts, result.errors) == (READY, 0, [])
    by_hand.work()
    result.refresh()
    assert (result.return_value, told[-1][:2]) == ("awake", ("finished", "SUCCESSFUL"))
    assert [name for name, *_ in told] == ["enqueued", "started", "started", "finished"]


def test_what_is_no_json_is_never_told_to_be_a_success(by_hand, told):
    result = choices.not_a_number.enqueue()
    by_hand.work()
    result.refresh()
    assert (result.status, result.errors[0].exception_class) == (FAILED, ValueError)
    assert [status for name, status, *_ in told if name == "finished"] == ["FAILED"]


def test_what_has_expired_has_failed_and_never_ran(by_hand, told):
    result = choices.too_late.enqueue()
    by_hand.work()
    result.refresh()
    assert (result.status, result.errors[0].exception_class) == (FAILED, CallExpired)
    assert "had not begun when its time was over" in result.errors[0].traceback
    assert [name for name, *_ in told] == ["enqueued"]


def test_what_is_cancelled_before_it_runs_has_failed_without_an_attempt(transactional_db):
    result = work.add.enqueue(1, 2)
    assert Future.get(result.id).cancel()
    result.refresh()
    assert (result.status, result.errors[0].exception_class) == (FAILED, CallCancelled)
    assert (result.attempts, result.started_at, result.last_attempted_at) == (0, None, None)
    assert result.finished_at >= result.enqueued_at


def test_what_was_refused_says_so_and_not_that_its_executor_died(by_hand, settings):
    result = work.add.enqueue(1, 2)
    ours, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    by_hand.work()
    settings.SECRET_KEY = ours
    result.refresh()
    assert result.status == FAILED
    assert result.errors[0].exception_class.__name__ == "BadSignature"
    assert "the payload's signature is wrong" in result.errors[0].traceback


def test_a_row_that_was_changed_is_nobodys_result_and_imports_nothing(transactional_db):
    result = work.add.enqueue(1, 2)
    CallQueue.objects.update(task="antigravity.fly")
    with pytest.raises(TaskResultDoesNotExist, match="the payload's signature is wrong"):
        BACKEND.get_result(result.id)


def test_a_call_and_its_rows_are_one_transaction(by_hand):
    by_hand.runner = Runner(atomically=Atomic(by_hand.delivery))
    good, bad, broken = (
        choices.create.enqueue("ada"),
        choices.create.enqueue("eve", "no"),
        choices.spoil.enqueue(),
    )
    by_hand.work()
    for result in (good, bad, broken):
        result.refresh()
    assert (good.return_value, bad.status, broken.status) == (True, FAILED, FAILED)
    assert list(User.objects.values_list("username", flat=True)) == ["ada"]
    assert broken.errors[0].exception_class.__name__ == "ProgrammingError"
