"""Schedules that are due, followed in the test's own process: each slot once, whoever looks."""

import contextlib
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_tpq.futures import Cron, Every, Future, registry, ticking
from django_tpq.futures.appointments import rule_of
from django_tpq.futures.decorators import TaskFunction
from django_tpq.futures.models import CallQueue, Schedule
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.signals import task_enqueued
from django_tpq.futures.ticking import IDLE, LOOK, Ticker
from django_tpq.main.connections import connect
from tests.testapp import tasks
from tests.testapp.models import MailQueue
from tpq.schedules import TABLE
from tpq.statements import compose

pytestmark = pytest.mark.django_db(transaction=True)

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ADD = tasks.add.name
CALLS = CallQueue._meta.db_table


class Clock:
    """A ticker on a connection of its own."""

    def __init__(self):
        self.connection = connect("default")
        self.ticker = Ticker("default")

    def look(self):
        """Look now, as often as there is something to do."""
        for _ in range(50):
            self.ticker._look_at = 0.0
            wait = self.ticker._look(self.connection)
            self.wait = IDLE if wait is None else min(LOOK, wait)
            if self.wait:
                return self.wait
        raise AssertionError("it does not come to rest")


@pytest.fixture
def clocks(transactional_db):
    """As many as one likes."""
    made = []

    def clocks():
        made.append(Clock())
        return made[-1]

    yield clocks
    for clock in made:
        clock.connection.close()


@pytest.fixture
def clock(clocks):
    return clocks()


@pytest.fixture
def in_code(monkeypatch):
    """Schedules in code, of tasks that are gone after the test."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))

    def in_code(schedule, name="periodic", aliases=(), **options):
        def function(text=""):
            return text

        task = TaskFunction(function, name, TaskOptions(**options), aliases)
        task.origin, task.schedule = f"tests.{name}", schedule
        registry.register(task)
        return task

    return in_code


LATE = 5 * SECOND
"""How long ago the last slot is when one is due."""


def schedule(due=None, **columns):
    """A schedule of people's, with a slot an hour; `due`: so many of them are due, the last one since a moment."""
    start = timezone.now() - LATE - 1000 * HOUR
    given = {
        "name": "mine",
        "task": ADD,
        "args": [1, 2],
        "every": HOUR,
        "start_at": start,
        "overlap": "queue",
    }
    made = Schedule.objects.create(**given | columns)
    if due:
        fall_due(due)
    return made


def fall_due(due=1):
    """So many slots are due, of all."""
    for row in Schedule.objects.all():
        last = rule_of(row).after(timezone.now()) - row.every
        Schedule.objects.filter(pk=row.pk).update(next_at=last - (due - 1) * row.every)
    return last


def calls(queue=CallQueue):
    return list(queue.objects.order_by("id"))


def slots():
    return [datetime.fromisoformat(call.headers["slot"]) for call in calls()]


# A slot -----------------------------------------------------------------------------------------------------


def test_a_new_schedule_is_planned_and_its_first_slot_lies_ahead(clock):
    mine = schedule()
    assert 0 < clock.look() <= 1
    mine.refresh_from_db()
    assert timedelta(0) < mine.next_at - timezone.now() <= HOUR - LATE
    assert (mine.next_at - mine.start_at) % HOUR == timedelta(0)
    assert not calls()


def test_a_due_slot_gets_its_call_and_the_schedule_moves_on(clock):
    mine = schedule(due=1)
    slot = Schedule.objects.get().next_at
    clock.look()
    mine.refresh_from_db()
    assert slots() == [slot]
    assert (mine.last_at, mine.next_at, mine.skipped_at, mine.error) == (slot, slot + HOUR, None, "")
    assert Future.get(mine.last_call).id == mine.last_call
    clock.look()
    assert len(calls()) == 1


def test_the_call_knows_its_slot(clock, by_hand):
    mine = schedule(due=1, task="tests.testapp.tasks.slot", args=[])
    slot = Schedule.objects.get().next_at
    clock.look()
    by_hand.work()
    mine.refresh_from_db()
    assert Future.get(mine.last_call).result() == slot


def test_a_call_of_no_schedule_has_no_slot(done):
    assert done(tasks.slot).result() is None


@pytest.mark.parametrize("slot", [None, 7, "", "noon", "2026-06-01T12:00:00"])
def test_headers_that_say_nothing_sensible_are_as_if_there_were_none(by_hand, slot):
    future = tasks.slot.delay()
    CallQueue.objects.update(headers={"slot": slot})
    by_hand.work()
    assert future.result() is None


