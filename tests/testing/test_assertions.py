"""What waits, and assertions about it whose failure is of use."""

import datetime
from unittest.mock import ANY

import pytest

from django_tpq.testing import assert_enqueued, assert_not_enqueued, enqueued
from tests.backend import work
from tests.testapp import tasks

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


def told(**wishes):
    """What an assertion says that fails."""
    with pytest.raises(AssertionError) as failed:
        assert_enqueued(tasks.add, **wishes)
    return str(failed.value)


def test_what_waits_is_told_in_the_order_of_its_runs():
    future = tasks.add.using(priority=-1).delay(1, b=2)
    tasks.echo.using(delay=60).delay("later")
    tasks.mail.delay("ada")
    tasks.echo.using(priority=7).delay("first")
    found = enqueued()
    assert [(call.task.rpartition(".")[2], call.args, call.kwargs) for call in found] == [
        ("echo", ("first",), {}),
        ("add", (1,), {"b": 2}),
        ("mail", ("ada",), {}),
        ("echo", ("later",), {}),
    ]
    assert [call.queue for call in found] == ["default", "default", "mail", "default"]
    assert (found[1].id, found[1].priority, found[1].attempt, found[1].due_at) == (future.id, -1, 1, None)
    assert [call.args for call in enqueued(tasks.echo)] == [("first",), ("later",)]
    assert [call.args for call in enqueued(queue="mail")] == [("ada",)]


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"args": (1, 2)},
        {"args": (1,), "kwargs": {"b": 2}},
        {"kwargs": {"a": 1, "b": 2}},
        {"args": (ANY, 2)},
        {"count": 1, "queue": "default", "priority": 0, "delay": 0},
    ],
)
def test_one_that_fits_is_found(wishes):
    future = tasks.add.delay(1, 2)
    assert [call.id for call in assert_enqueued(tasks.add, **wishes)] == [future.id]
    assert assert_enqueued("tests.testapp.tasks.add", **wishes)


def test_defaults_of_parameters_count():
    tasks.note.delay("notes", "text")
    assert_enqueued(tasks.note, args=("notes", "text", 0))
    assert_enqueued(tasks.note, kwargs={"path": "notes", "text": "text"})
    assert_not_enqueued(tasks.note, args=("notes", "text", 1))


def test_a_delay_and_a_moment():
    moment = datetime.datetime.now(datetime.UTC) + HOUR
    tasks.add.using(delay=90).delay(1, 2)
    tasks.add.using(run_after=moment).delay(3, 4)
    assert assert_enqueued(tasks.add, delay=90)[0].args == (1, 2)
    assert assert_enqueued(tasks.add, delay=datetime.timedelta(minutes=1.5), count=1)
    assert assert_enqueued(tasks.add, run_after=moment)[0].args == (3, 4)
    assert "run_after is at once" in told_of_ready(run_after=moment + HOUR)
    assert "delay is 0:01:30, not 0:00:30" in told(delay=30)


def told_of_ready(**wishes):
    tasks.add.delay(5, 6)
    return told(**wishes)


def test_a_failure_says_what_is_different():
    tasks.add.delay(1, 2)
    tasks.mail.delay("ada")
    text = told(args=(1, 3), priority=4, queue="mail")
    assert text.splitlines() == [
        "1 or more calls of tests.testapp.tasks.add with (1, 3), queue='mail', priority=4 should wait, but there are 0",
        "Of the task there wait:",
        "  tests.testapp.tasks.add(1, 2)  [queue='default', priority=0]",
        "      arguments: argument 2 is 2, not 3",
        "      queue is 'default', not 'mail'",
        "      priority is 0, not 4",
        "Of other tasks there wait:",
        "  tests.testapp.tasks.mail('ada')  [queue='mail', priority=3]",
    ]


def test_arguments_that_are_missing_or_too_many_are_named():
    tasks.echo.delay(1, here=2)
    with pytest.raises(AssertionError) as failed:
        assert_enqueued(tasks.echo, args=(1, 5), kwargs={"there": 3})
    assert "argument 2 is missing, not 5; there is missing, not 3; here is 2, not missing" in str(
        failed.value
    )


def test_nothing_at_all_is_said_so():
    assert told().endswith("Nothing waits at all.")


def test_a_wrong_number_lists_those_that_fit():
    tasks.add.delay_many([(1, 2)] * 25)
    text = told(count=2)
    assert "2 calls of tests.testapp.tasks.add should wait, but there are 25" in text
    assert "… and 5 more" in text
    assert_enqueued(tasks.add, count=25)


def test_none_is_to_wait():
    assert_not_enqueued()
    assert_not_enqueued(tasks.add)
    tasks.add.delay(1, 2)
    assert_not_enqueued(tasks.mail)
    assert_not_enqueued(tasks.add, args=(2, 1))
    assert_not_enqueued(queue="mail")
    with pytest.raises(AssertionError, match=r"0 calls of .* should wait, but there are 1"):
        assert_not_enqueued(tasks.add)
    with pytest.raises(AssertionError, match=r"none was expected:\n  tests.testapp.tasks.add\(1, 2\)"):
        assert_not_enqueued()


def test_djangos_tasks_are_tasks():
    work.add.using(priority=9).enqueue(1, b=2)
    assert_enqueued(work.add, args=(1, 2), priority=9)
    with pytest.raises(AssertionError, match="argument 2 is 2, not 7"):
        assert_enqueued(work.add, args=(1, 7))


def test_what_is_no_task_is_refused():
    with pytest.raises(TypeError, match="a task or the name of one"):
        assert_enqueued(len)


def test_what_runs_waits_no_more(tpq):
    tasks.add.delay(1, 2)
    tpq.run_pending()
    tpq.assert_not_enqueued()
