"""A claimed call in, an outcome out: whatever a task does, the executor's thread goes on."""

import asyncio
import logging
import pickle
import traceback

import pytest

from django_tpq.futures import CallCancelled, Future, TaskFailed, current_call, endings, registry, task
from django_tpq.futures.endings import TEXT_LIMIT
from django_tpq.futures.models import CallQueue
from django_tpq.futures.outcomes import Failure, Success
from tests.testapp import tasks, trouble

HUGE = "x" * 3_000_000


def test_an_unknown_task_is_said_once_with_what_may_be_wrong(by_hand, caplog, monkeypatch):
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))
    made = task(name="tests.gone")(tasks.add.function)
    made.delay_many([(1, 2), (3, 4)])
    del registry._tasks["tests.gone"]
    endings._warn_of_unknown.cache_clear()
    with caplog.at_level(logging.WARNING, "django_tpq.runner"):
        by_hand.work()
        by_hand.work()
    (record,) = [record for record in caplog.records if "tests.gone" in record.getMessage()]
    assert record.levelname == "WARNING"
    for hint in ("INSTALLED_APPS", "@task(aliases=['tests.gone'])", "restart"):
        assert hint in record.getMessage()


@pytest.fixture
def raised(done):
    """What the caller gets for an exception that a task raises."""

    def raised(make):
        trouble.made[:] = [make]
        return done(trouble.fail_as_told).exception()

    return raised


def notes(error):
    return "".join(error.__notes__)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValueError("boo", 1),
        lambda: KeyError("key"),
        lambda: OSError(2, "nothing there", "file"),
        lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        lambda: StopIteration(3),
        lambda: tasks.Trouble({"deep": [1, None]}),
        TimeoutError,
        lambda: TaskFailed("as ours"),
    ],
)
def test_an_exception_comes_back_with_its_type_and_arguments(raised, make):
    error = raised(make)
    assert type(error) is type(make())
    assert error.args == make().args


def test_what_has_failed_is_logged_as_an_error_and_what_was_cancelled_is_not(raised, caplog):
    with caplog.at_level(logging.INFO, "django_tpq.runner"):
        raised(lambda: ValueError("text"))
        assert isinstance(raised(lambda: CallCancelled("enough")), CallCancelled)
    (failure, cancelled) = [record for record in caplog.records if "fail_as_told" in record.getMessage()]
    assert (failure.levelname, failure.exc_info[0]) == ("ERROR", ValueError)
    assert (cancelled.levelname, cancelled.exc_info) == ("INFO", None)
    assert "was cancelled" in cancelled.getMessage()


def test_the_remote_traceback_is_a_note_that_begins_in_the_task(raised):
    text = notes(raised(lambda: ValueError("boo")))
    assert text.startswith("Remote traceback of call default:")
    assert "raise made.pop()()" in text
    assert "runner.py" not in text


def test_the_cause_is_part_of_the_remote_traceback(raised):
    def make():
        error = ValueError("outer")
        error.__cause__ = KeyError("inner cause")
        return error

    assert "inner cause" in notes(raised(make))


def test_an_error_of_great_length_does_not_fill_the_log(by_hand, caplog):
    tasks.fail_at_length.delay(1_000_000)
    by_hand.work()
    (record,) = [record for record in caplog.records if "fail_at_length failed" in record.getMessage()]
    assert record.exc_info is None
    assert "ValueError" in record.getMessage()
    assert len(record.getMessage()) < 200_000


def test_the_remote_traceback_is_shown_where_the_exception_is(done):
    with pytest.raises(tasks.Trouble) as caught:
        done(tasks.fail, "boo").result()
    assert "raise Trouble(text, code)" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SystemExit(3), "builtins.SystemExit: 3"),
        (lambda: KeyboardInterrupt("stop"), "builtins.KeyboardInterrupt: stop"),
        (GeneratorExit, "builtins.GeneratorExit"),
        (lambda: asyncio.CancelledError("cancelled"), "CancelledError: cancelled"),
        (lambda: BaseException("bare"), "builtins.BaseException: bare"),
        (lambda: BaseExceptionGroup("group", [SystemExit(1)]), "BaseExceptionGroup: group"),
    ],
)
def test_what_would_end_the_caller_arrives_as_a_task_failed_that_names_it(raised, make, name):
    error = raised(make)
    assert type(error) is TaskFailed
    assert name in str(error)
    assert "raise made.pop()()" in notes(error)


@pytest.mark.parametrize("error", trouble.END, ids=lambda error: error.__name__)
@pytest.mark.parametrize("kind", [trouble.BadText, trouble.BadReduce])
def test_an_exception_whose_own_code_raises_is_named(raised, kind, error):
    answer = raised(lambda: kind(error))
    assert isinstance(answer, (TaskFailed, kind))
    assert kind.__name__ in notes(answer)


@pytest.mark.parametrize("error", trouble.END, ids=lambda error: error.__name__)
def test_an_exception_that_can_not_be_read_back_is_named(raised, error):
    answer = raised(lambda: trouble.BadInit(error, is_first=True))
    assert type(answer) is TaskFailed
    assert "BadInit" in str(answer)


def test_an_exception_that_is_read_back_as_another_is_named_instead(raised):
    answer = raised(lambda: trouble.Changeling("what it was"))
    assert type(answer) is TaskFailed
    assert "Changeling: what it was" in str(answer)