def test_arguments_queue_and_priority_are_the_schedules(clock, by_hand):
    task = "tests.testapp.tasks.echo"
    schedule(due=1, task=task, args=[1], kwargs={"a": [2]}, queue="mail", priority=7)
    clock.look()
    (call,) = calls(MailQueue)
    assert (call.priority, call.task) == (7, task)
    by_hand.work("mail")
    assert Future.get(Schedule.objects.get().last_call).result() == ((1,), {"a": [2]})


def test_the_tasks_own_options_are_kept(clock, in_code):
    in_code(Every(60), queue="mail", priority=3, max_attempts=4, delay=600)
    clock.look()
    fall_due()
    clock.look()
    (call,) = calls(MailQueue)
    assert (call.priority, call.max_attempts, call.state) == (3, 4, "waiting")


def test_whoever_listens_hears_of_the_call(clock):
    heard = []

    def receiver(sender, task, call, **_):
        heard.append((task, call))

    task_enqueued.connect(receiver)
    try:
        mine = schedule(due=1)
        clock.look()
    finally:
        task_enqueued.disconnect(receiver)
    mine.refresh_from_db()
    assert heard == [(ADD, mine.last_call)]


# Once -----------------------------------------------------------------------------------------------------


def test_many_that_look_at_once_make_one_call_a_slot(clocks):
    for n in range(8):
        schedule(name=f"schedule {n}", grace=1000 * HOUR)
    fall_due(4)
    start = threading.Barrier(6)
    failed = []

    def run(clock):
        try:
            start.wait(10)
            clock.look()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=[clocks()]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert CallQueue.objects.filter().count() == 32
    assert len(set(slots())) == 4 * 8


def test_who_dies_before_the_commit_leaves_the_slot_to_others(clocks, monkeypatch):
    schedule(due=1)
    dying, other = clocks(), clocks()

    def die(*_):
        dying.connection.close()
        raise psycopg.OperationalError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(ticking.ScheduleTable, "move", die)
        with pytest.raises(psycopg.OperationalError):
            dying.look()
    assert not calls()
    other.look()
    assert len(calls()) == 1


def test_what_somebody_else_is_at_is_looked_at_again_soon(clock):
    mine = schedule(due=1)
    with connect("default") as other, other.transaction():
        other.execute("SELECT FROM tpq_schedule WHERE id = %s FOR UPDATE", [mine.pk])
        assert clock.look() == ticking.LOCKED
    assert not calls()
    clock.look()
    assert len(calls()) == 1


@contextlib.contextmanager
def in_hand(statement, *values):
    """Somebody has done this in a transaction that is still open."""
    with connect("default") as other, other.transaction():
        other.execute(statement, values)
        yield


TOUCH = "UPDATE tpq_schedule SET enabled = enabled WHERE name = %s"


def test_calls_do_not_wait_for_a_row_of_code_that_somebody_has_locked_when_an_executor_starts(
    clocks, in_code
):
    in_code(Every(60))
    clocks().look()
    fine = schedule(name="fine")
    fall_due()
    start = time.monotonic()
    with in_hand(TOUCH, "periodic"):
        clocks().look()
    assert time.monotonic() - start < 5
    assert [call.task for call in calls()] == [fine.task]


def test_what_code_says_anew_is_written_when_the_row_is_free(clocks, in_code):
    in_code(Every(60))
    clocks().look()
    in_code(Every(90))
    in_code(Every(60), name="other")
    clock = clocks()
    with in_hand(TOUCH, "periodic"):
        clock.look()
        assert {row.name: row.every for row in Schedule.objects.all()} == {
            "periodic": 60 * SECOND,
            "other": 60 * SECOND,
        }
    clock.look()
    assert Schedule.objects.get(name="periodic").every == 90 * SECOND


def test_nobody_waits_to_say_why_a_schedule_is_not_followed(clocks):
    schedule(task="gone.task")
    with in_hand(TOUCH, "mine"):
        clocks().look()
    assert Schedule.objects.get().error == ""


