"""Schedules as rows, as people write them: what is refused, and with which text; what checks and the status say."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from django_tpq.futures import Cron, Every, registry, schedules, task
from django_tpq.futures.models import Schedule
from django_tpq.futures.overview import report
from tests.testapp import tasks

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


def schedule(**columns):
    given = {"name": "mine", "task": tasks.add.name, "args": [1, 2], "cron": "*/5 * * * *"}
    return Schedule(**given | columns)


def refused(**columns):
    """The texts of what is wrong, by field."""
    with pytest.raises(ValidationError) as error:
        schedule(**columns).full_clean()
    return {field: " ".join(texts) for field, texts in error.value.message_dict.items()}


def test_what_executors_can_follow_is_fine():
    schedule().full_clean()
    schedule(cron="", every=MINUTE, start_at=datetime(2026, 1, 1, tzinfo=UTC)).full_clean()
    schedule(
        args=[], kwargs={"a": 1, "b": 2}, queue="mail", priority=3, timezone="Europe/Berlin"
    ).full_clean()


@pytest.mark.parametrize(
    ("columns", "field", "text"),
    [
        ({"cron": "61 * * * *"}, "cron", "'61 * * * *' is no cron expression: Bad minute"),
        ({"cron": "* * * *"}, "cron", "a cron expression has five fields"),
        ({"timezone": "Europe/Berlim"}, "timezone", "there is no time zone 'Europe/Berlim'"),
        ({"task": "gone.task"}, "task", "There is no task 'gone.task'"),
        ({"args": [1]}, "kwargs", "missing a required argument: 'b'"),
        ({"args": [1, 2, 3]}, "kwargs", "too many positional arguments"),
        ({"kwargs": {"c": 1}}, "kwargs", "unexpected keyword argument 'c'"),
        ({"queue": "nowhere"}, "queue", "there is no call queue 'nowhere' in TPQ_QUEUES"),
        ({"misfire": "some"}, "misfire", "not a valid choice"),
        ({"cron": "", "every": timedelta(seconds=0.5)}, "every", "from one second on"),
        ({"grace": -MINUTE}, "cron", "grace must be from nothing to a hundred years"),
    ],
)
def test_what_they_can_not_is_refused_at_its_field(columns, field, text):
    assert text in refused(**columns)[field]


@pytest.mark.parametrize("columns", [{"cron": ""}, {"every": MINUTE}])
def test_it_is_either_a_cron_expression_or_an_interval(columns):
    assert "Give a cron expression, or every so often" in refused(**columns)["__all__"]


def test_two_of_a_name_are_refused_but_code_and_people_may_use_the_same():
    schedule().save()
    assert refused()["name"] == "There is a schedule 'mine' already."
    Schedule.objects.get().full_clean()
    schedule(source="code").save()


def test_without_the_library_a_cron_expression_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setattr(schedules, "_cronsim", lambda: None)
    assert "pip install 'django-tpq[cron]'" in refused()["cron"]


@pytest.mark.parametrize(
    "columns",
    [
        {"cron": ""},
        {"every": MINUTE},
        {"cron": "", "every": timedelta(0)},
        {"grace": -MINUTE},
        {"overlap": "x"},
    ],
)
def test_the_database_refuses_what_can_be_no_schedule(columns):
    with pytest.raises(IntegrityError), transaction.atomic():
        schedule(**columns).save()


def test_only_some_fields_can_be_saved_as_ever():
    schedule().save()
    mine = Schedule.objects.get()
    mine.enabled, mine.name = False, "other"
    mine.save(update_fields=["enabled"])
    mine = Schedule.objects.get()
    assert (mine.enabled, mine.name) == (False, "mine")


# In code --------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_new_tasks(monkeypatch):
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def periodic(text, *, loudly=False):
    """No task yet."""
    return text


def test_a_task_keeps_its_schedule_and_is_called_as_ever():
    made = task(schedule=Every(60, args=["a"]))(periodic)
    assert made.schedule == Every(60, args=["a"])
    assert made("b") == "b"
    assert made.using(priority=3).schedule is None


def test_a_schedule_that_gives_no_value_for_a_parameter_is_refused_by_its_name():
    with pytest.raises(TypeError, match=r"task .*periodic: its schedule must give .*missing.*'text'.*args=…"):
        task(schedule=Every(60))(periodic)
    with pytest.raises(TypeError, match="'loud'"):
        task(schedule=Cron("* * * * *", kwargs={"text": "a", "loud": True}))(periodic)


def test_a_schedule_is_one():
    with pytest.raises(TypeError, match=r"schedule must be Cron\(…\) or Every\(…\), not '5 \* \* \* \*'"):
        task(schedule="5 * * * *")(periodic)


def test_a_single_call_has_no_schedule():
    with pytest.raises(TypeError, match="a schedule is of the task, not of a call: give it to @task"):
        tasks.add.using(schedule=Every(60))


# What is said of them -------------------------------------------------------------------------------------


def warnings():
    return {message.id: f"{message.msg} {message.hint}" for message in run_checks()}


def test_a_check_says_that_cron_expressions_can_not_be_read(monkeypatch):
    task(schedule=Cron("* * * * *", args=["a"]))(periodic)
    assert "tpq_futures.W013" not in warnings()
    monkeypatch.setattr(schedules, "_cronsim", lambda: None)
    assert "test_timetable.periodic" in warnings()["tpq_futures.W013"]
    assert "pip install 'django-tpq[cron]'" in warnings()["tpq_futures.W013"]


def test_a_check_says_that_a_queue_is_missing():
    assert "tpq_futures.W011" not in warnings()
    task(schedule=Every(60, args=["a"]), queue="nowhere")(periodic)
    assert "its queue 'nowhere' is not in TPQ_QUEUES" in warnings()["tpq_futures.W011"]


def test_the_status_tells_of_schedules_if_there_are_any():
    def told():
        return [line for line in report("default", ["default"]) if "schedule" in line]

    assert told() == []
    schedule().save()
    schedule(name="gone", error="it is gone").save()
    assert told() == [
        "2 schedule(s), the next slot: not planned yet",
        "  !! schedule gone is not followed: it is gone",
    ]
    Schedule.objects.update(next_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert told()[0] == "2 schedule(s), the next slot: 2026-01-01 12:00:00+00:00"
    Schedule.objects.update(enabled=False)
    assert told() == []
