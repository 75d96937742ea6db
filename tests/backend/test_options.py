"""Options of ours on Django's tasks: each is checked when the task is made, and means what it says."""

from datetime import UTC, datetime, timedelta

import django
import pytest
from django.db import transaction

from django_tpq.backend import PostgreSQLTask, task
from django_tpq.backend.adapter import OURS, adapted, options_of
from django_tpq.backend.compat import InvalidTask, TaskResultDoesNotExist, TaskResultStatus
from django_tpq.backend.tasks import TaskExtras
from django_tpq.futures import DuplicateCall, Exponential
from django_tpq.futures.models import CallQueue, Finished
from django_tpq.futures.options import LANES
from tests.backend import choices, work
from tests.backend.work import BACKEND

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tended")]
READY, RUNNING = TaskResultStatus["READY"], TaskResultStatus["RUNNING"]
SOON = datetime.now(UTC) + timedelta(days=1)
FITTING = [
    {"max_attempts": 3},
    {"backoff": 5},
    {"backoff": Exponential()},
    {"backoff": lambda error, attempt: 1},
    {"retry_on": (OSError, ValueError)},
    {"give_up_on": ValueError},
    {"max_deliveries": 1},
    {"timeout": 3},
    {"timeout": timedelta(seconds=3)},
    {"expires": 60},
    {"expires": SOON},
    {"executor": "thread"},
    {"executor": "process"},
    {"atomic": True},
    {"unique": "args"},
    {"unique": "key:{word}"},
    {"unique": "args", "unique_for": 60},
    {"unique": "args", "on_duplicate": "error"},
    {"secret": ("word",)},
]
UNFIT = [
    ({"max_attempts": 0}, "max_attempts must be a whole number"),
    ({"max_attempts": "3"}, "max_attempts must be a whole number"),
    ({"backoff": "soon"}, "backoff must be seconds"),
    ({"retry_on": "OSError"}, "retry_on must be an exception type"),
    ({"give_up_on": [OSError]}, "give_up_on must be an exception type"),
    ({"max_deliveries": 0}, "max_deliveries must be a whole number"),
    ({"timeout": 0}, "timeout must be longer than nothing"),
    ({"timeout": "1m"}, "timeout must be seconds or a timedelta"),
    ({"expires": -1}, "expires must be from 0"),
    ({"expires": 0}, "expires must be longer than nothing"),
    ({"atomic": "no"}, "atomic must be True or False, not 'no'"),
    ({"expires": datetime(2030, 1, 1)}, "expires must be a datetime with a time zone"),  # noqa: DTZ001
    ({"executor": "moon"}, "executor must be one of thread, async, process"),
    ({"executor": "async"}, "executor='async' is for coroutine functions"),
    ({"atomic": True, "executor": "async"}, "atomic is for threads and processes"),
    ({"unique": 3}, "unique must be 'args'"),
    ({"unique_for": 60}, "give `unique`, too"),
    ({"on_duplicate": "ignore"}, "on_duplicate must be one of"),
    ({"secret": "word"}, "secret must be a tuple"),
    ({"secret": ("password",)}, "secret names password, which is no parameter"),
    ({"secret": ("word",), "unique": "{word}"}, "names word, which is secret"),
    ({"unique": "{wird}"}, "names 'wird', which is no parameter (there are: word)"),
    ({"unique": "{"}, "is no template"),
]


def one(word=""):
    return word


# Made -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", FITTING, ids=", ".join)
def test_an_option_that_fits_is_taken_and_meant(options):
    made = task(**options)(one)
    assert isinstance(made, PostgreSQLTask)
    for name, value in options.items():
        assert getattr(options_of(made.using(priority=3)), name) == value


@pytest.mark.parametrize(("options", "text"), UNFIT, ids=", ".join)
def test_an_option_that_does_not_fit_makes_no_task_and_is_named(options, text):
    with pytest.raises(InvalidTask) as caught:
        task(**options)(one)
    assert text in str(caught.value)


@pytest.mark.skipif(django.VERSION[:2] == (6, 0), reason="Django 6.0's own decorator takes no options")
@pytest.mark.parametrize("options", FITTING, ids=", ".join)
def test_djangos_own_decorator_makes_the_same(options):
    assert work.task(**options)(one) == task(**options)(one)


@pytest.mark.skipif(django.VERSION[:2] != (6, 0), reason="later ones and the backport take options")
def test_djangos_own_decorator_takes_none_in_6_0():
    with pytest.raises(TypeError):
        work.task(timeout=3)(one)