def test_calls_do_not_wait_for_a_unique_key_that_an_open_transaction_has(clock):
    schedule(name="unique", task=tasks.index.name, args=[7])
    schedule(name="fine")
    clock.look()
    fall_due()
    with transaction.atomic():
        future = tasks.index.delay(7)
        start = time.monotonic()
        thread = threading.Thread(target=clock.look)
        thread.start()
        thread.join(10)
        assert time.monotonic() - start < 5
        with connect("default") as other:
            (made,) = other.execute(f"SELECT task FROM {CALLS}").fetchall()
        assert made == (ADD,)
        row = Schedule.objects.get(name="unique")
        assert (row.error, row.last_at, row.skipped_at) == ("", None, None)
        transaction.set_rollback(True)
    clock.ticker._again_at = 0.0
    clock.look()
    assert Schedule.objects.get(name="unique").last_call not in ("", future.id)
    assert len(calls()) == 2


def test_who_has_committed_the_key_meanwhile_takes_the_slots_place(clock):
    schedule(name="unique", task=tasks.index.name, args=[7])
    clock.look()
    slot = fall_due()
    with transaction.atomic():
        tasks.index.delay(7)
        thread = threading.Thread(target=clock.look)
        thread.start()
        thread.join(10)
    clock.ticker._again_at = 0.0
    clock.look()
    row = Schedule.objects.get()
    assert (row.skipped_at, row.last_at, len(calls())) == (slot, None, 1)


def test_the_next_try_is_with_the_next_look(clock):
    schedule(name="unique", task=tasks.index.name, args=[7])
    clock.look()
    fall_due()
    with in_hand(f"LOCK TABLE {CALLS} IN SHARE MODE"):
        clock.look()
    assert clock.ticker._again_at - time.monotonic() <= ticking.LOOK


# Missed, overlapping, put off -------------------------------------------------------------------------------


@pytest.mark.parametrize(("misfire", "count"), [("skip", 0), ("latest", 1), ("all", 60)])
def test_misfire_says_what_becomes_of_missed_slots(clock, misfire, count):
    # A slot each hour, the last one more than the grace ago.
    start = timezone.now() - 60 * HOUR - 20 * MINUTE
    mine = schedule(due=60, start_at=start, misfire=misfire, grace=MINUTE)
    clock.look()
    mine.refresh_from_db()
    assert slots() == [start + n * HOUR for n in range(61 - count, 61)]
    assert mine.next_at == start + 61 * HOUR
    assert mine.skipped_at == (None if count == 60 else start + (60 - count) * HOUR)


def test_overlap_skips_while_the_call_before_waits_or_runs(clock, by_hand):
    mine = schedule(due=1, overlap="skip")
    clock.look()
    for state in ("ready", "claimed"):
        skipped = fall_due()
        clock.look()
        mine.refresh_from_db()
        assert (len(calls()), mine.skipped_at) == (1, skipped), state
        claimed = by_hand.claim()
    by_hand.settle(*by_hand.run(*claimed))
    fall_due()
    clock.look()
    assert len(calls()) == 1
    mine.refresh_from_db()
    assert mine.last_at == skipped
    CallQueue.objects.update(state="dead", claimed_by=None)
    fall_due()
    clock.look()
    assert CallQueue.objects.exclude(state="dead").count() == 1


def test_overlap_is_a_matter_of_the_own_calls(clock):
    schedule(due=1, overlap="skip")
    tasks.add.delay(1, 2)
    schedule(due=1, overlap="skip", name="other")
    clock.look()
    assert len(calls()) == 3


def test_slots_that_are_made_up_for_overlap_too(clock):
    schedule(due=6, overlap="skip", misfire="all")
    clock.look()
    mine = Schedule.objects.get()
    assert slots() == [mine.last_at]
    assert mine.skipped_at == mine.next_at - HOUR > mine.last_at


def test_a_unique_task_is_called_once_and_the_slot_is_skipped(clock):
    task = "tests.testapp.tasks.index"
    mine = schedule(due=2, task=task, args=[7], grace=1000 * HOUR)
    clock.look()
    mine.refresh_from_db()
    (call,) = calls()
    assert call.unique_key.startswith(f"{task}:")
    assert mine.skipped_at > mine.last_at


def test_jitter_puts_calls_off(clock):
    schedule(due=10, jitter=HOUR, grace=1000 * HOUR)
    clock.look()
    found = calls()
    assert {call.state for call in found} == {"waiting"}
    delays = [call.due_at - call.enqueued_at for call in found]
    assert len(set(delays)) == len(found) == 10
    assert all(timedelta(0) < delay <= HOUR + SECOND for delay in delays)