def test_an_exception_that_can_not_be_compared_comes_back(raised):
    assert type(raised(trouble.BadEquality)) is trouble.BadEquality


def test_an_exception_that_takes_no_notes_comes_back_without(raised):
    assert type(raised(trouble.BadNotes)) is trouble.BadNotes


def test_an_exception_that_the_caller_does_not_know_arrives_as_a_task_failed(done, monkeypatch):
    future = done(tasks.fail, "boo")
    monkeypatch.delattr(tasks, "Trouble")
    error = future.exception()
    assert type(error) is TaskFailed
    assert "tests.testapp.tasks.Trouble: ('boo', 1)" in str(error)
    assert "raise Trouble(text, code)" in notes(error)


def test_an_exception_group_comes_back_whole(raised):
    error = raised(lambda: ExceptionGroup("both", [ValueError(1), KeyError(2)]))
    assert type(error) is ExceptionGroup
    assert [type(e) for e in error.exceptions] == [ValueError, KeyError]


def test_a_task_that_recurses_for_ever_fails(done):
    assert type(done(trouble.recurse).exception()) is RecursionError


@pytest.mark.parametrize(
    "text", ["a\0b", "lone \ud800 surrogate", "\udcff", HUGE], ids=["NUL", "high", "low", "huge"]
)
def test_any_text_of_an_exception_can_be_carried_and_kept(done, text):
    assert done(tasks.fail, text).exception().args == (text, 1)
    error = CallQueue.objects.get().error
    assert "Trouble" in error or len(text) > TEXT_LIMIT
    assert 0 < len(error) <= TEXT_LIMIT + 1


@pytest.mark.parametrize("text", ["a\0b", "lone \ud800 surrogate", HUGE], ids=["NUL", "surrogate", "huge"])
def test_the_text_of_an_exception_travels_in_json_too(done, text):
    error = done(trouble.fail_in_json, text).exception()
    assert type(error) is TaskFailed
    assert "builtins.ValueError: " in str(error)
    assert len(str(error)) < TEXT_LIMIT + 200


@pytest.mark.parametrize("error", trouble.END, ids=lambda error: error.__name__)
def test_a_result_that_can_not_be_written_fails_the_call(done, error):
    assert done(trouble.return_unwritable, error.__name__).exception() is not None
    assert CallQueue.objects.get().state == "dead"


def test_a_result_that_can_not_be_pickled_is_named(done):
    with pytest.raises(
        TypeError, match=r"return_a_lambda: the result \(a function\) can not be written as pickle"
    ):
        done(tasks.return_a_lambda).result()


def test_a_result_that_is_no_json_is_named(done):
    with pytest.raises(TaskFailed, match=r"the result \(a set\) can not be written as json"):
        done(trouble.return_a_set).result()


def test_arguments_that_do_not_fit_fail_the_call(done):
    with pytest.raises(TypeError, match="positional argument"):
        done(tasks.add, 1, 2, 3).result()


@pytest.mark.parametrize("value", [None, False, 0, "", [], ValueError("a value"), (1, {2: 3}), b"\0"])
def test_any_value_comes_back_as_it_was(done, value):
    ((answer,), _) = done(tasks.echo, value).result()
    assert repr(answer) == repr(value)


def test_a_coroutine_is_run_to_its_end(done):
    assert done(tasks.add_async, 1, 2).result() == 3
    with pytest.raises(ValueError, match="async"):
        done(trouble.fail_async).result()


def test_a_task_may_return_a_future(by_hand):
    """It is not waited for: that would hold the thread, and the only one for ever."""
    outer = tasks.start_another.delay()
    by_hand.work()
    inner = outer.result()
    assert isinstance(inner, Future)
    by_hand.work()
    assert inner.result() == 3


def test_outside_of_tasks_there_is_a_call_that_is_none():
    call = current_call()
    assert not call
    assert (call.id, call.task, call.attempt, call.is_last_attempt) == ("", "", 1, True)
    assert (call.claim_no, call.deliveries, call.slot, call.is_cancelled) == (0, 0, None, False)
    assert call.progress(1, 2, "nobody asks") is None
    assert repr(call) == "<no current call>"
    assert not pickle.loads(pickle.dumps(call))


def test_a_task_knows_its_call_and_nobody_else_does(by_hand):
    future = tasks.whoami.delay()
    assert not current_call()
    by_hand.work()
    call = future.result()
    assert (call.id, call.task) == (future.id, "tests.testapp.tasks.whoami")
    assert (call.attempt, call.claim_no, call.deliveries) == (1, 1, 0)
    assert not current_call()


def test_a_coroutine_knows_its_call_too(done):
    future = done(tasks.whoami_async)
    assert future.result().id == future.id


def test_a_call_knows_how_often_it_was_claimed(by_hand):
    future = tasks.whoami.delay()
    (first,) = by_hand.run(*by_hand.claim())
    by_hand.tables["default"].release([first.receipt])
    by_hand.work()
    assert future.result().claim_no == 2


def test_an_outcome_says_when_the_run_began(outcome):
    success, failure = outcome(tasks.nothing), outcome(tasks.fail, "boo")
    assert type(success) is Success
    assert type(failure) is Failure
    assert success.started < failure.started


def test_the_type_of_the_error_is_kept_with_the_dead_letter(done):
    done(tasks.fail, "text")
    assert CallQueue.objects.get().errors[0]["type"] == "tests.testapp.tasks.Trouble"