def test_an_option_that_there_is_not_is_no_option():
    with pytest.raises(TypeError, match="patience"):
        task(patience=3)(one)


def test_ours_without_options_is_as_djangos():
    assert task(one) == work.task(one) == task()(one)


def test_all_options_of_ours_can_be_given_and_are_typed():
    names = {name for name in PostgreSQLTask.__dataclass_fields__ if name in OURS}
    assert names == OURS == set(TaskExtras.__annotations__)


@pytest.mark.parametrize(
    ("made", "executor"),
    [
        (work.add, None),
        (work.add_async, "async"),
        (choices.in_a_thread, "thread"),
        (choices.apart, "process"),
        (choices.create_async, None),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_row_says_where_a_call_runs_also_to_who_has_not_imported_it(transactional_db, made, executor):
    made.enqueue(*(() if made is choices.in_a_thread else (1,)))
    row = CallQueue.objects.get()
    assert (row.lane, row.headers.get("executor")) == (LANES[executor or "thread"], executor)
    assert adapted(made).options.executor == executor


# Once -----------------------------------------------------------------------------------------------------


def test_of_one_key_there_is_one_call_and_its_result_is_everybodys(by_hand, told):
    first = choices.index.enqueue(7, note="first")
    second = choices.index.enqueue(7, note="second")
    third = choices.index.enqueue(8)
    assert second == first
    assert second.kwargs == {"note": "first"}
    assert third.id != first.id
    assert [name for name, *_ in told] == ["enqueued", "enqueued"]
    by_hand.claim()
    assert choices.index.enqueue(7).status == RUNNING


def test_when_it_has_ended_there_may_be_another(by_hand):
    first = choices.index.enqueue(7)
    by_hand.work()
    assert choices.index.enqueue(7).id != first.id


def test_a_key_may_be_held_beyond_the_end_of_its_call(by_hand):
    first = choices.digest.enqueue(7)
    by_hand.work()
    again = choices.digest.enqueue(7)
    assert (again.id, again.return_value) == (first.id, 7)
    Finished.objects.all().delete()
    with pytest.raises(DuplicateCall, match="nothing else is left of it"):
        choices.digest.enqueue(7)


def test_of_many_with_one_key_there_is_one(transactional_db, told):
    results = BACKEND.enqueue_all(
        [(choices.index, (7,), {}), (choices.index, (7,), {}), (choices.index, (8,), {})]
    )
    assert results[0] == results[1] != results[2]
    assert len(told) == CallQueue.objects.count() == 2


def test_a_duplicate_may_be_an_error(transactional_db, told):
    choices.report.enqueue(7)
    with transaction.atomic():
        with pytest.raises(DuplicateCall):
            choices.report.enqueue(7)
        assert choices.report.enqueue(8).status == READY
    assert len(told) == 2


def test_a_duplicate_may_take_the_place(transactional_db, told):
    first = choices.remind.enqueue(7)
    second = choices.remind.enqueue(7)
    assert second.id != first.id
    with pytest.raises(TaskResultDoesNotExist):
        first.refresh()
    assert CallQueue.objects.count() == 1


# On commit ------------------------------------------------------------------------------------------------


def test_a_call_may_wait_for_the_commit(transactional_db, told):
    with transaction.atomic():
        choices.index.enqueue_on_commit(7)
        BACKEND.enqueue_on_commit(work.add, (1,), {"b": 2})
        assert CallQueue.objects.count() == 0
    assert CallQueue.objects.count() == 2
    assert [name for name, *_ in told] == ["enqueued", "enqueued"]
    choices.index.enqueue_on_commit(8)
    assert CallQueue.objects.count() == 3


def test_after_a_rollback_there_is_none(transactional_db):
    with transaction.atomic():
        choices.index.enqueue_on_commit(7)
        transaction.set_rollback(True)
    assert CallQueue.objects.count() == 0


def test_what_can_not_be_enqueued_is_said_at_once(transactional_db):
    with transaction.atomic():
        with pytest.raises(TypeError):
            choices.index.enqueue_on_commit(object())


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_the_commit_may_be_that_of_another_database():
    with transaction.atomic(using="other"):
        BACKEND.enqueue_on_commit(work.add, (1, 2), {}, using="other")
        assert CallQueue.objects.count() == 0
    assert CallQueue.objects.count() == 1