# Edited by people -------------------------------------------------------------------------------------------


def change(**columns):
    Schedule.objects.update(**columns)


def save(**columns):
    mine = Schedule.objects.get()
    for name, value in columns.items():
        setattr(mine, name, value)
    mine.save()


def by_sql(**columns):
    with connection.cursor() as cursor:
        for name, value in columns.items():
            cursor.execute(f"UPDATE tpq_schedule SET {name} = %s", [value])


@pytest.mark.parametrize("edit", [change, save, by_sql])
def test_an_edited_schedule_is_planned_anew_with_the_next_look(clock, edit):
    schedule()
    clock.look()
    edit(every=SECOND)
    assert Schedule.objects.get().next_at is None
    assert clock.look() <= 1
    assert Schedule.objects.get().next_at - timezone.now() <= SECOND


def test_an_edit_of_anything_else_changes_no_plan(clock):
    schedule()
    clock.look()
    planned = Schedule.objects.get().next_at
    save(args=[3, 4], grace=HOUR, name="renamed")
    assert Schedule.objects.get().next_at == planned


def test_who_saves_what_he_has_read_before_calls_no_slot_again(clock):
    schedule(due=1)
    read = Schedule.objects.get()
    clock.look()
    read.args = [5, 6]
    read.save()
    clock.look()
    mine = Schedule.objects.get()
    assert (mine.args, len(calls())) == ([5, 6], 1)
    assert mine.last_call


def test_a_disabled_schedule_rests_and_makes_nothing_up(clock):
    schedule(due=1, misfire="all")
    save(enabled=False)
    assert clock.look() == ticking.IDLE
    assert Schedule.objects.get().next_at is None
    save(enabled=True)
    clock.look()
    assert Schedule.objects.get().next_at > timezone.now()
    assert not calls()


# In code --------------------------------------------------------------------------------------------------


