"""What Django asks of a backend, point by point, where neither its own suite nor the other tests here do."""

import functools
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousOperation
from django.test import override_settings
from django.utils import timezone

from django_tpq.backend import PostgreSQLBackend, task
from django_tpq.backend.adapter import BackendTask
from django_tpq.backend.compat import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResultStatus,
    task_enqueued,
)
from django_tpq.futures.dispatch import insert
from django_tpq.futures.models import CallQueue
from tests.backend import work
from tests.backend.work import BACKEND
from tests.docs.reader import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tended")]
NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001
FIRST = "import django_tpq.futures, django_tpq.main, sys; "
NEITHER = (
    f"{FIRST}sys.modules.update(dict.fromkeys(['django.tasks', 'django_tasks'])); import django_tpq.backend"
)
UNREADY = "import tests.backend.work as w; from django.apps import apps; print(apps.ready, w.add.get_backend().check)"


class Methods:
    def method(self):
        """No function of a module."""


def no_context(word):
    return word


NOT_OF_A_MODULE = [lambda: None, Methods().method, len, Methods, functools.partial(no_context)]


def python(code):
    """Run code in a process of its own, in which Django has not been set up."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


# What it is -----------------------------------------------------------------------------------------------


def test_it_can_do_all_that_there_is():
    flags = "supports_defer supports_async_task supports_get_result supports_priority"
    assert all(getattr(PostgreSQLBackend, flag) is True for flag in flags.split())


def test_it_serves_djangos_own_tasks_where_there_are_any_whatever_else_is_installed():
    expected = "django.tasks.backends.base" if find_spec("django.tasks") else "django_tasks.backends.base"
    assert BaseTaskBackend.__module__ == expected


def test_without_tasks_of_django_all_but_the_backend_can_be_imported_and_that_says_what_to_install():
    done = python(NEITHER)
    assert "ImproperlyConfigured" in done.stderr
    assert "pip install 'django-tpq[backport]'" in done.stderr


def test_it_is_made_before_the_apps_are_ready():
    done = python(UNREADY)
    assert done.stdout.startswith("False <bound method PostgreSQLBackend.check"), done.stderr


def test_it_is_made_and_checked_without_a_database():
    made = PostgreSQLBackend("some", {"QUEUES": ["a"], "OPTIONS": {}})
    assert (made.alias, made.queues, made.options, list(made.check())) == ("some", {"a"}, {}, [])
    assert PostgreSQLBackend("some", {}).queues == {"default"}


def test_a_project_without_the_app_is_told(settings):
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    (error,) = BACKEND.check()
    assert (error.id, "django_tpq.futures" in error.hint) == ("tpq_backend.E001", True)
    assert "TASKS['default']" in error.msg


def test_options_that_nobody_reads_are_told():
    made = PostgreSQLBackend("some", {"OPTIONS": {"max_attempts": 3, "database": "other"}})
    (warning,) = made.check()
    assert (warning.id, warning.is_serious()) == ("tpq_backend.W001", False)
    assert warning.msg == "TASKS['some']['OPTIONS'] has no effect: database, max_attempts."


def test_a_task_is_not_called_by_accident():
    with pytest.raises(TypeError, match="not callable"):
        work.add(1, 2)
    assert work.add.call(1, 2) == 3


# What is no task ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [lambda: None, Methods().method, len, Methods, functools.partial(no_context)],
    ids=["lambda", "method", "builtin", "class", "partial"],
)
def test_only_a_function_of_a_module_can_be_one(function):
    with pytest.raises(InvalidTask, match="module level"):
        work.task(function)


def test_who_takes_the_context_takes_it_first():
    with pytest.raises(InvalidTask, match="context"):
        work.task(takes_context=True)(no_context)


@pytest.mark.parametrize("priority", [101, -101, 1.5, float("nan"), float("inf"), "1"])
def test_a_priority_that_is_none_makes_no_task(priority):
    with pytest.raises((InvalidTask, TypeError, ValueError)):
        work.add.using(priority=priority)


@pytest.mark.parametrize("priority", [100, -100, 1.0, True])
def test_a_priority_that_is_whole_is_kept(transactional_db, priority):
    result = work.add.using(priority=priority).enqueue(1, 2)
    assert CallQueue.objects.get().priority == priority
    assert work.add.get_result(result.id) == result


def test_a_moment_needs_a_time_zone_and_a_duration_is_none():
    with pytest.raises(InvalidTask, match="aware"):
        work.add.using(run_after=NAIVE)
    with pytest.raises(InvalidTask, match="must be a datetime, not a timedelta"):
        work.add.using(run_after=timedelta(hours=1))


def test_its_queues_are_those_of_the_settings_and_none_are_all():
    with pytest.raises(InvalidTask, match="nowhere"):
        work.add.using(queue_name="nowhere")
    assert work.add.using(backend="second", queue_name="nowhere").queue_name == "nowhere"


# In -------------------------------------------------------------------------------------------------------


@pytest.fixture
def enqueued():
    """What was told to be enqueued."""
    enqueued = []

    def receive(sender, task_result, **_):
        enqueued.append((sender, task_result))

    task_enqueued.connect(receive)
    yield enqueued
    task_enqueued.disconnect(receive)


@override_settings(USE_TZ=False)
def test_without_time_zones_moments_have_none(by_hand):
    later = work.add.using(run_after=NAIVE).enqueue(1, 2)
    assert work.add.get_result(later.id).task.run_after == NAIVE
    result = work.add.enqueue(1, 2)
    assert timezone.is_naive(result.enqueued_at)
    found = work.add.get_result(result.id)
    assert found == result
    by_hand.work()
    found.refresh()
    assert found.status == TaskResultStatus.SUCCESSFUL
    moments = found.started_at, found.last_attempted_at, found.finished_at, datetime.now()  # noqa: DTZ005
    assert sorted(moments) == list(moments)


def test_moments_are_kept_to_the_microsecond_in_utc(transactional_db):
    moment = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    result = work.add.using(run_after=moment).enqueue(1, 2)
    assert work.add.get_result(result.id).task.run_after == moment
    assert result.enqueued_at.tzinfo is UTC


# Out ------------------------------------------------------------------------------------------------------


def test_a_result_of_another_task_is_no_result_of_this_one(transactional_db):
    result = work.echo.enqueue()
    with pytest.raises(Exception, match="Task does not match") as caught:
        work.add.get_result(result.id)
    assert type(caught.value).__name__ == "TaskResultMismatch"


@pytest.mark.parametrize(
    ("path", "error"),
    [("tests.backend.work.no_task", SuspiciousOperation), ("tests.backend.gone.task", ImportError)],
)
def test_a_result_of_what_is_no_task_is_refused(transactional_db, path, error):
    forged = BackendTask(work.add)
    forged.name = forged.origin = path
    call, _ = insert(forged, (), {})
    with pytest.raises(error):
        BACKEND.get_result(str(call))


def test_before_the_end_there_is_no_value(by_hand):
    result = work.add.enqueue(1, 2)
    for _ in range(2):
        with pytest.raises(ValueError, match="Task has not finished yet"):
            result.return_value  # noqa: B018
        by_hand.claim()
        result.refresh()
    assert result.status == TaskResultStatus.RUNNING


def test_larger_priorities_run_sooner_and_equal_ones_in_order(by_hand):
    order = [0, -3, 20, 0, 100, -100, 20]
    results = [work.add.using(priority=priority).enqueue(place, 0) for place, priority in enumerate(order)]
    run = [str(call.call) for call in by_hand.claim()]
    assert run == [results[place].id for place in (4, 2, 6, 0, 3, 1, 5)]


def test_what_is_not_due_yet_is_not_run(by_hand):
    result = work.add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1, 2)
    assert by_hand.claim() == []
    result.refresh()
    assert result.status == TaskResultStatus.READY


def test_an_interrupt_of_a_task_is_its_own(by_hand):
    result, other = work.interrupt.enqueue(), work.add.enqueue(1, 2)
    by_hand.work()
    result.refresh()
    other.refresh()
    assert result.errors[0].exception_class is KeyboardInterrupt
    assert other.return_value == 3


def test_a_result_is_told_from_a_coroutine_too(transactional_db, enqueued):
    async def enqueue():
        results = [
            await work.add.aenqueue(1, b=2),
            *await BACKEND.aenqueue_all([(work.add_async, (1,), {"b": 2})]),
        ]
        return results, [await result.task.aget_result(result.id) for result in results]

    results, found = async_to_sync(enqueue)()
    assert found == results
    assert enqueued == [(PostgreSQLBackend, result) for result in results]


def test_ours_is_a_task_of_djangos():
    assert isinstance(task(no_context), Task)