def test_a_schedule_in_code_becomes_a_row(clock, in_code, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    in_code(Cron("30 2 * * *", kwargs={"text": "a"}, misfire="all", grace=5, jitter=6, overlap="queue"))
    clock.look()
    row = Schedule.objects.get()
    assert (row.name, row.task, row.source, row.enabled) == ("periodic", "periodic", "code", True)
    assert (row.cron, row.timezone, row.every) == ("30 2 * * *", "Asia/Tokyo", None)
    assert (row.kwargs, row.misfire, row.overlap) == ({"text": "a"}, "all", "queue")
    assert (row.grace, row.jitter) == (5 * SECOND, 6 * SECOND)
    tokyo = row.next_at.astimezone(timezone.get_fixed_timezone(9 * HOUR))
    assert (tokyo.hour, tokyo.minute) == (2, 30)


def test_it_is_written_once_however_many_executors_start(clocks, in_code):
    in_code(Every(60, start=datetime(2026, 1, 1, tzinfo=UTC), args=["a"]))
    clocks().look()
    query = "SELECT xmin::text FROM tpq_schedule"
    with connection.cursor() as cursor:
        written = cursor.execute(query).fetchall()
        clocks().look()
        assert cursor.execute(query).fetchall() == written


def test_another_schedule_in_code_takes_its_place_but_people_say_whether_it_is_enabled(clocks, in_code):
    in_code(Every(60))
    clocks().look()
    save(enabled=False)
    in_code(Cron("0 0 1 1 *"))
    clocks().look()
    row = Schedule.objects.get()
    assert (row.cron, row.every, row.enabled) == ("0 0 1 1 *", None, False)


def test_a_schedule_that_has_gone_from_code_is_reported_and_not_followed(clocks, in_code, caplog):
    in_code(Every(60))
    clocks().look()
    fall_due()
    in_code(None)
    clock = clocks()
    clock.look()
    clock.look()
    assert "has no schedule in code any more" in Schedule.objects.get().error
    assert [
        record.getMessage().split(":")[0] for record in caplog.records if record.levelname == "WARNING"
    ] == ["schedule periodic is not followed"]
    assert not calls()
    in_code(Every(60))
    clocks().look()
    assert Schedule.objects.get().error == ""
    assert len(calls()) == 1


def test_a_task_with_a_new_name_keeps_the_row_of_its_schedule_and_misses_and_repeats_no_slot(clocks, in_code):
    in_code(Every(60), name="old")
    clocks().look()
    slot = fall_due()
    before = Schedule.objects.get()
    registry._tasks.pop("old")
    in_code(Every(60), name="new", aliases=("older", "old"))
    clocks().look()
    row = Schedule.objects.get()
    assert (row.pk, row.name, row.task, row.last_at, row.error) == (before.pk, "new", "new", slot, "")
    assert [(call.task, call.headers["slot"]) for call in calls()] == [("new", slot.isoformat())]


def test_it_stays_disabled_under_its_new_name(clocks, in_code):
    in_code(Every(60), name="old")
    clocks().look()
    save(enabled=False)
    registry._tasks.pop("old")
    in_code(Every(60), name="new", aliases=("old",))
    clocks().look()
    assert [(row.name, row.enabled) for row in Schedule.objects.all()] == [("new", False)]


def test_the_row_of_an_old_name_that_old_executors_write_again_is_not_followed_beside_the_new_one(
    clocks, in_code
):
    in_code(Every(60), name="new", aliases=("old",))
    clocks().look()
    Schedule.objects.create(name="old", task="old", source="code", every=60 * SECOND)
    fall_due()
    clock = clocks()
    clock.look()
    assert [call.task for call in calls()] == ["new"]
    assert "is 'new' now" in Schedule.objects.get(name="old").error
    assert Schedule.objects.get(name="new").error == ""


def test_a_schedule_of_peoples_goes_by_an_old_name_of_its_task(clock, in_code):
    in_code(None, name="new", aliases=("old",))
    schedule(due=1, task="old", args=[])
    clock.look()
    assert [call.task for call in calls()] == ["new"]


# What can not be followed ---------------------------------------------------------------------------------


def test_an_unknown_task_is_reported_once_and_no_other_schedule_waits_for_it(clock, caplog):
    gone = schedule(due=1, task="gone.task")
    fine = schedule(due=1, name="fine")
    for _ in range(3):
        clock.look()
    gone.refresh_from_db()
    fine.refresh_from_db()
    assert "does not know the task 'gone.task'" in gone.error
    assert (fine.error, len(calls())) == ("", 1)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "schedule mine is not followed: this executor does not know" in warnings[0].getMessage()


def test_an_executor_that_knows_the_task_follows_it(clocks, in_code):
    schedule(due=1, task="periodic", args=[])
    clocks().look()
    assert Schedule.objects.get().error
    in_code(None)
    clocks().look()
    assert (len(calls()), Schedule.objects.get().error) == (1, "")


WRONG = {
    "'61 * * * *' is no cron expression: Bad minute": {"cron": "61 * * * *", "every": None},
    "there is no time zone 'Europe/Berlim'": {
        "cron": "* * * * *",
        "every": None,
        "timezone": "Europe/Berlim",
    },
    "missing a required argument: 'b'": {"args": [1]},
    "must be a list": {"args": {"a": 1}},
    "there is no call queue 'nowhere' in TPQ_QUEUES": {"queue": "nowhere"},
    "more than TPQ_MAX_PAYLOAD": {"args": ["x" * 17_000_000, 1]},
}


@pytest.mark.parametrize("why", WRONG)
def test_a_row_that_can_not_be_followed_says_why_and_stops_no_other(clock, why):
    bad, _ = schedule(name="bad"), schedule(name="fine")
    fall_due()
    Schedule.objects.filter(name="bad").update(**WRONG[why])
    clock.look()
    bad.refresh_from_db()
    assert why in bad.error
    assert len(calls()) == 1
    assert clock.look() <= 1  # it is left alone for a while
    Schedule.objects.filter(name="fine").delete()
    assert clock.look() == ticking.IDLE


@pytest.mark.parametrize("edit", [change, save, by_sql])
def test_a_row_that_is_put_right_is_followed_with_the_next_look(clock, edit):
    schedule(due=1, task="gone.task")
    clock.look()
    assert clock.look() == ticking.IDLE  # it is left alone for a while
    edit(task=ADD)
    clock.look()
    assert (len(calls()), Schedule.objects.get().error) == (1, "")


def test_what_the_server_refuses_stops_no_other(clock):
    bad, _ = schedule(due=1, name="bad", queue="mail"), schedule(due=1, name="fine")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE testapp_mailqueue ADD CONSTRAINT closed CHECK (false) NOT VALID")
        try:
            clock.look()
        finally:
            cursor.execute("ALTER TABLE testapp_mailqueue DROP CONSTRAINT closed")
    bad.refresh_from_db()
    assert bad.error.startswith("CheckViolation: ")
    assert (len(calls()), len(calls(MailQueue))) == (1, 0)
    clock.ticker._again_at = 0.0
    clock.look()
    bad.refresh_from_db()
    assert (bad.error, len(calls(MailQueue))) == ("", 1)


def test_a_schedule_without_a_next_slot_says_so(clock, monkeypatch):
    mine = schedule(every=timedelta(days=36_000), start_at=datetime(9990, 1, 1, tzinfo=UTC))
    clock.look()
    mine.refresh_from_db()
    assert (mine.next_at, mine.error) == (mine.start_at, "")
    monkeypatch.setattr(Every, "after", lambda self, moment: None)
    Schedule.objects.update(next_at=timezone.now() - LATE)
    assert clock.look() == ticking.IDLE
    assert "no slot" in Schedule.objects.get().error


def test_the_calls_of_a_task_in_another_database_are_not_made_here(clock, settings, monkeypatch):
    monkeypatch.setattr("django_tpq.futures.following._home", lambda queue: "other")
    schedule(due=1)
    clock.look()
    assert "is in the database 'other'" in Schedule.objects.get().error


def test_a_schedule_in_code_for_a_queue_that_there_is_not_stops_no_other(clock, in_code, caplog):
    in_code(Every(60), name="lost", queue="nowhere")
    in_code(Every(60), name="fine")
    clock.look()
    assert [row.name for row in Schedule.objects.all()] == ["fine"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("schedule lost is not followed: there is no call queue 'nowhere' in TPQ_QUEUES")


def test_a_schedule_in_code_that_the_server_refuses_stops_no_other(clock, in_code, caplog):
    in_code(Cron(f"{','.join(['1'] * 200)} * * * *"), name="long")
    in_code(Every(60), name="fine")
    schedule(due=1)
    clock.look()
    assert {row.name for row in Schedule.objects.all()} == {"mine", "fine"}
    assert len(calls()) == 1
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("schedule long is not followed: StringDataRightTruncation: value too long")


@pytest.mark.parametrize("column", ["start_at", "last_at", "next_at"])
def test_a_row_that_can_not_even_be_read_stops_no_other(clock, column):
    schedule(name="fine")
    schedule(name="bad")
    fall_due()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE tpq_schedule SET {column} = 'infinity' WHERE name = 'bad'")
    clock.look()
    assert len(calls()) == 1
    with connection.cursor() as cursor:
        errors = dict(cursor.execute("SELECT name, error FROM tpq_schedule").fetchall())
    assert errors["fine"] == ""
    assert column == "next_at" or errors["bad"].startswith(
        "DataError: its row has a value that can not be read"
    )


def test_without_its_table_an_executor_goes_on(clock, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tpq_schedule RENAME TO elsewhere")
        try:
            clock.ticker.tick(clock.connection)
            clock.ticker._look_at = 0.0
            clock.ticker.tick(clock.connection)
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO tpq_schedule")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "tpq_schedule" in warning
    assert clock.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


# What it costs --------------------------------------------------------------------------------------------


def test_it_looks_once_in_a_while_and_waits_for_what_is_due_sooner(clock):
    assert clock.look() == ticking.IDLE
    mine = schedule()
    clock.look()
    Schedule.objects.update(next_at=timezone.now() + HOUR)
    assert clock.look() == ticking.LOOK
    Schedule.objects.update(next_at=timezone.now() + 0.4 * SECOND)
    assert 0.05 < clock.look() < 0.4
    assert mine.pk


def test_between_looks_nothing_is_asked(clock, monkeypatch):
    at = clock.ticker.tick(clock.connection)
    monkeypatch.setattr(clock.ticker, "_look", None)
    assert clock.ticker.tick(clock.connection) == at


def test_the_look_reads_an_index(clock):
    Schedule.objects.bulk_create(Schedule(name=f"s{n}", task=ADD, every=HOUR) for n in range(3000))
    Schedule.objects.update(next_at=timezone.now() + HOUR)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tpq_schedule")
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {compose('schedules/coming', TABLE)}",
            {"count": 10, "but": "{7}", "marks": "{8}", "ahead": "0"},
        )
        (plan,) = cursor.fetchone()
    text = json.dumps(plan)
    assert "tpq_schedule_due" in text
    assert "Sort" not in text
    assert "Seq Scan" not in text
